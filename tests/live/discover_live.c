// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
// alone: it fills the rings of everybody who listens
/* discover on the running kernel: needs root (or CAP_PERFMON and CAP_SYS_PTRACE). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "discover/discover.h"

#define WAIT_NS (5ull * 1000 * 1000 * 1000)

struct watch {
	struct loop *loop;
	struct discover *discover;
	const char *interesting; /* base name */
	struct module_key key;
	pid_t seen_by, threaded;
	int n_seen, n_maps, n_exec, n_gone;
	pid_t maps[64], execs[64], gone[64];
};

static char folder[] = "/tmp/discover-live-XXXXXX";
static char library[300], copy[300];

static void on_seen(void *context, struct module_key key, const char *path, int fd, pid_t pid)
{
	struct watch *watch = context;
	const char *base = strrchr(path, '/');
	bool interesting = base && strcmp(base + 1, watch->interesting) == 0;
	char magic[4] = "";

	if (interesting) {
		watch->n_seen++;
		watch->key = key;
		watch->seen_by = pid;
		CHECK(pread(fd, magic, 4, 0) == 4 && memcmp(magic, "\177ELF", 4) == 0);
	}
	discover__mark(watch->discover, key, interesting);
}

/* Is the process one of ours? Others on the host may look into our files, too. */
static bool is_victim(pid_t pid)
{
	struct stat own, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat("/proc/self/exe", &own) == 0 && stat(path, &its) == 0 && own.st_ino == its.st_ino &&
	       own.st_dev == its.st_dev;
}

