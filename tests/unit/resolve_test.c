/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Ways to find functions, in libraries and in programs of all kinds: dynamic, position independent or not, static, stripped. What a
 * stripped file must say is known from its twin with symbols.
 */
#include "check.h"
#include "fixture.h"
#include "resolve/glob.h"

static const struct match_alternative always = { 0 };

static const struct table_step one_steps[] = { { STEP_LEA, 0 }, { STEP_SLOT, 0 }, { STEP_LEA, 0 }, { STEP_SLOT, 1 } };
static const struct table_step two_steps[] = { { STEP_LEA, 0 }, { STEP_SLOT, 0 }, { STEP_LEA, 0 }, { STEP_SLOT, 2 } };
static const struct table_step version_steps[] = { { STEP_LEA, 0 }, { STEP_SLOT, 1 } };
static const struct locator run_slot = { .kind = LOCATE_VTABLE, .name = "7derived", .slot = 2 };
static const struct locator tail_itself = { .kind = LOCATE_EXPORT, .name = "tail" };

enum {
	HELPER_BY_STRING,
	RUN_BY_SLOT,
	TABLE_ONE,
	TABLE_TWO,
	BY_TAIL,
	BY_PATTERN,
	HELPER,
	RUN_FN,
	SLOT_ONE,
	SLOT_TWO,
	WORK,
	N
};

#define ONE(...)       .locators = (const struct locator[]) { { __VA_ARGS__ } }, .n_locators = 1
#define EXPORT(symbol) ONE(.kind = LOCATE_EXPORT, .name = symbol)

static const struct function_query functions[N] = {
	[HELPER_BY_STRING] = { .name = "helper by string",
			       ONE(.kind = LOCATE_STRING_REFERENCE, .name = "the helper of the ",
				   .called_by = &run_slot),
			       .ends = ENDS_EXITS,
			       .needs = ALL_ARGUMENTS },
	[RUN_BY_SLOT] = { .name = "run by slot",
			  ONE(.kind = LOCATE_VTABLE, .name = "7derived", .slot = 2),
			  .ends = ENDS_EXITS,
			  .needs = ALL_ARGUMENTS },
	[TABLE_ONE] = { .name = "one",
			ONE(.kind = LOCATE_TABLE, .name = "get_door", .steps = one_steps, .n_steps = 4),
			.ends = ENDS_RETURN },
	[TABLE_TWO] = { .name = "two",
			ONE(.kind = LOCATE_TABLE, .name = "get_door", .steps = two_steps, .n_steps = 4),
			.ends = ENDS_RETURN },
	[BY_TAIL] = { .name = "work by tail", ONE(.kind = LOCATE_TAIL_JUMP, .of = &tail_itself), .ends = ENDS_ENTRY },
	[BY_PATTERN] = { .name = "run by pattern",
			 ONE(.kind = LOCATE_PATTERN, .name = "derived::run(*)"),
			 .ends = ENDS_ENTRY },
	[HELPER] = { .name = "helper", EXPORT("_ZN7derived6helperEll"), .ends = ENDS_ENTRY },
	[RUN_FN] = { .name = "run", EXPORT("_ZN7derived3runEll"), .ends = ENDS_ENTRY },
	[SLOT_ONE] = { .name = "slot_one", EXPORT("slot_one"), .ends = ENDS_ENTRY },
	[SLOT_TWO] = { .name = "slot_two", EXPORT("slot_two"), .ends = ENDS_ENTRY },
	[WORK] = { .name = "work", EXPORT("work"), .ends = ENDS_ENTRY },
};

static const struct constant_query constants[] = {
	{ CONSTANT_VTABLE, "7derived" },
	{ CONSTANT_ACCESSOR, "accessor" },
	{ CONSTANT_CXX11_STRINGS, NULL },
	{ CONSTANT_SYMBOL, "_ZTV7derived" },
	{ CONSTANT_SYMBOL, "nothing_of_the_kind" },
};

static const struct locator version = {
	.kind = LOCATE_TABLE,
	.name = "get_door",
	.steps = version_steps,
	.n_steps = 2,
};

static const struct module_query query = {
	"shapes", &always, 1, functions, N, constants, COUNT(constants), &version,
};

static void compare(const struct answer_match *match, const struct answer_match *truth, int got, int want)
{
	if (!match->functions[got].found)
		printf("  %s: %s\n", functions[got].name, match->functions[got].why);
	CHECK(match->functions[got].found);
	CHECK_INT(match->functions[got].vaddr, truth->functions[want].vaddr);
}

