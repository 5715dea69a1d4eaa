/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/compiler.h"

#include <stdio.h>
#include <string.h>

static int eval_load(struct compiler *c, const struct node *node, struct operand *operand)
{
	struct operand offset = { 0 };
	uint64_t number = 0;
	bool add = false;
	int err = node->b ? compile__fold(c, node->b, &number) : 1;

	if (err < 0)
		return err;
	if (err == 0 || (uint64_t)(int64_t)(int32_t)number != number) {
		/* An offset that is not known now, or too large for the operation. */
		err = compile__eval(c, node->b, &offset);
		if (err)
			return err;
		add = true;
		number = 0;
	}
	err = compile__eval(c, node->a, operand);
	if (err)
		return err;
	if (!operand->owned) {
		struct operand address = *operand;

		err = compile__take(c, node, operand);
		if (!err && add) {
			err = compile__emit(c, node, EXPR_ADD, operand->reg, address.reg, offset.reg, 0);
			address.reg = operand->reg;
		}
		if (!err)
			err = compile__emit(c, node, EXPR_LOAD, operand->reg, address.reg, node->width,
					    (int32_t)number);
	} else {
		if (add)
			err = compile__emit(c, node, EXPR_ADD, operand->reg, operand->reg, offset.reg, 0);
		if (!err)
			err = compile__emit(c, node, EXPR_LOAD, operand->reg, operand->reg, node->width,
					    (int32_t)number);
	}
	compile__give(c, &offset);
	return err;
}

static int eval_cast(struct compiler *c, const struct node *node, struct operand *operand)
{
	struct operand from = { 0 };
	int width = node->width, err = compile__eval(c, node->a, &from);

	if (err || width == EXPR_U64) {
		*operand = from;
		return err;
	}
	*operand = from;
	if (!from.owned)
		err = compile__take(c, node, operand);
	return err ? err : compile__emit(c, node, EXPR_EXTEND, operand->reg, from.reg, width, 0);
}

/* Is the node a number that an operation can hold in itself? 1, 0, or -ENOENT. */
static int as_immediate(struct compiler *c, const struct node *node, int32_t *immediate)
{
	uint64_t number = 0;
	int known = compile__fold(c, node, &number);

	*immediate = (int32_t)(uint32_t)number;
	return known == 1 ? (uint64_t)(int64_t)*immediate == number : known;
}

static bool commutes(enum expr_code code)
{
	return code == EXPR_ADD || code == EXPR_MUL || code == EXPR_AND || code == EXPR_OR || code == EXPR_XOR;
}

static int eval_binary(struct compiler *c, const struct node *node, struct operand *operand)
{
	enum expr_code code = compile__operation(c, node);
	const struct node *left = node->a, *right = node->b;
	struct operand a = { 0 }, b = { 0 };
	int32_t immediate = 0;
	int err, known = as_immediate(c, right, &immediate);

	if (known == 0 && commutes(code)) {
		known = as_immediate(c, left, &immediate);
		if (known == 1) {
			left = node->b;
			right = node->a;
		}
	}
	err = known < 0 ? known : compile__eval(c, left, &a);
	if (!err && known == 0) {
		immediate = 0;
		err = compile__eval(c, right, &b);
	}
	if (err)
		return err;
	if (a.owned)
		*operand = a;
	else if (b.owned)
		*operand = b;
	else
		err = compile__take(c, node, operand);
	if (!err)
		err = compile__emit(c, node, code, operand->reg, a.reg, b.reg, immediate);
	if (!err && a.owned)
		compile__give(c, &b);
	return err;
}

static int eval_saved(struct compiler *c, const struct node *node, struct operand *operand)
{
	struct operand flags = { 0 };
	int err;

	if (!c->at_exit)
		return compile__error(
			c, node,
			"entry(…) is for what is read at exit; here everything is at the call's entry already");
	operand->reg = EXPR_CELL_SAVED + (int)node->number;
	operand->owned = false;
	if (!(c->uncertain & 1U << node->number))
		return 0;
	err = compile__take(c, node, &flags);
	if (!err)
		err = compile__emit(c, node, EXPR_AND, flags.reg, EXPR_CELL_SAVED + (int)c->certain_slot, ZERO,
				    1 << node->number);
	if (!err)
		err = compile__jump(c, node, EXPR_JEQ, flags.reg, ZERO, c->fail);
	if (!err)
		compile__give(c, &flags);
	return err;
}