static bool among(const pid_t *pids, int n, pid_t pid)
{
	for (int i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void on_maps(void *context, pid_t pid, struct module_key key)
{
	struct watch *watch = context;

	/* The exe of a process whose first thread has ended cannot be read: known by its number. */
	if (!is_victim(pid) && pid != watch->threaded)
		return;
	CHECK(memcmp(&key, &watch->key, sizeof(key)) == 0);
	if (watch->n_maps < 64)
		watch->maps[watch->n_maps++] = pid;
}

static void on_exec(void *context, pid_t pid)
{
	struct watch *watch = context;

	if (watch->n_exec < 64 && among(watch->maps, watch->n_maps, pid))
		watch->execs[watch->n_exec++] = pid;
}

static void on_gone(void *context, pid_t pid)
{
	struct watch *watch = context;

	if (watch->n_gone < 64 && among(watch->maps, watch->n_maps, pid))
		watch->gone[watch->n_gone++] = pid;
}

static bool start(struct watch *watch, const char *interesting, const pid_t *pids, size_t n_pids)
{
	struct discover_user user = { watch, on_seen, on_maps, on_exec, on_gone, NULL };

	memset(watch, 0, sizeof(*watch));
	watch->interesting = strrchr(interesting, '/') + 1;
	watch->loop = loop__new();
	watch->discover = discover__new(watch->loop, &user, pids, n_pids);
	if (!watch->discover) {
		loop__free(watch->loop);
		return false;
	}
	return true;
}

static void stop(struct watch *watch)
{
	discover__free(watch->discover);
	loop__free(watch->loop);
}

/* Runs the loop until the counter has the value, or too long. */
static void await(struct watch *watch, const int *counter, int value)
{
	uint64_t until = loop__now_ns() + WAIT_NS;

	while (*counter < value && loop__now_ns() < until)
		loop__once(watch->loop, 100);
	CHECK_INT(*counter, value);
}

/* A child that obeys letters: l loads the library, f forks a child that waits, x executes itself anew, e ends; each is answered by the same letter. It is no child of ours (its parent ends at once), so that discover does not skip it. */
struct victim {
	pid_t pid;
	int to, from;
};

static void *serve(void *arg)
{
	const char *path = arg;
	char c;

	while (read(0, &c, 1) == 1) {
		if (c == 'l' && !dlopen(path, RTLD_NOW))
			c = '!';
		if (c == 'f' && fork() == 0) {
			char d;

			while (read(3, &d, 1) > 0) /* until the test closes its end */
				;
			_exit(0);
		}
		if (c == 'x') {
			execl("/proc/self/exe", "discover_live", "--victim", path, NULL);
			_exit(1);
		}
		if (write(1, &c, 1) != 1 || c == 'e')
			break;
	}
	_exit(0);
}

static int victim_main(const char *path, bool in_thread)
{
	pthread_t thread;
	pid_t pid = getpid();

	if (write(1, &pid, sizeof(pid)) != sizeof(pid))
		return 1;
	if (in_thread && pthread_create(&thread, NULL, serve, (void *)path) == 0)
		pthread_exit(NULL);
	serve((void *)path);
	return 0;
}

static struct victim victim__new(const char *mode, const char *path)
{
	struct victim victim = { .pid = -1 };
	int to[2], from[2], waits[2];
	pid_t between;

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0 || pipe2(waits, O_CLOEXEC) < 0)
		abort();
	between = fork();
	if (between == 0) {
		if (fork() == 0) {
			dup2(to[0], 0);
			dup2(from[1], 1);
			dup2(waits[0], 3);
			execl("/proc/self/exe", "discover_live", mode, path, NULL);
		}
		_exit(0);
	}
	waitpid(between, NULL, 0);
	close(to[0]);
	close(from[1]);
	close(waits[0]);
	victim.to = to[1];
	victim.from = from[0];
	if (read(victim.from, &victim.pid, sizeof(victim.pid)) != sizeof(victim.pid))
		abort();
	(void)waits[1]; /* stays open: the forked child of the victim ends with this process at the latest */
	return victim;
}

static void obey(struct victim *victim, char c)
{
	char answer = 0;

	if (write(victim->to, &c, 1) != 1 || (c != 'x' && (read(victim->from, &answer, 1) != 1 || answer != c))) {
		printf("  the victim answers '%c' to '%c'\n", answer, c);
		check_errors++;
	}
	if (c == 'x' && read(victim->from, &victim->pid, sizeof(victim->pid)) != sizeof(victim->pid))
		check_errors++;
}

static void victim__end(struct victim *victim)
{
	close(victim->to);
	close(victim->from);
}

static void mapped_before_the_start(void)
{
	struct victim victim = victim__new("--victim", library);
	struct watch watch;

	obey(&victim, 'l');
	if (!start(&watch, library, NULL, 0)) {
		victim__end(&victim);
		SKIP("the kernel does not give the stream of mappings (root?)");
	}
	CHECK_INT(discover__start(watch.discover), 0);
	CHECK_INT(watch.n_seen, 1);
	CHECK_INT(watch.n_maps, 1);
	CHECK_INT(watch.maps[0], victim.pid);
	CHECK(discover__maps(watch.discover, victim.pid, &watch.key));
	obey(&victim, 'e');
	await(&watch, &watch.n_gone, 1);
	CHECK_INT(watch.gone[0], victim.pid);
	CHECK(!discover__maps(watch.discover, victim.pid, NULL));
	victim__end(&victim);
	stop(&watch);
}

static void mapped_forked_executed_gone(void)
{
	struct victim victim = victim__new("--victim", library);
	struct watch watch;

	if (!start(&watch, library, NULL, 0))
		SKIP("the kernel does not give the stream of mappings (root?)");
	CHECK_INT(discover__start(watch.discover), 0);
	CHECK_INT(watch.n_maps, 0);
	obey(&victim, 'l');
	await(&watch, &watch.n_maps, 1);
	CHECK_INT(watch.n_seen, 1);
	CHECK_INT(watch.seen_by, victim.pid);
	obey(&victim, 'f');
	await(&watch, &watch.n_maps, 2);
	CHECK(watch.maps[1] != victim.pid);
	obey(&victim, 'x');
	await(&watch, &watch.n_exec, 1);
	CHECK_INT(watch.execs[0], victim.pid);
	CHECK(!discover__maps(watch.discover, victim.pid, NULL));
	CHECK(discover__maps(watch.discover, watch.maps[1], NULL));
	obey(&victim, 'l');
	await(&watch, &watch.n_maps, 3);
	CHECK_INT(watch.maps[2], victim.pid);
	CHECK_INT(watch.n_seen, 1);
	if (watch.n_maps > 1 && is_victim(watch.maps[1]))
		kill(watch.maps[1], SIGKILL);
	obey(&victim, 'e');
	await(&watch, &watch.n_gone, 2);
	CHECK(among(watch.gone, 2, victim.pid) && among(watch.gone, 2, watch.maps[1]));
	CHECK_INT(discover__stats(watch.discover).lost, 0);
	victim__end(&victim);
	stop(&watch);
}

static void first_thread_ends_before_the_process(void)
{
	struct victim victim = victim__new("--thread", library);
	struct watch watch;
	uint64_t until;

	if (!start(&watch, library, NULL, 0))
		SKIP("the kernel does not give the stream of mappings (root?)");
	watch.threaded = victim.pid;
	CHECK_INT(discover__start(watch.discover), 0);
	obey(&victim, 'l');
	await(&watch, &watch.n_maps, 1);
	until = loop__now_ns() + 300ull * 1000 * 1000;
	while (loop__now_ns() < until)
		loop__once(watch.loop, 50);
	CHECK_INT(watch.n_gone, 0);
	obey(&victim, 'e');
	await(&watch, &watch.n_gone, 1);
	victim__end(&victim);
	stop(&watch);
}

static void only_the_given_processes(void)
{
	struct victim wanted = victim__new("--victim", library), other = victim__new("--victim", library);
	struct watch watch;

	if (!start(&watch, library, &wanted.pid, 1))
		SKIP("the kernel does not give the stream of mappings (root?)");
	CHECK_INT(discover__start(watch.discover), 0);
	obey(&other, 'l');
	obey(&wanted, 'l');
	await(&watch, &watch.n_maps, 1);
	CHECK_INT(watch.maps[0], wanted.pid);
	obey(&wanted, 'f'); /* its children are wanted too */
	await(&watch, &watch.n_maps, 2);
	CHECK(watch.maps[1] != other.pid);
	CHECK_INT(discover__add_pid(watch.discover, other.pid), 0);
	await(&watch, &watch.n_maps, 3);
	CHECK_INT(watch.maps[2], other.pid);
	CHECK_INT(discover__add_pid(watch.discover, 0x7ffffff0), -ESRCH);
	if (watch.n_maps > 1 && is_victim(watch.maps[1]))
		kill(watch.maps[1], SIGKILL);
	obey(&wanted, 'e');
	obey(&other, 'e');
	await(&watch, &watch.n_gone, 3);
	victim__end(&wanted);
	victim__end(&other);
	stop(&watch);
}

/* A file that was replaced while it was mapped: still the same module; the new one under the same path is another. */
static void deleted_and_replaced(void)
{
	char command[700];
	struct victim first, second;
	struct module_key old;
	struct watch watch;
	int fd;

	snprintf(command, sizeof(command), "cp '%s' '%s'", library, copy);
	CHECK_INT(system(command), 0);
	first = victim__new("--victim", copy);
	second = victim__new("--victim", copy);
	obey(&first, 'l');
	CHECK_INT(unlink(copy), 0);
	if (!start(&watch, copy, NULL, 0))
		SKIP("the kernel does not give the stream of mappings (root?)");
	CHECK_INT(discover__start(watch.discover), 0);
	CHECK_INT(watch.n_seen, 1);
	CHECK_INT(watch.n_maps, 1);
	old = watch.key;
	fd = discover__open(watch.discover, old);
	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(system(command), 0);
	obey(&second, 'l');
	await(&watch, &watch.n_seen, 2);
	await(&watch, &watch.n_maps, 2);
	CHECK(memcmp(&old, &watch.key, sizeof(old)) != 0);
	obey(&first, 'e');
	obey(&second, 'e');
	await(&watch, &watch.n_gone, 2);
	victim__end(&first);
	victim__end(&second);
	stop(&watch);
}

/* Two overlays over one lower file, as two containers of one image: one module. */
static int overlay_child(void)
{
	char command[1500];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	snprintf(command, sizeof(command),
		 "set -e; cd %s; mkdir -p lower t; cp '%s' lower/over.so; mount -t tmpfs none t; mkdir t/u1 t/w1 t/u2 "
		 "t/w2 t/m1 t/m2; "
		 "mount -t overlay none -o lowerdir=$PWD/lower,upperdir=$PWD/t/u1,workdir=$PWD/t/w1 t/m1; "
		 "mount -t overlay none -o lowerdir=$PWD/lower,upperdir=$PWD/t/u2,workdir=$PWD/t/w2 t/m2",
		 folder, library);
	return system(command) == 0 ? 0 : 77;
}

static void one_file_under_two_overlays(void)
{
	char path[2][320];
	struct victim before, after;
	struct watch watch;

	if (overlay_child() != 0)
		SKIP("cannot mount an overlay");
	snprintf(path[0], sizeof(path[0]), "%s/t/m1/over.so", folder);
	snprintf(path[1], sizeof(path[1]), "%s/t/m2/over.so", folder);
	before = victim__new("--victim", path[0]);
	after = victim__new("--victim", path[1]);
	obey(&before, 'l');
	if (!start(&watch, path[0], NULL, 0))
		SKIP("the kernel does not give the stream of mappings (root?)");
	CHECK_INT(discover__start(watch.discover), 0);
	CHECK_INT(watch.n_maps, 1);
	obey(&after, 'l');
	await(&watch, &watch.n_maps, 2);
	CHECK_INT(watch.n_seen, 1);
	discover__rescan(watch.discover, 0);
	CHECK_INT(watch.n_seen, 1);
	CHECK_INT(watch.n_maps, 2);
	obey(&before, 'e');
	obey(&after, 'e');
	await(&watch, &watch.n_gone, 2);
	victim__end(&before);
	victim__end(&after);
	stop(&watch);
}

/* More at once than the rings hold: the loss is told, and the rescan finds what was missed. */
static void losses_are_repaired(void)
{
	struct victim victim = victim__new("--victim", library);
	struct watch watch;
	uint64_t until = loop__now_ns() + WAIT_NS;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (!start(&watch, library, NULL, 0))
		SKIP("the kernel does not give the stream of mappings (root?)");
	CHECK_INT(discover__start(watch.discover), 0);
	for (int i = 0; i < 20000; i++) {
		void *at = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

		if (at != MAP_FAILED)
			munmap(at, page);
	}
	obey(&victim, 'l');
	while ((watch.n_maps < 1 || !discover__stats(watch.discover).lost ||
		!discover__stats(watch.discover).rescans) &&
	       loop__now_ns() < until) {
		void *at = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd,
				0); /* a record that tells of the loss */

		munmap(at, page);
		loop__once(watch.loop, 10);
	}
	CHECK_INT(watch.n_maps, 1);
	CHECK(discover__stats(watch.discover).lost > 0);
	CHECK(discover__stats(watch.discover).rescans > 0);
	close(fd);
	obey(&victim, 'e');
	await(&watch, &watch.n_gone, 1);
	victim__end(&victim);
	stop(&watch);
}