/* symbols: of the file that has them; optimized: accessors are then two instructions. */
static void try_file(const char *name, const char *symbols, bool exports, bool optimized)
{
	struct answer *truth = fixture__ask(fixture__path(symbols), &query);
	struct answer *answer = fixture__ask(fixture__path(name), &query);
	const struct answer_match *match, *known;

	CHECK(truth && answer && truth->n_matches == 1 && answer->n_matches == 1);
	if (check_errors)
		return;
	match = &answer->matches[0];
	known = &truth->matches[0];
	CHECK(known->functions[HELPER].found && known->functions[RUN_FN].found && known->functions[WORK].found);
	compare(match, known, HELPER_BY_STRING, HELPER);
	compare(match, known, RUN_BY_SLOT, RUN_FN);
	CHECK(match->functions[HELPER_BY_STRING].exits_complete);
	CHECK(match->functions[HELPER_BY_STRING].size > 8);
	CHECK(match->constants[0].found);
	if (known->constants[3].found)
		CHECK_INT(match->constants[0].value, known->constants[3].value + 16);
	CHECK(match->constants[2].found && match->constants[2].value == 1);
	CHECK(!match->constants[4].found);
	if (exports) {
		compare(match, known, TABLE_ONE, SLOT_ONE);
		compare(match, known, TABLE_TWO, SLOT_TWO);
		compare(match, known, BY_PATTERN, RUN_FN);
		CHECK_STR(match->version, "4.5.6-fixture");
		if (optimized) {
			CHECK(match->constants[1].found && match->constants[1].value == 40);
			compare(match, known, BY_TAIL, WORK);
		}
	} else {
		CHECK(!match->functions[WORK].found && strstr(match->functions[WORK].why, "not exported"));
		CHECK_STR(match->version, "");
	}
	answer__free(truth);
	answer__free(answer);
}

static void libraries(void)
{
	try_file("gcc-O2.so", "gcc-O2.so", true, true);
	try_file("gcc-O0.so", "gcc-O0.so", true, false);
	try_file("gcc-hash.so", "gcc-hash.so", true, true);
	try_file("gcc-noplt.so", "gcc-noplt.so", true, false);
	try_file("clang-O2.so", "clang-O2.so", true, true);
	try_file("clang-O0.so", "clang-O0.so", true, false);
	try_file("clang-relr.so", "clang-relr.so", true, true);
}

static void programs(void)
{
	try_file("pie", "pie", true, true);
	try_file("fixed", "fixed", true, true);
	try_file("static", "static", true, true);
	try_file("static-pie", "static-pie", true, true);
	try_file("clang-static", "clang-static", true, true);
}

static void stripped_programs(void)
{
	try_file("pie.stripped", "pie", false, true);
	try_file("fixed.stripped", "fixed", false, true);
	try_file("static.stripped", "static", false, true);
	try_file("static-pie.stripped", "static-pie", false, true);
	try_file("clang-static.stripped", "clang-static", false, true);
}

/* Is the file of this runtime? */
static bool matches(const char *file, struct match_alternative alternative)
{
	struct module_query only = { .runtime = "x", .matches = &alternative, .n_matches = 1 };
	struct answer *answer = fixture__ask(fixture__path(file), &only);
	bool matched = answer && answer->n_matches == 1;

	answer__free(answer);
	return matched;
}

static void conditions(void)
{
	const char *there[] = { "get_door", "run_shape" }, *half[] = { "get_door", "no_such_export" };
	const char *strings[] = { "the helper of the", "7derived" }, *no_string[] = { "the helper of nobody" };

	CHECK(matches("gcc-O2.so", (struct match_alternative) { .exports = there, .n_exports = 2 }));
	CHECK(matches("gcc-hash.so", (struct match_alternative) { .exports = there, .n_exports = 2 }));
	CHECK(!matches("gcc-O2.so", (struct match_alternative) { .exports = half, .n_exports = 2 }));
	CHECK(!matches("gcc-O2.so", (struct match_alternative) { .absent_exports = half, .n_absent_exports = 2 }));
	CHECK(matches("gcc-O2.so", (struct match_alternative) { .absent_exports = half + 1, .n_absent_exports = 1 }));
	CHECK(matches("gcc-O2.so", (struct match_alternative) { .strings = strings, .n_strings = 2 }));
	CHECK(matches("gcc-hash.so", (struct match_alternative) { .strings = strings, .n_strings = 2 }));
	CHECK(matches("static.stripped", (struct match_alternative) { .strings = strings, .n_strings = 2 }));
	CHECK(!matches("gcc-O2.so", (struct match_alternative) { .strings = no_string, .n_strings = 1 }));
	CHECK(matches("gcc-O2.so", (struct match_alternative) { .soname = "gcc-O2.*" }));
	CHECK(!matches("gcc-O2.so", (struct match_alternative) { .soname = "libother.so*" }));
	CHECK(matches("static", (struct match_alternative) { .exports = there, .n_exports = 2 }));
	CHECK(!matches("static.stripped", (struct match_alternative) { .exports = there, .n_exports = 2 }));
}

