/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The ways to find a function in a file: one C file each (by_name, by_string, by_table, by_rtti, by_tail), all of one shape.
 *
 * To add one: a kind in query.h, a file with a locate_fn, a row in locate.c.
 */
#ifndef INFERMETER_LOCATE_H
#define INFERMETER_LOCATE_H

#include "resolve/answer.h"
#include "resolve/body.h"
#include "resolve/query.h"

/* A file under work, with what was learnt about it on the way. */
struct module {
	struct elf_file elf;
	struct noreturn noreturn;
};

/* Where and how, or why not. */
struct found {
	uint64_t vaddr;
	uint64_t size;		    /* as a symbol says it, 0: unknown */
	char text[ANSWER_TEXT_MAX]; /* "exported", or why nothing was found */
};

/* Fills found. Returns true if exactly one function was found. */
typedef bool locate_fn(struct module *module, const struct locator *locator, struct found *found);

/* Any locator, with its cross-check; an address in a split-off part becomes its function's. */
locate_fn locate__find;

locate_fn by_name__export, by_name__pattern, by_string__find, by_table__find, by_rtti__find, by_tail__find;

/* Has the function at caller a direct call to callee, or to a small function that has one? */
bool locate__calls(struct module *module, uint64_t caller, uint64_t callee);

/* The value of the object's vptr for a class, by its RTTI name. */
bool by_rtti__vptr(struct module *module, const char *name, uint64_t *vptr, char *why);

/* The first C string that the function at vaddr refers to: what `const char *version(void)` returns. */
const char *by_string__returned(struct module *module, uint64_t vaddr);

/* printf into found->text. Returns false, so that it can be returned. */
bool found__not(struct found *found, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
