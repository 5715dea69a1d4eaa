/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The expression machine: what an adapter's expressions are compiled to, and the one evaluator,
 * compiled both into the kernel's programs and into user space (tests/unit/expr_vectors.c holds the
 * two against each other on random programs).
 *
 * A program is a list of 8-byte operations over sixteen 64-bit registers that start at zero. What an operation reads is a
 * cell: a register, a machine register at the probe, a value saved at entry, or a value given so far; what it writes is a
 * register. It ends
 * at EXPR_END, at the end of its list, or after EXPR_STEPS_MAX steps. Jumps are absolute within the
 * hook's list of operations and may go backwards: the step limit bounds every loop.
 *
 * A read of the target's memory that faults, a division by zero and a string that is none all do the
 * same: jump to the position that the last EXPR_ON_FAULT gave (and forget it, so that a fault in the
 * handler ends the program). Without one the program ends. Nothing is ever guessed: a value that was
 * not OUTput is unknown, and unknown is counted by whoever reads the result.
 */
#ifndef INFERMETER_EXPR_H
#define INFERMETER_EXPR_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define EXPR_REGISTERS	16   /* r0 .. r15 */
#define EXPR_OPS_MAX	512  /* operations of one hook, all its programs together; a power of two */
#define EXPR_STEPS_MAX	4096 /* steps of one run */
#define EXPR_SAVED_MAX	8    /* values kept from a call's entry for its exit */
#define EXPR_VALUES_MAX 8    /* values that a run can give */
#define EXPR_STRING_MAX 256  /* bytes of the one string that a run can give; longer ones keep their end */

enum expr_code {
	EXPR_END = 0,  /* stop */
	EXPR_IMM,      /* r[dst] = imm, sign-extended */
	EXPR_IMM_HIGH, /* r[dst] = (r[dst] & 0xffffffff) | imm << 32 */
	EXPR_MOV,      /* r[dst] = cell[a] */
	EXPR_MODULE,   /* r[dst] = load base of the probed module + cell[a] (cell[a]: a virtual address in the file) */
	EXPR_LOAD,     /* r[dst] = *(cell[a] + imm), b = enum expr_width (others: U64); faults */
	EXPR_ADD,      /* r[dst] = cell[a] op (cell[b] + imm) for these eleven; shifts use the low 6 bits */
	EXPR_SUB,
	EXPR_MUL,
	EXPR_DIV, /* unsigned; by zero: faults */
	EXPR_MOD, /* unsigned; by zero: faults */
	EXPR_AND,
	EXPR_OR,
	EXPR_XOR,
	EXPR_SHL,
	EXPR_SHR,    /* logical */
	EXPR_SAR,    /* arithmetic */
	EXPR_EXTEND, /* r[dst] = the low bits of cell[a], b = enum expr_width (others: U64) */
	EXPR_JMP,    /* go to imm */
	EXPR_JEQ,    /* go to imm if cell[a] == cell[b] */
	EXPR_JNE,
	EXPR_JLT,      /* unsigned < */
	EXPR_JLE,      /* unsigned <= */
	EXPR_JSLT,     /* signed < */
	EXPR_JSLE,     /* signed <= */
	EXPR_ON_FAULT, /* from now on a fault goes to imm (0: ends the program, so
			 * operation 0 of the list cannot be a handler) */
	EXPR_SAVE,     /* saved[dst] = cell[a] (entry only; elsewhere it does nothing) */
	EXPR_OUT, /* values[dst] = cell[a], known; imm: 0, or EXPR_OUT_LOW(enum expr_width) for its low bits, or-ed with
		   * EXPR_OUT_NONZERO: a zero faults */
	EXPR_STRING, /* string = cell[b] bytes at cell[a]; faults unless printable (>= 0x20, != 0x7f), 1 <= cell[b] < 64 Ki.
			 * Over EXPR_STRING_MAX bytes: the last EXPR_STRING_MAX, and truncated is set */
	EXPR_CSTRING, /* string = the NUL-terminated bytes at cell[a]; rules as above, of strings over 4,080 bytes only those. Both
			 * forget the string that was there, also when they fault */
	EXPR_CODES /* how many there are; a larger code faults */
};

/* The machine registers, cells from EXPR_CELL_ARGS on. SP is the stack pointer at the function's first instruction
 * ([SP] is the return address), whichever instruction the probe stands on. */
enum expr_arg {
	EXPR_DI,
	EXPR_SI,
	EXPR_DX,
	EXPR_CX,
	EXPR_R8,
	EXPR_R9,
	EXPR_AX,
	EXPR_BX,
	EXPR_BP,
	EXPR_SP,
	EXPR_R10,
	EXPR_R11,
	EXPR_R12,
	EXPR_R13,
	EXPR_R14,
	EXPR_R15,
	EXPR_ARGS
};

enum expr_width { EXPR_U8, EXPR_U16, EXPR_U32, EXPR_U64, EXPR_S8, EXPR_S16, EXPR_S32, EXPR_WIDTHS };

#define EXPR_OUT_LOW(width) (1 + (width))
#define EXPR_OUT_NONZERO    0x100

struct expr_op {
	__u8 code, dst, a, b;
	__s32 imm;
};

_Static_assert(sizeof(struct expr_op) == 8, "an operation is eight bytes");

/* Cells, by number: where each kind begins. A number is taken modulo EXPR_CELLS; those behind the values read as zero. */
#define EXPR_CELLS	 64
#define EXPR_CELL_ARGS	 16
#define EXPR_CELL_SAVED	 32
#define EXPR_CELL_VALUES 40

/* Everything that a run reads and writes. The caller fills args, saved and base and zeroes the rest. */
struct expr_state {
	union {
		__u64 cells[EXPR_CELLS];
		struct {
			__u64 r[EXPR_REGISTERS];
			__u64 args[EXPR_ARGS];
			__u64 saved[EXPR_SAVED_MAX];
			__u64 values[EXPR_VALUES_MAX];
		};
	};
	__u64 base;  /* load base of the probed module */
	__u32 known; /* bit i: values[i] was given */
	__u32 pc, on_fault;
	char string[EXPR_STRING_MAX] __attribute__((aligned(8)));
	__u16 string_length;
	__u8 has_string, string_truncated;
	__u32 spare;
};

_Static_assert(EXPR_REGISTERS == EXPR_CELL_ARGS && EXPR_CELL_ARGS + EXPR_ARGS == EXPR_CELL_SAVED &&
		       EXPR_CELL_SAVED + EXPR_SAVED_MAX == EXPR_CELL_VALUES,
	       "cells lie as the structure does");

/* The evaluator itself is expr_eval.h. */
#endif
