/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Adapters from damaged text: whatever the bytes, reading ends, with an adapter or with one line of error that has a place;
 * and what was read compiles for a file that has all constants, none, or every second one, into programs that keep their
 * bounds. Arguments: seeds (adapter files) and -n ROUNDS (default 2000).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/adapter_data.h"
#include "plan/compile.h"
#include "plan/evaluate.h"

#define TEXT_MAX 65536

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

		/* No jump leaves its program, register 0 stays zero, and 0 is no fault handler. */
		if (op->code >= EXPR_CODES || (jumps && ((unsigned int)op->imm < program->start || (unsigned int)op->imm >= end)))
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
			constants[i] = (struct answer_constant){ .found = mode == 0 || (mode == 1 && i % 2), .value = random_below(2) };
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

static size_t mutate(char *text, size_t n)
{
	static const char *const tokens[] = { "*a", "&a ", "each: ", "{", "}", "[", "]", "\"", "%", "+0(", ")", "entry(", "when: ", "value: ",
					      "99999999999999999999", "like(", "'*a*'", "cxx_string(", "- ", "\n", "  ", ":s32", "known(",
					      "let: ", "? ", "!!", "|-\n", "handle", "0", "\xc3\xa9", "\xff", "", "limit: 512, " };
	const char *token = tokens[random_below(sizeof(tokens) / sizeof(tokens[0]))];
	size_t where, length, other;

	if (n == 0)
		return 0;
	where = random_below((uint32_t)n);
	length = 1 + random_below(random_below(4) ? 4 : 64);
	if (length > n - where)
		length = n - where;
	switch (random_below(5)) {
	case 0: /* drop */
		memmove(text + where, text + where + length, n - where - length);
		return n - length;
	case 1: /* change a byte */
		text[where] = (char)random_below(256);
		return n;
	case 2: /* a piece of another place */
		other = random_below((uint32_t)(n - length + 1));
		memmove(text + where, text + other, length);
		return n;
	case 3: /* a piece again */
		if (n + length > TEXT_MAX)
			return n;
		memmove(text + where + length, text + where, n - where);
		return n + length;
	default: /* a token */
		length = strlen(token);
		if (n + length > TEXT_MAX)
			return n;
		memmove(text + where + length, text + where, n - where);
		memcpy(text + where, token, length);
		return n + length;
	}
}

static void fuzz(const char *path, unsigned int rounds)
{
	static char original[TEXT_MAX], text[TEXT_MAX + 1];
	FILE *file = fopen(path, "r");
	size_t n = file ? fread(original, 1, sizeof(original), file) : 0;
	unsigned int good = 0;

	if (file)
		fclose(file);
	if (n == 0) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	for (unsigned int round = 0; round < rounds; round++) {
		size_t length = n;
		struct adapter_error error;
		struct adapter *adapter;

		memcpy(text, original, n);
		for (uint32_t i = round ? 1 + random_below(6) : 0; i > 0; i--)
			length = mutate(text, length);
		text[length] = '\0';
		adapter = adapter__read("f.yaml", text, length, &error);
		if (adapter) {
			try_adapter(adapter);
			good++;
		} else if (strncmp(error.text, "f.yaml:", 7) != 0 || strchr(error.text, '\n')) {
			fprintf(stderr, "an error without a place: %s\n", error.text);
			abort();
		}
		adapter__free(adapter);
	}
	printf("ok %s: %u rounds, %u were adapters\n", path, rounds, good);
}

int main(int argc, char **argv)
{
	unsigned int rounds = 2000;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
			rounds = (unsigned int)strtoul(argv[++i], NULL, 10);
		else
			fuzz(argv[i], rounds);
	}
	return 0;
}
