/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * One file → its answer. Runs in the child (child.c), which may crash or be killed on a hostile file; in itself it
 * trusts nothing of the file either.
 */
#include <stdio.h>
#include <stdlib.h>

#include "resolve/accessor.h"
#include "resolve/codec.h"
#include "resolve/entry.h"
#include "resolve/exits.h"
#include "resolve/locate.h"
#include "resolve/match.h"
#include "resolve/resolver.h"
#include "resolve/symbol.h"

/* Tries the locators in order. What each that fails says is kept: that is what the user has to go by. */
static bool locate(struct module *module, const struct function_query *query, struct found *found)
{
	char why[ANSWER_TEXT_MAX] = "";
	size_t length = 0;

	for (size_t i = 0; i < query->n_locators; i++) {
		if (locate__find(module, &query->locators[i], found))
			return true;
		if (length < sizeof(why))
			length += snprintf(why + length, sizeof(why) - length, "%s%s", i ? "; " : "", found->text);
	}
	if (!query->n_locators)
		return found__not(found, "it has no locator");
	memcpy(found->text, why, sizeof(why));
	return false;
}

static void find_function(struct module *module, const struct function_query *query, struct answer_function *function)
{
	struct symbol symbol;
	struct found found;
	struct body body;
	int read;

	if (!locate(module, query, &found)) {
		memcpy(function->why, found.text, sizeof(function->why));
		return;
	}
	memcpy(function->why, found.text, sizeof(function->why));
	function->vaddr = found.vaddr;
	elf_file__offset(&module->elf, found.vaddr, &function->offset);
	if (!found.size && symbol__at(&module->elf, found.vaddr, false, &symbol))
		found.size = symbol.size;
	read = body__read(&body, &module->elf, found.vaddr, found.size, &module->noreturn);
	function->size = read == 0 ? body.size : found.size;
	function->found = entry__find(function, &module->elf, read == 0 ? &body : NULL, query->needs);
	if (function->found && query->ends != ENDS_ENTRY) { /* a return probe may turn out unsafe */
		if (read == 0)
			exits__find(function, &body, query->exit_needs);
		else
			memcpy(function->exits_why, body.why, sizeof(function->exits_why));
	}
	body__free(&body);
}

static void find_version(struct module *module, const struct locator *locator, char *version, size_t size)
{
	struct found found;
	const char *text;

	if (!locator || !locate__find(module, locator, &found))
		return;
	text = by_string__returned(module, found.vaddr);
	if (text)
		snprintf(version, size, "%s", text);
}

static int answer_query(struct module *module, const struct module_query *query, uint16_t index,
			struct answer_match *match)
{
	match->query = index;
	if (query->n_functions) {
		match->functions = calloc(query->n_functions, sizeof(*match->functions));
		if (!match->functions)
			return -1;
	}
	match->n_functions = query->n_functions;
	if (query->n_constants) {
		match->constants = calloc(query->n_constants, sizeof(*match->constants));
		if (!match->constants)
			return -1;
	}
	match->n_constants = query->n_constants;
	find_version(module, query->version, match->version, sizeof(match->version));
	for (size_t i = 0; i < query->n_functions; i++)
		find_function(module, &query->functions[i], &match->functions[i]);
	for (size_t i = 0; i < query->n_constants; i++)
		accessor__find(module, &query->constants[i], &match->constants[i]);
	return 0;
}

static int answer_all(struct module *module, const struct module_query *queries, size_t n, struct answer *answer)
{
	bool *matched = calloc(n + 1, sizeof(*matched));
	int result = -1;

	answer->matches = calloc(n + 1, sizeof(*answer->matches));
	if (!matched || !answer->matches)
		goto cleanup;
	match__queries(&module->elf, queries, n, matched);
	for (size_t i = 0; i < n; i++)
		if (matched[i] && answer_query(module, &queries[i], i, &answer->matches[answer->n_matches++]) < 0)
			goto cleanup;
	result = 0;
cleanup:
	free(matched);
	return result;
}

struct answer *resolve__file(int fd, const char *name, const struct module_query *queries, size_t n_queries)
{
	struct answer *answer = calloc(1, sizeof(*answer));
	struct module *module = calloc(1, sizeof(*module));
	const char *why = "out of memory";

	if (!answer || !module)
		goto cleanup;
	module->noreturn.elf = &module->elf;
	if (elf_file__open(&module->elf, fd, name, &why) == 0) {
		memcpy(answer->build_id, module->elf.build_id, sizeof(answer->build_id));
		answer->build_id_length = module->elf.build_id_length;
		if (answer_all(module, queries, n_queries, answer) < 0)
			why = "out of memory";
	}
	elf_file__close(&module->elf);
cleanup:
	free(module);
	if (answer && why) {
		answer->failed = true;
		snprintf(answer->why, sizeof(answer->why), "%s", why);
	}
	return answer;
}
