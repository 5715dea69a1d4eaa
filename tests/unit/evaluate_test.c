/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Whole hooks: alternatives, loops, what is kept for the exit, names; and the evaluator itself. */
#include "check.h"
#include "plan_fixture.h"

#include <sys/types.h>
#include <unistd.h>

#include "plan/expression_text.h"

static struct fixture f;

/* Reads, compiles with all constants known, gives %di = at(0), and runs the entry program. */
static bool entry(const char *lines)
{
	if (!fixture__read(&f, lines)) {
		printf("  %s\n", f.error.text);
		return false;
	}
	fixture__constant(&f, CONSTANT_ACCESSOR, 8);
	fixture__constant(&f, CONSTANT_VTABLE, 0x1000);
	fixture__constant(&f, CONSTANT_CXX11_STRINGS, 1);
	f.state.base = 0x555500000000;
	f.state.args[EXPR_DI] = at(0);
	f.state.args[EXPR_SI] = at(64);
	f.state.args[EXPR_SP] = at(2048);
	if (fixture__compile(&f)) {
		printf("  %s\n", f.report.error);
		fixture__free(&f);
		return false;
	}
	fixture__run(&f, &f.hook.entry);
	return true;
}

static uint64_t known_value(enum hook_value value)
{
	return fixture__known(&f, value) ? f.state.values[value] : 0xdead;
}

static void values_stand_alone(void)
{
	memset(memory, 0, sizeof(memory));
	put64(0, 5);
	CHECK(entry("    means: call\n"
		    "    entry:\n"
		    "      handle: \"%di\"\n"
		    "      batch: +0(8)\n" /* faults */
		    "      tokens: +0(%di)\n"));
	CHECK_INT(f.state.known, 1 << VALUE_HANDLE | 1 << VALUE_TOKENS);
	CHECK_INT(known_value(VALUE_TOKENS), 5);
	fixture__free(&f);
	/* A handle that cannot be read, or is 0, ends it all. */
	CHECK(entry("    means: call\n    entry: {handle: +0(8), batch: 3}\n"));
	CHECK_INT(f.state.known, 0);
	fixture__free(&f);
	CHECK(entry("    means: call\n    entry: {handle: +8(%di), batch: 3}\n"));
	CHECK_INT(f.state.known, 0);
	fixture__free(&f);
}

static void alternatives(void)
{
	static const char lines[] =
		"    means: call\n"
		"    entry:\n"
		"      let: {kind: +0(%di)}\n"
		"      handle: \"%di\"\n"
		"      batch:\n"
		"        - {when: kind == 1, value: +0(8)}\n" /* holds, but faults: the next is tried */
		"        - {when: kind == 1, value: 11}\n"
		"        - {when: [kind == 2, +8(%di) == 7], let: {x: +8(%di)}, value: x + 1}\n"
		"        - {let: {x: +0(+16(%di))}, when: 1 <= x <= 8, value: x}\n"
		"        - {when: kind == 4, value: [{when: 0 == %si, value: 1}, 44]}\n";

	memset(memory, 0, sizeof(memory));
	put64(0, 1);
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 11);
	fixture__free(&f);
	put64(0, 2);
	put64(8, 7);
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 8);
	fixture__free(&f);
	put64(8, 6);
	put64(16, at(24));
	put64(24, 8);
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 8);
	fixture__free(&f);
	put64(24, 9);
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 0xdead);
	fixture__free(&f);
	put64(0, 4);
	put64(16, 0);
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 44);
	fixture__free(&f);
}

/* A let that cannot be read takes only what uses it; the order of lets does not matter; signs travel with names. */
static void lets(void)
{
	memset(memory, 0, sizeof(memory));
	put64(0, (uint64_t)-3);
	CHECK(entry("    means: call\n"
		    "    entry:\n"
		    "      let: {b: a + 1, a: \"+0(%di):s32\", broken: +0(8), twice: 2 * handle}\n"
		    "      handle: \"%di\"\n"
		    "      batch: [broken, 1]\n"
		    "      tokens: {when: b < 0, value: b}\n"
		    "      status: broken\n"
		    "      failed: twice - handle == handle\n"));
	CHECK_INT(known_value(VALUE_BATCH), 1);
	CHECK_INT(known_value(VALUE_TOKENS), (uint64_t)-2);
	CHECK_INT(known_value(VALUE_STATUS), 0xdead);
	CHECK_INT(known_value(VALUE_FAILED), 1);
	fixture__free(&f);
}

