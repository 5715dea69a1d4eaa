/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A hook has up to three programs: at the call's entry, at its exit, and the model's name, which runs once for a new
 * handle. Each value stands alone: one that cannot be read leaves the others as they are.
 */
#include "plan/compiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const value_names[VALUES] = {
	[VALUE_HANDLE] = "handle", [VALUE_PARENT] = "parent", [VALUE_BATCH] = "batch",	   [VALUE_TOKENS] = "tokens",
	[VALUE_STATUS] = "status", [VALUE_FAILED] = "failed", [VALUE_IGNORED] = "ignored",
};

static void note_missing(struct compiler *c, const char *what, bool required)
{
	struct compile_report *report = c->report;
	size_t length = strlen(report->unknown);
	const char *why = c->missing[0] ? c->missing : "none of its alternatives is for this file";

	if (required && !report->refused) {
		report->refused = true;
		snprintf(report->why, sizeof(report->why), "no %s: %s", what, why);
	}
	snprintf(report->unknown + length, sizeof(report->unknown) - length, "%sno %s: %s", length ? "; " : "", what,
		 why);
}

/* `x != 0` is as true as x. Fills the two copies where the value is of this kind. */
static const struct value *as_truth(struct compiler *c, const struct value *value, struct value *copy,
				    struct alternative *alternative)
{
	const struct node *node = value->n_alternatives == 1 ? value->alternatives[0].node : NULL;
	uint64_t number = 1;

	if (!node || value->alternatives[0].index || node->kind != NODE_CHAIN || node->b->op != COMPARE_NE ||
	    node->b->b || compile__fold(c, node->b->a, &number) != 1 || number != 0)
		return value;
	*alternative = value->alternatives[0];
	alternative->node = node->a;
	*copy = *value;
	copy->alternatives = alternative;
	return copy;
}

/*
 * Gives the value in the register. What was only moved or widened into it is taken from where it was. bare: nothing stands
 * before it in its program, so that a zero that is none may end the program as a fault does.
 */
static int give_value(struct compiler *c, enum hook_value index, int reg, bool bare, int end)
{
	const struct expr_op *last = c->n_ops ? &c->hook->ops[c->n_ops - 1] : NULL;
	bool nonzero = index == VALUE_HANDLE || index == VALUE_PARENT; /* 0 is no handle and no parent */
	int imm = 0, err = 0;

	if (nonzero && !bare)
		err = compile__jump(c, NULL, EXPR_JEQ, reg, ZERO, end);
	else if (last && c->last_place != c->n_ops && last->dst == reg &&
		 (last->code == EXPR_MOV || last->code == EXPR_EXTEND)) {
		imm = last->code == EXPR_EXTEND ? EXPR_OUT_LOW(last->b) : 0;
		reg = last->a;
		c->n_ops--;
	}
	if (nonzero && bare)
		imm |= EXPR_OUT_NONZERO;
	return err ? err : compile__emit(c, NULL, EXPR_OUT, index, reg, 0, imm);
}

/* Puts one value into the program. at_fail: where to go when it cannot be read; < 0: on with the next one. */
static int compile_output(struct compiler *c, enum hook_value index, int at_fail)
{
	const struct value *value = c->section->values[index];
	struct snapshot before = compile__snapshot(c);
	bool bare = at_fail >= 0 && !compile__value_can_fault(value); /* the first of its program */
	int end = at_fail >= 0 ? at_fail : compile__label(c), err = 0;
	struct alternative alternative;
	struct operand operand = { 0 };
	struct value truth;

	if (index == VALUE_FAILED || index == VALUE_IGNORED)
		value = as_truth(c, value, &truth, &alternative);

	c->missing[0] = '\0';
	c->fail = end;
	if (compile__value_can_fault(value))
		err = compile__jump(c, NULL, EXPR_ON_FAULT, 0, 0, end);
	if (!err)
		err = compile__take(c, NULL, &operand);
	/* `handle` must not be found while it is made. */
	if (!err && index == VALUE_HANDLE)
		c->visiting[c->n_visiting++] = "handle";
	if (!err)
		err = compile__value(c, value, operand.reg);
	if (!err)
		err = give_value(c, index, operand.reg, bare, end);
	if (err == -ENOENT) {
		compile__rollback(c, &before);
		note_missing(c, value_names[index], index == VALUE_HANDLE);
		err = 0;
	}
	compile__unbind(c, &before);
	if (at_fail < 0)
		compile__place(c, end);
	return err;
}

/*
 * Keeps what the exit wants of the entry. A value whose reading may fault gets a bit in one more saved value, so that the exit
 * tells a zero from a value that is missing.
 */
