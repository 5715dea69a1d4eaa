// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * What is kept is in table.h; which file a mapping is of, found_file.h tells.
 *
 * What a scan reads is newer than what waits in the stream: what happened before the last full scan began, or before
 * this process's maps were read, is no news.
 */
#include "discover/discover.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "discover/events.h"
#include "discover/found_file.h"
#include "discover/procmaps.h"
#include "discover/procstat.h"
#include "discover/table.h"

#define RESCAN_MIN_NS (1000ull * 1000 * 1000)
#define LINGER_NS     (50ull * 1000 * 1000)

struct discover {
	struct loop *loop;
	struct discover_user user;
	struct events *events;
	struct procmaps *maps;
	bool maps_busy;
	bool filtered;
	pid_t self;
	struct pid_entry *wanted, *ignored;
	struct table table;
	struct loop_source *rescan_timer, *linger_timer;
	uint64_t round, rounds; /* round: of the scan at hand */
	uint64_t last_scan_ns;	/* when the last full scan began */
	struct discover_stats stats;
};

static bool tracked(const struct discover *discover, pid_t pid)
{
	if (pid == discover->self)
		return false;
	if (pid_set__has(discover->wanted, pid))
		return true;
	return !discover->filtered && !pid_set__has(discover->ignored, pid);
}

/* Is the event at hand older than what we read of the process (NULL: of any) since? */
static bool stale(const struct discover *discover, const struct process *process)
{
	uint64_t time_ns = events__time_ns(discover->events);

	return time_ns < discover->last_scan_ns || (process && time_ns < process->read_ns);
}

static struct module_key key_of(const struct module *module)
{
	return (struct module_key) { module->id.dev, module->id.inode, module->generation };
}

/* Its first thread ended already, so that the stream may not tell when the last one does: look now and then. */
static void linger(struct discover *discover, struct process *process)
{
	process->lingers = true;
	loop__set_timer(discover->linger_timer, LINGER_NS, 0);
}

static void report_maps(struct discover *discover, pid_t pid, const struct module *module)
{
	struct process *process = table__process(&discover->table, pid);
	struct procstat stat;

	if (!process)
		return;
	if (!process->start_ticks && procstat__read(pid, &stat)) {
		process->start_ticks = stat.start_ticks;
		if (stat.exiting)
			linger(discover, process);
	}
	process->reported = true;
	if (discover->user.process_maps)
		discover->user.process_maps(discover->user.context, pid, key_of(module));
}

/* A file that no module stands for yet, or did under another name. Returns its module (linked to pid, unless boring), or NULL. */
static struct module *new_file(struct discover *discover, pid_t pid, pid_t tid, const struct procmaps_entry *entry,
			       bool streamed)
{
	struct found_file file;
	struct module *module;
	int err = found_file__open(discover->events, tid, entry, streamed, &file);

	if (err == -EINVAL) /* a device: nothing to probe there */
		return NULL;
	if (err < 0) {
		discover->stats.open_failed++;
		log_debug("process %d: cannot open %s, which it maps: %s", pid, entry->path, strerror(-err));
		return NULL;
	}
	for (size_t i = 0; i < file.n_also; i++)
		table__add_alias(&discover->table, file.also[i], file.id);
	module = table__module(&discover->table, file.id);
	if (!module) {
		module = table__add_module(&discover->table, file.id, file.generation);
		if (module && !file.elf) {
			module->verdict = BORING; /* code that a runtime generates, archives */
		} else if (module && table__link(&discover->table, pid, module, discover->round) >= 0 &&
			   discover->user.module_seen) {
			discover->user.module_seen(discover->user.context, key_of(module), entry->path, file.fd, pid);
			module = table__module(&discover->table, file.id); /* the user may have changed much */
		}
	}
	close(file.fd);
	return module;
}

/* tid: a living thread of the process: a first thread that has ended shows no mappings. */
static void saw_mapping(struct discover *discover, pid_t pid, pid_t tid, const struct procmaps_entry *entry,
			uint64_t generation, bool streamed)
{
	struct file_id id = { entry->dev, entry->inode };
	struct module *module = table__module_or_alias(&discover->table, id);

	if (module && generation && module->generation && module->generation != generation) {
		table__remove_module(&discover->table, module); /* its inode number is another file's now */
		module = NULL;
	}
	if (!module)
		module = new_file(discover, pid, tid, entry, streamed);
	if (!module || module->verdict == BORING)
		return;
	if (table__link(&discover->table, pid, module, discover->round) == 1 && module->verdict == INTERESTING)
		report_maps(discover, pid, module);
}

