/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Calls on many stacks of one thread: coroutines that are switched inside of calls. One case a run. */
#include "deep.h"

#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>

#define COROUTINES 6
#define CALLS 20
#define STACK_SIZE (256 * 1024UL)

static struct model model;
static struct tally tally;

struct coroutine {
	ucontext_t context;
	char *stack;
	int calls;	/* to make */
	bool ends, throws;
};

static struct coroutine all[COROUTINES];
static ucontext_t scheduler;
static struct coroutine *current;

static void yield()
{
	struct coroutine *self = current;

	swapcontext(&self->context, &scheduler);
	current = self;
}

/* Gives the thread away in the middle of the call, and may leave by exception afterwards. */
static int step(void *arg)
{
	int i = *(int *)arg;

	yield();
	if (current->throws && (i & 1))
		throw std::runtime_error("in a coroutine");
	yield();
	return 0;
}

static void body()
{
	struct coroutine *self = current;

	for (int i = 0; i < self->calls; i++) {
		try {
			EXPECT(deep_run(&model, 2, step, &i) == 0);
		} catch (const std::runtime_error &) {
		}
	}
	self->ends = true;
	yield();
}

static void start(struct coroutine *coroutine, char *stack, int calls, bool throws)
{
	coroutine->stack = stack;
	coroutine->calls = calls;
	coroutine->throws = throws;
	coroutine->ends = false;
	EXPECT(getcontext(&coroutine->context) == 0);
	coroutine->context.uc_stack.ss_sp = stack;
	coroutine->context.uc_stack.ss_size = STACK_SIZE;
	coroutine->context.uc_link = nullptr;
	makecontext(&coroutine->context, body, 0);
}

static void resume(struct coroutine *coroutine)
{
	if (coroutine->ends)
		return;
	current = coroutine;
	swapcontext(&scheduler, &coroutine->context);
}

/* Rounds in changing directions: each coroutine is entered from stacks above and below its own. */
static void run_all()
{
	bool alive = true;

	for (int round = 0; alive; round++) {
		alive = false;
		for (int i = 0; i < COROUTINES; i++) {
			struct coroutine *one = &all[round & 1 ? COROUTINES - 1 - i : i];

			resume(one);
			alive |= !one->ends;
		}
	}
}

/* A stack in a mapping of its own. */
static char *guarded_stack(int flags)
{
	size_t page = 4096;
	char *memory = (char *)mmap(nullptr, STACK_SIZE + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	EXPECT(memory != MAP_FAILED);
	EXPECT(mprotect(memory + page, STACK_SIZE, PROT_READ | PROT_WRITE) == 0);
	return memory + page;
}

static void expect_ok(int calls)
{
	tally.made += calls;
	tally.ok += calls;
	tally.rows += 2 * calls;
}

static void guarded()
{
	for (auto &one : all)
		start(&one, guarded_stack(0), CALLS, false);
	run_all();
	expect_ok(COROUTINES * CALLS);
}

static void expect_thrown()
{
	int thrown = COROUTINES / 2 * CALLS / 2;

	expect_ok(COROUTINES * CALLS - thrown);
	tally.made += thrown;
	tally.unwound += thrown;
}

/* Every second call of every second coroutine ends by exception, caught on its own stack. */
static void guarded_thrown()
{
	for (int i = 0; i < COROUTINES; i++)
		start(&all[i], guarded_stack(MAP_STACK), CALLS, i & 1);
	run_all();
	expect_thrown();
}

static void on_one_mapping(char *memory, bool throws)
{
	for (int i = 0; i < COROUTINES; i++)
		start(&all[i], memory + (size_t)i * STACK_SIZE, CALLS, throws && (i & 1));
	run_all();
}

/* Stacks side by side. */
static void side_by_side()
{
	on_one_mapping((char *)malloc(COROUTINES * STACK_SIZE), false);
	expect_ok(COROUTINES * CALLS);
}

static void side_by_side_thrown()
{
	on_one_mapping((char *)malloc(COROUTINES * STACK_SIZE), true);
	expect_thrown();
}

static void *carved_on_thread(void *)
{
	side_by_side();
	return nullptr;
}

static void side_by_side_on_thread()
{
	pthread_t thread;

	pthread_create(&thread, nullptr, carved_on_thread, nullptr);
	pthread_join(thread, nullptr);
}

/* The same in one mapping with the main thread's control block, as the allocator makes it in small programs. */
static void next_to_main_tls()
{
	size_t size = COROUTINES * STACK_SIZE;
	unsigned long own = (unsigned long)pthread_self(), start, end, below = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], *memory;

	EXPECT(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start <= own && own < end)
			below = start - size;
	fclose(maps);
	memory = (char *)mmap((void *)below, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(memory != MAP_FAILED);
	on_one_mapping(memory, false);
	expect_ok(COROUTINES * CALLS);
}

static char *above;

static void *next_to_thread(void *)
{
	for (int i = 0; i < COROUTINES; i++)
		start(&all[i], above + (size_t)i * STACK_SIZE, CALLS, false);
	run_all();
	return nullptr;
}

/* Stacks in one mapping with the thread's own stack and with each other. */
static void next_to_own()
{
	size_t own = 1 << 20, size = own + COROUTINES * STACK_SIZE;
	char *memory = (char *)mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pthread_attr_t attributes;
	pthread_t thread;

	EXPECT(memory != MAP_FAILED);
	above = memory + own;
	pthread_attr_init(&attributes);
	EXPECT(pthread_attr_setstack(&attributes, memory, own) == 0);
	EXPECT(pthread_create(&thread, &attributes, next_to_thread, nullptr) == 0);
	pthread_join(thread, nullptr);
	expect_ok(COROUTINES * CALLS);
}

/* Coroutines that are thrown away in the middle of their calls, their stacks used again. */
static void dropped()
{
	char *stacks[COROUTINES];

	for (auto &stack : stacks)
		stack = guarded_stack(0);
	for (int round = 0; round < CALLS; round++) {
		for (int i = 0; i < COROUTINES; i++) {
			start(&all[i], stacks[i], 1, false);
			resume(&all[i]);
		}
	}
	/* The same place is entered again: each but the last of each stack. These run to their end. */
	tally.made += COROUTINES * (CALLS - 1);
	tally.unwound += COROUTINES * (CALLS - 1);
	run_all();
	expect_ok(COROUTINES);
}

/* A call on the thread's own stack encloses calls on others: those are calls too. */
static int run_inside(void *)
{
	run_all();
	return 0;
}

static void inside_a_call()
{
	for (auto &one : all)
		start(&one, guarded_stack(0), CALLS, false);
	EXPECT(deep_run(&model, 2, run_inside, nullptr) == 0);
	expect_ok(COROUTINES * CALLS + 1);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "guarded", guarded },
	{ "guarded_thrown", guarded_thrown },
	{ "side_by_side", side_by_side },
	{ "side_by_side_on_thread", side_by_side_on_thread },
	{ "side_by_side_thrown", side_by_side_thrown },
	{ "next_to_main_tls", next_to_main_tls },
	{ "next_to_own", next_to_own },
	{ "dropped", dropped },
	{ "inside_a_call", inside_a_call },
};

int main(int argc, char **argv)
{
	std::string name;

	for (const auto &one : cases) {
		if (argc < 2) {
			puts(one.name);
		} else if (strcmp(one.name, argv[1]) == 0) {
			name = std::string("stacks-") + one.name;
			tally.name = name.c_str();
			model_init(&model, tally.name);
			ready();
			one.run();
			tally_print(&tally);
			done();
			return 0;
		}
	}
	return argc < 2 ? 0 : 96;
}
