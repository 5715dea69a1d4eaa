/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Function tables behind an export. The export's code refers to a table of pointers (lea), whose slots are functions, which may refer
 * to further tables: enough for APIs that hand out one struct of functions.
 */
#include <stdio.h>

#include "resolve/locate.h"
#include "resolve/reloc.h"
#include "resolve/symbol.h"

#define INSTRUCTIONS_MAX 4096

/* Does a pointer into code lie at each of the two slots? */
static bool holds_code(const struct elf_file *elf, uint64_t table, int slot)
{
	uint64_t value;

	return !elf_file__is_code(elf, table) && reloc__value(elf, table, &value) && elf_file__is_code(elf, value) &&
	       reloc__value(elf, table + slot * 8ull, &value) && elf_file__is_code(elf, value);
}

/* The first table that the function at vaddr refers to, which has code in its first slot and in the one wanted next. */
static uint64_t table_of(const struct elf_file *elf, uint64_t vaddr, int slot)
{
	uint64_t end = UINT64_MAX;
	struct code code;
	struct fde fde;

	if (unwind__find(elf, vaddr, &fde))
		end = fde.start + fde.size;
	for (int i = 0; i < INSTRUCTIONS_MAX && vaddr < end && code__at(elf, vaddr, &code); i++, vaddr += code.length) {
		uint64_t table = code.lea ? code.reference : elf->fixed ? code.immediate : 0;

		if (table && holds_code(elf, table, slot))
			return table;
		if (end == UINT64_MAX && code.kind == CODE_RET)
			break;
	}
	return 0;
}

bool by_table__find(struct module *module, const struct locator *locator, struct found *found)
{
	const struct elf_file *elf = &module->elf;
	struct symbol symbol;
	uint64_t at;

	if (!locator->name || !symbol__find(elf, locator->name, &symbol))
		return found__not(found, "%.100s, which leads to the table, is not exported",
				  locator->name ? locator->name : "(no name)");
	at = symbol.vaddr;
	for (size_t i = 0; i < locator->n_steps; i++) {
		const struct table_step *step = &locator->steps[i], *next = step + 1;

		switch (step->kind) {
		case STEP_LEA:
			at = table_of(elf, at, i + 1 < locator->n_steps && next->kind == STEP_SLOT ? next->slot : 0);
			if (!at)
				return found__not(found, "step %zu from %.80s: no reference to a table of functions",
						  i + 1, locator->name);
			break;
		case STEP_SLOT:
			if (!reloc__value(elf, at + step->slot * 8ull, &at))
				return found__not(found, "step %zu from %.80s: slot %d holds no pointer", i + 1,
						  locator->name, step->slot);
			break;
		}
	}
	found->vaddr = at;
	if (locator->n_steps && locator->steps[locator->n_steps - 1].kind == STEP_SLOT)
		snprintf(found->text, sizeof(found->text), "slot %d of the table behind %.100s",
			 locator->steps[locator->n_steps - 1].slot, locator->name);
	else
		snprintf(found->text, sizeof(found->text), "table behind %.100s", locator->name);
	return true;
}
