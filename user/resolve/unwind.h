/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The unwind tables: where functions begin and end in a stripped file, where the caller's frame is at any
 * instruction, and where a function goes on when an exception passes through it.
 */
#ifndef INFERMETER_UNWIND_H
#define INFERMETER_UNWIND_H

#include "resolve/elf_file.h"

/* One FDE: a piece of code with one entry in the table. A function is one, or more where the compiler split it (.cold). */
struct fde {
	uint64_t start, size;
	uint64_t lsda;		      /* virtual address of the exception table; 0: none */
	uint64_t at;		      /* of the FDE itself */
	struct elf_table first, then; /* the instructions of its CIE and its own */
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding; /* of addresses in the instructions */
};

/* The FDE that covers vaddr. */
bool unwind__find(const struct elf_file *elf, uint64_t vaddr, struct fde *fde);

/* Calls fn for each FDE of the file, until it returns false. */
typedef bool unwind_fn(void *context, const struct fde *fde);
void unwind__each(const struct elf_file *elf, unwind_fn *fn, void *context);

/*
 * Where the stack pointer was at the function's first instruction, seen from pc: register + *offset. Returns enum site_frame
 * (1: stack pointer, 2: frame pointer), 0 where the table does not say it so simply.
 */
int unwind__frame(const struct elf_file *elf, const struct fde *fde, uint64_t pc, int32_t *offset);

struct landing {
	uint64_t start, end; /* calls between these two ... */
	uint64_t pad;	     /* ... go on here when an exception passes; 0: they let it pass */
	bool catches;	     /* not for cleaning up only */
};

/* Calls fn for each row of the FDE's exception table until it returns false. Returns false where the table is damaged. */
typedef bool landing_fn(void *context, const struct landing *landing);
bool unwind__each_landing(const struct elf_file *elf, const struct fde *fde, landing_fn *fn, void *context);

#endif
