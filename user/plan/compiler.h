/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The inside of the compiler, shared by its files:
 *
 *	compile.c		a hook: its programs, what must be saved, what is known
 *	compile_value.c		alternatives, lets, guards, loops
 *	compile_expression.c	numbers and conditions
 *	compile_fold.c		what is known of them without running
 *	compile_string.c	strings and patterns
 *	emit.c			operations, registers, labels
 *
 * r0 is never written, so it is the zero that comparisons want. The other registers are handed out by a bit mask.
 *
 * Faults and guards that do not hold end at one label, c->fail, the next alternative. An EXPR_ON_FAULT for it has been
 * given by whoever set c->fail, and is given again wherever control comes back from a part that had its own. Because a
 * fault forgets its handler, what stands at such a label is an EXPR_ON_FAULT, or cannot fault.
 *
 * Every function returns 0, -EINVAL (a mistake in the adapter, reported by compile__error) or -ENOENT (this part needs
 * a constant that the file lacks: the alternative around it is dropped, c->missing says what).
 */
#ifndef INFERMETER_COMPILER_H
#define INFERMETER_COMPILER_H

#include <errno.h>

#include "plan/compile.h"

#define LABELS_MAX  512
#define PATCHES_MAX 512
#define BOUND_MAX   48
#define ZERO	    0 /* the register that is always zero */

struct bound {
	const char *name;
	int reg;
	bool is_signed;
};

struct compiler {
	const struct adapter *adapter;
	const struct adapter_hook *from;
	const struct answer_constant *constants; /* NULL: a trial */
	struct hook *hook;
	struct compile_report *report;
	char missing[160];

	uint32_t n_ops;
	uint16_t labels[LABELS_MAX]; /* position; patched at the end */
	uint32_t n_labels;
	uint32_t last_place; /* the highest position that a label has */
	struct {
		uint16_t op, label;
	} patches[PATCHES_MAX];
	uint32_t n_patches;
	uint32_t taken; /* bit i: register i is in use */
	int fail;	/* label */

	bool at_exit; /* the program runs at the call's exit */
	const struct section *section;
	const char *visiting[BOUND_MAX]; /* lets that are being made: to find those that need themselves */
	uint32_t n_visiting;
	struct bound bound[BOUND_MAX];
	uint32_t n_bound;

	uint32_t
		uncertain; /* bit i: saved value i may be missing; then saved[certain_slot] has its bit when it is there */
	uint32_t certain_slot;
	uint32_t saved_signed; /* bit i: saved value i compares as a signed number */
	bool result_signed;    /* some alternative of the value at hand is a signed number */
};

/* A register that holds a value. owned: free it after use. */
struct operand {
	int reg;
	bool owned;
};

/* emit.c */
int compile__error(struct compiler *c, const struct node *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int compile__error_at(struct compiler *c, uint32_t line, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int compile__take(struct compiler *c, const struct node *at, struct operand *operand);
void compile__give(struct compiler *c, struct operand *operand);
int compile__emit(struct compiler *c, const struct node *at, enum expr_code code, int dst, int a, int b, int32_t imm);
int compile__number(struct compiler *c, const struct node *at, int dst, uint64_t value);
/* Lets the operation that made the operand write to dst instead. Returns false where that cannot be: then copy it. */
bool compile__redirect(struct compiler *c, const struct operand *operand, int dst);
int compile__label(struct compiler *c);
void compile__place(struct compiler *c, int label);
int compile__jump(struct compiler *c, const struct node *at, enum expr_code code, int a, int b, int label);

struct snapshot {
	uint32_t n_ops, n_patches, taken, n_bound, n_visiting;
};
struct snapshot compile__snapshot(const struct compiler *c);
void compile__rollback(struct compiler *c, const struct snapshot *snapshot); /* forgets all since then */
void compile__unbind(struct compiler *c,
		     const struct snapshot *snapshot); /* frees names and registers taken since, keeps code */
int compile__finish(struct compiler *c);

/* compile_fold.c. fold: 1 the value is *known here and now*, 0 it is not, -ENOENT. */
int compile__fold(struct compiler *c, const struct node *node, uint64_t *value);
bool compile__can_fault(const struct node *node);
bool compile__is_signed(const struct compiler *c, const struct node *node);
bool compile__link_is_signed(const struct compiler *c, const struct node *left, const struct node *link);
enum expr_code compile__operation(const struct compiler *c, const struct node *node); /* of a NODE_BINARY */
int compile__constant(struct compiler *c, const struct node *node, uint64_t *value);

/* compile_expression.c */
int compile__eval(struct compiler *c, const struct node *node, struct operand *operand);
int compile__into(struct compiler *c, const struct node *node, int dst);
int compile__if_false(struct compiler *c, const struct node *node, int label);

/* compile_string.c */
struct text {
	struct operand pointer, length; /* length.reg < 0: a C string, not measured */
};
int compile__text(struct compiler *c, const struct node *node, bool measure, struct text *text);
void compile__give_text(struct compiler *c, struct text *text);
int compile__text_out(struct compiler *c, const struct node *node);
/* Goes to label if the string does not match. */
int compile__unlike(struct compiler *c, const struct node *like, int label);

/* compile_value.c. dst < 0: the value is a string, and becomes the program's. */
int compile__value(struct compiler *c, const struct value *value, int dst);
bool compile__value_can_fault(const struct value *value);
int compile__bind_names(struct compiler *c, const struct node *node); /* the section's lets that node refers to */
int compile__bind_value_names(struct compiler *c, const struct value *value);

#endif
