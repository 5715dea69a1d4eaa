/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/adapter_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/compile.h"

#define HOOKS_OF_ADAPTER_MAX 64
#define FALLBACKS_MAX	     16

static const char *const means_words[] = { "call", "load", "derive", "free", "caught", NULL };
static const enum hook_means means_kinds[] = { HOOK_CALL, HOOK_LOAD, HOOK_DERIVE, HOOK_FREE, HOOK_CAUGHT };

/*
 * FNV-1a: groups are compared across adapters, and need no table for that. All hooks that know the same handles must have one
 * group, so what a hook means is no part of it.
 */
static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261U;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 16777619U;
	return h ? h : 1;
}

static void read_when(struct tree *tree, struct adapter_hook *hook, tree_node *node)
{
	const char *text = node ? tree__text(tree, node, "'maps RUNTIME' or 'maps any'") : NULL;

	if (!text)
		return;
	if (strncmp(text, "maps ", 5) != 0 || !text[5])
		tree__fail(tree, node, "expected 'maps RUNTIME' or 'maps any', not '%.60s'", text);
	hook->when_maps = text + 5;
}

/* Does the hook have what its meaning needs, and nothing that has none? */
static void check_hook(struct tree *tree, const struct adapter_hook *hook, tree_node *node)
{
	static const char *const names[] = { "handle", "parent", "batch", "tokens", "status", "failed", "ignored" };
	const char *word = means_words[hook->means - 1];
	bool instant = hook->means == HOOK_FREE || hook->means == HOOK_CAUGHT;

	if (tree->failed)
		return;
	if ((instant || hook->ends == ENDS_ENTRY) && tree__get(tree, node, "exit"))
		tree__fail(tree, tree__get(tree, node, "exit"), "nothing is read at exit in a hook that %s",
			   instant ? "acts at the entry" : "ends at its entry");
	for (int i = 0; i <= VALUE_IGNORED; i++) {
		const struct value *twice = hook->entry.values[i] && hook->exit.values[i] ? hook->exit.values[i] : NULL;
		const struct value *any = hook->entry.values[i] ? hook->entry.values[i] : hook->exit.values[i];

		if (twice)
			tree__fail_at(tree, twice->line, twice->column,
				      "'%s' is given at entry and at exit; once is enough", names[i]);
		if (any && (hook->means == HOOK_CAUGHT || (hook->means == HOOK_FREE && i != VALUE_HANDLE) ||
			    (i == VALUE_PARENT && hook->means != HOOK_DERIVE)))
			tree__fail_at(tree, any->line, any->column, "'%s' says nothing in a hook that means %s",
				      names[i], word);
		if (!any && hook->means != HOOK_CAUGHT &&
		    (i == VALUE_HANDLE || (i == VALUE_PARENT && hook->means == HOOK_DERIVE)))
			tree__fail(tree, node, "a hook that means %s needs '%s:' in 'entry:' or 'exit:'", word,
				   names[i]);
	}
	if (instant && hook->ends != ENDS_ENTRY)
		tree__fail(tree, tree__get(tree, node, "ends"),
			   "a hook that means %s acts at the entry; leave 'ends:' out", word);
	if (hook->entry.model && hook->exit.model)
		tree__fail_at(tree, hook->exit.model->line, hook->exit.model->column,
			      "'model' is given at entry and at exit");
	if (hook->entry.model && (!hook->entry.values[VALUE_HANDLE] || instant))
		tree__fail_at(tree, hook->entry.model->line, hook->entry.model->column,
			      instant ? "'model' says nothing in a hook that means %s"
				      : "the model's name is read once for a handle: where 'handle:' is read at exit, "
					"'model:' must be too",
			      word);
	if (hook->pads && hook->ends != ENDS_EXITS)
		tree__fail(tree, tree__get(tree, node, "exceptions"), "landing pads are for hooks that end by exits");
}

/* Compiles as if every constant were known: finds names that are none, and what is too complex. */
static void try_hook(struct tree *tree, const struct adapter *adapter, const struct adapter_hook *hook,
		     struct function_query *query)
{
	struct compile_report report = { 0 };
	struct hook *code = tree->failed ? NULL : calloc(1, sizeof(*code));

	if (tree->failed)
		return;
	if (!code)
		tree__fail(tree, NULL, "no memory");
	else if (compile__hook(adapter, hook, NULL, code, &report))
		tree__fail_at(tree, report.line, report.column, "%s", report.error);
	query->needs = report.needs;
	query->exit_needs = report.exit_needs;
	free(code);
}

