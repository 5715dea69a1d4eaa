/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Processes that fork, become other programs and end in the middle of calls; libraries that come and go.
 * life MODE LIBRARY [OTHER LIBRARY]
 */
#include "torture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/wait.h>

#define N 20

typedef int run_fn(struct model *model, int rows, step_fn *step, void *arg);

static struct model model;
static struct tally tally;
static run_fn *run;
static char *const *arguments;

static void *load(const char *path, const char *name)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(96);
	}
	run = (run_fn *)dlsym(library, name);
	EXPECT(run != NULL);
	return library;
}

static void calls(int n)
{
	for (int i = 0; i < n; i++)
		EXPECT(run(&model, 2, NULL, NULL) == 0);
}

static void expect_ok(long n)
{
	tally.made += n;
	tally.ok += n;
	tally.rows += 2 * n;
}

static void expect_abandoned(long n)
{
	tally.made += n;
	tally.abandoned += n;
}

/* The child leaves a call that it never entered. */
static bool is_child;

static int forks(void *arg)
{
	pid_t child = fork();
	int status;

	EXPECT(child >= 0);
	if (child == 0) {
		is_child = true;
		calls(3);
		return 0;
	}
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}

static void fork_in_call(void)
{
	fflush(stdout);
	for (int i = 0; i < N; i++) {
		EXPECT(run(&model, 2, forks, NULL) == 0);
		if (is_child) {
			calls(1);
			_exit(0);
		}
	}
	expect_ok(N * (1 + 3 + 1));
}

static int vforks(void *arg)
{
	static char *const command[] = { "/bin/true", NULL };
	pid_t child = vfork();
	int status;

	if (child == 0) {
		execv(command[0], command);
		_exit(1);
	}
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}

static void vfork_in_call(void)
{
	for (int i = 0; i < N; i++)
		EXPECT(run(&model, 2, vforks, NULL) == 0);
	expect_ok(N);
}

static int becomes_another(void *arg)
{
	char *const again[] = { arguments[0], arg, arguments[2], NULL };

	fflush(stdout);
	execv(again[0], again);
	return 1;
}

static void exec_in_call(void)
{
	calls(3);
	run(&model, 2, becomes_another, "after_exec");
	_exit(95);
}

static pthread_barrier_t both_inside;

static int waits_for_ever(void *arg)
{
	pthread_barrier_wait(&both_inside);
	for (;;)
		pause();
	return 0;
}

static int becomes_another_soon(void *arg)
{
	pthread_barrier_wait(&both_inside);
	return becomes_another(arg);
}

static void *second_thread(void *arg)
{
	run(&model, 2, becomes_another_soon, "after_exec_thread");
	_exit(95);
}

/* Both threads are in calls when the one that is not the first becomes another program. */
static void exec_in_thread(void)
{
	pthread_t thread;

	calls(3);
	pthread_barrier_init(&both_inside, NULL, 2);
	pthread_create(&thread, NULL, second_thread, NULL);
	run(&model, 2, waits_for_ever, NULL);
}

static void after_exec(void)
{
	tally.name = "life-exec";
	expect_ok(3);
	expect_abandoned(1);
	tally_print(&tally);
	memset(&tally, 0, sizeof(tally));
	tally.name = "life-after_exec";
	calls(N);
	expect_ok(N);
}

static void after_exec_thread(void)
{
	tally.name = "life-exec_thread";
	expect_ok(3);
	expect_abandoned(2);
	tally_print(&tally);
	memset(&tally, 0, sizeof(tally));
	tally.name = "life-after_exec_thread";
	calls(N);
	expect_ok(N);
}

static int leaves(void *arg)
{
	_exit(5);
}

static void exit_in_call(void)
{
	calls(3);
	expect_ok(3);
	expect_abandoned(1);
	tally_print(&tally);
	done();
	run(&model, 2, leaves, NULL);
}

static int says_inside(void *arg)
{
	puts("inside");
	fflush(stdout);
	for (;;)
		pause();
	return 0;
}

/* Somebody kills it there. */
static void killed_in_call(void)
{
	calls(3);
	expect_ok(3);
	expect_abandoned(1);
	tally_print(&tally);
	run(&model, 2, says_inside, NULL);
}

static unsigned long base_of(void *library)
{
	struct link_map *map = NULL;

	EXPECT(dlinfo(library, RTLD_DI_LINKMAP, &map) == 0);
	return map->l_addr;
}

/* Another library, of which no adapter knows, with the same code at the same address; then the first one again. */
static void library_replaced_at_address(void)
{
	void *library = load(arguments[2], "torture_run");
	unsigned long base = base_of(library);

	calls(N);
	for (int i = 0; i < 3; i++) {
		dlclose(library);
		library = load(arguments[3], "other_run");
		EXPECT(base_of(library) == base);
		calls(N);
		dlclose(library);
		library = load(arguments[2], "torture_run");
		EXPECT(base_of(library) == base);
		calls(N);
	}
	expect_ok(4 * N);
}

/* Calls, waits for a line while the file is replaced, and calls again. */
static void library_file_replaced(void)
{
	calls(N);
	puts("called");
	wait_line();
	calls(N);
	expect_ok(2 * N);
}

static void plain(void)
{
	const char *(*version)(void) = (const char *(*)(void))dlsym(dlopen(arguments[2], RTLD_NOW), "torture_version");

	printf("version %s\n", version());
	calls(N);
	expect_ok(N);
}

static const struct {
	const char *name;
	void (*run)(void);
	bool goes_on; /* begins without waiting, as the program that it was did */
} modes[] = {
	{ "fork", fork_in_call, false },
	{ "vfork", vfork_in_call, false },
	{ "exec", exec_in_call, false },
	{ "exec_thread", exec_in_thread, false },
	{ "after_exec", after_exec, true },
	{ "after_exec_thread", after_exec_thread, true },
	{ "exit", exit_in_call, false },
	{ "killed", killed_in_call, false },
	{ "dlclose", library_replaced_at_address, false },
	{ "file_replaced", library_file_replaced, false },
	{ "plain", plain, false },
};

int main(int argc, char **argv)
{
	static char name[56];

	arguments = argv;
	for (size_t i = 0; argc >= 3 && i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(modes[i].name, argv[1]) != 0)
			continue;
		snprintf(name, sizeof(name), "life-%s", argv[1]);
		tally.name = name;
		model_init(&model, name);
		if (strcmp(argv[1], "dlclose") == 0) {
			void *library = load(argv[2], "torture_run");

			ready();
			dlclose(library);
		} else {
			load(argv[2], "torture_run");
			if (!modes[i].goes_on)
				ready();
		}
		modes[i].run();
		tally_print(&tally);
		done();
		return 0;
	}
	return 94;
}
