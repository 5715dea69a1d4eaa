/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* For the tests of user/plan: adapters from text, answers made up, programs run over an array that plays the target's memory. */
#ifndef INFERMETER_PLAN_FIXTURE_H
#define INFERMETER_PLAN_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/adapter_data.h"
#include "plan/compile.h"
#include "plan/evaluate.h"

#define MEMORY_BASE 0x7f0000000000ULL
#define MEMORY_SIZE 8192

static uint8_t memory[MEMORY_SIZE];

static inline int read_memory(void *context, void *to, size_t n, uint64_t address)
{
	(void)context;
	if (address < MEMORY_BASE || address + n > MEMORY_BASE + MEMORY_SIZE)
		return -1;
	memcpy(to, memory + (address - MEMORY_BASE), n);
	return 0;
}

static inline uint64_t at(size_t offset)
{
	return MEMORY_BASE + offset;
}

static inline void put64(size_t offset, uint64_t value)
{
	memcpy(memory + offset, &value, 8);
}

static inline void put32(size_t offset, uint32_t value)
{
	memcpy(memory + offset, &value, 4);
}

static inline void put_text(size_t offset, const char *text)
{
	memcpy(memory + offset, text, strlen(text) + 1);
}

/* A std::string of the new layout at offset; long texts lie at heap. */
static inline void put_cxx11(size_t offset, const char *text, size_t heap)
{
	size_t n = strlen(text);

	put64(offset, n < 16 ? at(offset + 16) : at(heap));
	put64(offset + 8, n);
	if (n >= 16)
		put64(offset + 16, n + 5);
	put_text(n < 16 ? offset + 16 : heap, text);
}

/* The old layout: a pointer behind three words. */
static inline void put_cow(size_t offset, const char *text, size_t heap)
{
	put64(offset, at(heap + 24));
	put64(heap, strlen(text));
	put64(heap + 8, strlen(text) + 8);
	put32(heap + 16, 0);
	put_text(heap + 24, text);
}

/* One hook out of lines of YAML that stand under its name. */
struct fixture {
	struct adapter *adapter;
	struct adapter_error error;
	struct answer_constant constants[CONSTANTS_MAX];
	struct hook hook;
	struct compile_report report;
	struct expr_state state;
	unsigned int steps;
};

static inline bool fixture__read(struct fixture *f, const char *lines)
{
	char text[16384];

	memset(f, 0, sizeof(*f));
	snprintf(text, sizeof(text),
		 "runtime: test\nmodules: [{exports: [f]}]\nhooks:\n  h:\n    function: {export: f}\n%s", lines);
	f->adapter = adapter__read("test.yaml", text, strlen(text), &f->error);
	return f->adapter != NULL;
}

/* As if the file had this constant. The others of the adapter are missing. */
static inline void fixture__constant(struct fixture *f, enum constant_kind kind, uint64_t value)
{
	for (size_t i = 0; i < f->adapter->constants.n; i++)
		if (f->adapter->constants.items[i].kind == kind)
			f->constants[i] = (struct answer_constant) { .found = true, .value = value };
}

static inline int fixture__compile(struct fixture *f)
{
	return compile__hook(f->adapter, &f->adapter->hooks[0], f->constants, &f->hook, &f->report);
}

static inline void fixture__run(struct fixture *f, const struct hook_program *program)
{
	f->steps = evaluate__run(&f->state, &f->hook, program, read_memory, NULL);
}

static inline bool fixture__known(const struct fixture *f, enum hook_value value)
{
	return f->state.known & 1U << value;
}

static inline const char *fixture__string(const struct fixture *f)
{
	static char text[EXPR_STRING_MAX + 1];

	if (!f->state.has_string)
		return "(none)";
	memcpy(text, f->state.string, f->state.string_length);
	text[f->state.string_length] = '\0';
	return text;
}

static inline void fixture__free(struct fixture *f)
{
	adapter__free(f->adapter);
	f->adapter = NULL;
}

#endif