static int compile_saves(struct compiler *c)
{
	const struct adapter_hook *from = c->from;
	struct snapshot before = compile__snapshot(c);
	struct operand operand = { 0 }, flags = { 0 }, bit = { 0 };
	int err = 0;

	c->uncertain = 0;
	for (size_t i = 0; i < from->n_saves; i++)
		if (compile__can_fault(from->saves[i]))
			c->uncertain |= 1U << i;
	c->certain_slot = (uint32_t)from->n_saves;
	if (c->uncertain && c->certain_slot >= EXPR_SAVED_MAX)
		return compile__error(c, from->saves[from->n_saves - 1],
				      "at most %d values can be kept by entry(…), %d where one of them reads memory",
				      EXPR_SAVED_MAX, EXPR_SAVED_MAX - 1);
	if (c->uncertain)
		err = compile__take(c, NULL, &flags);
	if (!err && c->uncertain)
		err = compile__number(c, NULL, flags.reg, 0);
	for (size_t i = 0; i < from->n_saves && !err; i++) {
		struct snapshot one = compile__snapshot(c);
		bool uncertain = c->uncertain & 1U << i;
		int next = compile__label(c);

		c->fail = next;
		if (uncertain)
			err = compile__jump(c, from->saves[i], EXPR_ON_FAULT, 0, 0, next);
		if (!err)
			err = compile__bind_names(c, from->saves[i]);
		if (!err)
			err = compile__eval(c, from->saves[i], &operand);
		if (!err && compile__is_signed(c, from->saves[i]))
			c->saved_signed |= 1U << i;
		if (!err)
			err = compile__emit(c, from->saves[i], EXPR_SAVE, (int)i, operand.reg, 0, 0);
		if (!err && uncertain)
			err = compile__take(c, from->saves[i], &bit);
		if (!err && uncertain)
			err = compile__number(c, from->saves[i], bit.reg, 1U << i);
		if (!err && uncertain)
			err = compile__emit(c, from->saves[i], EXPR_OR, flags.reg, flags.reg, bit.reg, 0);
		if (err == -ENOENT) {
			/* Its bit never comes. */
			compile__rollback(c, &one);
			err = 0;
		}
		compile__unbind(c, &one);
		compile__place(c, next);
	}
	if (!err && c->uncertain)
		err = compile__emit(c, NULL, EXPR_SAVE, (int)c->certain_slot, flags.reg, 0, 0);
	compile__unbind(c, &before);
	return err;
}

static int compile_program(struct compiler *c, const struct section *section, bool at_exit,
			   struct hook_program *program)
{
	uint32_t start = c->n_ops;
	int end = compile__label(c), err = 0;

	c->section = section;
	c->at_exit = at_exit;
	/* Without a handle at entry the call is lost: no need for more. An exit still says how it ended. */
	if (section->values[VALUE_HANDLE])
		err = compile_output(c, VALUE_HANDLE, at_exit ? -1 : end);
	if (!err && !at_exit)
		err = compile_saves(c);
	for (int i = 0; i < VALUES && !err; i++)
		if (i != VALUE_HANDLE && section->values[i])
			err = compile_output(c, i, -1);
	compile__place(c, end);
	if (err || c->n_ops == start)
		return err;
	program->start = (uint16_t)start;
	program->length = (uint16_t)(c->n_ops - start);
	return err;
}

static int compile_name(struct compiler *c, const struct section *section, bool at_exit, struct hook_program *program)
{
	uint32_t start = c->n_ops;
	int end = compile__label(c), err;
	struct snapshot before = compile__snapshot(c);

	c->section = section;
	c->at_exit = at_exit;
	c->fail = end;
	c->missing[0] = '\0';
	err = compile__value(c, section->model, -1);
	if (err == -ENOENT) {
		compile__rollback(c, &before);
		note_missing(c, "model", false);
		return 0;
	}
	compile__unbind(c, &before);
	compile__place(c, end);
	if (!err)
		err = compile__emit(c, NULL, EXPR_END, 0, 0, 0, 0);
	program->start = (uint16_t)start;
	program->length = (uint16_t)(c->n_ops - start);
	return err;
}

int compile__hook(const struct adapter *adapter, const struct adapter_hook *from,
		  const struct answer_constant *constants, struct hook *hook, struct compile_report *report)
{
	struct compiler *c = calloc(1, sizeof(*c));
	int err;

	memset(report, 0, sizeof(*report));
	if (!c) {
		report->line = from->line;
		report->column = from->column;
		snprintf(report->error, sizeof(report->error), "no memory");
		return -EINVAL;
	}
	c->adapter = adapter;
	c->from = from;
	c->constants = constants;
	c->hook = hook;
	c->report = report;
	c->taken = 1U << ZERO;
	hook->entry = hook->exit = hook->name = (struct hook_program) { 0 };
	err = compile_program(c, &from->entry, false, &hook->entry);
	if (!err)
		err = compile_program(c, &from->exit, true, &hook->exit);
	if (!err && from->entry.model)
		err = compile_name(c, &from->entry, false, &hook->name);
	if (!err && from->exit.model) {
		hook->flags |= HOOK_NAME_AT_EXIT;
		err = compile_name(c, &from->exit, true, &hook->name);
	}
	if (!err)
		err = compile__finish(c);
	free(c);
	return err;
}