static void on_mapped(void *context, const struct events_mapping *mapping)
{
	struct discover *discover = context;
	struct procmaps_entry entry = {
		.start = mapping->start,
		.end = mapping->start + mapping->length,
		.offset = mapping->offset,
		.dev = mapping->dev,
		.inode = mapping->inode,
		.permissions = PROCMAPS_READ | PROCMAPS_EXEC,
		.path = mapping->path,
	};

	if (mapping->inode && mapping->offset != EVENTS_IDENTIFY_OFFSET && tracked(discover, mapping->pid) &&
	    !stale(discover, table__process(&discover->table, mapping->pid)))
		saw_mapping(discover, mapping->pid, mapping->tid, &entry, mapping->generation, true);
}

static void on_exec(void *context, pid_t pid, const char *comm)
{
	struct discover *discover = context;
	struct process *process = table__process(&discover->table, pid);
	bool reported;

	(void)comm;
	if (!process || stale(discover, process))
		return;
	reported = process->reported;
	table__remove_process(&discover->table, process);
	if (reported && discover->user.process_exec)
		discover->user.process_exec(discover->user.context, pid);
}

static void process_gone(struct discover *discover, struct process *process)
{
	pid_t pid = process->pid;
	bool reported = process->reported;

	table__remove_process(&discover->table, process);
	if (reported && discover->user.process_gone)
		discover->user.process_gone(discover->user.context, pid);
}

static void on_forked(void *context, pid_t pid, pid_t parent)
{
	struct discover *discover = context;
	struct process *from, *child;

	if (pid_set__has(discover->wanted, parent))
		pid_set__add(&discover->wanted, pid);
	else if ((parent == discover->self || pid_set__has(discover->ignored, parent)) &&
		 !pid_set__has(discover->wanted, pid))
		pid_set__add(&discover->ignored, pid);
	child = table__process(&discover->table, pid);
	if (stale(discover, child))
		return;
	if (child) /* its number was another's, whose end we missed */
		process_gone(discover, child);
	if (!tracked(discover, pid))
		return;
	/* The user may change the parent's list inside report_maps: look it up again each time. */
	for (size_t i = 0; (from = table__process(&discover->table, parent)) && i < from->n_links; i++) {
		struct module *module = from->links[i].module;

		if (table__link(&discover->table, pid, module, discover->round) == 1 && module->verdict == INTERESTING)
			report_maps(discover, pid, module);
	}
}

/* The first thread ended. Is that the end of the process? -1: ask again in a while. */
static int has_ended(const struct process *process)
{
	struct procstat stat;

	if (!procstat__read(process->pid, &stat))
		return 1;
	if (process->start_ticks && stat.start_ticks != process->start_ticks)
		return 1;
	if (stat.state != 'Z' && stat.state != 'X')
		return -1; /* still on its way out, or another thread took its place by exec */
	return procstat__other_thread(process->pid) ? -1 : 1;
}

static void on_exited(void *context, pid_t pid, pid_t tid)
{
	struct discover *discover = context;
	struct process *process;

	if (pid != tid)
		return;
	pid_set__remove(&discover->ignored, pid);
	process = table__process(&discover->table, pid);
	if (!process) {
		pid_set__remove(&discover->wanted, pid);
		return;
	}
	if (has_ended(process) == 1) {
		pid_set__remove(&discover->wanted, pid);
		process_gone(discover, process);
		return;
	}
	linger(discover, process);
}

static void on_linger_timer(void *context, uint32_t bits)
{
	struct discover *discover = context;
	struct process *process, *next;
	bool again = false;
	size_t n_gone = 0, max_gone = HASH_COUNT(discover->table.processes);
	pid_t *gone = calloc(max_gone + 1, sizeof(*gone));

	(void)bits;
	if (!gone)
		return;
	HASH_ITER (hh, discover->table.processes, process, next) {
		struct procstat stat;

		if (!process->lingers)
			continue;
		if (has_ended(process) == 1)
			gone[n_gone++] = process->pid;
		else if (procstat__read(process->pid, &stat) && !stat.exiting)
			process->lingers = false; /* a thread's exec made it the first one */
		else
			again = true;
	}
	for (size_t i = 0; i < n_gone; i++) {
		pid_set__remove(&discover->wanted, gone[i]);
		process = table__process(&discover->table, gone[i]);
		if (process)
			process_gone(discover, process);
	}
	free(gone);
	if (again)
		loop__set_timer(discover->linger_timer, 4 * LINGER_NS, 0);
}

static void on_lost(void *context, uint64_t n)
{
	struct discover *discover = context;
	uint64_t now = loop__now_ns(), at = discover->last_scan_ns + RESCAN_MIN_NS;

	discover->stats.lost += n;
	if (discover->user.lost && n)
		discover->user.lost(discover->user.context, n);
	loop__set_timer(discover->rescan_timer, at > now ? at - now : 1, 0);
}

static void on_rescan_timer(void *context, uint32_t bits)
{
	(void)bits;
	discover__rescan(context, 0);
}

