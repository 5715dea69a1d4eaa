/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Where do string constants lie in a file? Many patterns in one pass over its read-only data. */
#ifndef INFERMETER_STRINGS_H
#define INFERMETER_STRINGS_H

#include "resolve/elf_file.h"

#define STRINGS_MAX 256 /* patterns of one pass */

/* Calls fn with the virtual address of each place where patterns[which] occurs, until it returns false. Patterns shorter than two bytes are not found. */
typedef bool strings_fn(void *context, int which, uint64_t vaddr);
void strings__find(const struct elf_file *elf, const char *const *patterns, int n, strings_fn *fn, void *context);

#endif
