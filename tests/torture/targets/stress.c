/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Many threads, many calls, deep calls, addresses that come back, system calls that are forbidden. */
#include "plain.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define N	50
#define THREADS 500

static struct model model;
static struct tally tally;

static void expect_ok(struct tally *of, long n, long rows)
{
	of->made += n;
	of->ok += n;
	of->rows += n * rows;
}

/* All are inside of a call at the same time. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int inside, leave;

static int stays(void *arg)
{
	pthread_mutex_lock(&lock);
	inside++;
	pthread_cond_broadcast(&changed);
	while (!leave)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void *calls_and_stays(void *arg)
{
	for (int i = 0; i < 20; i++)
		EXPECT(torture_run(&model, 2, NULL, NULL) == 0);
	EXPECT(torture_run(&model, 2, stays, NULL) == 0);
	return NULL;
}

static void threads(void)
{
	static pthread_t all[THREADS];
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	for (int i = 0; i < THREADS; i++)
		EXPECT(pthread_create(&all[i], &attributes, calls_and_stays, NULL) == 0);
	pthread_mutex_lock(&lock);
	while (inside < THREADS)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	puts("inside");
	wait_line();
	pthread_mutex_lock(&lock);
	leave = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i], NULL);
	expect_ok(&tally, THREADS * 21, 2);
}

/* Deeper than a thread has frames for: the inner ones are lost, and that is said. */
static void nest(void)
{
	for (int i = 0; i < N; i++) {
		EXPECT(torture_nest(&model, NEST_LEVELS) == 0);
		for (int depth = NEST_LEVELS; depth > NEST_LEVELS - 8; depth--)
			expect_ok(&tally, 1, depth);
		tally.made += NEST_LEVELS - 8;
		tally.lost += NEST_LEVELS - 8;
	}
}

/* One address, many models: with and without their being freed. */
static void reuse(void)
{
	struct tally one = { .name = "reuse-one" }, other = { .name = "reuse-other" };
	struct model *first = NULL, *made;

	for (int i = 0; i < N; i++) {
		struct tally *of = i & 1 ? &other : &one;

		EXPECT(torture_load("") == NULL);
		made = torture_load(of->name);
		EXPECT(made && (!first || made == first));
		first = made;
		for (int k = 0; k <= i; k++)
			EXPECT(torture_run(made, 2, NULL, NULL) == 0);
		expect_ok(of, i + 1, 2);
		if (i % 4 < 2)
			torture_free(made);
		else
			memset(made, 0, sizeof(*made)); /* as if freed by a function that nobody knows */
	}
	tally_print(&one);
	tally_print(&other);
}

/* Calls as fast as they go. */
static void many(void)
{
	for (int i = 0; i < 200 * N; i++)
		EXPECT(torture_run(&model, 2, NULL, NULL) == 0);
	expect_ok(&tally, 200 * N, 2);
}

static int is_line_there(void)
{
	struct pollfd pollfd = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

static unsigned long hash_of_code(void)
{
	unsigned long hash = 5381, start, end;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	EXPECT(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, " r-xp ") || !strstr(line, "libplain") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		for (const unsigned char *at = (unsigned char *)start; at < (unsigned char *)end; at++)
			hash = hash * 33 ^ *at;
	}
	fclose(maps);
	return hash;
}

static unsigned long hash_before;

/* Calls until a line comes. */
static void calling(void)
{
	int i = 0;

	for (; !is_line_there(); i++) {
		EXPECT(torture_run(&model, 2, NULL, NULL) == 0);
		EXPECT(torture_return(&model, 3, NULL, NULL) == 0);
	}
	wait_line();
	expect_ok(&tally, i, 2);
	expect_ok(&tally, i, 3);
}

/* And then looks whether its code is what it was. */
static void endless(void)
{
	calling();
	puts("called");
	wait_line();
	EXPECT(hash_of_code() == hash_before);
}

/* Nothing but these: whatever a probe might make the program do besides ends it. */
static void forbid(void)
{
#define ALLOW(name)                                                                                                    \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(name), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read),
		ALLOW(SYS_write),
		ALLOW(SYS_exit_group),
		ALLOW(SYS_rt_sigreturn),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void calls_of_both(void)
{
	for (int i = 0; i < N; i++) {
		EXPECT(torture_run(&model, 2, NULL, NULL) == 0);
		EXPECT(torture_return(&model, 2, NULL, NULL) == 0);
	}
	expect_ok(&tally, 2 * N, 2);
}

/* The filter comes when the probes are there. */
static void seccomp_late(void)
{
	forbid();
	calls_of_both();
}

static void seccomp_strict(void)
{
	EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	calls_of_both();
	tally_print(&tally);
	done();
	syscall(SYS_exit, 0); /* exit_group is not allowed either */
}

static const struct {
	const char *name;
	void (*run)(void);
	void (*before)(void);
} modes[] = {
	{ "threads", threads, NULL },
	{ "nest", nest, NULL },
	{ "reuse", reuse, NULL },
	{ "many", many, NULL },
	{ "calling", calling, NULL },
	{ "endless", endless, NULL },
	{ "plain", calls_of_both, NULL },
	{ "seccomp_early", calls_of_both, forbid },
	{ "seccomp_late", seccomp_late, NULL },
	{ "seccomp_strict", seccomp_strict, NULL },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc >= 2 && i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(modes[i].name, argv[1]) != 0)
			continue;
		tally.name = argc > 2 ? argv[2] : modes[i].name;
		model_init(&model, tally.name);
		hash_before = hash_of_code();
		puts("begun"); /* the buffer is there before a filter is */
		fflush(stdout);
		if (modes[i].before)
			modes[i].before();
		ready();
		modes[i].run();
		if (tally.made)
			tally_print(&tally);
		done();
		return 0;
	}
	return 94;
}
