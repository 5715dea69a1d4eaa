/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The words of expressions, for the parser and for messages. */
#include "plan/expression.h"

#include <stdio.h>
#include <string.h>

const char *const expression__registers[EXPR_ARGS + 1] = {
	[EXPR_DI] = "%di",   [EXPR_SI] = "%si",	  [EXPR_DX] = "%dx",   [EXPR_CX] = "%cx",
	[EXPR_R8] = "%r8",   [EXPR_R9] = "%r9",	  [EXPR_AX] = "%ax",   [EXPR_BX] = "%bx",
	[EXPR_BP] = "%bp",   [EXPR_SP] = "%sp",	  [EXPR_R10] = "%r10", [EXPR_R11] = "%r11",
	[EXPR_R12] = "%r12", [EXPR_R13] = "%r13", [EXPR_R14] = "%r14", [EXPR_R15] = "%r15",
};

const char *expression__register_name(unsigned int arg)
{
	return arg < EXPR_ARGS ? expression__registers[arg] : NULL;
}

void expression__constant_text(const struct constant_query *constant, char *text, size_t size)
{
	if (constant->kind == CONSTANT_CXX11_STRINGS)
		snprintf(text, size, "the layout of std::string");
	else
		snprintf(text, size, "%s(%s)",
			 constant->kind == CONSTANT_VTABLE     ? "vtable"
			 : constant->kind == CONSTANT_ACCESSOR ? "accessor"
							       : "symbol",
			 constant->name);
}

/* Edits (insert, drop, change a letter) between two words, for words of ordinary length. */
static size_t distance(const char *a, const char *b)
{
	size_t row[33], n = strlen(a), m = strlen(b);

	if (n > 32 || m > 32)
		return 99;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t change = corner + (a[i - 1] != b[j - 1]),
			       best = row[j] < row[j - 1] ? row[j] : row[j - 1];

			corner = row[j];
			row[j] = change < best + 1 ? change : best + 1;
		}
	}
	return row[m];
}

const char *expression__nearest(const char *word, const char *const *words)
{
	const char *nearest = NULL;
	size_t best = 1 + strlen(word) / 3;

	if (best > 3)
		best = 3;
	for (; *words; words++) {
		size_t d = distance(word, *words);

		if (d <= best && d < strlen(*words)) {
			best = d ? d - 1 : 0;
			nearest = *words;
		}
	}
	return nearest;
}

bool expression__same(const struct node *a, const struct node *b)
{
	if (!a || !b)
		return a == b;
	if (a->kind != b->kind || a->op != b->op || a->width != b->width || a->is_signed != b->is_signed ||
	    a->number != b->number)
		return false;
	if ((a->name || b->name) && (!a->name || !b->name || strcmp(a->name, b->name) != 0))
		return false;
	return expression__same(a->a, b->a) && expression__same(a->b, b->b);
}

const struct node *expression__misplaced_string(const struct node *node, bool allowed)
{
	bool inside = node->kind == NODE_LENGTH || node->kind == NODE_LIKE;
	bool logic = node->kind == NODE_AND || node->kind == NODE_OR || node->kind == NODE_NOT;
	const struct node *found;

	if (node__is_string(node) && !allowed)
		return node;
	found = node->a ? expression__misplaced_string(node->a, inside || logic) : NULL;
	return found || !node->b ? found : expression__misplaced_string(node->b, logic);
}
