/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Expressions of adapters: text → tree. docs/runtime-author.md teaches the language; compile.h turns trees
 * into the operations of expr.h.
 *
 * From loose to tight: || && comparisons | ^ & shifts + - * / %; all binary operators group to the left, and
 * comparisons chain (1 <= n <= 8). Unlike C, | ^ and & bind tighter than comparisons. Where a value is
 * expected, % begins a register and +N( or -N( a dereference; where an operator is expected they are operators.
 */
#ifndef INFERMETER_EXPRESSION_H
#define INFERMETER_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expr.h"
#include "plan/arena.h"
#include "resolve/query.h"

#define EXPRESSION_TEXT_MAX 1000 /* characters of one expression */

enum node_kind {
	NODE_NUMBER,   /* number */
	NODE_REGISTER, /* number: enum expr_arg */
	NODE_NAME,     /* name */
	NODE_LOAD,     /* *(a + b), width; b NULL: 0 */
	NODE_CAST,     /* a cut to width */
	NODE_NEGATE,   /* -a */
	NODE_INVERT,   /* ~a */
	NODE_NOT,      /* !a */
	NODE_BINARY,   /* a op b; op: enum expr_code, EXPR_ADD … EXPR_SHR */
	NODE_CHAIN,    /* comparison: a, then b: NODE_LINK */
	NODE_LINK,     /* op: enum node_compare, a: the operand behind it, b: the next link or NULL */
	NODE_AND,
	NODE_OR,
	NODE_CONSTANT, /* number: index into the adapter's constants */
	NODE_KNOWN,    /* is that constant known in this file? */
	NODE_BASE,     /* load base of the module */
	NODE_ENTRY,    /* a, as it was at the call's entry; number: index into the hook's saved values */
	NODE_LENGTH,   /* of the string a */
	NODE_LIKE,     /* does the string a match the pattern name? */
	/* Strings */
	NODE_CXX_STRING, /* std::string at a, as this file's C++ library lays it out */
	NODE_CXX11_STRING,
	NODE_COW_STRING,
	NODE_C_STRING,
	NODE_BYTES, /* b bytes at a */
};

enum node_compare { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };

struct node {
	uint8_t kind, op, width;
	bool is_signed;	       /* of width; see compile__is_signed */
	uint32_t line, column; /* 1-based, in the file */
	uint64_t number;
	const char *name;
	struct node *a, *b;
};

static inline bool node__is_string(const struct node *node)
{
	return node->kind >= NODE_CXX_STRING;
}

/* Constants that an adapter's expressions name, each once. */
#define CONSTANTS_MAX 64
struct constant_list {
	struct constant_query *items; /* CONSTANTS_MAX of them */
	size_t n;
};

struct expression_error {
	uint32_t line, column;
	char text[256];
};

/* Where an expression stands in its file. inexact: it spans lines, so that columns behind the first character are not known. */
struct expression_place {
	uint32_t line, column;
	bool inexact;
};

/* Returns the tree, or NULL with *error filled. New constants are added to the list. All memory comes from the arena. */
struct node *expression__parse(struct arena *arena, const char *text, struct expression_place place,
			       struct constant_list *constants, struct expression_error *error);

/* "%di" …, indexed by enum expr_arg; ends with NULL. */
extern const char *const expression__registers[EXPR_ARGS + 1];

/* "%di". NULL for a number that is none. */
const char *expression__register_name(unsigned int arg);

/* "vtable(N…E)", for messages. */
void expression__constant_text(const struct constant_query *constant, char *text, size_t size);

/* Strings may stand at the top, where a truth value is asked for, and as a function's argument. Another one; NULL: none. */
const struct node *expression__misplaced_string(const struct node *node, bool allowed);

bool expression__same(const struct node *a, const struct node *b);

/* The word of the list (ends with NULL) that the user may have meant; NULL: none is near. */
const char *expression__nearest(const char *word, const char *const *words);

#endif
