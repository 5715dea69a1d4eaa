/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Calls that are left by exceptions, longjmp, cancellation, signals and the end of threads: one case a run. */
#include "deep.h"

#include <alloca.h>
#include <errno.h>
#include <future>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdexcept>
#include <thread>
#include <vector>

#define N 40

static struct model model;
static struct tally tally;

static int zero(void *)
{
	return 0;
}

static int throws(void *)
{
	throw std::runtime_error("thrown");
}

/* Every second one throws. */
static int throws_often(void *arg)
{
	if (*(int *)arg & 1)
		throw std::runtime_error("thrown");
	return 0;
}

static int says(void *arg)
{
	return *(int *)arg & 1;
}

static void add(long &kind, long n = 1, long rows = 0)
{
	kind += n;
	tally.made += n;
	tally.rows += rows;
}

/* A call that ends well; what vanished at its place or below is closed by it. Inline: it must not be deeper. */
static inline __attribute__((always_inline)) void closing_call()
{
	EXPECT(deep_run(&model, 3, zero, nullptr) == 0);
	add(tally.ok, 1, 3);
}

/* The caller catches: half of the calls end well. */
static void count_throws(deep_fn *fn, step_fn *step)
{
	for (int i = 0; i < N; i++) {
		bool caught = false;

		try {
			EXPECT(fn(&model, 2, step, &i) == 0);
		} catch (const std::runtime_error &) {
			caught = true;
		}
		EXPECT(caught == (i & 1));
		if (caught)
			add(tally.unwound);
		else
			add(tally.ok, 1, 2);
	}
	EXPECT(deep_cleanups() >= N);
}

static void through() { count_throws(deep_run, throws_often); }
static void out() { count_throws(deep_throw, says); }
static void rethrown() { count_throws(deep_rethrow, throws_often); }

static void inside()
{
	for (int i = 0; i < N; i++) {
		int got = deep_catch(&model, 2, throws_often, &i);

		EXPECT(got == (i & 1 ? -5 : 0));
		if (got)
			add(tally.status);
		else
			add(tally.ok, 1, 2);
	}
}

/* The inner call, of another kind, ends by exception in the outer one, which goes on. */
static void outer_catches()
{
	for (int i = 0; i < N; i++) {
		EXPECT(deep_outer(&model, 2, throws, nullptr) == 0);
		add(tally.unwound);
		add(tally.ok, 1, 2);
	}
}

static int catches_below(void *)
{
	try {
		deep_run(&model, 1, throws, nullptr);
	} catch (const std::runtime_error &) {
		return 0;
	}
	return 1;
}

/* An inner call of the same kind is none; its exception ends below the outer one, which must stay open. */
static void caught_below()
{
	for (int i = 0; i < N; i++) {
		EXPECT(deep_run(&model, 2, catches_below, nullptr) == 0);
		add(tally.nested);
		add(tally.ok, 1, 2);
	}
}

struct calls_at_end {
	~calls_at_end() { EXPECT(deep_run(&model, 2, zero, nullptr) == 0); }
};

static __attribute__((noinline)) void with_destructor()
{
	calls_at_end at_end;

	deep_run(&model, 2, throws, nullptr);
}

/* On the exception's way, a destructor of the caller makes a call: the first one's frame is gone by then. */
static void destructor_of_caller()
{
	for (int i = 0; i < N; i++) {
		try {
			with_destructor();
		} catch (const std::runtime_error &) {
		}
		add(tally.unwound);
		add(tally.ok, 1, 2);
	}
}

/* The same in the probed function itself: its frame is not gone yet. */
static void destructor_inside()
{
	for (int i = 0; i < N; i++) {
		try {
			deep_guard(&model, 2, throws, nullptr);
		} catch (const std::runtime_error &) {
		}
		add(tally.nested);
		add(tally.unwound);
	}
}

static void on_threads()
{
	std::vector<std::thread> threads;

	for (int t = 0; t < 8; t++) {
		threads.emplace_back([] {
			for (int i = 0; i < N; i++) {
				try {
					deep_run(&model, 2, throws_often, &i);
				} catch (const std::runtime_error &) {
				}
			}
		});
	}
	for (auto &thread : threads)
		thread.join();
	add(tally.unwound, 8 * N / 2);
	add(tally.ok, 8 * N / 2, 8 * N);
}

