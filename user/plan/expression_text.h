/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Compiled programs as text, for `check` and for messages. */
#ifndef INFERMETER_EXPRESSION_TEXT_H
#define INFERMETER_EXPRESSION_TEXT_H

#include <stddef.h>

#include "hook.h"

#define EXPRESSION_TEXT_LINE 64

/* One operation: "r2 = *(r1 + 8):u64". */
void expression_text__op(const struct expr_op *op, char line[EXPRESSION_TEXT_LINE]);

/* The whole program, a line an operation, "   12  r2 = …\n"; cut at size. Returns the characters that it would have. */
size_t expression_text__program(const struct hook *hook, const struct hook_program *program, char *text, size_t size);

#endif
