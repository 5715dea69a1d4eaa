/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Sections of a hook: names, values, alternatives, loops. */
#include "plan/adapter_read.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define VALUES_DEEP	 8
#define ALTERNATIVES_MAX 16
#define LETS_MAX	 24
#define GUARDS_MAX	 16
#define EACH_MAX	 512
#define INDEX_MAX	 65536
#define NAME_LIMIT	 60 /* characters of a runtime, a hook or a let: they travel in records of fixed size */

static struct value *read_value(struct tree *tree, struct adapter *adapter, tree_node *node,
				const struct section *section, int depth);

const char *adapter_read__name(struct tree *tree, tree_node *node, const char *what, const char *more)
{
	const char *name = tree__text(tree, node, what);

	for (const char *at = name; name && *at; at++) {
		bool ok = isalnum((unsigned char)*at) || *at == '_' || strchr(more, *at);

		if (ok && !(at == name && !*more && isdigit((unsigned char)*at)) && at - name < NAME_LIMIT)
			continue;
		tree__fail(tree, node, "expected %s: letters, digits and _%s%s, at most %d; not '%.40s'", what,
			   *more ? " " : "", more, NAME_LIMIT, name);
		return NULL;
	}
	return name;
}

static struct node *read_expression(struct tree *tree, struct adapter *adapter, tree_node *node, const char *what)
{
	struct expression_error error;
	struct node *tree_of_it;
	const char *text;

	if (tree->failed || !node)
		return NULL;
	if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0) {
		tree__fail(tree, node, "expected an expression for %s, not nothing", what);
		return NULL;
	}
	text = tree__text(tree, node, "an expression");
	if (!text)
		return NULL;
	tree_of_it = expression__parse(tree->arena, text, tree__place(node), &adapter->constants, &error);
	if (!tree_of_it)
		tree__fail_at(tree, error.line, error.column, "%s", error.text);
	return tree_of_it;
}

/* section: names of these lets may not be used again inside; NULL: the section itself. */
static struct binding *read_lets(struct tree *tree, struct adapter *adapter, tree_node *node,
				 const struct section *section, size_t *n, int depth)
{
	static const char *const reserved[] = { "handle",     "load_base", "cxx11_strings", "vtable",
						"accessor",   "symbol",	   "known",	    "entry",
						"length",     "like",	   "cxx_string",    "cxx11_string",
						"cow_string", "c_string",  "bytes",	    NULL };
	struct binding *lets;

	*n = 0;
	if (!node || tree->failed)
		return NULL;
	if (node->type != YAML_MAPPING_NODE || tree__pairs(node) > LETS_MAX) {
		tree__fail(tree, node, "expected names and their expressions, like {rows: \"%%si\"}, at most %d",
			   LETS_MAX);
		return NULL;
	}
	lets = tree__alloc(tree, node, tree__pairs(node), sizeof(*lets));
	for (size_t i = 0; i < tree__pairs(node) && lets && !tree->failed; i++) {
		tree_node *key = tree__key(tree, node, i);

		lets[i].name = adapter_read__name(tree, key, "a name", "");
		lets[i].line = (uint32_t)key->start_mark.line + 1;
		lets[i].column = (uint32_t)key->start_mark.column + 1;
		for (size_t j = 0; lets[i].name && reserved[j]; j++)
			if (strcmp(reserved[j], lets[i].name) == 0)
				tree__fail(tree, key, "'%s' has a meaning of its own and cannot be a name",
					   lets[i].name);
		for (size_t j = 0; lets[i].name && j < i; j++)
			if (strcmp(lets[j].name, lets[i].name) == 0)
				tree__fail(tree, key, "'%s' is given twice", lets[i].name);
		for (size_t j = 0; lets[i].name && section && j < section->n_lets; j++)
			if (strcmp(section->lets[j].name, lets[i].name) == 0)
				tree__fail(tree, key, "'%s' is a name of the whole section already", lets[i].name);
		if (!tree->failed)
			lets[i].value = read_value(tree, adapter, tree__value(tree, node, i), section, depth + 1);
		*n = i + 1;
	}
	return tree->failed ? NULL : lets;
}

static void read_each(struct tree *tree, struct adapter *adapter, tree_node *node, const struct section *section,
		      struct alternative *alternative)
{
	static const char *const keys[] = { "index", "count", "limit", "start", "step", NULL };
	tree_node *limit, *index, *start, *step;

	if (!tree__keys(tree, node, keys, "each"))
		return;
	index = tree__need(tree, node, "index", "each");
	alternative->index = adapter_read__name(tree, index, "a name for the index", "");
	for (size_t j = 0; alternative->index && section && j < section->n_lets; j++)
		if (strcmp(section->lets[j].name, alternative->index) == 0)
			tree__fail(tree, index, "'%s' is a name of the whole section already", alternative->index);
	limit = tree__need(tree, node, "limit", "each (so that it ends even where the count is wrong)");
	alternative->limit = tree__number(tree, limit, 1, EACH_MAX, "the most rounds");
	start = tree__get(tree, node, "start");
	step = tree__get(tree, node, "step");
	alternative->start = start ? tree__number(tree, start, 0, INDEX_MAX, "the index of the first round") : 0;
	alternative->step = step ? tree__number(tree, step, 1, INDEX_MAX, "what is added to the index each round") : 1;
	alternative->count = read_expression(tree, adapter, tree__get(tree, node, "count"), "count");
}

static void read_alternative(struct tree *tree, struct adapter *adapter, tree_node *node, const struct section *section,
			     struct alternative *alternative, int depth)
{
	static const char *const keys[] = { "let", "when", "each", "least", "value", NULL };
	tree_node *part;

