/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The resolver against the processor: each shape of fixtures/shapes.cc is run in a traced child with breakpoints where probes would go.
 * Every call must pass its entry site once, with the caller's registers, and one exit site once (or none and a landing pad or
 * nothing, when an exception ends it), each time with the stack pointer of its first instruction where the answer says.
 */
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "check.h"
#include "fixture.h"
#include "hook.h"

static const char *const names[] = {
	"work",
	"leaf",
	"branches",
	"canary",
	"loops",
	"table",
	"switch_with_work",
	"tail",
	"tail_if",
	"tail_of_two",
	"tail_indirect",
	"cold_path",
	"throws",
	"passes_through",
	"cleans",
	"catches",
	"catches_and_goes_on",
	"rethrows",
	"recursion",
	"self_loop",
	"variable_frame",
	"aligned",
	"on_stack",
	"calls_on_stack",
	"variadic",
	"calls_variadic",
	"gives_up",
	"frees_at_end",
	"makes_large",
	"takes_large",
	"computed",
	"floats",
	"uses_floats",
	"empty_guard",
	"no_result",
	"calls_no_result",
	"calls_virtual",
	"jumps_out",
	"_ZN7derived6helperEll",
	"_ZN7derived3runEll",
	"_ZN4base5twiceEll",
	"run_shape",
};

/* Refused: how many functions may end in a way that exit probes cannot tell (a conditional jump to another function). */
enum { FUNCTIONS = COUNT(names), FRAMES = 256, PLACES = 4096, REFUSED = 2 };

enum role { ON_START, ON_ENTRY, ON_EXIT, ON_PAD, ON_RETURN };

struct place {
	uint64_t address;
	enum role role;
	int function, index;
	int original; /* the byte under the breakpoint */
};

struct frame {
	int function, entries, exits;
	uint64_t sp, back, arguments[EXPR_ARGS], result;
	bool has_result;
};

struct run {
	pid_t pid;
	uint64_t base;
	const struct answer_match *match;
	struct place places[PLACES];
	int n_places;
	struct frame frames[FRAMES];
	int n_frames;
	int calls, exits, unwound, pads, cheap, results;
};

static void read_arguments(const struct user_regs_struct *regs, uint64_t *arguments)
{
	const uint64_t in_order[EXPR_ARGS] = { regs->rdi, regs->rsi, regs->rdx, regs->rcx, regs->r8,  regs->r9,
					       regs->rax, regs->rbx, regs->rbp, regs->rsp, regs->r10, regs->r11,
					       regs->r12, regs->r13, regs->r14, regs->r15 };

	memcpy(arguments, in_order, sizeof(in_order));
}

/* One byte only: breakpoints may be close to each other. Returns the byte that was there. */
static uint8_t put_byte(pid_t pid, uint64_t address, uint8_t byte)
{
	long word = ptrace(PTRACE_PEEKTEXT, pid, address, NULL);

	ptrace(PTRACE_POKETEXT, pid, address, (word & ~0xffl) | byte);
	return word & 0xff;
}

static void plant(struct run *run, uint64_t address, enum role role, int function, int index)
{
	struct place *place = &run->places[run->n_places];

	if (run->n_places == PLACES)
		return;
	*place = (struct place) { .address = address, .role = role, .function = function, .index = index };
	for (int i = 0; i < run->n_places; i++)
		if (run->places[i].address == address) {
			if (role == ON_RETURN && run->places[i].role == ON_RETURN)
				return;
			place->original = run->places[i].original;
			run->n_places++;
			return;
		}
	run->n_places++;
	place->original = put_byte(run->pid, address, 0xcc);
}

static void plant_all(struct run *run)
{
	for (int f = 0; f < FUNCTIONS; f++) {
		const struct answer_function *function = &run->match->functions[f];

		if (!function->found)
			continue;
		plant(run, run->base + function->vaddr, ON_START, f, 0);
		plant(run, run->base + function->entry_vaddr, ON_ENTRY, f, 0);
		for (int i = 0; function->exits_complete && i < function->n_exits; i++) {
			plant(run, run->base + function->exits[i].vaddr, ON_EXIT, f, i);
			run->cheap += function->exits[i].cost != COST_STEPPED;
		}
		for (int i = 0; i < function->n_pads; i++)
			/* All code of a fixture is in one segment. */
			plant(run, run->base + function->vaddr + (function->pads[i].offset - function->offset), ON_PAD,
			      f, i);
	}
}

