/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/yaml_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_error(struct tree *tree, uint32_t line, uint32_t column, const char *format, va_list args)
{
	char text[400];

	if (tree->failed)
		return;
	tree->failed = true;
	vsnprintf(text, sizeof(text), format, args);
	/* What stands in the file may be anything; a message is one line of text. */
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	snprintf(tree->error->text, sizeof(tree->error->text), "%.100s:%u:%u: %s", tree->path, line, column, text);
}

void tree__fail_at(struct tree *tree, uint32_t line, uint32_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_error(tree, line, column, format, args);
	va_end(args);
}

void tree__fail(struct tree *tree, tree_node *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_error(tree, at ? (uint32_t)at->start_mark.line + 1 : 1, at ? (uint32_t)at->start_mark.column + 1 : 1,
		  format, args);
	va_end(args);
}

static const char *kind_of(tree_node *node)
{
	return node->type == YAML_SCALAR_NODE ? "one value" : node->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping";
}

static bool visit(struct tree *tree, tree_node *node)
{
	if (tree->failed || !node)
		return false;
	if (++tree->visits > YAML_VISITS_MAX) {
		tree__fail(tree, node, "more than %d values; an adapter is a small file", YAML_VISITS_MAX);
		return false;
	}
	return true;
}

/* libyaml's time grows with the square of the depth of brackets: what no adapter needs is not given to it. */
static bool too_deep(const char *text, size_t size)
{
	long depth = 0;

	for (size_t i = 0; i < size && depth <= BRACKETS_MAX; i++) {
		if (text[i] == '[' || text[i] == '{')
			depth++;
		else if ((text[i] == ']' || text[i] == '}') && depth)
			depth--;
	}
	return depth > BRACKETS_MAX;
}

tree_node *tree__load(struct tree *tree, struct arena *arena, const char *path, const char *text, size_t size,
		      struct adapter_error *error)
{
	yaml_parser_t parser;
	yaml_document_t second;
	tree_node *root = NULL;