/* Caught by the library's own frame on another thread, carried over, thrown again in this one. */
static void carried_over()
{
	for (int i = 0; i < N / 4; i++) {
		auto later = std::async(std::launch::async, [] { return deep_run(&model, 2, throws, nullptr); });
		bool caught = false;

		try {
			later.get();
		} catch (const std::runtime_error &) {
			caught = true;
		}
		EXPECT(caught);
		add(tally.unwound);
	}
}

/* Nobody catches: the program dies in the call. */
static void uncaught()
{
	closing_call();
	add(tally.abandoned);
	tally_print(&tally);
	done();
	deep_run(&model, 2, [](void *) -> int { throw 1; }, nullptr);
}

static jmp_buf target;

static int jumps(void *)
{
	longjmp(target, 1);
}

static __attribute__((noinline)) int deeper(size_t bytes, deep_fn *fn, step_fn *step, void *arg)
{
	volatile char *room = (char *)alloca(bytes);

	room[0] = 1;
	return fn(&model, 2, step, arg) + room[0] - 1;
}

static void longjmp_same_depth()
{
	for (volatile int i = 0; i < N; i++) {
		if (setjmp(target) == 0)
			deep_run(&model, 2, jumps, nullptr);
		add(tally.unwound);
	}
	closing_call();
}

/* Each call begins above the one that vanished before it. */
static void longjmp_upwards()
{
	for (volatile int i = 0; i < N; i++) {
		if (setjmp(target) == 0)
			deeper((size_t)(N - i) * 256, deep_run, jumps, nullptr);
		add(tally.unwound);
	}
	closing_call();
}

/* Calls below one that vanished look like inner calls, until one comes that is above it: none is lost unsaid. */
static void longjmp_then_deeper()
{
	for (volatile int i = 0; i < N; i++) {
		if (setjmp(target) == 0)
			deeper(64, deep_run, jumps, nullptr);
		add(tally.unwound);
		for (int k = 0; k < 3; k++) {
			EXPECT(deeper(4096, deep_run, zero, nullptr) == 0);
			add(tally.nested);
		}
	}
	closing_call();
}

static sigjmp_buf signal_target;

static void on_signal_jump(int)
{
	deep_run(&model, 1, [](void *) -> int { siglongjmp(signal_target, 1); }, nullptr);
}

static void on_signal_call(int)
{
	int saved = errno;

	EXPECT(deep_run(&model, 2, zero, nullptr) == 0);
	errno = saved;
}

static int raises(void *)
{
	return raise(SIGUSR1);
}

static void handle(void (*handler)(int), int flags)
{
	struct sigaction action = {};

	action.sa_handler = handler;
	action.sa_flags = flags;
	sigaction(SIGUSR1, &action, nullptr);
}

static void signal_in_call()
{
	handle(on_signal_call, 0);
	for (int i = 0; i < N; i++) {
		EXPECT(deep_run(&model, 2, raises, nullptr) == 0);
		add(tally.nested);
		add(tally.ok, 1, 2);
	}
}

static void signal_jumps()
{
	handle(on_signal_jump, 0);
	for (volatile int i = 0; i < N; i++) {
		if (sigsetjmp(signal_target, 1) == 0)
			deep_run(&model, 2, raises, nullptr);
		add(tally.nested);
		add(tally.unwound);
	}
	closing_call();
}

static void *calls_with_signals(void *)
{
	size_t size = 256 * 1024;
	stack_t stack = {};

	stack.ss_sp = malloc(size);
	stack.ss_size = size;
	EXPECT(sigaltstack(&stack, nullptr) == 0);
	for (int i = 0; i < N; i++)
		EXPECT(deep_run(&model, 2, raises, nullptr) == 0);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, nullptr);
	free(stack.ss_sp);
	return nullptr;
}

/* The handler runs on a stack of its own, where its call counts: on the main thread, and on another. */
static void signal_other_stack()
{
	pthread_t thread;

	handle(on_signal_call, SA_ONSTACK);
	calls_with_signals(nullptr);
	pthread_create(&thread, nullptr, calls_with_signals, nullptr);
	pthread_join(thread, nullptr);
	add(tally.ok, 4 * N, 8 * N);
}

static pthread_barrier_t reached;

static int waits(void *)
{
	pthread_barrier_wait(&reached);
	for (;;)
		pause(); /* a cancellation point */
}

static void *calls_and_waits(void *)
{
	deep_run(&model, 2, waits, nullptr);
	return nullptr;
}

