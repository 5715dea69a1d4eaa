/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A YAML document with places, and readers that say what was expected. The first error wins; after it every reader
 * returns NULL, 0 or false, so that callers check once at the end.
 */
#ifndef INFERMETER_YAML_TREE_H
#define INFERMETER_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#include "plan/adapter.h"
#include "plan/arena.h"
#include "plan/expression.h"

#define YAML_SIZE_MAX	(256 * 1024)
#define BRACKETS_MAX	128
#define YAML_VISITS_MAX 20000 /* nodes read, aliases each time: what keeps a bomb of aliases small */

struct tree {
	yaml_document_t document;
	bool loaded, failed;
	struct arena *arena;
	const char *path;
	struct adapter_error *error;
	unsigned int visits;
};

typedef const yaml_node_t tree_node;

/* Returns the root, a mapping; NULL with the error set. The caller calls tree__free in either case. */
tree_node *tree__load(struct tree *tree, struct arena *arena, const char *path, const char *text, size_t size,
		      struct adapter_error *error);
void tree__free(struct tree *tree);

void tree__fail(struct tree *tree, tree_node *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void tree__fail_at(struct tree *tree, uint32_t line, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Is it a mapping whose keys are all among keys (ends with NULL), each once? what: "a hook". */
bool tree__keys(struct tree *tree, tree_node *map, const char *const *keys, const char *what);

/* The value of a key; NULL: it is not there (no error). */
tree_node *tree__get(struct tree *tree, tree_node *map, const char *key);
/* The same; missing is an error. */
tree_node *tree__need(struct tree *tree, tree_node *map, const char *key, const char *what);

/* Text of a scalar, in the arena, not empty. what: "a symbol's name". */
const char *tree__text(struct tree *tree, tree_node *node, const char *what);
bool tree__truth(struct tree *tree, tree_node *node); /* true or false */
uint64_t tree__number(struct tree *tree, tree_node *node, uint64_t least, uint64_t most, const char *what);
/* Index of the word; the error lists them. */
size_t tree__word(struct tree *tree, tree_node *node, const char *const *words, const char *what);

/* A sequence, or one node that stands for a sequence of one. */
size_t tree__count(struct tree *tree, tree_node *node);
tree_node *tree__at(struct tree *tree, tree_node *node, size_t i);

/* A mapping's pairs in order. */
size_t tree__pairs(tree_node *map);
tree_node *tree__key(struct tree *tree, tree_node *map, size_t i);
tree_node *tree__value(struct tree *tree, tree_node *map, size_t i);

struct expression_place tree__place(tree_node *node);
void *tree__alloc(struct tree *tree, tree_node *at, size_t n,
		  size_t size); /* n zeroed items in the arena; NULL: failed */

#endif