	if (tree->failed || !node)
		return;
	alternative->line = (uint32_t)node->start_mark.line + 1;
	alternative->column = (uint32_t)node->start_mark.column + 1;
	if (node->type == YAML_SCALAR_NODE) {
		alternative->node = read_expression(tree, adapter, node, "the value");
		return;
	}
	if (!tree__keys(tree, node, keys, "a value"))
		return;
	part = tree__get(tree, node, "each");
	if (part)
		read_each(tree, adapter, part, section, alternative);
	alternative->lets =
		read_lets(tree, adapter, tree__get(tree, node, "let"), section, &alternative->n_lets, depth);
	part = tree__get(tree, node, "when");
	if (part && !tree->failed) {
		size_t n = tree__count(tree, part);

		if (!n || n > GUARDS_MAX)
			tree__fail(tree, part, "expected a condition, or a list of 1 to %d", GUARDS_MAX);
		alternative->guards = tree__alloc(tree, part, n, sizeof(*alternative->guards));
		for (size_t i = 0; i < n && !tree->failed; i++)
			alternative->guards[i] = read_expression(tree, adapter, tree__at(tree, part, i), "a condition");
		alternative->n_guards = n;
	}
	part = tree__get(tree, node, "least");
	if (part && !alternative->index)
		tree__fail(tree, part, "'least:' chooses among the rounds of 'each:'");
	alternative->least = read_expression(tree, adapter, part, "least");
	part = tree__need(tree, node, "value", "a value with 'when:', 'let:' or 'each:'");
	if (!part || tree->failed)
		return;
	if (part->type == YAML_SCALAR_NODE)
		alternative->node = read_expression(tree, adapter, part, "the value");
	else
		alternative->nested = read_value(tree, adapter, part, section, depth + 1);
}

static struct value *read_value(struct tree *tree, struct adapter *adapter, tree_node *node,
				const struct section *section, int depth)
{
	struct value *value;
	size_t n;

	if (tree->failed || !node)
		return NULL;
	if (depth > VALUES_DEEP) {
		tree__fail(tree, node, "values in values, more than %d deep", VALUES_DEEP);
		return NULL;
	}
	n = tree__count(tree, node);
	if (!n || n > ALTERNATIVES_MAX) {
		tree__fail(tree, node, "expected an expression, or a list of 1 to %d alternatives", ALTERNATIVES_MAX);
		return NULL;
	}
	value = tree__alloc(tree, node, 1, sizeof(*value));
	if (!value)
		return NULL;
	value->line = (uint32_t)node->start_mark.line + 1;
	value->column = (uint32_t)node->start_mark.column + 1;
	value->alternatives = tree__alloc(tree, node, n, sizeof(*value->alternatives));
	value->n_alternatives = n;
	for (size_t i = 0; i < n && !tree->failed; i++)
		read_alternative(tree, adapter, tree__at(tree, node, i), section, &value->alternatives[i], depth);
	return tree->failed ? NULL : value;
}

void adapter_read__section(struct tree *tree, struct adapter *adapter, struct section *section, tree_node *node,
			   const char *what)
{
	static const char *const keys[] = { "let",    "handle", "parent",  "batch", "tokens",
					    "status", "failed", "ignored", "model", NULL };

	if (!node || !tree__keys(tree, node, keys, what))
		return;
	section->lets = read_lets(tree, adapter, tree__get(tree, node, "let"), NULL, &section->n_lets, 0);
	for (int i = VALUE_HANDLE; i <= VALUE_IGNORED && !tree->failed; i++)
		section->values[i] = read_value(tree, adapter, tree__get(tree, node, keys[1 + i]), section, 0);
	section->model = read_value(tree, adapter, tree__get(tree, node, "model"), section, 0);
}

static void find_saves_in_node(struct tree *tree, struct adapter_hook *hook, struct node *node)
{
	size_t i = 0;

	if (!node || tree->failed)
		return;
	if (node->kind == NODE_ENTRY) {
		while (i < hook->n_saves && !expression__same(hook->saves[i], node->a))
			i++;
		if (i == SAVES_MAX) {
			tree__fail_at(tree, node->line, node->column, "more than %d values are kept by entry(…)",
				      SAVES_MAX);
			return;
		}
		hook->saves[i] = node->a;
		hook->n_saves = i < hook->n_saves ? hook->n_saves : i + 1;
		node->number = i;
		return;
	}
	find_saves_in_node(tree, hook, node->a);
	find_saves_in_node(tree, hook, node->b);
}

static void find_saves(struct tree *tree, struct adapter_hook *hook, struct value *value)
{
	if (!value)
		return;
	for (size_t i = 0; i < value->n_alternatives; i++) {
		struct alternative *alternative = &value->alternatives[i];

		for (size_t j = 0; j < alternative->n_lets; j++)
			find_saves(tree, hook, alternative->lets[j].value);
		for (size_t j = 0; j < alternative->n_guards; j++)
			find_saves_in_node(tree, hook, alternative->guards[j]);
		find_saves_in_node(tree, hook, alternative->count);
		find_saves_in_node(tree, hook, alternative->least);
		find_saves_in_node(tree, hook, alternative->node);
		find_saves(tree, hook, alternative->nested);
	}
}

void adapter_read__saves(struct tree *tree, struct adapter_hook *hook)
{
	if (tree->failed)
		return;
	for (size_t i = 0; i < hook->exit.n_lets; i++)
		find_saves(tree, hook, hook->exit.lets[i].value);
	for (int i = 0; i < VALUES; i++)
		find_saves(tree, hook, hook->exit.values[i]);
	find_saves(tree, hook, hook->exit.model);
}