static int eval_register(struct compiler *c, const struct node *node, struct operand *operand)
{
	if (c->at_exit && node->number != EXPR_AX && node->number != EXPR_DX)
		return compile__error(
			c, node,
			"%s holds nothing of the call at its exit; write entry(%s) for its value at entry "
			"(only %%ax and %%dx, the result, are read at exit)",
			expression__register_name((unsigned int)node->number),
			expression__register_name((unsigned int)node->number));
	if (c->at_exit)
		c->report->exit_needs |= 1U << node->number;
	else
		c->report->needs |= 1U << node->number;
	operand->reg = EXPR_CELL_ARGS + (int)node->number;
	operand->owned = false;
	return 0;
}

static int eval_name(struct compiler *c, const struct node *node, struct operand *operand)
{
	const char *words[2 * BOUND_MAX + 2], *near;
	size_t n = 0;

	for (uint32_t i = c->n_bound; i > 0; i--) {
		if (strcmp(c->bound[i - 1].name, node->name) != 0)
			continue;
		operand->reg = c->bound[i - 1].reg;
		operand->owned = false;
		return 0;
	}
	for (uint32_t i = 0; i < c->n_bound; i++)
		words[n++] = c->bound[i].name;
	for (size_t i = 0; i < c->section->n_lets && n < 2 * BOUND_MAX; i++)
		words[n++] = c->section->lets[i].name;
	if (c->section->values[VALUE_HANDLE])
		words[n++] = "handle";
	words[n] = NULL;
	near = expression__nearest(node->name, words);
	return compile__error(c, node, "unknown name '%s'%s%s%s", node->name,
			      near ? "; did you mean '" : "; names are made by let:", near ? near : "",
			      near ? "'?" : "");
}

static int eval_condition(struct compiler *c, const struct node *node, struct operand *operand)
{
	struct operand truth = { 0 };
	int end = compile__label(c), err;

	err = compile__take(c, node, &truth);
	if (!err)
		err = compile__number(c, node, truth.reg, 0);
	if (!err)
		err = compile__if_false(c, node, end);
	if (!err)
		err = compile__number(c, node, truth.reg, 1);
	compile__place(c, end);
	*operand = truth;
	return err;
}

int compile__eval(struct compiler *c, const struct node *node, struct operand *operand)
{
	uint64_t number;
	struct text text;
	struct operand from = { 0 };
	int err = compile__fold(c, node, &number);

	operand->owned = false;
	operand->reg = ZERO;
	if (err < 0 || (err == 1 && number == 0))
		return err < 0 ? err : 0;
	if (err == 1) {
		err = compile__take(c, node, operand);
		return err ? err : compile__number(c, node, operand->reg, number);
	}
	switch ((enum node_kind)node->kind) {
	case NODE_REGISTER:
		return eval_register(c, node, operand);
	case NODE_NAME:
		return eval_name(c, node, operand);
	case NODE_LOAD:
		return eval_load(c, node, operand);
	case NODE_CAST:
		return eval_cast(c, node, operand);
	case NODE_BINARY:
		return eval_binary(c, node, operand);
	case NODE_ENTRY:
		return eval_saved(c, node, operand);
	case NODE_CHAIN:
	case NODE_AND:
	case NODE_OR:
	case NODE_NOT:
	case NODE_LIKE:
		return eval_condition(c, node, operand);
	case NODE_NEGATE:
	case NODE_INVERT:
		err = compile__eval(c, node->a, &from);
		if (!err)
			err = compile__take(c, node, operand);
		if (!err && node->kind == NODE_INVERT)
			err = compile__number(c, node, operand->reg, UINT64_MAX);
		if (!err)
			err = compile__emit(c, node, node->kind == NODE_INVERT ? EXPR_XOR : EXPR_SUB, operand->reg,
					    node->kind == NODE_INVERT ? operand->reg : ZERO, from.reg, 0);
		if (!err)
			compile__give(c, &from);
		return err;
	case NODE_CONSTANT:
	case NODE_BASE:
		number = 0;
		if (node->kind == NODE_CONSTANT)
			err = compile__constant(c, node, &number);
		if (!err)
			err = compile__take(c, node, operand);
		if (!err && number)
			err = compile__number(c, node, operand->reg, number);
		return err ? err
			   : compile__emit(c, node, EXPR_MODULE, operand->reg, number ? operand->reg : ZERO, 0, 0);
	case NODE_LENGTH:
		err = compile__text(c, node->a, true, &text);
		if (err)
			return err;
		compile__give(c, &text.pointer);
		*operand = text.length;
		return 0;
	case NODE_CXX_STRING:
	case NODE_CXX11_STRING:
	case NODE_COW_STRING:
	case NODE_C_STRING:
	case NODE_BYTES:
		return compile__error(
			c, node,
			"a string where a number is expected; length(…) and like(…, '…') make numbers of strings");
	case NODE_NUMBER:
	case NODE_KNOWN:
	case NODE_LINK:
		break; /* numbers were folded; links are their chain's */
	}
	return compile__error(c, node, "cannot be computed");
}

