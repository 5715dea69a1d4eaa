/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/compiler.h"

#include <string.h>

static int bind_name(struct compiler *c, const struct node *at, const char *name);

static bool is_bound(const struct compiler *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_bound; i++)
		if (strcmp(c->bound[i].name, name) == 0)
			return true;
	return false;
}

static int bind(struct compiler *c, const struct node *at, const char *name, int reg, bool is_signed)
{
	if (c->n_bound == BOUND_MAX)
		return compile__error(c, at, "too complex: more than %d names are needed at once", BOUND_MAX);
	c->bound[c->n_bound++] = (struct bound) { .name = name, .reg = reg, .is_signed = is_signed };
	return 0;
}

/* Makes a let's value and gives it its name. */
static int bind_value(struct compiler *c, const struct node *at, const char *name, const struct value *value)
{
	bool outer = c->result_signed, is_signed;
	struct operand operand = { 0 };
	int err = compile__take(c, at, &operand);

	c->result_signed = false;
	if (!err)
		err = compile__value(c, value, operand.reg);
	is_signed = c->result_signed;
	c->result_signed = outer;
	return err ? err : bind(c, at, name, operand.reg, is_signed);
}

/* The value of one of the section's names. NULL: it is none. */
static const struct value *section_value(const struct section *section, const char *name)
{
	for (size_t i = 0; i < section->n_lets; i++)
		if (strcmp(section->lets[i].name, name) == 0)
			return section->lets[i].value;
	return strcmp(name, "handle") == 0 ? section->values[VALUE_HANDLE] : NULL;
}

/*
 * The section's lets are made where they are first needed, outside every loop and condition, so that a let that
 * cannot be read takes nothing with it but what uses it.
 */
static int bind_name(struct compiler *c, const struct node *at, const char *name)
{
	const struct value *value = section_value(c->section, name);
	int err;

	if (!value || is_bound(c, name))
		return 0;
	for (uint32_t i = 0; i < c->n_visiting; i++)
		if (strcmp(c->visiting[i], name) == 0)
			return compile__error(c, at, "'%s' needs itself", name);
	if (c->n_visiting == BOUND_MAX)
		return compile__error(c, at, "too complex: lets that need lets more than %d deep", BOUND_MAX);
	c->visiting[c->n_visiting++] = name;
	err = compile__bind_value_names(c, value);
	if (!err)
		err = bind_value(c, at, name, value);
	if (!err)
		c->n_visiting--;
	return err;
}

int compile__bind_names(struct compiler *c, const struct node *node)
{
	int err;

	if (!node || node->kind == NODE_ENTRY)
		return 0;
	if (node->kind == NODE_NAME)
		return bind_name(c, node, node->name);
	err = compile__bind_names(c, node->a);
	return err ? err : compile__bind_names(c, node->b);
}

static int bind_alternative_names(struct compiler *c, const struct alternative *alternative)
{
	int err = compile__bind_names(c, alternative->count);

	for (size_t i = 0; i < alternative->n_lets && !err; i++)
		err = compile__bind_value_names(c, alternative->lets[i].value);
	for (size_t i = 0; i < alternative->n_guards && !err; i++)
		err = compile__bind_names(c, alternative->guards[i]);
	if (!err)
		err = compile__bind_names(c, alternative->least);
	if (!err)
		err = compile__bind_names(c, alternative->node);
	if (!err && alternative->nested)
		err = compile__bind_value_names(c, alternative->nested);
	return err;
}

int compile__bind_value_names(struct compiler *c, const struct value *value)
{
	int err = 0;

	for (size_t i = 0; i < value->n_alternatives && !err; i++)
		err = bind_alternative_names(c, &value->alternatives[i]);
	return err;
}

static bool is_plain(const struct alternative *alternative)
{
	return alternative->node && !alternative->n_lets && !alternative->n_guards && !alternative->index;
}

bool compile__value_can_fault(const struct value *value)
{
	return value->n_alternatives != 1 || !is_plain(&value->alternatives[0]) ||
	       compile__can_fault(value->alternatives[0].node);
}

