/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Pointers in data, as the loader will make them: RELATIVE, GLOB_DAT, JUMP_SLOT and 64 relocations, packed
 * ones (DT_RELR), and in programs with fixed addresses (ET_EXEC) the plain values.
 */
#ifndef INFERMETER_RELOC_H
#define INFERMETER_RELOC_H

#include "resolve/elf_file.h"

/* The pointer that lies at slot once the file is loaded (as a virtual address of the file). false: none that this file defines. */
bool reloc__value(const struct elf_file *elf, uint64_t slot, uint64_t *value);

/* The inverse: calls fn for each slot that will hold one of the n values, until it returns false. One pass over the relocations. */
typedef bool reloc_fn(void *context, uint64_t slot, uint64_t value);
void reloc__find(const struct elf_file *elf, const uint64_t *values, int n, reloc_fn *fn, void *context);

/* The name of the symbol whose address goes to slot, defined here or not; NULL: none. */
const char *reloc__symbol(const struct elf_file *elf, uint64_t slot);

#endif