static void loops(void)
{
	/* Like feeds: count at 0, pointers from 8, each to {rank, dim 0}. */
	static const char lines[] = "    means: call\n"
				    "    entry:\n"
				    "      handle: \"%di\"\n"
				    "      batch:\n"
				    "        - each: {index: k, count: +0(%di), limit: 4}\n"
				    "          let: {t: +(8 + 8 * k)(%di), rank: +0(t)}\n"
				    "          when: 1 <= rank <= 8\n"
				    "          least: rank - 2\n"
				    "          value: +8(t)\n"
				    "      tokens:\n"
				    "        - each: {index: at, start: 8, step: 8, limit: 4}\n"
				    "          when: +0(+at(%di)) == 3\n"
				    "          value: at\n"
				    "        - 77\n";

	memset(memory, 0, sizeof(memory));
	put64(0, 4);
	put64(8, at(256)); /* rank 0: a scalar */
	put64(16, 1);	   /* a fault */
	put64(24, at(272));
	put64(32, at(288));
	put64(272, 1);
	put64(280, 50);
	put64(288, 3);
	put64(296, 60);
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 60); /* rank 3 before rank 1 */
	CHECK_INT(known_value(VALUE_TOKENS), 32);
	fixture__free(&f);
	put64(16, at(304));
	put64(304, 3);
	put64(312, 61);
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 61); /* the first of equals */
	CHECK_INT(known_value(VALUE_TOKENS), 16);
	fixture__free(&f);
	/* The value faults in the best round: the one before it stays. */
	put64(304, 2);
	put64(16, at(MEMORY_SIZE - 8));
	put64(MEMORY_SIZE - 8, 2);
	put64(288, 0);
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 50);
	CHECK_INT(known_value(VALUE_TOKENS), 77);
	fixture__free(&f);
	/* No round, and more rounds than the limit. */
	put64(0, 0);
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 0xdead);
	CHECK_INT(known_value(VALUE_TOKENS), 77);
	fixture__free(&f);
	put64(0, UINT64_MAX);
	put64(8, 0);
	put64(16, 0);
	put64(24, 0);
	put64(32, 0);
	put64(40, at(272));
	CHECK(entry(lines));
	CHECK_INT(known_value(VALUE_BATCH), 0xdead);
	fixture__free(&f);
}

/* count, start and step together: index = start + step * round. */
static void stepped_loops(void)
{
	memset(memory, 0, sizeof(memory));
	put64(0, 3);
	CHECK(entry("    means: call\n"
		    "    entry:\n"
		    "      handle: \"%di\"\n"
		    "      batch: {each: {index: i, count: +0(%di), start: 100, step: 10, limit: 9}, when: i > 110, "
		    "value: i}\n"
		    "      tokens: {each: {index: i, count: +0(%di), start: 100, step: 10, limit: 9}, when: i > 120, "
		    "value: i}\n"
		    "      status: {each: {index: i, count: +0(%di), start: 100, step: 10, limit: 2}, when: i > 110, "
		    "value: i}\n"));
	CHECK_INT(known_value(VALUE_BATCH), 120);
	CHECK_INT(known_value(VALUE_TOKENS), 0xdead);
	CHECK_INT(known_value(VALUE_STATUS), 0xdead);
	fixture__free(&f);
}

/* A loop in a loop: a row of pointers to rows. */
static void nested_loops(void)
{
	memset(memory, 0, sizeof(memory));
	put64(0, at(128));
	put64(8, 1);
	put64(16, at(256));
	put64(256 + 24, 9);
	CHECK(entry("    means: call\n"
		    "    entry:\n"
		    "      handle: \"%di\"\n"
		    "      batch:\n"
		    "        each: {index: row, limit: 4}\n"
		    "        let:\n"
		    "          column: {each: {index: k, limit: 4}, when: +(8 * k)(+(8 * row)(%di)) == 9, value: k}\n"
		    "        value: 10 * row + column\n"));
	CHECK_INT(known_value(VALUE_BATCH), 23);
	fixture__free(&f);
}

