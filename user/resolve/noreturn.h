/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which calls come back? What is behind a call that does not is not reached from it. */
#ifndef INFERMETER_NORETURN_H
#define INFERMETER_NORETURN_H

#include "resolve/elf_file.h"

#define NORETURN_MEMO 256

enum call_end {
	CALL_RETURNS, /* or may: also where in doubt */
	CALL_FREES,   /* returns, and is known to free memory and to do nothing else of note */
	CALL_THROWS,  /* does not return, but an exception may come out */
	CALL_ABORTS,  /* nothing comes back */
};

/* What is known of callees already: many calls in a function go to few places. */
struct noreturn {
	const struct elf_file *elf;
	struct {
		uint64_t vaddr;
		enum call_end end;
	} memo[NORETURN_MEMO];
};

/* How a call to vaddr ends. */
enum call_end noreturn__call(struct noreturn *noreturn, uint64_t vaddr);

/* The same for a call through the pointer at slot. */
enum call_end noreturn__call_slot(struct noreturn *noreturn, uint64_t slot);

/* Can the code at vaddr come back? Judged by the code alone, without names. */
bool noreturn__code_returns(const struct elf_file *elf, uint64_t vaddr);

#endif