	memset(tree, 0, sizeof(*tree));
	tree->arena = arena;
	tree->path = path;
	tree->error = error;
	if (size > YAML_SIZE_MAX) {
		tree__fail(tree, NULL, "the file is larger than %d bytes; an adapter is a small file", YAML_SIZE_MAX);
		return NULL;
	}
	if (memchr(text, '\0', size)) {
		tree__fail(tree, NULL, "the file holds a NUL byte; an adapter is UTF-8 text");
		return NULL;
	}
	if (too_deep(text, size)) {
		tree__fail(tree, NULL, "brackets are nested more than %d deep", BRACKETS_MAX);
		return NULL;
	}
	if (!yaml_parser_initialize(&parser)) {
		tree__fail(tree, NULL, "no memory");
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	tree->loaded = yaml_parser_load(&parser, &tree->document);
	if (!tree->loaded) {
		const char *problem = parser.problem ? parser.problem : "this is no YAML";
		uint32_t line = (uint32_t)parser.problem_mark.line + 1,
			 column = (uint32_t)parser.problem_mark.column + 1;
		/* By far the most frequent mistake has the least helpful message. */
		bool percent = strstr(problem, "cannot start any token") || strstr(problem, "while scanning");

		if (parser.error == YAML_READER_ERROR)
			tree__fail(tree, NULL, "%s at byte %zu; an adapter is UTF-8 text", problem,
				   parser.problem_offset);
		else
			tree__fail_at(tree, line, column, "%s%s", problem,
				      percent ? " (what begins with % @ * & ! or a quote must stand in quotes: \"%di\")"
					      : "");
	} else {
		root = yaml_document_get_root_node(&tree->document);
		if (!root)
			tree__fail(tree, NULL, "the file is empty; expected 'runtime:', 'modules:' and 'hooks:'");
		else if (root->type != YAML_MAPPING_NODE)
			tree__fail(tree, root, "expected a mapping with 'runtime:', 'modules:' and 'hooks:', not %s",
				   kind_of(root));
		if (!tree->failed && yaml_parser_load(&parser, &second)) {
			tree_node *more = yaml_document_get_root_node(&second);

			if (more)
				tree__fail(tree, more, "a second document; one file holds one adapter");
			yaml_document_delete(&second);
		} else if (!tree->failed) {
			tree__fail_at(tree, (uint32_t)parser.problem_mark.line + 1,
				      (uint32_t)parser.problem_mark.column + 1, "%s",
				      parser.problem ? parser.problem : "this is no YAML");
		}
	}
	yaml_parser_delete(&parser);
	return tree->failed ? NULL : root;
}

void tree__free(struct tree *tree)
{
	if (tree->loaded)
		yaml_document_delete(&tree->document);
	tree->loaded = false;
}

static tree_node *item(struct tree *tree, int index)
{
	return yaml_document_get_node(&tree->document, index);
}

static bool scalar_is(tree_node *node, const char *text)
{
	return node && node->type == YAML_SCALAR_NODE && node->data.scalar.length == strlen(text) &&
	       memcmp(node->data.scalar.value, text, strlen(text)) == 0;
}

size_t tree__pairs(tree_node *map)
{
	return map->type == YAML_MAPPING_NODE ? (size_t)(map->data.mapping.pairs.top - map->data.mapping.pairs.start)
					      : 0;
}

tree_node *tree__key(struct tree *tree, tree_node *map, size_t i)
{
	return item(tree, map->data.mapping.pairs.start[i].key);
}

tree_node *tree__value(struct tree *tree, tree_node *map, size_t i)
{
	return item(tree, map->data.mapping.pairs.start[i].value);
}

/* "a, b or c" */
static void list_words(const char *const *words, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; words[i] && length < size; i++) {
		snprintf(text + length, size - length, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
		length += strlen(text + length);
	}
}

bool tree__keys(struct tree *tree, tree_node *map, const char *const *keys, const char *what)
{
	char list[300];

	if (!visit(tree, map))
		return false;
	if (map->type != YAML_MAPPING_NODE) {
		list_words(keys, list, sizeof(list));
		tree__fail(tree, map, "expected %s with keys %s, not %s", what, list, kind_of(map));
		return false;
	}
	for (size_t i = 0; i < tree__pairs(map); i++) {
		tree_node *key = tree__key(tree, map, i);
		const char *word = tree__text(tree, key, "a key"), *near;
		size_t known = 0;

		if (!word)
			return false;
		while (keys[known] && strcmp(keys[known], word) != 0)
			known++;
		if (!keys[known]) {
			near = expression__nearest(word, keys);
			list_words(keys, list, sizeof(list));
			if (near)
				tree__fail(tree, key, "unknown key '%.60s' in %s; did you mean '%s'?", word, what,
					   near);
			else
				tree__fail(tree, key, "unknown key '%.60s' in %s; expected %s", word, what, list);
			return false;
		}
		for (size_t j = 0; j < i; j++) {
			if (scalar_is(tree__key(tree, map, j), word)) {
				tree__fail(tree, key, "'%s' is given twice in %s", word, what);
				return false;
			}
		}
	}
	return true;
}

tree_node *tree__get(struct tree *tree, tree_node *map, const char *key)
{
	if (tree->failed || !map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (size_t i = 0; i < tree__pairs(map); i++)
		if (scalar_is(tree__key(tree, map, i), key))
			return tree__value(tree, map, i);
	return NULL;
}

tree_node *tree__need(struct tree *tree, tree_node *map, const char *key, const char *what)
{
	tree_node *node = tree__get(tree, map, key);

	if (!node)
		tree__fail(tree, map, "%s needs '%s:'", what, key);
	return node;
}

const char *tree__text(struct tree *tree, tree_node *node, const char *what)
{
	const char *copy;

	if (!visit(tree, node))
		return NULL;
	if (node->type != YAML_SCALAR_NODE) {
		tree__fail(tree, node, "expected %s, not %s", what, kind_of(node));
		return NULL;
	}
	if (node->data.scalar.length == 0 || memchr(node->data.scalar.value, '\0', node->data.scalar.length)) {
		tree__fail(tree, node, "expected %s, not %s", what,
			   node->data.scalar.length ? "text with a NUL" : "nothing");
		return NULL;
	}
	if (node->data.scalar.length > 4096) {
		tree__fail(tree, node, "expected %s, not 4,096 characters and more", what);
		return NULL;
	}
	copy = arena__copy(tree->arena, (const char *)node->data.scalar.value, node->data.scalar.length);
	if (!copy)
		tree__fail(tree, node, "no memory");
	return copy;
}

bool tree__truth(struct tree *tree, tree_node *node)
{
	if (!visit(tree, node))
		return false;
	if (!scalar_is(node, "true") && !scalar_is(node, "false"))
		tree__fail(tree, node, "expected true or false");
	return scalar_is(node, "true");
}

uint64_t tree__number(struct tree *tree, tree_node *node, uint64_t least, uint64_t most, const char *what)
{
	const char *text = tree__text(tree, node, what);
	unsigned long long value;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (*end || errno || text[0] == '-' || text[0] == '+' || text[0] == ' ' || value < least || value > most) {
		tree__fail(tree, node, "expected %s, a number from %llu to %llu, not '%.40s'", what,
			   (unsigned long long)least, (unsigned long long)most, text);
		return 0;
	}
	return value;
}

size_t tree__word(struct tree *tree, tree_node *node, const char *const *words, const char *what)
{
	const char *text = tree__text(tree, node, what);
	char list[300];

	if (!text)
		return 0;
	for (size_t i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	list_words(words, list, sizeof(list));
	tree__fail(tree, node, "expected %s: %s; not '%.60s'", what, list, text);
	return 0;
}

size_t tree__count(struct tree *tree, tree_node *node)
{
	if (!visit(tree, node))
		return 0;
	return node->type == YAML_SEQUENCE_NODE
		       ? (size_t)(node->data.sequence.items.top - node->data.sequence.items.start)
		       : 1;
}

tree_node *tree__at(struct tree *tree, tree_node *node, size_t i)
{
	return node->type == YAML_SEQUENCE_NODE ? item(tree, node->data.sequence.items.start[i]) : node;
}

struct expression_place tree__place(tree_node *node)
{
	bool quoted = node->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
		      node->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	bool block = node->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
		     node->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;

	return (struct expression_place) { .line = (uint32_t)node->start_mark.line + 1,
					   .column = (uint32_t)node->start_mark.column + 1 + quoted,
					   .inexact = block || node->start_mark.line != node->end_mark.line };
}

void *tree__alloc(struct tree *tree, tree_node *at, size_t n, size_t size)
{
	void *memory;

	if (tree->failed)
		return NULL;
	memory = arena__alloc(tree->arena, (n ? n : 1) * size);
	if (!memory)
		tree__fail(tree, at, "no memory");
	return memory;
}