void adapter_read__hook(struct tree *tree, struct adapter *adapter, struct adapter_hook *hook,
			struct function_query *query, tree_node *name, tree_node *node)
{
	static const char *const keys[] = { "means", "function",     "ends",	     "exceptions", "optional", "group",
					    "when",  "fallback_for", "continues_in", "entry",	   "exit",     NULL };
	static const char *const ends[] = { "exits", "return", "entry", NULL };
	static const char *const exceptions[] = { "caught", "pads", NULL };
	const char *group = adapter->runtime;
	tree_node *part;

	hook->line = (uint32_t)name->start_mark.line + 1;
	hook->column = (uint32_t)name->start_mark.column + 1;
	hook->name = query->name = adapter_read__name(tree, name, "a hook's name", "-.");
	if (!tree__keys(tree, node, keys, "a hook"))
		return;
	part = tree__need(tree, node, "means", "a hook");
	if (!part)
		return;
	hook->means = means_kinds[tree__word(tree, part, means_words, "a meaning")];
	part = tree__get(tree, node, "ends");
	if (part)
		hook->ends = query->ends = (enum ends)tree__word(tree, part, ends, "how its calls end");
	else if (hook->means == HOOK_FREE || hook->means == HOOK_CAUGHT)
		hook->ends = query->ends = ENDS_ENTRY;
	part = tree__get(tree, node, "exceptions");
	hook->pads = part && tree__word(tree, part, exceptions, "how exceptions are seen") == 1;
	part = tree__get(tree, node, "optional");
	hook->optional = query->optional = part && tree__truth(tree, part);
	part = tree__get(tree, node, "group");
	if (part)
		group = adapter_read__name(tree, part, "a group's name", "-.+");
	if (group)
		hook->group = hash(group);
	read_when(tree, hook, tree__get(tree, node, "when"));
	part = tree__get(tree, node, "fallback_for");
	hook->fallback_for = part ? tree__text(tree, part, "a hook's name") : NULL;
	part = tree__get(tree, node, "continues_in");
	hook->continues_in = part ? tree__text(tree, part, "a hook's name") : NULL;
	query->n_locators =
		adapter_read__locators(tree, tree__need(tree, node, "function", "a hook"), &query->locators);
	adapter_read__section(tree, adapter, &hook->entry, tree__get(tree, node, "entry"), "entry");
	adapter_read__section(tree, adapter, &hook->exit, tree__get(tree, node, "exit"), "exit");
	check_hook(tree, hook, node);
	adapter_read__saves(tree, hook);
	try_hook(tree, adapter, hook, query);
}

/* What a hook says of other hooks. */
static void check_references(struct tree *tree, const struct adapter *adapter, size_t index)
{
	const struct adapter_hook *hook = &adapter->hooks[index];
	const char *const words[] = { "fallback_for", "continues_in" };
	const char *const wanted[] = { hook->fallback_for, hook->continues_in };
	const char *names[HOOKS_OF_ADAPTER_MAX + 1], *near;
	size_t n = adapter->n_hooks, j;

	for (j = 0; j < n; j++)
		names[j] = adapter->hooks[j].name;
	names[n] = NULL;
	for (size_t i = 0; i < 2; i++) {
		for (j = 0; wanted[i] && j < n && (j == index || strcmp(names[j], wanted[i]) != 0); j++)
			;
		if (!wanted[i] || (j < n && (i || !adapter->hooks[j].fallback_for)))
			continue;
		near = expression__nearest(wanted[i], names);
		tree__fail_at(tree, hook->line, hook->column, "'%s: %.60s' is no other hook%s%s%s%s", words[i],
			      wanted[i], j < n ? " but a fallback itself" : "",
			      near && j == n ? "; did you mean '" : "", near && j == n ? near : "",
			      near && j == n ? "'?" : "");
		return;
	}
}

