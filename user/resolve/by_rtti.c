/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Virtual functions in stripped C++: the class's RTTI name is a string in the file, its typeinfo points at it (second word), its vtable
 * at the typeinfo (second word, behind the offset to top, 0 for the class itself), and behind that are the functions.
 */
#include <stdio.h>

#include "resolve/locate.h"
#include "resolve/reloc.h"
#include "resolve/strings.h"

#define PLACES_MAX 32

struct places {
	const struct elf_file *elf;
	size_t length; /* of the name */
	uint64_t vaddr[PLACES_MAX];
	int n;
};

/* The name alone: behind a NUL, or behind the star that marks names local to the file. */
static bool note_name(void *context, int which, uint64_t vaddr)
{
	struct places *places = context;
	const uint8_t *before = elf_file__at(places->elf, vaddr - 1, places->length + 2);

	(void)which;
	if (before && before[places->length + 1])
		return true;
	if (before && before[0] == '*')
		places->vaddr[places->n++] = vaddr - 1;
	if (places->n < PLACES_MAX)
		places->vaddr[places->n++] = vaddr; /* a name may follow anything, when sections are merged */
	return places->n < PLACES_MAX;
}

static bool note_typeinfo(void *context, uint64_t slot, uint64_t value)
{
	struct places *places = context;

	(void)value;
	if (slot >= 8)
		places->vaddr[places->n++] = slot - 8;
	return places->n < PLACES_MAX;
}

static bool note_vtable(void *context, uint64_t slot, uint64_t value)
{
	struct places *places = context;
	uint64_t top, function;

	(void)value;
	/* A base's typeinfo is pointed at from derived ones too: those have no zero before it and no code behind it. */
	if (slot < 8 || !elf_file__u64(places->elf, slot - 8, &top) || top ||
	    (!places->elf->fixed && reloc__value(places->elf, slot - 8, &top)) ||
	    reloc__symbol(places->elf, slot - 8) != NULL)
		return true;
	if (!reloc__value(places->elf, slot + 8, &function) ? !reloc__symbol(places->elf, slot + 8)
							    : !elf_file__is_code(places->elf, function))
		return true;
	places->vaddr[places->n++] = slot + 8;
	return places->n < PLACES_MAX;
}

bool by_rtti__vptr(struct module *module, const char *name, uint64_t *vptr, char *why)
{
	struct places names = { .elf = &module->elf, .length = strlen(name) };
	struct places types = { .elf = &module->elf }, tables = types;

	strings__find(&module->elf, &name, 1, note_name, &names);
	if (names.n)
		reloc__find(&module->elf, names.vaddr, names.n, note_typeinfo, &types);
	if (types.n)
		reloc__find(&module->elf, types.vaddr, types.n, note_vtable, &tables);
	if (tables.n == 1) {
		*vptr = tables.vaddr[0];
		return true;
	}
	snprintf(why, ANSWER_TEXT_MAX,
		 !names.n    ? "the file has no class with the RTTI name %.90s"
		 : !types.n  ? "the RTTI name %.90s has no typeinfo"
		 : !tables.n ? "the class %.90s has no vtable here"
			     : "the class %.90s has several vtables",
		 name);
	return false;
}

bool by_rtti__find(struct module *module, const struct locator *locator, struct found *found)
{
	uint64_t vptr;

	if (!locator->name || !by_rtti__vptr(module, locator->name, &vptr, found->text))
		return locator->name ? false : found__not(found, "a class without a name");
	if (locator->slot < 0 || !reloc__value(&module->elf, vptr + locator->slot * 8ull, &found->vaddr) ||
	    !elf_file__is_code(&module->elf, found->vaddr))
		return found__not(found, "slot %d of the vtable of %.90s holds no function of this file", locator->slot,
				  locator->name);
	snprintf(found->text, sizeof(found->text), "slot %d of the vtable of %.100s", locator->slot, locator->name);
	return true;
}
