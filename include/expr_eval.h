/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The one evaluator of expr.h. Whoever includes it defines before:
 *
 *	EXPR_READ(context, dst, size, address)		0, or negative if any byte cannot be read
 *	EXPR_READ_STRING(context, dst, size, address)	bytes read with the NUL (which is always written), or negative;
 *							longer strings are cut at size - 1
 *
 * The kernel's side is bpf/evaluate.h, user space's is user/plan/evaluate.c: only the reading and the
 * loop around expr__step differ. Indices are masked, not checked, because the kernel's verifier wants to
 * see a bound; the plan never makes a larger one.
 */
#ifndef INFERMETER_EXPR_EVAL_H
#define INFERMETER_EXPR_EVAL_H

#include "expr.h"

#define EXPR_SPACES 0x2020202020202020ULL
#define EXPR_ONES   0x0101010101010101ULL
#define EXPR_TOPS   0x8080808080808080ULL

/* Are all bytes of the string printable? By words: a byte below 0x20 borrows from its top bit, a 0x7f is a zero after the xor. */
static inline int expr__printable(const struct expr_state *s)
{
	const __u64 *words = (const __u64 *)s->string;

	for (int i = 0; i < EXPR_STRING_MAX / 8; i++) {
		__u64 word = words[i], del = word ^ 0x7f7f7f7f7f7f7f7fULL;

		if (((word - EXPR_SPACES) & ~word & EXPR_TOPS) || ((del - EXPR_ONES) & ~del & EXPR_TOPS))
			return 0;
	}
	return 1;
}

/* Takes length bytes at address as the string, or the last EXPR_STRING_MAX of them. Returns 0, or -1 if they are none. */
static inline int expr__take_string(struct expr_state *s, void *context, __u64 address, __u64 length)
{
	__u64 *words = (__u64 *)s->string;
	__u64 cut = 0;

	s->has_string = 0;
	if (length == 0 || length >= 65536)
		return -1;
	/* What is left of an earlier string must not be looked at. */
	for (int i = 0; i < EXPR_STRING_MAX / 8; i++)
		words[i] = EXPR_SPACES;
	if (length > EXPR_STRING_MAX)
		cut = length - EXPR_STRING_MAX;
	length -= cut;
	/* The bound again, where it is needed: verifiers before 6.8 forget what they learnt of a spilled value. */
	__asm__ volatile("" : "+r"(length));
	length = ((length - 1) & (EXPR_STRING_MAX - 1)) + 1;
	if (EXPR_READ(context, s->string, (__u32)length, address + cut) || !expr__printable(s))
		return -1;
	s->string_length = (__u16)length;
	s->string_truncated = cut != 0;
	s->has_string = 1;
	return 0;
}

/* The length of the C string at address, up to 4,080 bytes, found chunk by chunk in s->string. Returns -1 if it cannot be read. */
static inline long expr__string_length(struct expr_state *s, void *context, __u64 address)
{
	long total = 0;

	s->has_string = 0;
	for (int i = 0; i < 16; i++) {
		long n = EXPR_READ_STRING(context, s->string, EXPR_STRING_MAX, address + (__u64)total);

		if (n <= 0)
			return -1;
		if (n < EXPR_STRING_MAX)
			return total + n - 1;
		total += EXPR_STRING_MAX - 1;
	}
	return total;
}

/* The low bits of a value, as the width says. */
static inline __u64 expr__extend(__u64 value, __u8 width)
{
	switch (width) {
	case EXPR_U8:
		return (__u8)value;
	case EXPR_U16:
		return (__u16)value;
	case EXPR_U32:
		return (__u32)value;
	case EXPR_S8:
		return (__u64)(__s64)(__s8)value;
	case EXPR_S16:
		return (__u64)(__s64)(__s16)value;
	case EXPR_S32:
		return (__u64)(__s64)(__s32)value;
	default:
		return value;
	}
}

/* EXPR_OUT. Returns -1 if it is a zero that must be none. */
static inline int expr__out(struct expr_state *s, const struct expr_op *op)
{
	__u64 value = s->cells[op->a & (EXPR_CELLS - 1)];

	if (op->imm & 0xff)
		value = expr__extend(value, (__u8)((op->imm & 0xff) - 1));
	if ((op->imm & EXPR_OUT_NONZERO) && !value)
		return -1;
	s->values[op->dst & (EXPR_VALUES_MAX - 1)] = value;
	s->known |= 1U << (op->dst & (EXPR_VALUES_MAX - 1));
	return 0;
}