/* Returns how many mappings the thread shows, or -errno. */
static int read_maps(struct discover *discover, struct procmaps *maps, pid_t pid, pid_t tid, uint64_t round)
{
	struct file_id last = { 0, 0 };
	struct procmaps_entry entry;
	int n = 0, err = procmaps__begin(maps, tid);

	while (err >= 0 && (err = procmaps__next(maps, &entry)) == 1) {
		struct file_id id = { entry.dev, entry.inode };

		n++;
		if (!entry.inode || !(entry.permissions & PROCMAPS_EXEC) || memcmp(&id, &last, sizeof(id)) == 0)
			continue;
		last = id;
		discover->round = round; /* a callback may have scanned another process */
		saw_mapping(discover, pid, tid, &entry, 0, false);
	}
	return err < 0 ? err : n;
}

/* Reads one process's maps. Modules that it does not map any more are unlinked; all interesting ones gone: an exec that
 * we missed. */
static int scan_process(struct discover *discover, pid_t pid)
{
	struct procmaps *maps = discover->maps_busy ? procmaps__new() : discover->maps;
	bool shared = maps == discover->maps, exec;
	uint64_t round = ++discover->rounds, read_ns = loop__now_ns();
	struct process *process;
	pid_t other;
	int n;

	if (!maps)
		return -ENOMEM;
	if (shared)
		discover->maps_busy = true;
	n = read_maps(discover, maps, pid, pid, round);
	if (n == 0 && (other = procstat__other_thread(pid)))
		n = read_maps(discover, maps, pid, other, round);
	if (shared)
		discover->maps_busy = false;
	else
		procmaps__free(maps);
	discover->round = round;
	process = table__process(&discover->table, pid);
	if (n < 0 || !process)
		return n < 0 && n != -ESRCH ? n : 0;
	if (n == 0) { /* a zombie: its end is on the way, or was missed */
		linger(discover, process);
		return 0;
	}
	process->read_ns = read_ns;
	exec = table__unlink_older(process, round) && process->reported;
	for (size_t i = 0; i < process->n_links; i++)
		if (process->links[i].module->verdict == INTERESTING)
			exec = false;
	if (exec)
		process->reported = false;
	if (!process->n_links)
		table__remove_process(&discover->table, process);
	if (exec && discover->user.process_exec)
		discover->user.process_exec(discover->user.context, pid);
	return 0;
}

/* Adds to the set every child of a process in it (or of parent), until nothing changes. */
static void add_descendants(struct pid_entry **set, pid_t parent, const struct procstat *list, size_t n,
			    struct pid_entry *except)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < n; i++)
			if ((list[i].parent == parent || pid_set__has(*set, list[i].parent)) &&
			    !pid_set__has(*set, list[i].pid) && !pid_set__has(except, list[i].pid)) {
				pid_set__add(set, list[i].pid);
				changed = true;
			}
	}
}

/* Forgets processes that ended, or whose number another one has, without our notice. */
static void forget_ended(struct discover *discover, const struct procstat *list, size_t n)
{
	struct process *process, *next;
	size_t n_gone = 0;
	pid_t *gone = calloc(HASH_COUNT(discover->table.processes) + 1, sizeof(*gone));

	if (!gone)
		return;
	HASH_ITER (hh, discover->table.processes, process, next) {
		bool alive = false;

		for (size_t i = 0; i < n && !alive; i++)
			alive = list[i].pid == process->pid &&
				(!process->start_ticks || process->start_ticks == list[i].start_ticks);
		if (!alive)
			gone[n_gone++] = process->pid;
	}
	for (size_t i = 0; i < n_gone; i++) {
		process = table__process(&discover->table, gone[i]);
		if (process)
			process_gone(discover, process);
	}
	free(gone);
}

int discover__rescan(struct discover *discover, pid_t pid)
{
	struct procstat *list;
	ssize_t n;

	if (pid)
		return tracked(discover, pid) ? scan_process(discover, pid) : 0;
	discover->last_scan_ns = loop__now_ns();
	discover->stats.rescans++;
	n = procstat__list(&list);
	if (n < 0)
		return (int)n;
	add_descendants(&discover->wanted, -1, list, (size_t)n, NULL);
	add_descendants(&discover->ignored, discover->self, list, (size_t)n, discover->wanted);
	forget_ended(discover, list, (size_t)n);
	for (ssize_t i = 0; i < n; i++)
		if (tracked(discover, list[i].pid))
			scan_process(discover, list[i].pid);
	free(list);
	return 0;
}

int discover__start(struct discover *discover)
{
	int err = discover__rescan(discover, 0);

	discover->stats.rescans = 0;
	return err;
}

int discover__add_pid(struct discover *discover, pid_t pid)
{
	if (kill(pid, 0) < 0 && errno == ESRCH)
		return -ESRCH;
	pid_set__add(&discover->wanted, pid);
	pid_set__remove(&discover->ignored, pid);
	return scan_process(discover, pid);
}

