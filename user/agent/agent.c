/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <utarray.h>

#include "agent/config.h"
#include "agent/facts.h"
#include "agent/modules.h"
#include "agent/processes.h"
#include "attach/features.h"
#include "attach/programs.h"
#include "base/log.h"
#include "decode/decode.h"
#include "decode/stream.h"
#include "discover/discover.h"
#include "plan/adapter.h"
#include "resolve/resolver.h"

#define DRAIN_NS (100ULL * 1000 * 1000)
#define TIDY_NS	 (1000ULL * 1000 * 1000)
#define IDLE_NS	 (2ULL * 1000 * 1000 * 1000) /* a file that nobody maps any more keeps its probes so long */

struct agent {
	struct loop *loop;
	struct agent_options options;
	struct config *config;
	struct adapter_set *adapters;
	struct resolver *resolver;
	struct programs *programs; /* NULL: dry */
	struct modules *modules;
	struct processes *processes;
	struct discover *discover;
	struct model *model;
	struct stream_writer *stream;
	struct decode_counts decoded;
	struct loop_source *drain_timer, *tidy_timer, *ring;
	bool started, ready;
	bool processes_ended; /* since the last tidying */
	UT_array *held;	      /* pids that wait for our answer */
	UT_array *in_flight;  /* reused at each snapshot */
	UT_array *probes;
	int64_t start_unix_ns;
};

static const UT_icd pid_icd = { sizeof(pid_t), NULL, NULL, NULL };
static const UT_icd in_flight_icd = { sizeof(struct model_in_flight), NULL, NULL, NULL };
static const UT_icd probe_icd = { sizeof(struct snapshot_probe), NULL, NULL, NULL };

static int64_t realtime_offset_ns(void)
{
	struct timespec now;
	uint64_t monotonic = loop__now_ns();

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)monotonic;
}

/* Into the model and the saved stream: the order of a replay is the order of life. */
static void apply(struct agent *agent, const struct record *record)
{
	model__apply(agent->model, record);
	if (agent->stream)
		stream_writer__write(agent->stream, record);
}

static void take(void *context, const void *data, size_t size)
{
	struct agent *agent = context;
	struct record record;

	if (!decode__record(data, size, &record, &agent->decoded))
		return;
	if (record.tag == WIRE_HELD) {
		pid_t pid = (pid_t)record.header->process.tgid;

		utarray_push_back(agent->held, &pid);
		return;
	}
	if (record.tag == WIRE_EXIT || record.tag == WIRE_EXEC)
		agent->processes_ended = true;
	apply(agent, &record);
}

/* Lets held processes go on, once every file that they map has its answer. */
static void release_held(struct agent *agent)
{
	if (resolver__pending(agent->resolver))
		return;
	for (unsigned i = 0; i < utarray_len(agent->held); i++)
		kill(*(pid_t *)utarray_eltptr(agent->held, i), SIGCONT);
	utarray_clear(agent->held);
}

static void serve_held(struct agent *agent)
{
	for (unsigned i = 0; i < utarray_len(agent->held); i++)
		discover__rescan(agent->discover, *(pid_t *)utarray_eltptr(agent->held, i));
	release_held(agent);
}

void agent__drain(struct agent *agent)
{
	if (agent->programs)
		programs__drain(agent->programs, take, agent);
}

static void on_ring(void *context, uint32_t events)
{
	struct agent *agent = context;

	agent__drain(agent);
	serve_held(agent);
}

static void on_drain_timer(void *context, uint32_t events)
{
	struct agent *agent = context;

	agent__drain(agent);
	if (utarray_len(agent->held))
		serve_held(agent);
}

static bool alive(void *context, const struct wire_process *process)
{
	struct agent *agent = context;

	return processes__has(agent->processes, (pid_t)process->tgid);
}

static void apply_losses(struct agent *agent)
{
	uint64_t counts[LOSS_KINDS];
	struct wire_fact_loss fact;
	struct record record = { .tag = WIRE_FACT_LOSS, .loss = &fact };

	if (!agent->programs)
		return;
	programs__losses(agent->programs, counts);
	facts__loss(&fact, counts);
	apply(agent, &record);
}

static void on_tidy_timer(void *context, uint32_t events)
{
	struct agent *agent = context;

	model__set_realtime_offset(agent->model, realtime_offset_ns());
	modules__sweep(agent->modules, loop__now_ns(), IDLE_NS);
	if (agent->processes_ended && agent->programs)
		programs__collect(agent->programs, alive, agent);
	agent->processes_ended = false;
	if (agent->stream) {
		apply_losses(agent);
		stream_writer__flush(agent->stream);
	}
}

/* ---- discover → resolve → plan → attach ---- */

struct asked {
	struct agent *agent;
	struct module_key key;
	char *path;
};