static int compile_guards(struct compiler *c, const struct alternative *alternative)
{
	int err = 0;

	for (size_t i = 0; i < alternative->n_lets && !err; i++)
		err = bind_value(c, alternative->node, alternative->lets[i].name, alternative->lets[i].value);
	for (size_t i = 0; i < alternative->n_guards && !err; i++) {
		uint64_t number;
		int known = compile__fold(c, alternative->guards[i], &number);

		if (known < 0)
			return known;
		if (known == 1 && !number && c->constants)
			return -ENOENT; /* never holds in this file */
		if (known != 1)
			err = compile__if_false(c, alternative->guards[i], c->fail);
	}
	return err;
}

static int compile_result(struct compiler *c, const struct alternative *alternative, int dst)
{
	if (alternative->nested)
		return compile__value(c, alternative->nested, dst);
	if (dst < 0)
		return compile__text_out(c, alternative->node);
	return compile__into(c, alternative->node, dst);
}

/* The registers of a loop. found, best: with least only. */
struct loop {
	struct operand index, end, found, best, key;
};

static int loop_head(struct compiler *c, const struct alternative *alternative, struct loop *loop)
{
	const struct node *at = alternative->count;
	int within = compile__label(c), err;
	struct operand limit = { 0 };

	err = compile__take(c, at, &loop->index);
	if (!err)
		err = compile__take(c, at, &loop->end);
	if (!err && alternative->least)
		err = compile__take(c, alternative->least, &loop->found);
	if (!err && alternative->least)
		err = compile__take(c, alternative->least, &loop->best);
	if (err)
		return err;
	if (alternative->count) {
		err = compile__into(c, alternative->count, loop->end.reg);
		if (!err)
			err = compile__take(c, at, &limit);
		if (!err)
			err = compile__number(c, at, limit.reg, alternative->limit);
		if (!err)
			err = compile__jump(c, at, EXPR_JLE, loop->end.reg, limit.reg, within);
		if (!err)
			err = compile__emit(c, at, EXPR_MOV, loop->end.reg, limit.reg, 0, 0);
		compile__place(c, within);
		/* From rounds to the index behind the last one. */
		if (!err && alternative->step != 1) {
			err = compile__emit(c, at, EXPR_MUL, loop->end.reg, loop->end.reg, ZERO,
					    (int32_t)alternative->step);
		}
		if (!err && alternative->start) {
			err = compile__emit(c, at, EXPR_ADD, loop->end.reg, loop->end.reg, ZERO,
					    (int32_t)alternative->start);
		}
		if (!err)
			compile__give(c, &limit);
	} else {
		err = compile__number(c, at, loop->end.reg,
				      alternative->start + alternative->limit * alternative->step);
	}
	if (!err)
		err = compile__number(c, at, loop->index.reg, alternative->start);
	if (!err && alternative->least)
		err = compile__number(c, at, loop->found.reg, 0);
	return err ? err : bind(c, at, alternative->index, loop->index.reg, false);
}

/* One round whose guards held: keeps the value if its key is the least so far (the first of equals). */
static int loop_least(struct compiler *c, const struct alternative *alternative, struct loop *loop, int dst, int next)
{
	const struct node *at = alternative->least;
	int better = compile__label(c), err;
	struct operand value = { 0 };

	if (dst < 0)
		return compile__error(c, at, "least: chooses among numbers; a string comes from the first that fits");
	err = compile__eval(c, at, &loop->key);
	if (!err)
		err = compile__jump(c, at, EXPR_JEQ, loop->found.reg, ZERO, better);
	if (!err)
		err = compile__jump(c, at, compile__is_signed(c, at) ? EXPR_JSLE : EXPR_JLE, loop->best.reg,
				    loop->key.reg, next);
	compile__place(c, better);
	if (!err)
		err = compile__take(c, at, &value);
	if (!err)
		err = compile_result(c, alternative, value.reg);
	/* From here nothing faults: value and key change together. */
	if (!err)
		err = compile__emit(c, at, EXPR_MOV, dst, value.reg, 0, 0);
	if (!err)
		err = compile__emit(c, at, EXPR_MOV, loop->best.reg, loop->key.reg, 0, 0);
	if (!err)
		err = compile__number(c, at, loop->found.reg, 1);
	return err ? err : compile__jump(c, at, EXPR_JMP, 0, 0, next);
}