static const char *function_name(const struct run *run)
{
	return run->n_frames ? names[run->frames[run->n_frames - 1].function] : "?";
}

/* Frames below sp are gone without a return. */
static void unwind(struct run *run, uint64_t sp)
{
	while (run->n_frames && run->frames[run->n_frames - 1].sp < sp) {
		struct frame *frame = &run->frames[--run->n_frames];

		run->unwound++;
		if (frame->exits || frame->entries != 1) {
			printf("  %s left by an exception after %d exits\n", names[frame->function], frame->exits);
			check_errors++;
		}
	}
}

static void at_start(struct run *run, const struct place *place, const struct user_regs_struct *regs)
{
	struct frame *frame = run->n_frames ? &run->frames[run->n_frames - 1] : NULL;

	/* A loop that goes back to the first instruction is no call, unless it passed an exit: a call in tail position is one. */
	if (frame && frame->function == place->function && frame->sp == regs->rsp && !frame->exits)
		return;
	if (run->n_frames == FRAMES)
		return;
	frame = &run->frames[run->n_frames++];
	memset(frame, 0, sizeof(*frame));
	frame->function = place->function;
	frame->sp = regs->rsp;
	frame->back = ptrace(PTRACE_PEEKTEXT, run->pid, regs->rsp, NULL);
	read_arguments(regs, frame->arguments);
	run->calls++;
	plant(run, frame->back, ON_RETURN, -1, 0);
}

static void at_entry(struct run *run, const struct place *place, const struct user_regs_struct *regs)
{
	const struct answer_function *function = &run->match->functions[place->function];
	struct frame *frame = run->n_frames ? &run->frames[run->n_frames - 1] : NULL;
	uint64_t arguments[EXPR_ARGS];

	if (!frame || frame->function != place->function) {
		printf("  the entry of %s inside of %s\n", names[place->function], function_name(run));
		check_errors++;
		return;
	}
	read_arguments(regs, arguments);
	frame->entries++;
	if (regs->rsp + function->entry_frame_offset != frame->sp || frame->entries != 1 ||
	    memcmp(arguments, frame->arguments, 6 * sizeof(*arguments)) != 0) {
		printf("  the entry of %s: %d times, stack pointer %+ld\n", names[place->function], frame->entries,
		       (long)(regs->rsp + function->entry_frame_offset - frame->sp));
		check_errors++;
	}
}

static uint64_t frame_sp(const struct user_regs_struct *regs, int frame, int32_t offset)
{
	return (frame == SITE_FRAME_SP ? regs->rsp : regs->rbp) + offset;
}

static void at_exit_site(struct run *run, const struct place *place, const struct user_regs_struct *regs)
{
	const struct answer_exit *exit = &run->match->functions[place->function].exits[place->index];
	struct frame *frame = run->n_frames ? &run->frames[run->n_frames - 1] : NULL;
	uint64_t arguments[EXPR_ARGS];

	if (!frame || frame->function != place->function) {
		printf("  an exit of %s inside of %s\n", names[place->function], function_name(run));
		check_errors++;
		return;
	}
	frame->exits++;
	run->exits++;
	if (frame->exits != 1 ||
	    (exit->frame != SITE_FRAME_UNKNOWN && frame_sp(regs, exit->frame, exit->frame_offset) != frame->sp)) {
		printf("  an exit of %s, +%#lx: %d times, stack pointer %+ld\n", names[place->function],
		       (long)(exit->vaddr - run->match->functions[place->function].vaddr), frame->exits,
		       (long)(frame_sp(regs, exit->frame, exit->frame_offset) - frame->sp));
		check_errors++;
	}
	read_arguments(regs, arguments);
	frame->has_result = exit->result < EXPR_ARGS;
	if (frame->has_result)
		frame->result = arguments[exit->result];
}

