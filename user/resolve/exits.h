/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Where a call of a function ends: for each way out the cheapest instruction to probe.
 *
 * A ret costs a probe tens of microseconds since the kernel must step it; push, jumps and calls are emulated for one. So for each way out
 * we look for an emulated instruction X in front of it that stands for it just as well:
 *  - every path from the entry (and from the landing pads, where a caught exception goes on) to the way out crosses X, and
 *    crosses it once: X dominates it and lies on no cycle;
 *  - each way out that X leads to has X as its site, so no call ends twice;
 *  - between X and the way out no work is left: no call that comes back (but to free memory), no loop, no store but to the
 *    stack. What an exit expression reads is then final at X.
 * The usual X is the branch of the stack protector. Where there is none, the ret is the site.
 */
#ifndef INFERMETER_EXITS_H
#define INFERMETER_EXITS_H

#include "resolve/answer.h"
#include "resolve/body.h"

/*
 * Fills exits[], pads[], exits_complete and exits_why of function, whose entry_vaddr is known. needs: bit
 * (1 << enum expr_arg) of the registers that exit expressions read: none of them may be written behind the site (EXPR_AX: the result is there).
 */
void exits__find(struct answer_function *function, const struct body *body, uint32_t needs);

/* The one function that body jumps to at its end (through stubs). 0: none, or several, which why says. */
uint64_t exits__tail(const struct body *body, char *why, size_t size);

#endif
