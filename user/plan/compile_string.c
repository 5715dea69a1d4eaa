/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Strings in the target's memory. std::string has two layouts on Linux, and which one a file uses is the build's choice:
 *
 *	cxx11: { char *text; u64 length; union { char here[16]; u64 capacity; } }. Short ones lie in here, and text points there.
 *	copy on write: { char *text }, and before the text { u64 length; u64 capacity; s32 references; }.
 *
 * Neither says that it is one, so everything that must be true of a string is asked for: what passes by chance is rare, and
 * EXPR_STRING asks for printable bytes too.
 */
#include "plan/compiler.h"

#include <string.h>

#define CXX11_HERE   16 /* offset of the short text in the object */
#define CXX11_SHORT  15 /* the longest text that fits there */
#define STRING_LIMIT 65535
#define SCAN_LIMIT   256 /* bytes that a search or a measurement looks at: it takes five steps a byte */

/* Compares a register with a number, and jumps. number_first: number code reg, else reg code number. */
static int jump_number(struct compiler *c, const struct node *at, enum expr_code code, int reg, uint64_t number,
		       bool number_first, int label)
{
	struct operand other = { .reg = ZERO };
	int err = 0;

	if (number) {
		err = compile__take(c, at, &other);
		if (!err)
			err = compile__number(c, at, other.reg, number);
	}
	if (!err)
		err = compile__jump(c, at, code, number_first ? other.reg : reg, number_first ? reg : other.reg, label);
	if (!err)
		compile__give(c, &other);
	return err;
}

/* reg = reg + number */
static int add_number(struct compiler *c, const struct node *at, int dst, int reg, uint64_t number)
{
	struct operand other = { 0 };
	int err = compile__take(c, at, &other);

	if (!err)
		err = compile__number(c, at, other.reg, number);
	if (!err)
		err = compile__emit(c, at, EXPR_ADD, dst, reg, other.reg, 0);
	if (!err)
		compile__give(c, &other);
	return err;
}

static int load(struct compiler *c, const struct node *at, struct operand *to, int from, int32_t offset,
		enum expr_width width)
{
	int err = compile__take(c, at, to);

	return err ? err : compile__emit(c, at, EXPR_LOAD, to->reg, from, width, offset);
}

/* The byte behind the text is the NUL. */
static int check_end(struct compiler *c, const struct node *at, const struct text *text)
{
	struct operand end = { 0 };
	int err = compile__take(c, at, &end);

	if (!err)
		err = compile__emit(c, at, EXPR_ADD, end.reg, text->pointer.reg, text->length.reg, 0);
	if (!err)
		err = compile__emit(c, at, EXPR_LOAD, end.reg, end.reg, EXPR_U8, 0);
	if (!err)
		err = compile__jump(c, at, EXPR_JNE, end.reg, ZERO, c->fail);
	if (!err)
		compile__give(c, &end);
	return err;
}

static int cxx11_text(struct compiler *c, const struct node *at, int object, struct text *text)
{
	int heap = compile__label(c), check = compile__label(c);
	struct operand scratch = { 0 };
	int err;

	err = load(c, at, &text->pointer, object, 0, EXPR_U64);
	if (!err)
		err = load(c, at, &text->length, object, 8, EXPR_U64);
	if (!err)
		err = compile__take(c, at, &scratch);
	if (err)
		return err;
	err = add_number(c, at, scratch.reg, object, CXX11_HERE);
	if (!err)
		err = compile__jump(c, at, EXPR_JNE, text->pointer.reg, scratch.reg, heap);
	if (!err)
		err = jump_number(c, at, EXPR_JLE, text->length.reg, CXX11_SHORT, false, check);
	if (!err)
		err = compile__jump(c, at, EXPR_JMP, 0, 0, c->fail);
	compile__place(c, heap);
	if (!err)
		err = compile__emit(c, at, EXPR_LOAD, scratch.reg, object, EXPR_U64, CXX11_HERE);
	if (!err)
		err = jump_number(c, at, EXPR_JLT, scratch.reg, STRING_LIMIT, true, c->fail);
	if (!err)
		err = jump_number(c, at, EXPR_JLE, scratch.reg, CXX11_SHORT, false, c->fail);
	if (!err)
		err = compile__jump(c, at, EXPR_JLT, scratch.reg, text->length.reg, c->fail);
	compile__place(c, check);
	if (!err)
		compile__give(c, &scratch);
	return err ? err : check_end(c, at, text);
}

