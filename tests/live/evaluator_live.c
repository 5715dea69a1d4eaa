/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Random programs over random memory, faults included, in both evaluators: the same registers, values, strings and
 * place where they ended. Needs root. The seed is printed; a first argument sets it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "hook.h"
#include "plan/evaluate.h"
#include "tests/live/evaluator.skel.h"

#define VECTORS 20000
#define AREA	16384 /* the second half cannot be read */

struct vector {
	struct hook hook;
	struct expr_state state;
};

static unsigned seed;
static unsigned char *area;

static uint64_t random_word(void)
{
	switch (random() % 6) {
	case 0:
		return (uint64_t)(random() % 16);
	case 1:
		return (uint64_t)(uintptr_t)area + (uint64_t)(random() % AREA);
	case 2:
		return (uint64_t)(uintptr_t)area + AREA / 2 - (uint64_t)(random() % 300);
	case 3:
		return (uint64_t) - (random() % 1000);
	default:
		return (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random();
	}
}

/* Memory of small numbers, addresses in itself and noise, and stretches of text with a NUL here and there. */
static void fill_area(void)
{
	for (size_t i = 0; i < AREA / 2; i += 8) {
		uint64_t word = random_word();

		if (i / 1024 % 2 == 0) {
			memcpy(area + i, &word, 8);
			continue;
		}
		for (size_t k = 0; k < 8; k++)
			area[i + k] = (unsigned char)(random() % 400 ? 0x20 + random() % 0x5f : random() % 2 * 0x7f);
	}
}

static void make_program(struct hook *hook)
{
	uint16_t length = (uint16_t)(1 + random() % 60), start = (uint16_t)(1 + random() % 400);

	memset(hook, 0, sizeof(*hook));
	hook->entry.start = start;
	hook->entry.length = length;
	for (int i = 0; i < EXPR_OPS_MAX; i++) {
		struct expr_op *op = &hook->ops[i];

		/* Some codes that there are not; registers beyond the last; jumps to anywhere near. */
		op->code = (uint8_t)(random() % (EXPR_CODES + 1));
		op->dst = (uint8_t)(random() % 18);
		op->a = (uint8_t)(random() % (EXPR_CELLS + 4));
		op->b = (uint8_t)(random() % 3 ? random() % 18 : random() % (EXPR_CELLS + 4));
		switch (op->code) {
		case EXPR_JMP:
		case EXPR_JEQ:
		case EXPR_JNE:
		case EXPR_JLT:
		case EXPR_JLE:
		case EXPR_JSLT:
		case EXPR_JSLE:
		case EXPR_ON_FAULT:
			op->imm = (int32_t)(start + random() % (length + 2));
			break;
		case EXPR_LOAD:
			op->imm = (int32_t)(random() % 64 - 16);
			break;
		default:
			op->imm = (int32_t)random_word();
			break;
		}
		if (op->code == EXPR_END && random() % 4) /* not too many short ones */
			op->code = EXPR_MOV;
	}
	/* Half of them begin with addresses and lengths in registers, or hardly one would come to a string. */
	for (int i = 0; random() % 2 && i < 2 && i < length; i++)
		hook->ops[start + i] = (struct expr_op) { i % 2 ? EXPR_IMM : EXPR_MOV, (uint8_t)i,
							  (uint8_t)(EXPR_CELL_ARGS + i), 0, (int32_t)(random() % 600) };
	if (length > 2 && random() % 2)
		hook->ops[start + 2] = (struct expr_op) { random() % 2 ? EXPR_STRING : EXPR_CSTRING, 0, 0, 1, 0 };
}

static int read_own(void *context, void *to, size_t n, uint64_t address)
{
	pid_t self = getpid();

	return evaluate__read_process(&self, to, n, address);
}

static bool same(const struct expr_state *one, const struct expr_state *two)
{
	size_t text = one->has_string && two->has_string ? one->string_length : 0;

	if (memcmp(one->r, two->r, sizeof(one->r)) || memcmp(one->saved, two->saved, sizeof(one->saved)) ||
	    one->known != two->known || one->pc != two->pc || one->on_fault != two->on_fault ||
	    one->has_string != two->has_string)
		return false;
	for (int i = 0; i < EXPR_VALUES_MAX; i++) {
		if ((one->known & (1U << i)) && one->values[i] != two->values[i])
			return false;
	}
	if (one->has_string &&
	    (one->string_length != two->string_length || one->string_truncated != two->string_truncated))
		return false;
	return memcmp(one->string, two->string, text) == 0;
}

static void both_evaluators_agree(void)
{
	struct evaluator *skeleton = evaluator__open_and_load();
	struct vector *vector = calloc(1, sizeof(*vector)), *kernel = calloc(1, sizeof(*kernel));
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	uint32_t zero = 0;
	size_t strings = 0, faults = 0, values = 0;

	CHECK(skeleton != NULL);
	for (int i = 0; skeleton && i < VECTORS && !check_errors; i++) {
		if (i % 100 == 0)
			fill_area();
		make_program(&vector->hook);
		memset(&vector->state, 0, sizeof(vector->state));
		for (int k = 0; k < EXPR_ARGS; k++)
			vector->state.args[k] = random_word();
		for (int k = 0; k < EXPR_SAVED_MAX; k++)
			vector->state.saved[k] = random_word();
		vector->state.base = random_word();
		CHECK_INT(bpf_map_update_elem(bpf_map__fd(skeleton->maps.vectors), &zero, vector, BPF_ANY), 0);
		CHECK_INT(bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.run_vector), &opts), 0);
		CHECK_INT(bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.vectors), &zero, kernel), 0);
		evaluate__run(&vector->state, &vector->hook, &vector->hook.entry, read_own, NULL);
		CHECK(same(&vector->state, &kernel->state));
		if (check_errors)
			printf("  seed %u, program %d\n", seed, i);
		strings += vector->state.has_string;
		faults += vector->state.pc == 0;
		values += vector->state.known != 0;
	}
	/* Programs that reach nothing would agree as well. */
	CHECK(strings > 20);
	CHECK(faults > 100);
	CHECK(values > 1000);
	evaluator__destroy(skeleton);
	free(vector);
	free(kernel);
}

int main(int argc, char **argv)
{
	seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : (unsigned)time(NULL);
	srandom(seed);
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (area == MAP_FAILED || mprotect(area + AREA / 2, AREA / 2, PROT_NONE))
		return 1;
	RUN(both_evaluators_agree);
	return check__report();
}