static void read_hooks(struct tree *tree, struct adapter *adapter, tree_node *hooks)
{
	struct function_query *queries;
	size_t n;

	if (!hooks)
		return;
	n = tree__pairs(hooks);
	if (n == 0 || n > HOOKS_OF_ADAPTER_MAX) {
		tree__fail(tree, hooks, "expected 1 to %d hooks, each a name with what it is", HOOKS_OF_ADAPTER_MAX);
		return;
	}
	adapter->hooks = tree__alloc(tree, hooks, n, sizeof(*adapter->hooks));
	queries = tree__alloc(tree, hooks, n, sizeof(*queries));
	for (size_t i = 0; i < n && queries && !tree->failed; i++) {
		adapter_read__hook(tree, adapter, &adapter->hooks[i], &queries[i], tree__key(tree, hooks, i),
				   tree__value(tree, hooks, i));
		for (size_t j = 0; j < i && !tree->failed; j++)
			if (strcmp(adapter->hooks[j].name, adapter->hooks[i].name) == 0)
				tree__fail(tree, tree__key(tree, hooks, i), "the hook '%s' is given twice",
					   adapter->hooks[i].name);
	}
	if (tree->failed)
		return;
	adapter->n_hooks = n;
	adapter->query.functions = queries;
	adapter->query.n_functions = n;
	for (size_t i = 0; i < n && !tree->failed; i++)
		check_references(tree, adapter, i);
}

static void read_fallbacks(struct tree *tree, struct adapter *adapter, tree_node *node)
{
	static const char *const keys[] = { "mapped_file", "command_line", NULL };
	size_t n = node ? tree__count(tree, node) : 0;

	if (!node || tree->failed)
		return;
	if (!n || n > FALLBACKS_MAX) {
		tree__fail(tree, node, "expected a list of 1 to %d, like '- mapped_file: \"*.model\"'", FALLBACKS_MAX);
		return;
	}
	adapter->fallbacks = tree__alloc(tree, node, n, sizeof(*adapter->fallbacks));
	for (size_t i = 0; i < n && !tree->failed; i++) {
		tree_node *one = tree__at(tree, node, i), *file, *option;

		if (!tree__keys(tree, one, keys, "a way to find a name"))
			return;
		file = tree__get(tree, one, "mapped_file");
		option = tree__get(tree, one, "command_line");
		if (!file == !option) {
			tree__fail(tree, one, "expected 'mapped_file:' or 'command_line:', one of them");
			return;
		}
		adapter->fallbacks[i].kind = file ? NAME_MAPPED_FILE : NAME_COMMAND_LINE;
		adapter->fallbacks[i].pattern = tree__text(tree, file ? file : option,
							   file ? "a pattern like *.model" : "an option like --model");
	}
	adapter->n_fallbacks = n;
}

static void read_root(struct tree *tree, struct adapter *adapter, tree_node *root)
{
	static const char *const keys[] = { "runtime", "modules", "version", "names", "hooks", NULL };
	tree_node *version;

	if (!root || !tree__keys(tree, root, keys, "an adapter"))
		return;
	adapter->runtime =
		adapter_read__name(tree, tree__need(tree, root, "runtime", "an adapter"), "a runtime's name", ".+-");
	adapter->query.runtime = adapter->runtime;
	adapter->constants.items = tree__alloc(tree, root, CONSTANTS_MAX, sizeof(*adapter->constants.items));
	if (tree->failed)
		return;
	adapter_read__modules(tree, adapter, tree__need(tree, root, "modules", "an adapter"));
	version = tree__get(tree, root, "version");
	if (version && adapter_read__locators(tree, version, &adapter->query.version) > 1)
		tree__fail(tree, version, "expected one function that returns the version");
	read_fallbacks(tree, adapter, tree__get(tree, root, "names"));
	read_hooks(tree, adapter, tree__need(tree, root, "hooks", "an adapter"));
	adapter->query.constants = adapter->constants.items;
	adapter->query.n_constants = adapter->constants.n;
}

struct adapter *adapter__read(const char *path, const char *text, size_t size, struct adapter_error *error)
{
	struct adapter *adapter = calloc(1, sizeof(*adapter));
	struct tree tree;

	error->text[0] = '\0';
	if (adapter)
		adapter->path = strdup(path);
	if (!adapter || !adapter->path) {
		snprintf(error->text, sizeof(error->text), "%.100s: no memory", path);
		adapter__free(adapter);
		return NULL;
	}
	read_root(&tree, adapter, tree__load(&tree, &adapter->arena, adapter->path, text, size, error));
	tree__free(&tree);
	if (tree.failed) {
		adapter__free(adapter);
		return NULL;
	}
	return adapter;
}

void adapter__free(struct adapter *adapter)
{
	if (!adapter)
		return;
	arena__free(&adapter->arena);
	free(adapter->path);
	free(adapter);
}

const char *adapter__runtime(const struct adapter *adapter)
{
	return adapter->runtime;
}

const char *adapter__path(const struct adapter *adapter)
{
	return adapter->path;
}