static void check_ready(struct agent *agent)
{
	if (agent->started && !agent->ready && !resolver__pending(agent->resolver)) {
		agent->ready = true;
		log_info("ready: everything that runs is attached");
	}
}

static void on_answer(void *context, const struct answer *answer)
{
	struct asked *asked = context;
	struct agent *agent = asked->agent;
	struct module *module = NULL;

	if (answer->failed)
		log_info("%s: not read: %s", asked->path, answer->why);
	else if (answer->n_matches)
		module = modules__add(agent->modules, asked->key, asked->path, answer);
	discover__mark(agent->discover, asked->key, module != NULL);
	free(asked->path);
	free(asked);
	check_ready(agent);
	if (utarray_len(agent->held))
		release_held(agent);
}

static void on_module_seen(void *context, struct module_key key, const char *path, int fd, pid_t pid)
{
	struct agent *agent = context;
	struct asked *asked = calloc(1, sizeof(*asked));
	int error = -ENOMEM;

	if (asked) {
		asked->agent = agent;
		asked->key = key;
		asked->path = strdup(path);
		error = asked->path ? resolver__ask(agent->resolver, fd, path, on_answer, asked) : -ENOMEM;
	}
	if (error) {
		log_warn("%s (in process %d): not looked at: %s", path, (int)pid, strerror(-error));
		if (asked)
			free(asked->path);
		free(asked);
	}
}

static void on_process_maps(void *context, pid_t pid, struct module_key key)
{
	struct agent *agent = context;
	struct module *module = modules__find(agent->modules, key);
	int fd;

	if (!module)
		return;
	/* Those that it forked before we came: the kernel adds only what is forked from now on. */
	if (agent->programs && agent->options.n_pids)
		programs__want(agent->programs, pid);
	fd = discover__open(agent->discover, key);
	processes__maps(agent->processes, pid, module, fd);
	if (fd >= 0)
		close(fd);
}

static void on_process_end(void *context, pid_t pid)
{
	struct agent *agent = context;

	/* What it did before is in the ring: its names must be asked for while its entry stands. */
	agent__drain(agent);
	processes__forget(agent->processes, pid, loop__now_ns());
	agent->processes_ended = true;
}

static void on_hook(void *context, const struct module *module, const struct module_part *part,
		    const struct plan_hook *hook)
{
	struct agent *agent = context;
	struct wire_fact_hook fact;
	struct record record = { .tag = WIRE_FACT_HOOK, .hook = &fact };

	facts__hook(&fact, module->path, part->plan, hook);
	apply(agent, &record);
}

/* ---- what the model asks ---- */

static size_t name_of(void *context, const struct wire_handle *handle, char name[WIRE_NAME_MAX])
{
	struct agent *agent = context;
	const struct module_part *part;

	if (!modules__hook(agent->modules, handle->hook, &part))
		return 0;
	return facts__name(part->plan, (pid_t)handle->header.process.tgid, name);
}

static bool process_of(void *context, struct wire_fact_process *fact)
{
	return facts__process(fact);
}

static bool alias_of(void *context, const char *name, const char *runtime, char alias[NAMES_LABEL_MAX + 1])
{
	struct agent *agent = context;
	const char *found = config__alias(agent->config, name);

	if (!found)
		return false;
	snprintf(alias, NAMES_LABEL_MAX + 1, "%s", found);
	return true;
}

static void on_found(void *context, const struct record *record)
{
	struct agent *agent = context;

	if (agent->stream)
		stream_writer__write(agent->stream, record);
}

static void on_call(void *context, const struct model_call *call)
{
	struct agent *agent = context;

	if (agent->options.call)
		agent->options.call(agent->options.context, call);
}

/* ---- life ---- */

static int fail(struct agent_error *error, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct agent_error *error, int exit_code, const char *format, ...)
{
	va_list args;

	error->exit_code = exit_code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

static int load_programs(struct agent *agent, struct agent_error *error)
{
	struct programs_options options = {
		.ring_bytes = agent->options.ring_bytes,
		.filtered = agent->options.n_pids || agent->options.only_added,
		.hold = agent->options.hold,
		.no_multi = agent->options.no_multi,
	};
	struct feature_state states[FEATURES];
	const struct feature_state *missing;
	int code;

	agent->programs = programs__new(&options);
	if (agent->programs)
		return 0;
	code = errno;
	/* Only now, since trying every feature takes its time: which one is it? */
	features__probe(states);
	missing = features__missing(states);
	if (missing)
		return fail(error, 3, "%s is missing (%s): %s. `infermeter doctor` says more", missing->name,
			    missing->why, missing->remedy);
	return fail(error, 3, "the kernel refused our programs: %s. Run with --log debug and see CONTRIBUTING.md",
		    strerror(code));
}

static const char *cache_dir(char *buffer, size_t size)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (xdg && *xdg)
		snprintf(buffer, size, "%s/infermeter/resolved", xdg);
	else if (geteuid() == 0)
		snprintf(buffer, size, "/var/cache/infermeter");
	else if (home && *home)
		snprintf(buffer, size, "%s/.cache/infermeter/resolved", home);
	else
		return NULL;
	return buffer;
}