static void at_pad(struct run *run, const struct place *place, const struct user_regs_struct *regs)
{
	const struct answer_pad *pad = &run->match->functions[place->function].pads[place->index];
	struct frame *frame;

	if (pad->frame == SITE_FRAME_UNKNOWN)
		return;
	unwind(run, frame_sp(regs, pad->frame, pad->frame_offset));
	frame = run->n_frames ? &run->frames[run->n_frames - 1] : NULL;
	run->pads++;
	if (!frame || frame->function != place->function ||
	    frame_sp(regs, pad->frame, pad->frame_offset) != frame->sp) {
		printf("  a landing pad of %s inside of %s\n", names[place->function], function_name(run));
		check_errors++;
	}
}

static bool compared(const char *name)
{
	return strcmp(name, "floats") != 0 && strcmp(name, "no_result") != 0; /* no integer comes back */
}

static void at_return(struct run *run, const struct user_regs_struct *regs)
{
	unwind(run, regs->rsp - 8);
	while (run->n_frames && run->frames[run->n_frames - 1].sp == regs->rsp - 8) {
		struct frame *frame = &run->frames[--run->n_frames];
		bool complete = run->match->functions[frame->function].exits_complete;

		if (frame->entries != 1 || (complete && frame->exits != 1)) {
			printf("  %s returned after %d entries and %d exits\n", names[frame->function], frame->entries,
			       frame->exits);
			check_errors++;
		}
		if (!frame->has_result || !compared(names[frame->function]))
			continue;
		run->results++;
		if (frame->result != regs->rax) {
			printf("  %s returned %#lx, its exit saw %#lx\n", names[frame->function], (long)regs->rax,
			       (long)frame->result);
			check_errors++;
		}
	}
}

/* Everything at one address, then over the instruction that the breakpoint hides. */
static bool at_breakpoint(struct run *run)
{
	struct user_regs_struct regs;
	int n = run->n_places, status;
	int original = -1;

	ptrace(PTRACE_GETREGS, run->pid, NULL, &regs);
	regs.rip--;
	/* A callee may return to the very instruction that is a site of its caller: that comes first. */
	for (int i = 0; i < n; i++)
		if (run->places[i].address == regs.rip && run->places[i].role == ON_RETURN)
			at_return(run, &regs);
	for (int i = 0; i < n; i++) {
		const struct place *place = &run->places[i];

		if (place->address != regs.rip)
			continue;
		original = place->original;
		switch (place->role) {
		case ON_START:
			at_start(run, place, &regs);
			break;
		case ON_ENTRY:
			at_entry(run, place, &regs);
			break;
		case ON_EXIT:
			at_exit_site(run, place, &regs);
			break;
		case ON_PAD:
			at_pad(run, place, &regs);
			break;
		case ON_RETURN:
			break;
		}
	}
	if (original == -1)
		return false;
	ptrace(PTRACE_SETREGS, run->pid, NULL, &regs);
	put_byte(run->pid, regs.rip, original);
	ptrace(PTRACE_SINGLESTEP, run->pid, NULL, NULL);
	waitpid(run->pid, &status, 0);
	if (!WIFSTOPPED(status))
		return false;
	put_byte(run->pid, regs.rip, 0xcc);
	return true;
}

static void child(const char *path, uint64_t *base)
{
	void *library = dlopen(path, RTLD_NOW);
	long (*run_shape)(int, long, long) = library ? (long (*)(int, long, long))dlsym(library, "run_shape") : NULL;
	const char *(*shape_name)(int) = library ? (const char *(*)(int))dlsym(library, "shape_name") : NULL;
	struct link_map *map;

	if (!run_shape || dlinfo(library, RTLD_DI_LINKMAP, &map) < 0) {
		printf("  %s\n", dlerror());
		_exit(2);
	}
	*base = map->l_addr;
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (int which = 0; shape_name(which); which++)
		for (long a = 0; a < 8; a++)
			for (long b = 0; b < 4; b++)
				run_shape(which, a, b);
	_exit(0);
}