static int compile_loop(struct compiler *c, const struct alternative *alternative, int dst)
{
	int top = compile__label(c), next = compile__label(c), end = compile__label(c), found = compile__label(c);
	const struct node *at = alternative->node;
	int outer = c->fail, err;
	struct loop loop = { 0 };
	struct snapshot round;

	err = loop_head(c, alternative, &loop);
	if (err)
		return err;
	round = compile__snapshot(c);
	compile__place(c, top);
	err = compile__jump(c, at, EXPR_JLE, loop.end.reg, loop.index.reg, end);
	c->fail = next;
	if (!err)
		err = compile__jump(c, at, EXPR_ON_FAULT, 0, 0, next);
	if (!err)
		err = compile_guards(c, alternative);
	if (!err && alternative->least) {
		err = loop_least(c, alternative, &loop, dst, next);
	} else if (!err) {
		err = compile_result(c, alternative, dst);
		if (!err)
			err = compile__jump(c, at, EXPR_JMP, 0, 0, found);
	}
	c->fail = outer;
	if (err)
		return err;
	compile__unbind(c, &round);
	compile__place(c, next);
	err = compile__emit(c, at, EXPR_ADD, loop.index.reg, loop.index.reg, ZERO, (int32_t)alternative->step);
	if (!err)
		err = compile__jump(c, at, EXPR_JMP, 0, 0, top);
	compile__place(c, end);
	if (!err && alternative->least)
		err = compile__jump(c, at, EXPR_JEQ, loop.found.reg, ZERO, outer);
	else if (!err)
		err = compile__jump(c, at, EXPR_JMP, 0, 0, outer);
	compile__place(c, found);
	return err ? err : compile__jump(c, at, EXPR_ON_FAULT, 0, 0, outer);
}

static int compile_alternative(struct compiler *c, const struct alternative *alternative, int dst)
{
	int err = bind_alternative_names(c, alternative);

	if (err)
		return err;
	if (alternative->index)
		return compile_loop(c, alternative, dst);
	err = compile_guards(c, alternative);
	return err ? err : compile_result(c, alternative, dst);
}

int compile__value(struct compiler *c, const struct value *value, int dst)
{
	int outer = c->fail, done = compile__label(c), err = 0;
	struct snapshot before = compile__snapshot(c);
	const struct node *at = value->alternatives[0].node;
	bool falls_through = false; /* the last alternative is not for this file */
	bool other_handler = false; /* some way to `done` has another handler than c->fail */
	size_t kept = 0;

	if (value->n_alternatives == 1 && is_plain(&value->alternatives[0])) {
		err = compile_alternative(c, &value->alternatives[0], dst);
		if (!err)
			compile__unbind(c, &before);
		return err;
	}
	for (size_t i = 0; i < value->n_alternatives; i++) {
		struct snapshot snapshot = compile__snapshot(c);
		bool last = i + 1 == value->n_alternatives;
		int next = last ? outer : compile__label(c);

		c->fail = next;
		/* An only alternative has the handler of what is around it. */
		if (!last || kept)
			err = compile__jump(c, at, EXPR_ON_FAULT, 0, 0, next);
		if (!err)
			err = compile_alternative(c, &value->alternatives[i], dst);
		c->fail = outer;
		falls_through = err == -ENOENT;
		if (err == -ENOENT) {
			compile__rollback(c, &snapshot);
			err = 0;
			continue;
		}
		if (!err && !last)
			err = compile__jump(c, at, EXPR_JMP, 0, 0, done);
		if (err)
			return err;
		compile__unbind(c, &snapshot);
		if (!last)
			compile__place(c, next);
		other_handler |= !last;
		kept++;
	}
	if (!kept)
		return -ENOENT;
	if (falls_through)
		err = compile__jump(c, at, EXPR_JMP, 0, 0, outer);
	compile__place(c, done);
	if (!err && other_handler)
		err = compile__jump(c, at, EXPR_ON_FAULT, 0, 0, outer);
	return err;
}