/* A host's files wait for their answers with a descriptor each. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_rooms(struct agent *agent, struct agent_error *error)
{
	const struct discover_user user = {
		.context = agent,
		.module_seen = on_module_seen,
		.process_maps = on_process_maps,
		.process_exec = on_process_end,
		.process_gone = on_process_end,
	};
	const struct model_options model = {
		.realtime_offset_ns = realtime_offset_ns(),
		.version = INFERMETER_VERSION,
		.context = agent,
		.name = name_of,
		.process = process_of,
		.alias = alias_of,
		.found = on_found,
		.call = on_call,
	};
	const pid_t nobody = -1; /* a filter that lets only agent__add_pid in */
	struct adapter_error adapter_error;
	char path[4096];

	allow_many_files();
	agent->config = config__read(agent->options.config, error->text, sizeof(error->text));
	if (!agent->config)
		return fail(error, 2, "%s", strdupa(error->text));
	agent->adapters = adapter_set__new(agent->options.runtimes, &adapter_error);
	if (!agent->adapters)
		return fail(error, 2, "%s", adapter_error.text);
	if (!agent->options.dry && load_programs(agent, error))
		return -1;
	agent->model = model__new(&model);
	agent->resolver = resolver__new(agent->loop, adapter_set__queries(agent->adapters),
					adapter_set__count(agent->adapters), cache_dir(path, sizeof(path)));
	agent->modules = modules__new(agent->adapters, agent->programs, on_hook, agent);
	agent->processes = agent->modules ? processes__new(agent->modules) : NULL;
	if (!agent->model || !agent->resolver || !agent->processes)
		return fail(error, 1, "cannot start: %s", strerror(errno));
	agent->discover = discover__new(agent->loop, &user, agent->options.only_added ? &nobody : agent->options.pids,
					agent->options.only_added ? 1 : agent->options.n_pids);
	if (!agent->discover)
		return fail(error, errno == EACCES || errno == EPERM ? 3 : 1,
			    "cannot watch for new processes: %s. Run as root; `infermeter doctor` says more",
			    strerror(errno));
	if (agent->options.save) {
		agent->stream = stream_writer__open(agent->options.save, realtime_offset_ns());
		if (!agent->stream)
			return fail(error, 1, "%s: %s", agent->options.save, strerror(errno));
	}
	agent->drain_timer = loop__add_timer(agent->loop, DRAIN_NS, DRAIN_NS, on_drain_timer, agent);
	agent->tidy_timer = loop__add_timer(agent->loop, TIDY_NS, TIDY_NS, on_tidy_timer, agent);
	if (agent->programs)
		agent->ring = loop__add(agent->loop, programs__ring_fd(agent->programs), EPOLLIN, on_ring, agent);
	if (!agent->drain_timer || !agent->tidy_timer || (agent->programs && !agent->ring))
		return fail(error, 1, "cannot start: %s", strerror(errno));
	return 0;
}

struct agent *agent__new(struct loop *loop, const struct agent_options *options, struct agent_error *error)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent) {
		fail(error, 1, "no memory");
		return NULL;
	}
	agent->loop = loop;
	agent->options = *options;
	agent->start_unix_ns = realtime_offset_ns() + (int64_t)loop__now_ns();
	utarray_new(agent->held, &pid_icd);
	utarray_new(agent->in_flight, &in_flight_icd);
	utarray_new(agent->probes, &probe_icd);
	if (open_rooms(agent, error)) {
		agent__free(agent);
		return NULL;
	}
	return agent;
}

void agent__free(struct agent *agent)
{
	if (!agent)
		return;
	if (agent->model)
		agent__drain(agent);
	if (agent->stream) {
		apply_losses(agent);
		stream_writer__close(agent->stream);
	}
	if (agent->resolver && agent->held) { /* a child of ours must not stay stopped */
		for (unsigned i = 0; i < utarray_len(agent->held); i++)
			kill(*(pid_t *)utarray_eltptr(agent->held, i), SIGCONT);
	}
	loop__remove(agent->loop, agent->ring);
	loop__remove(agent->loop, agent->drain_timer);
	loop__remove(agent->loop, agent->tidy_timer);
	discover__free(agent->discover);
	processes__free(agent->processes);
	modules__free(agent->modules);
	resolver__free(agent->resolver);
	programs__free(agent->programs);
	model__free(agent->model);
	adapter_set__free(agent->adapters);
	config__free(agent->config);
	utarray_free(agent->held);
	utarray_free(agent->in_flight);
	utarray_free(agent->probes);
	free(agent);
}