static inline int expr__load(struct expr_state *s, void *context, const struct expr_op *op, __u64 address)
{
	__u64 value = 0;
	int failed;

	/* One read a width: the size is a constant that the kernel's reader can inline. */
	switch (op->b) {
	case EXPR_U8:
	case EXPR_S8:
		failed = EXPR_READ(context, &value, 1, address);
		break;
	case EXPR_U16:
	case EXPR_S16:
		failed = EXPR_READ(context, &value, 2, address);
		break;
	case EXPR_U32:
	case EXPR_S32:
		failed = EXPR_READ(context, &value, 4, address);
		break;
	default:
		failed = EXPR_READ(context, &value, 8, address);
		break;
	}
	if (failed)
		return -1;
	s->r[op->dst & (EXPR_REGISTERS - 1)] = expr__extend(value, op->b);
	return 0;
}

/* One operation. Returns 0 to go on, 1 when the program has ended. end: the position behind the program's last operation. */
static inline int expr__step(struct expr_state *s, void *context, const struct expr_op *ops, __u32 end)
{
	__u32 pc = s->pc;
	const struct expr_op *op = &ops[pc & (EXPR_OPS_MAX - 1)];
	__u64 a = s->cells[op->a & (EXPR_CELLS - 1)], b = s->cells[op->b & (EXPR_CELLS - 1)], value = 0;
	__u64 imm = (__u64)(__s64)op->imm;
	long length;
	int jump = 0;

	if (pc >= end)
		return 1;
	s->pc = pc + 1;
	switch (op->code) {
	case EXPR_END:
		return 1;
	case EXPR_IMM:
		value = imm;
		break;
	case EXPR_IMM_HIGH:
		value = (s->r[op->dst & (EXPR_REGISTERS - 1)] & 0xffffffff) | (__u64)(__u32)op->imm << 32;
		break;
	case EXPR_MOV:
		value = a;
		break;
	case EXPR_MODULE:
		value = s->base + a;
		break;
	case EXPR_LOAD:
		if (expr__load(s, context, op, a + imm))
			goto fault;
		return 0;
	case EXPR_ADD:
		value = a + (b + imm);
		break;
	case EXPR_SUB:
		value = a - (b + imm);
		break;
	case EXPR_MUL:
		value = a * (b + imm);
		break;
	case EXPR_DIV:
		if (b + imm == 0)
			goto fault;
		value = a / (b + imm);
		break;
	case EXPR_MOD:
		if (b + imm == 0)
			goto fault;
		value = a % (b + imm);
		break;
	case EXPR_AND:
		value = a & (b + imm);
		break;
	case EXPR_OR:
		value = a | (b + imm);
		break;
	case EXPR_XOR:
		value = a ^ (b + imm);
		break;
	case EXPR_SHL:
		value = a << ((b + imm) & 63);
		break;
	case EXPR_SHR:
		value = a >> ((b + imm) & 63);
		break;
	case EXPR_SAR:
		value = (__u64)((__s64)a >> ((b + imm) & 63));
		break;
	case EXPR_EXTEND:
		value = expr__extend(a, op->b);
		break;
	case EXPR_JMP:
		jump = 1;
		break;
	case EXPR_JEQ:
		jump = a == b;
		break;
	case EXPR_JNE:
		jump = a != b;
		break;
	case EXPR_JLT:
		jump = a < b;
		break;
	case EXPR_JLE:
		jump = a <= b;
		break;
	case EXPR_JSLT:
		jump = (__s64)a < (__s64)b;
		break;
	case EXPR_JSLE:
		jump = (__s64)a <= (__s64)b;
		break;
	case EXPR_ON_FAULT:
		s->on_fault = (__u32)op->imm;
		return 0;
	case EXPR_SAVE:
		s->saved[op->dst & (EXPR_SAVED_MAX - 1)] = a;
		return 0;
	case EXPR_OUT:
		if (expr__out(s, op))
			goto fault;
		return s->pc >= end; /* most programs end so: one step less */
	case EXPR_STRING:
		if (expr__take_string(s, context, a, b))
			goto fault;
		return 0;
	case EXPR_CSTRING:
		length = expr__string_length(s, context, a);
		if (length <= 0 || expr__take_string(s, context, a, (__u64)length))
			goto fault;
		return 0;
	default:
		goto fault;
	}
	if (op->code >= EXPR_JMP) {
		if (jump)
			s->pc = (__u32)op->imm;
		return 0;
	}
	s->r[op->dst & (EXPR_REGISTERS - 1)] = value;
	return 0;
fault:
	s->pc = s->on_fault;
	s->on_fault = 0;
	return s->pc == 0;
}

/* Makes a state ready for a run that begins at operation start: registers zero. Keeps args, saved, base, and the values that
 * an earlier run gave: whoever wants none sets known to 0. */
static inline void expr__begin(struct expr_state *s, __u32 start)
{
	for (int i = 0; i < EXPR_REGISTERS; i++)
		s->r[i] = 0;
	s->pc = start;
	s->on_fault = 0;
	s->string_length = 0;
	s->has_string = 0;
	s->string_truncated = 0;
}

#endif