static int cow_text(struct compiler *c, const struct node *at, int object, struct text *text)
{
	struct operand scratch = { 0 };
	int err;

	err = load(c, at, &text->pointer, object, 0, EXPR_U64);
	if (!err)
		err = load(c, at, &text->length, text->pointer.reg, -24, EXPR_U64);
	if (!err)
		err = load(c, at, &scratch, text->pointer.reg, -16, EXPR_U64);
	if (!err)
		err = jump_number(c, at, EXPR_JLT, scratch.reg, STRING_LIMIT, true, c->fail);
	if (!err)
		err = compile__jump(c, at, EXPR_JLT, scratch.reg, text->length.reg, c->fail);
	/* References: -1 (may not be shared) to a million. */
	if (!err)
		err = compile__emit(c, at, EXPR_LOAD, scratch.reg, text->pointer.reg, EXPR_S32, -8);
	if (!err)
		err = add_number(c, at, scratch.reg, scratch.reg, 1);
	if (!err)
		err = jump_number(c, at, EXPR_JLT, scratch.reg, 1U << 20, true, c->fail);
	if (!err)
		compile__give(c, &scratch);
	return err ? err : check_end(c, at, text);
}

/* Counts the bytes before the NUL. */
static int measure_text(struct compiler *c, const struct node *at, struct text *text)
{
	int top = compile__label(c), end = compile__label(c);
	struct operand byte = { 0 };
	int err = compile__take(c, at, &text->length);

	if (!err)
		err = compile__take(c, at, &byte);
	if (err)
		return err;
	err = compile__number(c, at, text->length.reg, 0);
	compile__place(c, top);
	if (!err)
		err = compile__emit(c, at, EXPR_ADD, byte.reg, text->pointer.reg, text->length.reg, 0);
	if (!err)
		err = compile__emit(c, at, EXPR_LOAD, byte.reg, byte.reg, EXPR_U8, 0);
	if (!err)
		err = compile__jump(c, at, EXPR_JEQ, byte.reg, ZERO, end);
	if (!err)
		err = compile__emit(c, at, EXPR_ADD, text->length.reg, text->length.reg, ZERO, 1);
	if (!err)
		err = jump_number(c, at, EXPR_JLE, text->length.reg, SCAN_LIMIT, false, top);
	if (!err)
		err = compile__jump(c, at, EXPR_JMP, 0, 0, c->fail);
	compile__place(c, end);
	if (!err)
		compile__give(c, &byte);
	return err;
}

int compile__text(struct compiler *c, const struct node *node, bool measure, struct text *text)
{
	uint64_t cxx11 = node->kind == NODE_CXX11_STRING;
	struct node layout = {
		.kind = NODE_CONSTANT, .line = node->line, .column = node->column, .number = node->number
	};
	struct operand object = { 0 };
	int err;

	*text = (struct text) { .length.reg = -1 };
	if (node->kind == NODE_CXX_STRING) {
		err = compile__fold(c, &layout, &cxx11);
		if (err < 0)
			return err;
	}
	if (node->kind == NODE_C_STRING || node->kind == NODE_BYTES) {
		err = compile__eval(c, node->a, &text->pointer);
		if (!err && node->kind == NODE_BYTES)
			err = compile__eval(c, node->b, &text->length);
		else if (!err && measure)
			err = measure_text(c, node, text);
		return err;
	}
	err = compile__eval(c, node->a, &object);
	if (!err)
		err = cxx11 ? cxx11_text(c, node, object.reg, text) : cow_text(c, node, object.reg, text);
	if (!err)
		compile__give(c, &object);
	return err;
}

void compile__give_text(struct compiler *c, struct text *text)
{
	compile__give(c, &text->pointer);
	compile__give(c, &text->length);
}

int compile__text_out(struct compiler *c, const struct node *node)
{
	struct text text;
	int err;

	if (!node__is_string(node))
		return compile__error(c, node, "expected a string: cxx_string(…), c_string(…) or bytes(…)");
	err = compile__text(c, node, false, &text);
	if (!err && text.length.reg < 0)
		err = compile__emit(c, node, EXPR_CSTRING, 0, text.pointer.reg, 0, 0);
	else if (!err)
		err = compile__emit(c, node, EXPR_STRING, 0, text.pointer.reg, text.length.reg, 0);
	compile__give_text(c, &text);
	return err;
}

