/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A hook's programs run in user space, over whatever memory a reader gives: a live process, a copy, a test's array. */
#ifndef INFERMETER_PLAN_EVALUATE_H
#define INFERMETER_PLAN_EVALUATE_H

#include <stddef.h>
#include <stdint.h>

#include "hook.h"

/* Reads all n bytes at address. Returns 0, or negative if any of them cannot be read. */
typedef int evaluate_read_fn(void *context, void *to, size_t n, uint64_t address);

/* state: args, saved and base are the caller's; the rest is filled. Returns the number of steps taken. */
unsigned int evaluate__run(struct expr_state *state, const struct hook *hook, const struct hook_program *program,
			   evaluate_read_fn *read, void *context);

/* A reader of a live process: context points to its pid_t. */
int evaluate__read_process(void *context, void *to, size_t n, uint64_t address);

#endif
