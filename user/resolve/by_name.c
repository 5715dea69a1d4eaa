/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include <ctype.h>
#include <libiberty/demangle.h>
#include <stdio.h>
#include <stdlib.h>

#include "resolve/glob.h"
#include "resolve/locate.h"
#include "resolve/symbol.h"

#define MANGLED_MAX 4096 /* bytes; longer names are not worth the demangler's time */

bool by_name__export(struct module *module, const struct locator *locator, struct found *found)
{
	struct symbol symbol;

	if (!locator->name || !symbol__find(&module->elf, locator->name, &symbol))
		return found__not(found, "%s is not exported%s", locator->name ? locator->name : "(no name)",
				  module->elf.symtab.data ? " and no other symbol"
							  : ", and the file is stripped of others");
	if (symbol.type == STT_GNU_IFUNC)
		return found__not(found, "%s is chosen at load time (ifunc): probe its variants", locator->name);
	found->vaddr = symbol.vaddr;
	found->size = symbol.size;
	snprintf(found->text, sizeof(found->text), "symbol %.140s", locator->name);
	return true;
}

/* Patterns for demangled names are tried on few: those whose mangled form holds the pattern's longest word. */
struct pattern {
	const char *text;
	char word[64];
	uint64_t first, second; /* addresses that match */
	uint64_t size;
	char name[ANSWER_TEXT_MAX];
};

static void longest_word(const char *text, char *word, size_t size)
{
	size_t best = 0;

	word[0] = 0;
	while (*text) {
		size_t n = 0;

		while (isalnum((unsigned char)text[n]) || text[n] == '_')
			n++;
		/* Only what the mangled form is sure to hold as it stands: identifiers, neither operators nor built-in types. */
		if (n > best && n < size && !isdigit((unsigned char)*text) && strncmp(text, "operator", 8) != 0 &&
		    strncmp(text, "unsigned", 8) != 0 && strncmp(text, "basic_", 6) != 0 &&
		    strncmp(text, "allocator", 9) != 0 && strncmp(text, "string", 6) != 0 &&
		    strncmp(text, "const", 5) != 0) {
			memcpy(word, text, n);
			word[n] = 0;
			best = n;
		}
		text += n ? n : 1;
	}
}

static bool try_symbol(void *context, const struct symbol *symbol)
{
	struct pattern *pattern = context;
	char *demangled;

	if (!symbol->defined || symbol->type != STT_FUNC || symbol->vaddr == pattern->first ||
	    strncmp(symbol->name, "_Z", 2) != 0 || !strstr(symbol->name, pattern->word) ||
	    strlen(symbol->name) > MANGLED_MAX)
		return true;
	demangled = cplus_demangle_v3(symbol->name, DMGL_PARAMS | DMGL_ANSI);
	/* Clones (.cold, .part) are not the function, though they bear its name. */
	if (demangled && !strstr(demangled, "[clone") && glob__match(pattern->text, demangled)) {
		if (pattern->first)
			pattern->second = symbol->vaddr;
		else
			snprintf(pattern->name, sizeof(pattern->name), "%s", demangled);
		if (!pattern->first) {
			pattern->first = symbol->vaddr;
			pattern->size = symbol->size;
		}
	}
	free(demangled);
	return !pattern->second;
}

bool by_name__pattern(struct module *module, const struct locator *locator, struct found *found)
{
	struct pattern pattern = { .text = locator->name };

	if (!locator->name)
		return found__not(found, "a pattern without text");
	longest_word(locator->name, pattern.word, sizeof(pattern.word));
	symbol__each(&module->elf, SYMBOLS_DYNAMIC, try_symbol, &pattern);
	if (!pattern.first)
		symbol__each(&module->elf, SYMBOLS_STATIC, try_symbol, &pattern);
	if (!pattern.first)
		return found__not(found, "no symbol matches %.120s", locator->name);
	if (pattern.second)
		return found__not(found, "several functions match %.120s", locator->name);
	found->vaddr = pattern.first;
	found->size = pattern.size;
	snprintf(found->text, sizeof(found->text), "symbol %.140s", pattern.name);
	return true;
}
