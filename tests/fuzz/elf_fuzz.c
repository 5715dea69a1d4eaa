/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Any bytes as an ELF file: resolved by every kind of query, and any bytes as a packed answer. Without end, with coverage:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined … tests/fuzz/elf_fuzz.c
 * Bounded, from good files that are damaged in likely places: tests/unit/elf_fuzz_test.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "expr.h"
#include "resolve/codec.h"
#include "resolve/resolver.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct table_step steps[] = { { STEP_LEA, 0 }, { STEP_SLOT, 0 }, { STEP_LEA, 0 }, { STEP_SLOT, 1 } };
static const struct table_step version_steps[] = { { STEP_LEA, 0 }, { STEP_SLOT, 1 } };
static const struct locator run_slot = { .kind = LOCATE_VTABLE, .name = "7derived", .slot = 2 };
static const struct locator tail = { .kind = LOCATE_EXPORT, .name = "tail" };
static const struct locator version = {
	.kind = LOCATE_TABLE, .name = "get_door", .steps = version_steps, .n_steps = 2
};
static const struct locator by_string[] = {
	{ .kind = LOCATE_STRING_REFERENCE, .name = "the helper of the ", .called_by = &run_slot },
};
static const struct locator by_slot[] = { { .kind = LOCATE_VTABLE, .name = "7derived", .slot = 2 } };
static const struct locator by_table[] = {
	{ .kind = LOCATE_TABLE, .name = "get_door", .steps = steps, .n_steps = 4 },
};
static const struct locator by_tail[] = { { .kind = LOCATE_TAIL_JUMP, .of = &tail } };
static const struct locator by_pattern[] = { { .kind = LOCATE_PATTERN, .name = "derived::run(*)" } };
static const struct locator catches[] = { { .kind = LOCATE_EXPORT, .name = "catches_and_goes_on" } };
static const struct locator table[] = { { .kind = LOCATE_EXPORT, .name = "table" } };
static const struct locator computed[] = { { .kind = LOCATE_EXPORT, .name = "computed" } };

#define NEEDS (1u << EXPR_DI | 1u << EXPR_SI | 1u << EXPR_SP)
static const struct function_query functions[] = {
	{ "string", by_string, 1, ENDS_EXITS, NEEDS, 0, false },
	{ "slot", by_slot, 1, ENDS_EXITS, NEEDS, 1u << EXPR_AX, false },
	{ "table", by_table, 1, ENDS_EXITS, NEEDS, 0, false },
	{ "tail", by_tail, 1, ENDS_EXITS, NEEDS, 0, false },
	{ "pattern", by_pattern, 1, ENDS_EXITS, NEEDS, 0, false },
	{ "catches", catches, 1, ENDS_EXITS, NEEDS, 0, false },
	{ "jump table", table, 1, ENDS_EXITS, NEEDS, 0, false },
	{ "computed", computed, 1, ENDS_EXITS, NEEDS, 0, false },
};
static const struct constant_query constants[] = {
	{ CONSTANT_VTABLE, "7derived" },
	{ CONSTANT_ACCESSOR, "accessor" },
	{ CONSTANT_CXX11_STRINGS, NULL },
	{ CONSTANT_SYMBOL, "_ZTV7derived" },
};
static const char *strings[] = { "the helper of the ", "nothing of the kind" };
static const struct match_alternative alternatives[] = { { .strings = strings, .n_strings = 2 }, { .soname = NULL } };
static const struct module_query queries[] = {
	{ "shapes", alternatives, 2, functions, 8, constants, 4, &version },
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);
	struct answer *answer;
	size_t packed_size;
	uint8_t *packed;

	answer__free(codec__unpack(bytes, size, queries, 1));
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	answer = resolve__file(fd, "fuzz", queries, 1);
	close(fd);
	if (!answer)
		abort();
	/* Whatever was found must survive the pipe. */
	if (codec__pack(answer, &packed, &packed_size) < 0)
		abort();
	answer__free(answer);
	answer = codec__unpack(packed, packed_size, queries, 1);
	if (!answer)
		abort();
	answer__free(answer);
	free(packed);
	return 0;
}