/* What cannot be found is said so that somebody can do something about it. */
static void refusals(void)
{
	static const struct locator tail_of_leaf = { .kind = LOCATE_EXPORT, .name = "leaf" };
	static const struct locator wrong_caller = { .kind = LOCATE_EXPORT, .name = "leaf" };
	const struct function_query asked[] = {
		{ .name = "none",
		  ONE(.kind = LOCATE_STRING_REFERENCE, .name = "no such string here"),
		  .ends = ENDS_ENTRY },
		{ .name = "many", ONE(.kind = LOCATE_STRING_REFERENCE, .name = "%ld"), .ends = ENDS_ENTRY },
		{ .name = "slot", ONE(.kind = LOCATE_VTABLE, .name = "7derived", .slot = 4000), .ends = ENDS_ENTRY },
		{ .name = "class", ONE(.kind = LOCATE_VTABLE, .name = "7missing", .slot = 0), .ends = ENDS_ENTRY },
		{ .name = "tail", ONE(.kind = LOCATE_TAIL_JUMP, .of = &tail_of_leaf), .ends = ENDS_ENTRY },
		{ .name = "caller",
		  ONE(.kind = LOCATE_STRING_REFERENCE, .name = "the helper of the ", .called_by = &wrong_caller),
		  .ends = ENDS_ENTRY },
		{ .name = "pattern", ONE(.kind = LOCATE_PATTERN, .name = "derived::nothing(*)"), .ends = ENDS_ENTRY },
		{ .name = "patterns", ONE(.kind = LOCATE_PATTERN, .name = "derived::*"), .ends = ENDS_ENTRY },
	};
	static const char *const why[] = { "no string",		"functions refer to",	  "holds no function",
					   "no class with",	"does not end in a jump", "no call to it",
					   "no symbol matches", "several functions match" };
	struct module_query all = { "x", &always, 1, asked, COUNT(asked), NULL, 0, NULL };
	struct answer *answer = fixture__ask(fixture__path("gcc-O2.so"), &all);

	CHECK(answer && answer->n_matches == 1);
	for (size_t i = 0; answer && i < COUNT(asked); i++) {
		CHECK(!answer->matches[0].functions[i].found);
		if (!strstr(answer->matches[0].functions[i].why, why[i]))
			printf("  %s: %s\n", asked[i].name, answer->matches[0].functions[i].why);
		CHECK(strstr(answer->matches[0].functions[i].why, why[i]));
	}
	answer__free(answer);
}

static void no_elf(void)
{
	struct answer *answer = fixture__ask("/proc/self/status", &query);

	CHECK(answer && answer->failed && strstr(answer->why, "not an ELF file"));
	answer__free(answer);
	answer = fixture__ask("/dev/null", &query);
	CHECK(answer && answer->failed);
	answer__free(answer);
}

static void globs(void)
{
	CHECK(glob__match("torch::run(*)", "torch::run(std::vector<int>&)"));
	CHECK(glob__match("*[abi:cxx11]()", "name[abi:cxx11]()"));
	CHECK(glob__match("a*b*c", "axxbyybzc"));
	CHECK(!glob__match("a*b", "abc"));
	CHECK(glob__match("", "") && glob__match("*", "") && !glob__match("?", ""));
	CHECK(glob__match("f(char const*)", "f(char const*)"));
}

/* Known files, where somebody has fetched them: the facts of docs/adapters about them. */
static const char *real_file(const char *variable, const char *name)
{
	static char path[4096];
	const char *given = getenv(variable), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (given)
		snprintf(path, sizeof(path), "%s", given);
	else if (cache && *cache)
		snprintf(path, sizeof(path), "%s/infermeter/%s", cache, name);
	else
		snprintf(path, sizeof(path), "%s/.cache/infermeter/%s", home ? home : "", name);
	return access(path, R_OK) == 0 ? path : NULL;
}