static void run_fixture(const char *name)
{
	static struct function_query functions[FUNCTIONS];
	static struct locator locators[FUNCTIONS];
	static const struct match_alternative always = { 0 };
	struct module_query query = { .runtime = "shapes", .matches = &always, .n_matches = 1 };
	static struct run run;
	uint64_t *base = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct answer *answer;
	int status = 0, refused = 0;

	for (int i = 0; i < FUNCTIONS; i++) {
		locators[i] = (struct locator) { .kind = LOCATE_EXPORT, .name = names[i] };
		functions[i] = (struct function_query) {
			.name = names[i],
			.locators = &locators[i],
			.n_locators = 1,
			.needs = ALL_ARGUMENTS,
		};
	}
	query.functions = functions;
	query.n_functions = FUNCTIONS;
	answer = fixture__ask(fixture__path(name), &query);
	CHECK(answer && !answer->failed && answer->n_matches == 1);
	if (check_errors)
		return;
	memset(&run, 0, sizeof(run));
	run.match = &answer->matches[0];
	for (int i = 0; i < FUNCTIONS; i++) {
		const struct answer_function *function = &run.match->functions[i];

		CHECK(function->found);
		refused += !function->exits_complete;
		if (!function->exits_complete)
			printf("  %s %s: %s; %s\n", name, names[i], function->why, function->exits_why);
	}
	run.pid = fork();
	if (!run.pid)
		child(fixture__path(name), base);
	waitpid(run.pid, &status, 0);
	run.base = *base;
	if (WIFSTOPPED(status))
		plant_all(&run);
	while (WIFSTOPPED(status)) {
		int signal = WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);

		if (WSTOPSIG(status) == SIGTRAP && !at_breakpoint(&run)) {
			printf("  a trap that is none of ours\n");
			check_errors++;
			break;
		}
		ptrace(PTRACE_CONT, run.pid, NULL, signal);
		waitpid(run.pid, &status, 0);
	}
	kill(run.pid, SIGKILL);
	waitpid(run.pid, NULL, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(refused <= REFUSED);
	CHECK(run.calls > 2000 && run.exits > 1500 && run.unwound > 100 && run.pads > 100);
	printf("  %-10s %d calls, %d exits, %d unwound, %d pads; %d functions refused, %d cheap exits, %d results\n",
	       name, run.calls, run.exits, run.unwound, run.pads, refused, run.cheap, run.results);
	answer__free(answer);
	munmap(base, 4096);
}

#define FIXTURE(test, name)                                                                                            \
	static void test(void)                                                                                         \
	{                                                                                                              \
		run_fixture(name ".so");                                                                               \
	}

FIXTURE(gcc_O0, "gcc-O0")
FIXTURE(gcc_O1, "gcc-O1")
FIXTURE(gcc_O2, "gcc-O2")
FIXTURE(gcc_O3, "gcc-O3")
FIXTURE(gcc_Os, "gcc-Os")
FIXTURE(gcc_noplt, "gcc-noplt")
FIXTURE(gcc_hash, "gcc-hash")
FIXTURE(gcc_nop, "gcc-nop")
FIXTURE(clang_O0, "clang-O0")
FIXTURE(clang_O1, "clang-O1")
FIXTURE(clang_O2, "clang-O2")
FIXTURE(clang_O3, "clang-O3")
FIXTURE(clang_Os, "clang-Os")
FIXTURE(clang_relr, "clang-relr")

int main(void)
{
	RUN(gcc_O0);
	RUN(gcc_O1);
	RUN(gcc_O2);
	RUN(gcc_O3);
	RUN(gcc_Os);
	RUN(gcc_noplt);
	RUN(gcc_hash);
	RUN(gcc_nop);
	RUN(clang_O0);
	RUN(clang_O1);
	RUN(clang_O2);
	RUN(clang_O3);
	RUN(clang_Os);
	RUN(clang_relr);
	return check__report();
}
