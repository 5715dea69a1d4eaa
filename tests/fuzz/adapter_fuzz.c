/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Any bytes as an adapter: reading ends, with an adapter or with one line of error that has a place; and what was read
 * compiles for a file that has all constants, none, or every second one, into programs that keep their bounds. Without end,
 * with coverage:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined … tests/fuzz/adapter_fuzz.c
 * Bounded, from the embedded adapters, damaged: tests/unit/adapter_fuzz_test.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/adapter_data.h"
#include "plan/compile.h"
#include "plan/evaluate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint64_t seed = 88172645463325252ULL;

static uint32_t random_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % n;
}

/* Memory that is anything, and often not there. */
static int read_anything(void *context, void *to, size_t n, uint64_t address)
{
	if (random_below(8) == 0)
		return -1;
	memset(to, random_below(3) ? 'a' : 0, n);
	return 0;
}

static void check_program(const struct hook *hook, const struct hook_program *program)
{
	struct expr_state *state = calloc(1, sizeof(*state));

	if ((size_t)program->start + program->length > EXPR_OPS_MAX)
		abort();
	for (unsigned int i = program->start; i < (unsigned int)program->start + program->length; i++) {
		const struct expr_op *op = &hook->ops[i];
		unsigned int end = (unsigned int)program->start + program->length;
		int jumps = (op->code >= EXPR_JMP && op->code <= EXPR_JSLE) || op->code == EXPR_ON_FAULT;

		/* No jump goes beyond its program's end, register 0 stays zero, and 0 is no fault handler. */
		if (op->code >= EXPR_CODES ||
		    (jumps && ((unsigned int)op->imm < program->start || (unsigned int)op->imm > end)))
			abort();
		if (op->code == EXPR_ON_FAULT && op->imm == 0)
			abort();
		if (op->code < EXPR_JMP && op->code != EXPR_END && (op->dst == 0 || op->dst >= EXPR_REGISTERS))
			abort();
		if (op->code == EXPR_OUT && op->dst >= VALUES)
			abort();
		if (op->code == EXPR_SAVE && op->dst >= EXPR_SAVED_MAX)
			abort();
	}
	for (int i = 0; i < EXPR_ARGS; i++)
		state->args[i] = random_below(2) ? random_below(1000) : (uint64_t)-1;
	evaluate__run(state, hook, program, read_anything, NULL);
	free(state);
}

static void try_adapter(const struct adapter *adapter)
{
	struct answer_constant constants[CONSTANTS_MAX];
	struct hook *hook = calloc(1, sizeof(*hook));
	struct compile_report report;

	for (int mode = 0; mode < 3; mode++) {
		for (size_t i = 0; i < CONSTANTS_MAX; i++)
			constants[i] = (struct answer_constant) { .found = mode == 0 || (mode == 1 && i % 2),
								  .value = random_below(2) };
		for (size_t i = 0; i < adapter->n_hooks; i++) {
			memset(hook, 0, sizeof(*hook));
			if (compile__hook(adapter, &adapter->hooks[i], constants, hook, &report))
				continue;
			check_program(hook, &hook->entry);
			check_program(hook, &hook->exit);
			check_program(hook, &hook->name);
		}
	}
	free(hook);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + 1); /* of its own, so that a read behind it is seen */
	struct adapter_error error;
	struct adapter *adapter;

	memcpy(text, bytes, size);
	text[size] = '\0';
	adapter = adapter__read("f.yaml", text, size, &error);
	if (adapter) {
		try_adapter(adapter);
	} else if (strncmp(error.text, "f.yaml:", 7) != 0 || strchr(error.text, '\n')) {
		fprintf(stderr, "an error without a place: %s\n", error.text);
		abort();
	}
	free(text);
	adapter__free(adapter);
	return 0;
}
