/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What is known of an expression before it runs: its value, its sign, whether it reads memory. */
#include "plan/compiler.h"

#include <stdio.h>
#include <string.h>

bool compile__can_fault(const struct node *node)
{
	if (!node)
		return false;
	switch (node->kind) {
	case NODE_LOAD:
	case NODE_LENGTH:
	case NODE_LIKE:
	case NODE_CXX_STRING:
	case NODE_CXX11_STRING:
	case NODE_COW_STRING:
	case NODE_C_STRING:
	case NODE_BYTES:
	case NODE_ENTRY: /* what was not readable at the entry is missing */
	case NODE_NAME:	 /* a let may be anything */
		return true;
	case NODE_BINARY:
		if (node->op == EXPR_DIV || node->op == EXPR_MOD)
			return true;
		break;
	}
	return compile__can_fault(node->a) || compile__can_fault(node->b);
}

/* A signed width makes a number signed, and what is computed from it; so does a minus sign. */
bool compile__is_signed(const struct compiler *c, const struct node *node)
{
	switch (node->kind) {
	case NODE_LOAD:
	case NODE_CAST:
	case NODE_NEGATE:
		return node->is_signed || node->kind == NODE_NEGATE;
	case NODE_INVERT:
		return compile__is_signed(c, node->a);
	case NODE_BINARY:
		return compile__is_signed(c, node->a) ||
		       (node->op != EXPR_SHL && node->op != EXPR_SHR && compile__is_signed(c, node->b));
	case NODE_NAME:
		for (uint32_t i = c->n_bound; i > 0; i--)
			if (strcmp(c->bound[i - 1].name, node->name) == 0)
				return c->bound[i - 1].is_signed;
		return false;
	case NODE_ENTRY:
		return c->saved_signed & 1U << node->number;
	}
	return false;
}

/* >> of a signed number keeps its sign. */
enum expr_code compile__operation(const struct compiler *c, const struct node *node)
{
	return node->op == EXPR_SHR && compile__is_signed(c, node->a) ? EXPR_SAR : node->op;
}

static uint64_t widen(uint64_t value, unsigned int width, bool is_signed)
{
	static const uint8_t bits[] = { [EXPR_U8] = 8, [EXPR_U16] = 16, [EXPR_U32] = 32, [EXPR_U64] = 64,
					[EXPR_S8] = 8, [EXPR_S16] = 16, [EXPR_S32] = 32 };
	unsigned int shift = 64U - bits[width];

	return is_signed ? (uint64_t)((int64_t)(value << shift) >> shift) : value << shift >> shift;
}

int compile__constant(struct compiler *c, const struct node *node, uint64_t *value)
{
	const struct constant_query *query = &c->adapter->constants.items[node->number];
	char text[128];

	if (!c->constants) {
		/* The trial: the widest of each kind. */
		*value = query->kind == CONSTANT_ACCESSOR	 ? 0x40
			 : query->kind == CONSTANT_CXX11_STRINGS ? 1
								 : 0x123456789;
		return 0;
	}
	if (!c->constants[node->number].found) {
		expression__constant_text(query, text, sizeof(text));
		if (!c->missing[0])
			snprintf(c->missing, sizeof(c->missing), "%s is not known in this file", text);
		return -ENOENT;
	}
	*value = c->constants[node->number].value;
	return 0;
}

static uint64_t calculate(unsigned int op, uint64_t a, uint64_t b)
{
	switch (op) {
	case EXPR_ADD:
		return a + b;
	case EXPR_SUB:
		return a - b;
	case EXPR_MUL:
		return a * b;
	case EXPR_DIV:
		return a / b;
	case EXPR_MOD:
		return a % b;
	case EXPR_AND:
		return a & b;
	case EXPR_OR:
		return a | b;
	case EXPR_XOR:
		return a ^ b;
	case EXPR_SHL:
		return a << (b & 63);
	case EXPR_SHR:
		return a >> (b & 63);
	default:
		return (uint64_t)((int64_t)a >> (b & 63));
	}
}

static bool holds(enum node_compare compare, uint64_t a, uint64_t b, bool is_signed)
{
	int order = a == b ? 0 : (is_signed ? (int64_t)a < (int64_t)b : a < b) ? -1 : 1;

	switch (compare) {
	case COMPARE_EQ:
		return order == 0;
	case COMPARE_NE:
		return order != 0;
	case COMPARE_LT:
		return order < 0;
	case COMPARE_LE:
		return order <= 0;
	case COMPARE_GT:
		return order > 0;
	case COMPARE_GE:
		return order >= 0;
	}
	return false;
}

/* Both sides of a comparison are signed when one of them is. */
bool compile__link_is_signed(const struct compiler *c, const struct node *left, const struct node *link)
{
	return compile__is_signed(c, left) || compile__is_signed(c, link->a);
}

int compile__fold(struct compiler *c, const struct node *node, uint64_t *value)
{
	const struct node *left;
	uint64_t a = 0, b = 0;
	int err;

	switch ((enum node_kind)node->kind) {
	case NODE_NUMBER:
		*value = node->number;
		return 1;
	case NODE_KNOWN:
		*value = !c->constants || c->constants[node->number].found;
		return 1;
	case NODE_CONSTANT:
		err = compile__constant(c, node, value);
		if (err)
			return err;
		/* The others are addresses, which depend on where the module lies. */
		return c->adapter->constants.items[node->number].kind == CONSTANT_ACCESSOR ||
		       c->adapter->constants.items[node->number].kind == CONSTANT_CXX11_STRINGS;
	case NODE_CAST:
	case NODE_NEGATE:
	case NODE_INVERT:
	case NODE_NOT:
		err = compile__fold(c, node->a, &a);
		if (err != 1)
			return err;
		*value = node->kind == NODE_CAST     ? widen(a, node->width, node->is_signed)
			 : node->kind == NODE_NEGATE ? 0 - a
			 : node->kind == NODE_INVERT ? ~a
						     : !a;
		return 1;
	case NODE_BINARY:
		err = compile__fold(c, node->a, &a);
		if (err == 1)
			err = compile__fold(c, node->b, &b);
		if (err != 1 || ((node->op == EXPR_DIV || node->op == EXPR_MOD) && b == 0))
			return err < 0 ? err : 0;
		*value = calculate(compile__operation(c, node), a, b);
		return 1;
	case NODE_AND:
	case NODE_OR:
		err = compile__fold(c, node->a, &a);
		/* known(x) && …x…: what is decided by the first needs no second. */
		if (err == 1 && (node->kind == NODE_AND) == !a) {
			*value = a != 0;
			return 1;
		}
		if (err == 1)
			err = compile__fold(c, node->b, &b);
		*value = b != 0;
		return err;
	case NODE_CHAIN:
		left = node->a;
		err = compile__fold(c, left, &a);
		*value = 1;
		for (const struct node *link = node->b; link && err == 1; link = link->b) {
			err = compile__fold(c, link->a, &b);
			*value &= holds(link->op, a, b, compile__link_is_signed(c, left, link));
			left = link->a;
			a = b;
		}
		return err;
	case NODE_REGISTER:
	case NODE_NAME:
	case NODE_LOAD:
	case NODE_LINK:
	case NODE_BASE:
	case NODE_ENTRY:
	case NODE_LENGTH:
	case NODE_LIKE:
	case NODE_CXX_STRING:
	case NODE_CXX11_STRING:
	case NODE_COW_STRING:
	case NODE_C_STRING:
	case NODE_BYTES:
		return 0;
	}
	return 0;
}
