/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/expression_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/expression.h"

static const char *const widths[EXPR_WIDTHS] = { "u8", "u16", "u32", "u64", "s8", "s16", "s32" };
static const char *const values[VALUES] = { "handle", "parent", "batch",   "tokens",
					    "status", "failed", "ignored", "spare" };

static const char *symbol(unsigned int code)
{
	static const char *const symbols[EXPR_CODES] = {
		[EXPR_ADD] = "+",   [EXPR_SUB] = "-",	 [EXPR_MUL] = "*",  [EXPR_DIV] = "/",  [EXPR_MOD] = "%",
		[EXPR_AND] = "&",   [EXPR_OR] = "|",	 [EXPR_XOR] = "^",  [EXPR_SHL] = "<<", [EXPR_SHR] = ">>",
		[EXPR_SAR] = "s>>", [EXPR_JEQ] = "==",	 [EXPR_JNE] = "!=", [EXPR_JLT] = "<",  [EXPR_JLE] = "<=",
		[EXPR_JSLT] = "s<", [EXPR_JSLE] = "s<=",
	};

	return code < EXPR_CODES && symbols[code] ? symbols[code] : "?";
}

/* What an operand reads. */
static const char *cell(unsigned int number, char buffer[16])
{
	number &= EXPR_CELLS - 1;
	if (number < EXPR_CELL_ARGS)
		snprintf(buffer, 16, "r%u", number);
	else if (number < EXPR_CELL_SAVED)
		return expression__register_name(number - EXPR_CELL_ARGS);
	else if (number < EXPR_CELL_VALUES)
		snprintf(buffer, 16, "saved[%u]", number - EXPR_CELL_SAVED);
	else
		snprintf(buffer, 16, "value[%u]", number - EXPR_CELL_VALUES);
	return buffer;
}

void expression_text__op(const struct expr_op *op, char line[EXPRESSION_TEXT_LINE])
{
	char a_buffer[16], b_buffer[16];
	const char *a = cell(op->a, a_buffer), *b = cell(op->b, b_buffer);
	const char *width = op->b < EXPR_WIDTHS ? widths[op->b] : "?";
	size_t size = EXPRESSION_TEXT_LINE;

	switch (op->code) {
	case EXPR_END:
		snprintf(line, size, "end");
		return;
	case EXPR_IMM:
		snprintf(line, size, "r%u = %d", op->dst, op->imm);
		return;
	case EXPR_IMM_HIGH:
		snprintf(line, size, "r%u high = %#x", op->dst, (unsigned int)op->imm);
		return;
	case EXPR_MOV:
		snprintf(line, size, "r%u = %s", op->dst, a);
		return;
	case EXPR_MODULE:
		snprintf(line, size, "r%u = load base + %s", op->dst, a);
		return;
	case EXPR_LOAD:
		snprintf(line, size, "r%u = *(%s %c %ld):%s", op->dst, a, op->imm < 0 ? '-' : '+', labs((long)op->imm),
			 width);
		return;
	case EXPR_EXTEND:
		snprintf(line, size, "r%u = %s:%s", op->dst, a, width);
		return;
	case EXPR_JMP:
		snprintf(line, size, "go to %d", op->imm);
		return;
	case EXPR_ON_FAULT:
		snprintf(line, size, "on a fault go to %d", op->imm);
		return;
	case EXPR_SAVE:
		snprintf(line, size, "saved[%u] = %s", op->dst, a);
		return;
	case EXPR_OUT:
		snprintf(line, size, "%s is %s%s%s%s", op->dst < VALUES ? values[op->dst] : "?", a,
			 op->imm & 0xff ? ":" : "",
			 op->imm & 0xff && (op->imm & 0xff) <= EXPR_WIDTHS ? widths[(op->imm & 0xff) - 1] : "",
			 op->imm & EXPR_OUT_NONZERO ? ", not 0" : "");
		return;
	case EXPR_STRING:
		snprintf(line, size, "string is %s bytes at %s", b, a);
		return;
	case EXPR_CSTRING:
		snprintf(line, size, "string is at %s, up to its NUL", a);
		return;
	}
	if (op->code >= EXPR_JEQ && op->code <= EXPR_JSLE)
		snprintf(line, size, "if %s %s %s go to %d", a, symbol(op->code), b, op->imm);
	else if ((op->b & (EXPR_CELLS - 1)) == 0)
		snprintf(line, size, "r%u = %s %s %d", op->dst, a, symbol(op->code), op->imm);
	else if (op->imm)
		snprintf(line, size, "r%u = %s %s (%s + %d)", op->dst, a, symbol(op->code), b, op->imm);
	else
		snprintf(line, size, "r%u = %s %s %s", op->dst, a, symbol(op->code), b);
}

size_t expression_text__program(const struct hook *hook, const struct hook_program *program, char *text, size_t size)
{
	char line[EXPRESSION_TEXT_LINE];
	size_t length = 0;

	if (size)
		text[0] = '\0';
	for (unsigned int i = program->start; i < (unsigned int)program->start + program->length && i < EXPR_OPS_MAX;
	     i++) {
		int n;

		expression_text__op(&hook->ops[i], line);
		n = snprintf(length < size ? text + length : NULL, length < size ? size - length : 0, "%5u  %s\n", i,
			     line);
		length += n > 0 ? (size_t)n : 0;
	}
	return length;
}
