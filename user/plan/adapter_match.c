/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which files an adapter is for, and how its functions are found in them. */
#include "plan/adapter_read.h"

#include <stdio.h>
#include <string.h>

#define LOCATORS_DEEP 4 /* tail_jump_of and called_by in each other */
#define LOCATORS_MAX  16
#define SLOT_MAX      4095

static const char **read_texts(struct tree *tree, tree_node *node, size_t *n, const char *what)
{
	const char **texts;

	*n = node ? tree__count(tree, node) : 0;
	if (!*n) {
		if (node)
			tree__fail(tree, node, "expected %s, or a list of them", what);
		return NULL;
	}
	texts = tree__alloc(tree, node, *n, sizeof(*texts));
	for (size_t i = 0; i < *n && texts && !tree->failed; i++)
		texts[i] = tree__text(tree, tree__at(tree, node, i), what);
	return texts;
}

void adapter_read__modules(struct tree *tree, struct adapter *adapter, tree_node *modules)
{
	static const char *const keys[] = { "exports", "strings", "soname", "absent_exports", NULL };
	size_t n = modules ? tree__count(tree, modules) : 0;
	struct match_alternative *matches = tree__alloc(tree, modules, n, sizeof(*matches));

	if (!n)
		tree__fail(tree, modules, "expected a list of conditions, like '- exports: [a_function]'");
	for (size_t i = 0; i < n && matches && !tree->failed; i++) {
		tree_node *node = tree__at(tree, modules, i), *soname;
		struct match_alternative *match = &matches[i];

		if (!tree__keys(tree, node, keys, "a module"))
			return;
		match->exports =
			read_texts(tree, tree__get(tree, node, "exports"), &match->n_exports, "a symbol's name");
		match->strings =
			read_texts(tree, tree__get(tree, node, "strings"), &match->n_strings, "a string in the file");
		match->absent_exports = read_texts(tree, tree__get(tree, node, "absent_exports"),
						   &match->n_absent_exports, "a symbol's name");
		soname = tree__get(tree, node, "soname");
		match->soname = soname ? tree__text(tree, soname, "a pattern like libname.so*") : NULL;
		/* A file with nothing to recognise it by would be every file of the host. */
		if (!match->n_exports && !match->n_strings && !match->soname)
			tree__fail(tree, node, "a module needs 'exports:', 'strings:' or 'soname:'");
	}
	adapter->query.matches = matches;
	adapter->query.n_matches = n;
}

static struct table_step *read_steps(struct tree *tree, tree_node *node, size_t *n)
{
	static const char *const keys[] = { "slot", NULL };
	struct table_step *steps;

	*n = tree__count(tree, node);
	if (!*n || *n > 16) {
		tree__fail(tree, node, "expected 1 to 16 steps, like [lea, {slot: 0}]");
		return NULL;
	}
	steps = tree__alloc(tree, node, *n, sizeof(*steps));
	for (size_t i = 0; i < *n && steps && !tree->failed; i++) {
		tree_node *step = tree__at(tree, node, i);

		if (step && step->type == YAML_SCALAR_NODE) {
			const char *word = tree__text(tree, step, "a step");

			if (word && strcmp(word, "lea") != 0)
				tree__fail(tree, step, "expected a step: lea or {slot: N}; not '%.40s'", word);
			steps[i].kind = STEP_LEA;
		} else if (tree__keys(tree, step, keys, "a step")) {
			steps[i].kind = STEP_SLOT;
			steps[i].slot = (int)tree__number(tree, tree__need(tree, step, "slot", "a step"), 0, SLOT_MAX,
							  "a slot");
		}
	}
	return steps;
}

static void read_locator(struct tree *tree, tree_node *node, struct locator *locator, int depth)
{
	static const char *const keys[] = { "export",	    "pattern", "refers_to", "table",	 "vtable",
					    "tail_jump_of", "slot",    "steps",	    "called_by", NULL };
	static const char *const whats[] = { "a symbol's name", "a pattern over demangled names",
					     "the beginning of a string", "an exported function", "an RTTI name" };
	static const enum locator_kind kinds[] = { LOCATE_EXPORT, LOCATE_PATTERN, LOCATE_STRING_REFERENCE,
						   LOCATE_TABLE,  LOCATE_VTABLE,  LOCATE_TAIL_JUMP };
	tree_node *part;
	int found = -1;

	if (!tree__keys(tree, node, keys, "a function"))
		return;
	if (depth > LOCATORS_DEEP) {
		tree__fail(tree, node, "functions found by functions, more than %d deep", LOCATORS_DEEP);
		return;
	}
	for (int i = 0; i < 6; i++) {
		if (!tree__get(tree, node, keys[i]))
			continue;
		if (found >= 0) {
			tree__fail(tree, node,
				   "a function is found in one way: '%s:' or '%s:'; write a list to try several",
				   keys[found], keys[i]);
			return;
		}
		found = i;
	}
	if (found < 0) {
		tree__fail(
			tree, node,
			"a function needs 'export:', 'pattern:', 'refers_to:', 'vtable:', 'table:' or 'tail_jump_of:'");
		return;
	}
	locator->kind = kinds[found];
	part = tree__get(tree, node, keys[found]);
	if (locator->kind == LOCATE_TAIL_JUMP) {
		struct locator *of = tree__alloc(tree, part, 1, sizeof(*of));

		if (of)
			read_locator(tree, part, of, depth + 1);
		locator->of = of;
	} else {
		locator->name = tree__text(tree, part, whats[found]);
	}
	part = tree__get(tree, node, "slot");
	if (locator->kind == LOCATE_VTABLE)
		locator->slot = (int)tree__number(tree, tree__need(tree, node, "slot", "a function of a vtable"), 0,
						  SLOT_MAX, "a slot");
	else if (part)
		tree__fail(tree, part, "'slot:' belongs to 'vtable:'");
	part = tree__get(tree, node, "steps");
	if (locator->kind == LOCATE_TABLE && !part)
		tree__fail(tree, node, "'table:' needs 'steps:', like [lea, {slot: 0}]");
	else if (locator->kind == LOCATE_TABLE)
		locator->steps = read_steps(tree, part, &locator->n_steps);
	else if (part)
		tree__fail(tree, part, "'steps:' belongs to 'table:'");
	part = tree__get(tree, node, "called_by");
	if (part) {
		struct locator *by = tree__alloc(tree, part, 1, sizeof(*by));

		if (by)
			read_locator(tree, part, by, depth + 1);
		locator->called_by = by;
	}
}

size_t adapter_read__locators(struct tree *tree, tree_node *node, const struct locator **locators)
{
	size_t n = node ? tree__count(tree, node) : 0;
	struct locator *all;

	*locators = NULL;
	if (tree->failed)
		return 0;
	if (!n || n > LOCATORS_MAX) {
		tree__fail(tree, node,
			   "expected a function, like {export: a_function}, or a list of 1 to %d ways to find it",
			   LOCATORS_MAX);
		return 0;
	}
	all = tree__alloc(tree, node, n, sizeof(*all));
	for (size_t i = 0; i < n && all && !tree->failed; i++)
		read_locator(tree, tree__at(tree, node, i), &all[i], 0);
	*locators = all;
	return tree->failed ? 0 : n;
}
