/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/compiler.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int compile__error_at(struct compiler *c, uint32_t line, uint32_t column, const char *format, ...)
{
	va_list args;

	c->report->line = line;
	c->report->column = column;
	va_start(args, format);
	vsnprintf(c->report->error, sizeof(c->report->error), format, args);
	va_end(args);
	return -EINVAL;
}

int compile__error(struct compiler *c, const struct node *at, const char *format, ...)
{
	va_list args;

	c->report->line = at ? at->line : c->from->line;
	c->report->column = at ? at->column : c->from->column;
	va_start(args, format);
	vsnprintf(c->report->error, sizeof(c->report->error), format, args);
	va_end(args);
	return -EINVAL;
}

int compile__take(struct compiler *c, const struct node *at, struct operand *operand)
{
	for (int i = ZERO + 1; i < EXPR_REGISTERS; i++) {
		if (c->taken & 1U << i)
			continue;
		c->taken |= 1U << i;
		operand->reg = i;
		operand->owned = true;
		return 0;
	}
	return compile__error(
		c, at, "too complex: more than %d values are needed at once; use fewer lets, or shorter expressions",
		EXPR_REGISTERS - 1);
}

void compile__give(struct compiler *c, struct operand *operand)
{
	if (operand->owned)
		c->taken &= ~(1U << operand->reg);
	operand->owned = false;
}

int compile__emit(struct compiler *c, const struct node *at, enum expr_code code, int dst, int a, int b, int32_t imm)
{
	if (c->n_ops == EXPR_OPS_MAX)
		return compile__error(c, at, "too complex: this hook needs more than %d operations", EXPR_OPS_MAX);
	c->hook->ops[c->n_ops++] = (struct expr_op) {
		.code = (uint8_t)code, .dst = (uint8_t)dst, .a = (uint8_t)a, .b = (uint8_t)b, .imm = imm
	};
	return 0;
}

int compile__number(struct compiler *c, const struct node *at, int dst, uint64_t value)
{
	int err = compile__emit(c, at, EXPR_IMM, dst, 0, 0, (int32_t)(uint32_t)value);

	if (!err && (uint64_t)(int64_t)(int32_t)(uint32_t)value != value)
		err = compile__emit(c, at, EXPR_IMM_HIGH, dst, 0, 0, (int32_t)(uint32_t)(value >> 32));
	return err;
}

/* Labels are never given back: an adapter that needs more than fit is too complex before that, see compile__jump. */
int compile__label(struct compiler *c)
{
	if (c->n_labels < LABELS_MAX)
		c->labels[c->n_labels] = UINT16_MAX;
	return (int)c->n_labels++;
}

void compile__place(struct compiler *c, int label)
{
	c->last_place = c->n_ops;
	if (label < LABELS_MAX)
		c->labels[label] = (uint16_t)c->n_ops;
}

/* code: a jump or EXPR_ON_FAULT. */
int compile__jump(struct compiler *c, const struct node *at, enum expr_code code, int a, int b, int label)
{
	if (label >= LABELS_MAX || c->n_patches == PATCHES_MAX)
		return compile__error(c, at, "too complex: this hook needs more than %d jumps", LABELS_MAX);
	c->patches[c->n_patches].op = (uint16_t)c->n_ops;
	c->patches[c->n_patches++].label = (uint16_t)label;
	return compile__emit(c, at, code, 0, a, b, 0);
}

bool compile__redirect(struct compiler *c, const struct operand *operand, int dst)
{
	struct expr_op *last = c->n_ops ? &c->hook->ops[c->n_ops - 1] : NULL;

	/* Someone who comes by a jump brings the value in its own register. */
	if (!last || !operand->owned || c->last_place == c->n_ops || last->dst != operand->reg)
		return false;
	if (last->code == EXPR_END || last->code == EXPR_IMM_HIGH || last->code >= EXPR_JMP)
		return false;
	last->dst = (uint8_t)dst;
	return true;
}

struct snapshot compile__snapshot(const struct compiler *c)
{
	return (struct snapshot) { .n_ops = c->n_ops,
				   .n_patches = c->n_patches,
				   .taken = c->taken,
				   .n_bound = c->n_bound,
				   .n_visiting = c->n_visiting };
}

void compile__rollback(struct compiler *c, const struct snapshot *snapshot)
{
	c->n_ops = snapshot->n_ops;
	c->n_patches = snapshot->n_patches;
	compile__unbind(c, snapshot);
}

void compile__unbind(struct compiler *c, const struct snapshot *snapshot)
{
	c->taken = snapshot->taken;
	c->n_bound = snapshot->n_bound;
	c->n_visiting = snapshot->n_visiting;
}

int compile__finish(struct compiler *c)
{
	for (uint32_t i = 0; i < c->n_patches; i++) {
		uint16_t position = c->labels[c->patches[i].label];

		if (position == UINT16_MAX)
			return compile__error(c, NULL,
					      "a label was never placed (a mistake in infermeter, not in the adapter)");
		c->hook->ops[c->patches[i].op].imm = position;
	}
	c->n_patches = 0;
	return 0;
}
