/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/accessor.h"

#include "resolve/code.h"
#include "resolve/strings.h"
#include "resolve/symbol.h"

struct strings_seen {
	bool old, cxx11, libcxx;
};

static bool note_symbol(void *context, const struct symbol *symbol)
{
	struct strings_seen *seen = context;

	if (strstr(symbol->name, "__cxx11"))
		seen->cxx11 = true;
	else if (!strncmp(symbol->name, "_ZNSs", 5) || !strncmp(symbol->name, "_ZNKSs", 6))
		seen->old = true;
	else if (strstr(symbol->name, "NSt3__1"))
		seen->libcxx = true;
	return !seen->cxx11;
}

static bool note_string(void *context, int which, uint64_t vaddr)
{
	struct strings_seen *seen = context;

	(void)vaddr;
	if (which == 0)
		seen->cxx11 = true;
	else
		seen->libcxx = true;
	return !seen->cxx11;
}

/* Names of std::string's functions say which of the two layouts the file was built for; a static program's RTTI names say it too. */
static void find_string_abi(const struct elf_file *elf, struct answer_constant *constant)
{
	static const char *const names[] = { "St7__cxx11", "NSt3__1" };
	struct strings_seen seen = { 0 };

	symbol__each(elf, SYMBOLS_DYNAMIC, note_symbol, &seen);
	if (!seen.old && !seen.cxx11)
		strings__find(elf, names, 2, note_string, &seen);
	/* libc++ has a third layout, which nobody has taught the expressions. */
	constant->found = seen.cxx11 || seen.old || !seen.libcxx;
	constant->value = seen.cxx11 || !seen.old;
}

void accessor__find(struct module *module, const struct constant_query *query, struct answer_constant *constant)
{
	char why[ANSWER_TEXT_MAX];
	struct symbol symbol;
	int64_t displacement;

	switch (query->kind) {
	case CONSTANT_VTABLE:
		constant->found = query->name && by_rtti__vptr(module, query->name, &constant->value, why);
		break;
	case CONSTANT_ACCESSOR:
		constant->found = query->name && symbol__find(&module->elf, query->name, &symbol) &&
				  code__accessor(&module->elf, symbol.vaddr, &displacement);
		if (constant->found)
			constant->value = displacement;
		break;
	case CONSTANT_CXX11_STRINGS:
		find_string_abi(&module->elf, constant);
		break;
	case CONSTANT_SYMBOL:
		constant->found = query->name && symbol__find(&module->elf, query->name, &symbol);
		if (constant->found)
			constant->value = symbol.vaddr;
		break;
	case CONSTANT_KINDS:
		break;
	}
}
