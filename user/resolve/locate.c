/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/locate.h"

#include <stdarg.h>
#include <stdio.h>

#include "resolve/reloc.h"

#define NESTED_MAX 8

bool found__not(struct found *found, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(found->text, sizeof(found->text), format, arguments);
	va_end(arguments);
	return false;
}

/* Functions of up to so many bytes may stand between the caller and the one it is said to call: overloads that only add arguments. */
#define FORWARDER_MAX 512

static bool calls(const struct elf_file *elf, uint64_t caller, uint64_t callee, bool through)
{
	uint64_t end, at = caller;
	struct code code;
	struct fde fde;

	if (!unwind__find(elf, caller, &fde))
		return false;
	for (end = fde.start + fde.size; at < end && code__at(elf, at, &code); at += code.length) {
		struct fde called;
		uint64_t target;

		if (code.kind == CODE_CALL || code.kind == CODE_JMP)
			target = code__follow_stub(elf, code.target, NULL);
		else if (code.kind != CODE_CALL_INDIRECT || !code.reference ||
			 !reloc__value(elf, code.reference, &target))
			continue;
		if (target == callee)
			return true;
		if (through && target && target - fde.start >= fde.size && unwind__find(elf, target, &called) &&
		    called.start == target && called.size <= FORWARDER_MAX && calls(elf, target, callee, false))
			return true;
	}
	return false;
}

bool locate__calls(struct module *module, uint64_t caller, uint64_t callee)
{
	return calls(&module->elf, caller, callee, true);
}

static locate_fn *const ways[LOCATE_KINDS] = {
	[LOCATE_EXPORT] = by_name__export,
	[LOCATE_PATTERN] = by_name__pattern,
	[LOCATE_STRING_REFERENCE] = by_string__find,
	[LOCATE_TABLE] = by_table__find,
	[LOCATE_VTABLE] = by_rtti__find,
	[LOCATE_TAIL_JUMP] = by_tail__find,
};

bool locate__find(struct module *module, const struct locator *locator, struct found *found)
{
	struct found caller;
	int depth = 0;

	memset(found, 0, sizeof(*found));
	for (const struct locator *of = locator; of; of = of->of)
		if (++depth > NESTED_MAX)
			return found__not(found, "its locators are nested more than %d deep", NESTED_MAX);
	if (locator->kind >= LOCATE_KINDS || !ways[locator->kind](module, locator, found))
		return false;
	if (!elf_file__is_code(&module->elf, found->vaddr))
		return found__not(found, "the address found, %#llx, holds no code", (unsigned long long)found->vaddr);
	if (!locator->called_by)
		return true;
	if (!locate__find(module, locator->called_by, &caller))
		return found__not(found, "found, but its caller is not, as a check: %.100s", caller.text);
	if (!locate__calls(module, caller.vaddr, found->vaddr))
		return found__not(found, "found at %#llx, but %s (%#llx) has no call to it",
				  (unsigned long long)found->vaddr,
				  locator->called_by->name ? locator->called_by->name : "its supposed caller",
				  (unsigned long long)caller.vaddr);
	return true;
}