static void cancelled()
{
	pthread_barrier_init(&reached, nullptr, 2);
	for (int i = 0; i < N / 4; i++) {
		pthread_t thread;
		void *end;

		pthread_create(&thread, nullptr, calls_and_waits, nullptr);
		pthread_barrier_wait(&reached);
		pthread_cancel(thread);
		pthread_join(thread, &end);
		EXPECT(end == PTHREAD_CANCELED);
		add(tally.abandoned);
	}
}

static void cleanup_calls(void *)
{
	EXPECT(deep_run(&model, 2, zero, nullptr) == 0);
}

static void *calls_and_cleans(void *)
{
	pthread_cleanup_push(cleanup_calls, nullptr);
	deeper(4096, deep_run, waits, nullptr);
	pthread_cleanup_pop(0);
	return nullptr;
}

/* The thread makes another call on its way out: the first had left by then. */
static void cancelled_with_cleanup()
{
	pthread_barrier_init(&reached, nullptr, 2);
	for (int i = 0; i < N / 4; i++) {
		pthread_t thread;

		pthread_create(&thread, nullptr, calls_and_cleans, nullptr);
		pthread_barrier_wait(&reached);
		pthread_cancel(thread);
		pthread_join(thread, nullptr);
		add(tally.unwound);
		add(tally.ok, 1, 2);
	}
}

static int ends_thread(void *)
{
	pthread_exit(nullptr);
}

static void *calls_and_ends(void *)
{
	deep_run(&model, 2, ends_thread, nullptr);
	return nullptr;
}

static void thread_ends()
{
	for (int i = 0; i < N; i++) {
		pthread_t thread;

		pthread_create(&thread, nullptr, calls_and_ends, nullptr);
		pthread_join(thread, nullptr);
		add(tally.abandoned);
	}
}

static void recursion()
{
	for (int i = 0; i < N; i++) {
		EXPECT(deep_self(&model, 6, zero, nullptr) == 0);
		add(tally.nested, 5);
		add(tally.ok, 1, 6);
	}
}

/* All the way through recursive frames, to a catch that is outside, or in the middle (which is inside the outermost). */
static void recursion_thrown()
{
	for (int i = 0; i < N; i++) {
		try {
			deep_self(&model, 6, throws, nullptr);
		} catch (const std::runtime_error &) {
		}
		add(tally.nested, 5);
		add(tally.unwound);
		EXPECT(deep_self(&model, 4, catches_below, nullptr) == 0);
		add(tally.nested, 4);
		add(tally.ok, 1, 4);
	}
}

/* exit() inside a call; what exit runs calls again. */
static void exits()
{
	closing_call();
	add(tally.nested);
	add(tally.abandoned);
	tally_print(&tally);
	done();
	atexit([] { on_signal_call(0); });
	deep_run(&model, 2, [](void *) -> int { exit(7); }, nullptr);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "through", through },
	{ "out", out },
	{ "rethrown", rethrown },
	{ "inside", inside },
	{ "outer_catches", outer_catches },
	{ "caught_below", caught_below },
	{ "destructor_of_caller", destructor_of_caller },
	{ "destructor_inside", destructor_inside },
	{ "on_threads", on_threads },
	{ "carried_over", carried_over },
	{ "uncaught", uncaught },
	{ "longjmp_same_depth", longjmp_same_depth },
	{ "longjmp_upwards", longjmp_upwards },
	{ "longjmp_then_deeper", longjmp_then_deeper },
	{ "signal_in_call", signal_in_call },
	{ "signal_jumps", signal_jumps },
	{ "signal_other_stack", signal_other_stack },
	{ "cancelled", cancelled },
	{ "cancelled_with_cleanup", cancelled_with_cleanup },
	{ "thread_ends", thread_ends },
	{ "recursion", recursion },
	{ "recursion_thrown", recursion_thrown },
	{ "exits", exits },
};

int main(int argc, char **argv)
{
	std::string name;

	if (argc < 2) {
		for (const auto &one : cases)
			puts(one.name);
		return 0;
	}
	for (const auto &one : cases) {
		if (strcmp(one.name, argv[1]) != 0)
			continue;
		name = std::string(argc > 2 ? argv[2] : "") + one.name;
		tally.name = name.c_str();
		model_init(&model, tally.name);
		ready();
		one.run();
		tally_print(&tally);
		done();
		return 0;
	}
	return 96;
}