static void a_scan_is_quick(void)
{
	struct watch watch;
	uint64_t began;

	if (!start(&watch, library, NULL, 0))
		SKIP("the kernel does not give the stream of mappings (root?)");
	CHECK_INT(discover__start(watch.discover), 0);
	began = loop__now_ns();
	for (int i = 0; i < 10; i++)
		discover__rescan(watch.discover, 0);
	printf("  a rescan takes %.2f ms; %llu modules known\n", (double)(loop__now_ns() - began) / 1e7,
	       (unsigned long long)discover__stats(watch.discover).modules);
	stop(&watch);
}

/* A library that nobody else maps. */
static bool make_library(void)
{
	char command[700];

	if (!mkdtemp(folder))
		return false;
	snprintf(library, sizeof(library), "%s/a strange\nname.so", folder);
	snprintf(copy, sizeof(copy), "%s/copy.so", folder);
	snprintf(command, sizeof(command),
		 "echo 'int discover_live_victim(void) { return 23; }' | cc -shared -fPIC -x c - -o '%s'", library);
	return system(command) == 0;
}

int main(int argc, char **argv)
{
	char command[400];

	if (argc == 3)
		return victim_main(argv[2], strcmp(argv[1], "--thread") == 0);
	signal(SIGPIPE, SIG_IGN);
	alarm(120); /* no wait here is for ever */
	if (!make_library()) {
		printf("no C compiler\n");
		return 1;
	}
	RUN(mapped_before_the_start);
	RUN(mapped_forked_executed_gone);
	RUN(first_thread_ends_before_the_process);
	RUN(only_the_given_processes);
	RUN(deleted_and_replaced);
	RUN(losses_are_repaired);
	RUN(a_scan_is_quick);
	RUN(one_file_under_two_overlays); /* last: it leaves the mount namespace */
	snprintf(command, sizeof(command), "umount -l '%s'/t 2>/dev/null; rm -rf '%s'", folder, folder);
	if (system(command) != 0)
		printf("cannot remove %s\n", folder);
	return check__report();
}
