/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The entry site: of the first instructions, which all calls pass in a straight line, the cheapest to probe at which the registers
 * that the hook reads are still those of the caller. The stack pointer may have moved: by how much is part of the answer.
 */
#ifndef INFERMETER_ENTRY_H
#define INFERMETER_ENTRY_H

#include "resolve/answer.h"
#include "resolve/body.h"

/* Fills the entry_* members of function, whose vaddr is known. body NULL: its graph is not known, the walk then stops at the first
 * instruction that branches. needs: bit (1 << enum expr_arg). Returns false with function->why if no probe can be placed there. */
bool entry__find(struct answer_function *function, const struct elf_file *elf, const struct body *body, uint32_t needs);

#endif