static void onnxruntime_module(void)
{
	static const struct locator slot_two = { .kind = LOCATE_VTABLE,
						 .name = "N11onnxruntime16InferenceSessionE",
						 .slot = 2 };
	const struct function_query asked[] = {
		{ .name = "run",
		  ONE(.kind = LOCATE_STRING_REFERENCE, .name = "Running with tag: ", .called_by = &slot_two),
		  .ends = ENDS_EXITS,
		  .needs = ALL_ARGUMENTS },
		{ .name = "free",
		  ONE(.kind = LOCATE_VTABLE, .name = "N11onnxruntime16InferenceSessionE", .slot = 0),
		  .ends = ENDS_ENTRY },
		{ .name = "load",
		  ONE(.kind = LOCATE_STRING_REFERENCE, .name = "Initializing session."),
		  .ends = ENDS_EXITS },
	};
	static const char *strings[] = { "Running with tag: ", "N11onnxruntime16InferenceSessionE" };
	static const struct match_alternative core = { .strings = strings, .n_strings = 2 };
	const struct module_query all = { "onnxruntime", &core, 1, asked, COUNT(asked), NULL, 0, NULL };
	const char *path = real_file("INFERMETER_ORT_MODULE", "onnxruntime_pybind11_state.so");
	const struct answer_function *run;
	struct answer *answer;

	if (!path)
		SKIP("no INFERMETER_ORT_MODULE (a onnxruntime_pybind11_state*.so or libonnxruntime.so)");
	answer = fixture__ask(path, &all);
	CHECK(answer && answer->n_matches == 1);
	if (check_errors)
		return;
	run = &answer->matches[0].functions[0];
	CHECK(run->found && run->exits_complete && run->n_exits == 1 && run->n_pads > 40);
	CHECK_INT(run->entry_cost, COST_EMULATED);
	CHECK_INT(run->entry_vaddr - run->vaddr, run->entry_bytes[0] == 0x55 ? 0 : 4);
	CHECK_INT(run->exits[0].how, EXIT_STRAIGHT);
	CHECK(run->exits[0].bytes[0] == 0x0f && run->exits[0].bytes[1] == 0x85); /* jne rel32: the stack protector */
	CHECK(answer->matches[0].functions[1].found && answer->matches[0].functions[2].found);
	answer__free(answer);
}

static void llama_library(void)
{
	static const char *exports[] = { "llama_decode", "llama_free" };
	static const struct match_alternative library = { .exports = exports, .n_exports = 2 };
	const struct function_query asked[] = {
		{ .name = "decode",
		  EXPORT("llama_decode"),
		  .ends = ENDS_EXITS,
		  .needs = 1u << EXPR_DI | 1u << EXPR_SP,
		  .exit_needs = 1u << EXPR_AX },
		{ .name = "inner",
		  ONE(.kind = LOCATE_PATTERN, .name = "llama_context::decode(llama_batch*)"),
		  .ends = ENDS_EXITS,
		  .needs = 1u << EXPR_DI | 1u << EXPR_SI },
		{ .name = "seq_rm",
		  EXPORT("llama_memory_seq_rm"),
		  .ends = ENDS_ENTRY,
		  .needs = 1u << EXPR_DI | 1u << EXPR_SI },
	};
	const struct module_query all = { "llama.cpp", &library, 1, asked, COUNT(asked), NULL, 0, NULL };
	const char *path = real_file("INFERMETER_LLAMA_LIBRARY", "libllama.so");
	const struct answer_function *found;
	struct answer *answer;

	if (!path)
		SKIP("no INFERMETER_LLAMA_LIBRARY (a libllama.so)");
	answer = fixture__ask(path, &all);
	CHECK(answer && answer->n_matches == 1);
	if (check_errors)
		return;
	found = answer->matches[0].functions;
	CHECK(found[0].found && found[0].exits_complete && found[0].entry_cost == COST_EMULATED);
	for (int i = 0; i < found[0].n_exits; i++)
		CHECK_INT(found[0].exits[i].result, EXPR_AX);
	CHECK(found[1].found && found[1].exits_complete && found[1].exits[0].cost == COST_EMULATED);
	CHECK(found[2].found && found[2].entry_cost == COST_EMULATED);
	answer__free(answer);
}

int main(void)
{
	RUN(libraries);
	RUN(programs);
	RUN(stripped_programs);
	RUN(conditions);
	RUN(refusals);
	RUN(no_elf);
	RUN(globs);
	RUN(onnxruntime_module);
	RUN(llama_library);
	return check__report();
}