int agent__start(struct agent *agent)
{
	int error;

	for (size_t i = 0; agent->programs && i < agent->options.n_pids; i++)
		programs__want(agent->programs, agent->options.pids[i]);
	error = discover__start(agent->discover);
	agent->started = true;
	check_ready(agent);
	return error;
}

bool agent__ready(const struct agent *agent)
{
	return agent->ready;
}

int agent__add_pid(struct agent *agent, pid_t pid)
{
	int error = agent->programs ? programs__want(agent->programs, pid) : 0;

	return error ? error : discover__add_pid(agent->discover, pid);
}

/* ---- what is asked of it ---- */

static void note_frame(void *context, uint32_t tid, const struct wire_process *process, const struct frame *frame)
{
	struct agent *agent = context;
	struct model_in_flight call = {
		.process = *process,
		.handle = frame->known & (1U << VALUE_HANDLE) ? frame->values[VALUE_HANDLE] : 0,
		.start_ns = frame->start_ns,
		.hook = frame->hook,
		.tid = tid,
	};

	if (frame->means == HOOK_CALL)
		utarray_push_back(agent->in_flight, &call);
}

/* One row a runtime and hook: 1 while it is in place wherever it should be. */
static void note_probe(struct agent *agent, const struct plan_hook *hook, bool attached)
{
	struct snapshot_probe probe = { hook->runtime, hook->name, attached };

	for (unsigned i = 0; i < utarray_len(agent->probes); i++) {
		struct snapshot_probe *other = (struct snapshot_probe *)utarray_eltptr(agent->probes, i);

		if (strcmp(other->runtime, probe.runtime) == 0 && strcmp(other->probe, probe.probe) == 0) {
			other->attached |= attached;
			return;
		}
	}
	utarray_push_back(agent->probes, &probe);
}

static void note_probes(struct agent *agent)
{
	utarray_clear(agent->probes);
	for (const struct module *module = modules__first(agent->modules); module; module = module->hh.next) {
		for (size_t i = 0; i < module->n_parts; i++) {
			const struct module_part *part = &module->parts[i];

			for (size_t h = 0; module->users && h < part->plan->n_hooks; h++)
				note_probe(agent, &part->plan->hooks[h], part->sites && !part->plan->hooks[h].refused);
		}
	}
}

static void note_self(struct agent *agent, struct snapshot *snapshot)
{
	struct rusage usage;
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file) {
		if (fscanf(file, "%*d %ld", &pages) != 1)
			pages = 0;
		fclose(file);
	}
	getrusage(RUSAGE_SELF, &usage);
	snapshot->self.cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
				(uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
	snapshot->self.resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	snapshot->self.start_unix_ns = agent->start_unix_ns;
}

struct snapshot *agent__snapshot(struct agent *agent)
{
	struct resolver_stats resolved = resolver__stats(agent->resolver);
	struct discover_stats discovered;
	struct snapshot *snapshot;

	discover__drain(agent->discover);
	agent__drain(agent);
	apply_losses(agent);
	utarray_clear(agent->in_flight);
	if (agent->programs)
		programs__each_frame(agent->programs, note_frame, agent);
	model__set_in_flight(agent->model, (const struct model_in_flight *)utarray_front(agent->in_flight),
			     utarray_len(agent->in_flight));
	snapshot = model__snapshot(agent->model, loop__now_ns());
	if (!snapshot)
		return NULL;
	note_probes(agent);
	snapshot->probes = (const struct snapshot_probe *)utarray_front(agent->probes);
	snapshot->n_probes = utarray_len(agent->probes);
	discovered = discover__stats(agent->discover);
	for (int i = 0; i < DECODE_ERRORS; i++)
		snapshot__add_count(snapshot, SNAPSHOT_INVALID, decode__error_stage((enum decode_error)i),
				    agent->decoded.bad[i]);
	snapshot__add_count(snapshot, SNAPSHOT_INVALID, "elf", resolved.failed + resolved.timed_out + resolved.crashed);
	snapshot__add_count(snapshot, SNAPSHOT_LOST, "process_events", discovered.lost);
	if (agent->stream)
		snapshot__add_count(snapshot, SNAPSHOT_LOST, "save", stream_writer__lost(agent->stream));
	note_self(agent, snapshot);
	return snapshot;
}

void agent__after_scrape(struct agent *agent)
{
	model__after_scrape(agent->model);
}

struct target *agent__targets(struct agent *agent, size_t *n)
{
	discover__drain(agent->discover);
	return processes__targets(agent->processes, n);
}