int compile__into(struct compiler *c, const struct node *node, int dst)
{
	struct operand operand = { 0 };
	int err = compile__eval(c, node, &operand);

	if (err)
		return err;
	c->result_signed |= compile__is_signed(c, node);
	if (!compile__redirect(c, &operand, dst))
		err = compile__emit(c, node, EXPR_MOV, dst, operand.reg, 0, 0);
	compile__give(c, &operand);
	return err;
}

/* Jumps when a compare b is `when`. */
static int jump_if(struct compiler *c, const struct node *link, bool is_signed, int a, int b, bool when, int label)
{
	enum expr_code less = is_signed ? EXPR_JSLT : EXPR_JLT, less_equal = is_signed ? EXPR_JSLE : EXPR_JLE;

	switch ((enum node_compare)link->op) {
	case COMPARE_EQ:
		return compile__jump(c, link, when ? EXPR_JEQ : EXPR_JNE, a, b, label);
	case COMPARE_NE:
		return compile__jump(c, link, when ? EXPR_JNE : EXPR_JEQ, a, b, label);
	case COMPARE_LT:
		return when ? compile__jump(c, link, less, a, b, label)
			    : compile__jump(c, link, less_equal, b, a, label);
	case COMPARE_LE:
		return when ? compile__jump(c, link, less_equal, a, b, label)
			    : compile__jump(c, link, less, b, a, label);
	case COMPARE_GT:
		return when ? compile__jump(c, link, less, b, a, label)
			    : compile__jump(c, link, less_equal, a, b, label);
	case COMPARE_GE:
		return when ? compile__jump(c, link, less_equal, b, a, label)
			    : compile__jump(c, link, less, a, b, label);
	}
	return 0;
}

/* Goes to no_label where a link does not hold; the last one goes to yes_label if it does (no_label < 0 there: falls through). */
static int chain(struct compiler *c, const struct node *node, int no_label, int yes_label)
{
	const struct node *left = node->a;
	struct operand a = { 0 }, b = { 0 };
	int err = compile__eval(c, left, &a);

	for (const struct node *link = node->b; link && !err; link = link->b) {
		bool last = !link->b && yes_label >= 0;

		err = compile__eval(c, link->a, &b);
		if (err)
			break;
		err = jump_if(c, link, compile__link_is_signed(c, left, link), a.reg, b.reg, last,
			      last ? yes_label : no_label);
		compile__give(c, &a);
		a = b;
		left = link->a;
	}
	if (!err)
		compile__give(c, &a);
	return err;
}

static int if_text(struct compiler *c, const struct node *node)
{
	struct text text;
	int err = compile__text(c, node, false, &text);

	if (!err)
		compile__give_text(c, &text);
	return err;
}

/* A string as a condition holds if it decodes: if it does not, the alternative around it fails as by a fault. */
static int condition(struct compiler *c, const struct node *node, bool when, int label)
{
	struct operand operand = { 0 };
	uint64_t number;
	int err, other;

	err = compile__fold(c, node, &number);
	if (err < 0)
		return err;
	if (err == 1)
		return (number != 0) == when ? compile__jump(c, node, EXPR_JMP, 0, 0, label) : 0;
	switch (node->kind) {
	case NODE_NOT:
		return condition(c, node->a, !when, label);
	case NODE_AND:
	case NODE_OR:
		if ((node->kind == NODE_AND) != when) {
			/* One of them decides. */
			err = condition(c, node->a, when, label);
			return err ? err : condition(c, node->b, when, label);
		}
		other = compile__label(c);
		err = condition(c, node->a, !when, other);
		if (!err)
			err = condition(c, node->b, when, label);
		compile__place(c, other);
		return err;
	case NODE_CHAIN:
		if (!when)
			return chain(c, node, label, -1);
		other = compile__label(c);
		err = chain(c, node, other, label);
		compile__place(c, other);
		return err;
	case NODE_LIKE:
		if (!when)
			return compile__unlike(c, node, label);
		other = compile__label(c);
		err = compile__unlike(c, node, other);
		if (!err)
			err = compile__jump(c, node, EXPR_JMP, 0, 0, label);
		compile__place(c, other);
		return err;
	}
	if (node__is_string(node)) {
		err = if_text(c, node);
		return err || !when ? err : compile__jump(c, node, EXPR_JMP, 0, 0, label);
	}
	err = compile__eval(c, node, &operand);
	if (!err)
		err = compile__jump(c, node, when ? EXPR_JNE : EXPR_JEQ, operand.reg, ZERO, label);
	if (!err)
		compile__give(c, &operand);
	return err;
}

int compile__if_false(struct compiler *c, const struct node *node, int label)
{
	return condition(c, node, false, label);
}
