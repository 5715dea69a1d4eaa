/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The function that refers to a string: messages outlive refactorings and are there in stripped files. It must be one: if several
 * refer to it, those that the caller of the cross-check calls count.
 */
#include <stdio.h>

#include "resolve/locate.h"
#include "resolve/reloc.h"
#include "resolve/strings.h"

#define PLACES_MAX    64 /* of one string */
#define FUNCTIONS_MAX 16 /* that refer to it */

struct places {
	uint64_t vaddr[PLACES_MAX];
	int n;
};

static bool note_place(void *context, int which, uint64_t vaddr)
{
	struct places *places = context;

	(void)which;
	places->vaddr[places->n++] = vaddr;
	return places->n < PLACES_MAX;
}

struct referrers {
	const struct elf_file *elf;
	uint64_t start[FUNCTIONS_MAX];
	int n;
	bool outside; /* of any function that we know */
};

static bool note_referrer(void *context, uint64_t vaddr, uint64_t target)
{
	struct referrers *referrers = context;
	uint64_t start = body__owner(referrers->elf, vaddr);

	(void)target;
	if (!start) {
		referrers->outside = true;
		return true;
	}
	for (int i = 0; i < referrers->n; i++)
		if (referrers->start[i] == start)
			return true;
	referrers->start[referrers->n++] = start;
	return referrers->n < FUNCTIONS_MAX;
}

/* Keeps those that the cross-check's function calls. */
static void keep_called(struct module *module, const struct locator *called_by, struct referrers *referrers)
{
	struct found caller;
	int kept = 0;

	if (!locate__find(module, called_by, &caller))
		return;
	for (int i = 0; i < referrers->n; i++)
		if (locate__calls(module, caller.vaddr, referrers->start[i]))
			referrers->start[kept++] = referrers->start[i];
	referrers->n = kept;
}

bool by_string__find(struct module *module, const struct locator *locator, struct found *found)
{
	struct referrers referrers = { .elf = &module->elf };
	struct places places = { .n = 0 };
	int seen;

	if (!locator->name || strlen(locator->name) < 2)
		return found__not(found, "a string to look for needs at least two bytes");
	strings__find(&module->elf, &locator->name, 1, note_place, &places);
	if (!places.n)
		return found__not(found, "the file has no string \"%.100s\"", locator->name);
	code__find_references(&module->elf, places.vaddr, places.n, note_referrer, &referrers);
	if (!referrers.n)
		return found__not(
			found,
			referrers.outside
				? "\"%.80s\" is referred to, but from outside any function of the unwind table"
				: "no code refers to the string \"%.100s\"",
			locator->name);
	seen = referrers.n;
	if (seen > 1 && locator->called_by)
		keep_called(module, locator->called_by, &referrers);
	if (referrers.n != 1)
		return found__not(found, "%d functions refer to \"%.80s\"%s", seen, locator->name,
				  referrers.n == 0     ? ", none is called by the one given"
				  : locator->called_by ? ", and several are called by the one given"
						       : "");
	found->vaddr = referrers.start[0];
	snprintf(found->text, sizeof(found->text), "refers to \"%.120s\"", locator->name);
	return true;
}

/* Text that a person could read. What code lies in one segment with its constants must not pass for one. */
static bool readable(const char *text)
{
	for (const char *c = text; text && *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return false;
	return text && *text;
}

const char *by_string__returned(struct module *module, uint64_t vaddr)
{
	uint64_t at = vaddr, end = vaddr + 64, value;
	struct code code;
	struct fde fde;

	if (unwind__find(&module->elf, vaddr, &fde))
		end = fde.start + fde.size;
	for (; at < end && code__at(&module->elf, at, &code); at += code.length) {
		if (code.kind == CODE_RET)
			return NULL;
		value = 0;
		if (code.reference && code.lea)
			value = code.reference;
		else if (code.reference)
			reloc__value(&module->elf, code.reference, &value);
		else if (module->elf.fixed)
			value = code.immediate;
		if (value && readable(elf_file__string(&module->elf, value, 256)))
			return elf_file__string(&module->elf, value, 256);
	}
	return NULL;
}