void discover__mark(struct discover *discover, struct module_key key, bool interesting)
{
	struct module *module = table__module(&discover->table, (struct file_id) { key.dev, key.inode });
	enum verdict before;
	size_t n_pids;
	pid_t *pids;

	if (!module || module->generation != key.generation)
		return;
	before = module->verdict;
	module->verdict = interesting ? INTERESTING : BORING;
	if (!interesting) {
		table__unlink_module(&discover->table, module);
		return;
	}
	if (before == BORING) { /* who maps it was not remembered */
		discover__rescan(discover, 0);
		return;
	}
	if (before == INTERESTING || !module->n_pids)
		return;
	n_pids = module->n_pids;
	pids = malloc(n_pids * sizeof(*pids));
	if (!pids)
		return;
	memcpy(pids, module->pids, n_pids * sizeof(*pids));
	for (size_t i = 0; i < n_pids && module->verdict == INTERESTING; i++)
		report_maps(discover, pids[i], module);
	free(pids);
}

void discover__drain(struct discover *discover)
{
	events__drain(discover->events);
}

int discover__open(struct discover *discover, struct module_key key)
{
	struct module *module = table__module(&discover->table, (struct file_id) { key.dev, key.inode });
	struct procmaps *maps;
	struct procmaps_entry entry;
	int fd = -ENOENT;

	if (!module || module->generation != key.generation)
		return -ENOENT;
	maps = procmaps__new();
	if (!maps)
		return -ENOMEM;
	for (size_t i = 0; i < module->n_pids && fd < 0; i++) {
		pid_t pid = module->pids[i], other = procstat__other_thread(pid);

		if (procmaps__begin(maps, other ? other : pid) < 0)
			continue;
		while (fd < 0 && procmaps__next(maps, &entry) == 1)
			if (entry.permissions & PROCMAPS_EXEC &&
			    table__module_or_alias(&discover->table, (struct file_id) { entry.dev, entry.inode }) ==
				    module)
				fd = procmaps__open(other ? other : pid, &entry);
	}
	procmaps__free(maps);
	return fd;
}

bool discover__maps(struct discover *discover, pid_t pid, const struct module_key *key)
{
	struct process *process = table__process(&discover->table, pid);

	for (size_t i = 0; process && i < process->n_links; i++) {
		const struct module *module = process->links[i].module;

		if (module->verdict == INTERESTING &&
		    (!key || (module->id.dev == key->dev && module->id.inode == key->inode)))
			return true;
	}
	return false;
}

struct discover_stats discover__stats(const struct discover *discover)
{
	struct discover_stats stats = discover->stats;
	struct module *module, *next;

	stats.events = events__count(discover->events);
	stats.modules = HASH_COUNT(discover->table.modules);
	stats.processes = HASH_COUNT(discover->table.processes);
	stats.interesting = 0;
	HASH_ITER (hh, discover->table.modules, module, next)
		stats.interesting += module->verdict == INTERESTING;
	return stats;
}

struct discover *discover__new(struct loop *loop, const struct discover_user *user, const pid_t *pids, size_t n_pids)
{
	const struct events_user events_user = {
		.mapped = on_mapped,
		.comm_exec = on_exec,
		.forked = on_forked,
		.exited = on_exited,
		.lost = on_lost,
	};
	struct discover *discover = calloc(1, sizeof(*discover));
	struct events_user with_context = events_user;
	int err;

	if (!discover)
		return NULL;
	discover->loop = loop;
	discover->user = *user;
	discover->self = getpid();
	discover->filtered = n_pids > 0;
	for (size_t i = 0; i < n_pids; i++)
		pid_set__add(&discover->wanted, pids[i]);
	discover->maps = procmaps__new();
	discover->rescan_timer = loop__add_timer(loop, 0, 0, on_rescan_timer, discover);
	discover->linger_timer = loop__add_timer(loop, 0, 0, on_linger_timer, discover);
	if (!discover->maps || !discover->rescan_timer || !discover->linger_timer) {
		err = ENOMEM;
		goto fail;
	}
	with_context.context = discover;
	discover->events = events__new(loop, &with_context);
	if (!discover->events) {
		err = errno;
		goto fail;
	}
	return discover;
fail:
	discover__free(discover);
	errno = err;
	return NULL;
}

void discover__free(struct discover *discover)
{
	if (!discover)
		return;
	events__free(discover->events);
	loop__remove(discover->loop, discover->rescan_timer);
	loop__remove(discover->loop, discover->linger_timer);
	table__clear(&discover->table);
	pid_set__clear(&discover->wanted);
	pid_set__clear(&discover->ignored);
	procmaps__free(discover->maps);
	free(discover);
}