/* Goes to label unless the bytes at [from + offset] are those of part. */
static int compare_bytes(struct compiler *c, const struct node *at, int from, int32_t offset, const char *part,
			 size_t n, int label)
{
	struct operand there = { 0 };
	int err = compile__take(c, at, &there);

	while (n && !err) {
		size_t size = n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
		uint64_t want = 0;

		memcpy(&want, part, size);
		err = compile__emit(c, at, EXPR_LOAD, there.reg, from,
				    size == 8	? EXPR_U64
				    : size == 4 ? EXPR_U32
				    : size == 2 ? EXPR_U16
						: EXPR_U8,
				    offset);
		if (!err)
			err = jump_number(c, at, EXPR_JNE, there.reg, want, false, label);
		part += size;
		offset += (int32_t)size;
		n -= size;
	}
	if (!err)
		compile__give(c, &there);
	return err;
}

/* Goes to label unless the character is among the last SCAN_LIMIT of the string. Backwards: what is asked for is near the end of paths. */
static int search(struct compiler *c, const struct node *at, const struct text *text, char wanted, int label)
{
	int top = compile__label(c), found = compile__label(c), whole = compile__label(c);
	struct operand byte = { 0 }, stop = { 0 }, place = { 0 };
	int err = compile__take(c, at, &byte);

	if (!err)
		err = compile__take(c, at, &stop);
	if (!err)
		err = compile__take(c, at, &place);
	if (!err)
		err = compile__emit(c, at, EXPR_ADD, place.reg, text->pointer.reg, text->length.reg, 0);
	if (!err)
		err = compile__emit(c, at, EXPR_MOV, stop.reg, text->pointer.reg, 0, 0);
	if (!err)
		err = jump_number(c, at, EXPR_JLE, text->length.reg, SCAN_LIMIT, false, whole);
	if (!err)
		err = add_number(c, at, stop.reg, place.reg, (uint64_t)-SCAN_LIMIT);
	compile__place(c, whole);
	compile__place(c, top);
	if (!err)
		err = compile__jump(c, at, EXPR_JLE, place.reg, stop.reg, label);
	if (!err)
		err = compile__emit(c, at, EXPR_SUB, place.reg, place.reg, ZERO, 1);
	if (!err)
		err = compile__emit(c, at, EXPR_LOAD, byte.reg, place.reg, EXPR_U8, 0);
	if (!err)
		err = jump_number(c, at, EXPR_JEQ, byte.reg, (unsigned char)wanted, false, found);
	if (!err)
		err = compile__jump(c, at, EXPR_JMP, 0, 0, top);
	compile__place(c, found);
	if (!err) {
		compile__give(c, &byte);
		compile__give(c, &stop);
		compile__give(c, &place);
	}
	return err;
}

int compile__unlike(struct compiler *c, const struct node *like, int label)
{
	const char *pattern = like->name;
	size_t n = strlen(pattern);
	bool front = n && pattern[0] == '*', back = n && pattern[n - 1] == '*' && (n > 1 || !front);
	struct operand from = { 0 };
	struct text text;
	/* The beginning of a C string can be compared without its length. */
	int err = compile__text(c, like->a, front || !back, &text);

	if (err)
		return err;
	if (front && back) {
		err = search(c, like, &text, pattern[1], label);
	} else if (front) {
		pattern++;
		n--;
		err = n ? jump_number(c, like, EXPR_JLT, text.length.reg, n, false, label) : 0;
		if (!err)
			err = compile__take(c, like, &from);
		if (!err) {
			err = compile__emit(c, like, EXPR_ADD, from.reg, text.pointer.reg, text.length.reg, 0);
			if (!err)
				err = compare_bytes(c, like, from.reg, -(int32_t)n, pattern, n, label);
			if (!err)
				compile__give(c, &from);
		}
	} else {
		if (back)
			n--;
		if (text.length.reg >= 0)
			err = jump_number(c, like, back ? EXPR_JLT : EXPR_JNE, text.length.reg, n, false, label);
		if (!err)
			err = compare_bytes(c, like, text.pointer.reg, 0, pattern, n, label);
	}
	if (!err)
		compile__give_text(c, &text);
	return err;
}