static void entry_and_exit(void)
{
	static const char lines[] = "    means: call\n"
				    "    entry: {handle: \"%di\"}\n"
				    "    exit:\n"
				    "      let: {result: \"%ax:s32\"}\n"
				    "      batch: entry(%si) - entry(%di)\n"
				    "      tokens: +0(entry(+8(%di)))\n"
				    "      status: \"[result]\"\n"
				    "      failed: entry(+0(8)) == 0\n"
				    "      ignored: entry(\"%si\") != 0\n";
	char text[1024];

	memset(memory, 0, sizeof(memory));
	put64(8, at(24));
	put64(24, 31);
	/* Quotes and lists of YAML do not reach into expressions. */
	CHECK(!fixture__read(&f, lines));
	CHECK(strstr(f.error.text, "not '['"));
	snprintf(text, sizeof(text), "%s", lines);
	memcpy(strstr(text, "\"[result]\""), "  result  ", 10);
	memcpy(strstr(text, "entry(\"%si\")"), "entry( %si )", 12);
	CHECK(entry(text));
	f.state.args[EXPR_AX] = 0xfffffffe;
	f.state.args[EXPR_DI] = f.state.args[EXPR_SI] = 1; /* at exit they hold anything */
	fixture__run(&f, &f.hook.exit);
	CHECK_INT(known_value(VALUE_BATCH), 64);
	CHECK_INT(known_value(VALUE_TOKENS), 31);
	CHECK_INT(known_value(VALUE_STATUS), (uint64_t)-2);
	CHECK_INT(known_value(VALUE_FAILED), 0xdead); /* was not readable at entry: unknown, not 0 */
	CHECK(known_value(VALUE_IGNORED) != 0);	      /* as true as 1, and one operation */
	CHECK_INT(f.report.needs, 1 << EXPR_DI | 1 << EXPR_SI);
	CHECK_INT(f.report.exit_needs, 1 << EXPR_AX);
	fixture__free(&f);
}

static void names(void)
{
	memset(memory, 0, sizeof(memory));
	put_cxx11(8, "", 0);
	put_cxx11(40, "/srv/models/resnet50.onnx", 512);
	/* At entry. The first string is empty, which is no name: the next alternative. */
	CHECK(entry("    means: call\n"
		    "    entry:\n"
		    "      handle: \"%di\"\n"
		    "      model: [cxx_string(handle + 8), cxx_string(handle + 40)]\n"));
	CHECK_INT(f.hook.flags & HOOK_NAME_AT_EXIT, 0);
	fixture__run(&f, &f.hook.name);
	CHECK_STR(fixture__string(&f), "/srv/models/resnet50.onnx");
	fixture__free(&f);
	/* By a loop over slots. */
	CHECK(entry("    means: call\n"
		    "    entry:\n"
		    "      handle: \"%di\"\n"
		    "      model:\n"
		    "        each: {index: at, start: 8, step: 8, limit: 16}\n"
		    "        when: like(cxx11_string(handle + at), '*/*')\n"
		    "        value: cxx11_string(handle + at)\n"));
	fixture__run(&f, &f.hook.name);
	CHECK_STR(fixture__string(&f), "/srv/models/resnet50.onnx");
	fixture__free(&f);
	/* Bytes that are no text are no name. */
	put64(512, 0x0102030405060708);
	CHECK(entry("    means: call\n    entry:\n      handle: \"%di\"\n      model:\n        - bytes(%di + 512, 8)\n "
		    "       - c_string(%di + 520)\n"));
	fixture__run(&f, &f.hook.name);
	CHECK_STR(fixture__string(&f), "els/resnet50.onnx");
	fixture__free(&f);
	/* At exit, from what was there at entry. */
	put_text(64, "toy.bin");
	CHECK(entry(
		"    means: load\n    exit: {handle: \"%ax\", failed: \"%ax == 0\", model: c_string(entry(%si))}\n"));
	CHECK_INT(f.hook.flags & HOOK_NAME_AT_EXIT, HOOK_NAME_AT_EXIT);
	f.state.args[EXPR_AX] = at(1);
	fixture__run(&f, &f.hook.exit);
	CHECK_INT(known_value(VALUE_HANDLE), at(1));
	CHECK_INT(known_value(VALUE_FAILED), 0);
	fixture__run(&f, &f.hook.name);
	CHECK_STR(fixture__string(&f), "toy.bin");
	f.state.args[EXPR_AX] = 0;
	fixture__run(&f, &f.hook.exit);
	CHECK_INT(f.state.known, 1 << VALUE_FAILED); /* a NULL is no handle, but says that the load failed */
	CHECK_INT(known_value(VALUE_FAILED), 1);
	fixture__free(&f);
}

/* What a file lacks is left out; what cannot do without is refused, with the reason. */
static void missing_constants(void)
{
	static const char lines[] = "    means: call\n"
				    "    entry:\n"
				    "      handle:\n"
				    "        - {when: +0(%di) == vtable(N1aE), value: \"%di\"}\n"
				    "        - {when: \"!known(vtable(N1aE))\", value: \"%si\"}\n"
				    "      batch: +accessor(rows)(%di)\n"
				    "      model: cxx_string(%di)\n";

	memset(memory, 0, sizeof(memory));
	CHECK(fixture__read(&f, lines));
	CHECK_INT(fixture__compile(&f), 0);
	CHECK(!f.report.refused);
	CHECK_STR(f.report.unknown, "no batch: accessor(rows) is not known in this file; "
				    "no model: the layout of std::string is not known in this file");
	CHECK_INT(f.hook.name.length, 0);
	f.state.args[EXPR_SI] = 12;
	fixture__run(&f, &f.hook.entry);
	CHECK_INT(known_value(VALUE_HANDLE), 12);
	/* With the constant, the unguarded way is not taken. */
	fixture__constant(&f, CONSTANT_VTABLE, 0x1000);
	f.state.args[EXPR_DI] = at(0);
	CHECK_INT(fixture__compile(&f), 0);
	fixture__run(&f, &f.hook.entry);
	CHECK_INT(f.state.known, 0);
	put64(0, 0x1000);
	fixture__run(&f, &f.hook.entry);
	CHECK_INT(known_value(VALUE_HANDLE), at(0));
	fixture__free(&f);

	CHECK(fixture__read(&f, "    means: call\n    entry: {handle: +accessor(session)(%di)}\n"));
	CHECK_INT(fixture__compile(&f), 0);
	CHECK(f.report.refused);
	CHECK_STR(f.report.why, "no handle: accessor(session) is not known in this file");
	fixture__free(&f);
}

