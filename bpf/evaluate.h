/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The kernel's side of expr_eval.h. */
#ifndef INFERMETER_EVALUATE_H
#define INFERMETER_EVALUATE_H

#include "maps.h"

#define EXPR_READ(context, dst, size, address)	      bpf_probe_read_user(dst, size, (const void *)(address))
#define EXPR_READ_STRING(context, dst, size, address) bpf_probe_read_user_str(dst, size, (const void *)(address))
#include "expr_eval.h"

struct run {
	struct expr_state *state;
	const struct hook *hook;
	__u32 end;
};

static long run_step(__u32 i, struct run *run)
{
	return expr__step(run->state, NULL, run->hook->ops, run->end);
}

/* Runs one program of the hook over the state, whose args, saved and base are filled. */
SEPARATE int evaluate(struct expr_state *state, struct hook *hook, __u32 start, __u32 length)
{
	struct run run = { .state = state, .hook = hook, .end = start + length };
	__u32 taken = 0;

	if (!state || !hook)
		return 0;
	expr__begin(state, start);
	/* Values that are plain registers come first, and many programs are nothing else: no loop, no dispatch for them. */
	for (; taken < VALUES; taken++) {
		struct expr_op *op = &hook->ops[start & (EXPR_OPS_MAX - 1)];

		if (start >= run.end)
			return 0;
		if (op->code != EXPR_OUT)
			break;
		state->pc = ++start;
		if (expr__out(state, op)) {
			state->pc = 0;
			return 0;
		}
	}
	bpf_loop(EXPR_STEPS_MAX - taken, run_step, &run, 0);
	return 0;
}

/* What the exit's expressions may read of the machine: the result. */
static __always_inline void fill_result(struct expr_state *state, struct pt_regs *regs)
{
	state->args[EXPR_AX] = regs->ax;
	state->args[EXPR_DX] = regs->dx;
}

static __always_inline void fill_args(struct expr_state *state, struct pt_regs *regs, __u64 sp)
{
	state->args[EXPR_DI] = regs->di;
	state->args[EXPR_SI] = regs->si;
	state->args[EXPR_DX] = regs->dx;
	state->args[EXPR_CX] = regs->cx;
	state->args[EXPR_R8] = regs->r8;
	state->args[EXPR_R9] = regs->r9;
	state->args[EXPR_AX] = regs->ax;
	state->args[EXPR_BX] = regs->bx;
	state->args[EXPR_BP] = regs->bp;
	state->args[EXPR_SP] = sp;
	state->args[EXPR_R10] = regs->r10;
	state->args[EXPR_R11] = regs->r11;
	state->args[EXPR_R12] = regs->r12;
	state->args[EXPR_R13] = regs->r13;
	state->args[EXPR_R14] = regs->r14;
	state->args[EXPR_R15] = regs->r15;
}

#endif