static void evaluator(void)
{
	struct hook *hook = calloc(1, sizeof(*hook));
	struct expr_state state = { 0 };
	char text[256];

	/* A loop without end stops at the step limit. */
	hook->ops[0] = (struct expr_op) { .code = EXPR_JMP, .imm = 0 };
	hook->entry.length = 1;
	CHECK_INT(evaluate__run(&state, hook, &hook->entry, read_memory, NULL), EXPR_STEPS_MAX);
	/* A fault goes to the handler once, then ends the program. */
	memset(hook->ops, 0, sizeof(hook->ops));
	hook->ops[0] = (struct expr_op) { .code = EXPR_ON_FAULT, .imm = 2 };
	hook->ops[1] = (struct expr_op) { .code = EXPR_LOAD, .dst = 1, .a = 0, .b = EXPR_U64 };
	hook->ops[2] = (struct expr_op) { .code = EXPR_IMM, .dst = 2, .imm = 42 };
	hook->ops[3] = (struct expr_op) { .code = EXPR_OUT, .dst = VALUE_BATCH, .a = 2 };
	hook->ops[4] = (struct expr_op) { .code = EXPR_DIV, .dst = 2, .a = 2, .b = 0 };
	hook->ops[5] = (struct expr_op) { .code = EXPR_OUT, .dst = VALUE_TOKENS, .a = 2 };
	hook->entry.length = 6;
	CHECK_INT(evaluate__run(&state, hook, &hook->entry, read_memory, NULL), 5);
	CHECK_INT(state.known, 1 << VALUE_BATCH);
	CHECK_INT(state.values[VALUE_BATCH], 42);
	/* Addresses that wrap round are no memory. */
	hook->ops[0] = (struct expr_op) { .code = EXPR_LOAD, .dst = 1, .a = 0, .b = EXPR_U64, .imm = -4 };
	hook->ops[1] = (struct expr_op) { .code = EXPR_OUT, .dst = VALUE_BATCH, .a = 2 };
	CHECK_INT(evaluate__run(&state, hook, &hook->entry, read_memory, NULL), 1);
	CHECK_INT(state.known, 0);
	hook->entry.length = 2;
	CHECK_INT(expression_text__program(hook, &hook->entry, text, sizeof(text)), strlen(text));
	CHECK_STR(text, "    0  r1 = *(r0 - 4):u64\n    1  batch is r2\n");
	CHECK(expression_text__program(hook, &hook->entry, text, 8) > 8);
	CHECK_STR(text, "    0  ");
	free(hook);
}

/* The reader of a live process, on this one. */
static void live_process(void)
{
	static const char name[] = "a name in this process";
	struct hook *hook = calloc(1, sizeof(*hook));
	struct expr_state state = { 0 };
	pid_t pid = getpid();

	hook->ops[0] = (struct expr_op) { .code = EXPR_MOV, .dst = 1, .a = EXPR_CELL_ARGS + EXPR_DI };
	hook->ops[1] = (struct expr_op) { .code = EXPR_CSTRING, .a = 1 };
	hook->entry.length = 2;
	state.args[EXPR_DI] = (uintptr_t)name;
	evaluate__run(&state, hook, &hook->entry, evaluate__read_process, &pid);
	if (!state.has_string) {
		free(hook);
		SKIP("process_vm_readv is not allowed here");
	}
	CHECK_INT(state.string_length, strlen(name));
	CHECK(memcmp(state.string, name, strlen(name)) == 0);
	free(hook);
}

int main(void)
{
	RUN(values_stand_alone);
	RUN(alternatives);
	RUN(lets);
	RUN(loops);
	RUN(stepped_loops);
	RUN(nested_loops);
	RUN(entry_and_exit);
	RUN(names);
	RUN(missing_constants);
	RUN(evaluator);
	RUN(live_process);
	return check__report();
}
