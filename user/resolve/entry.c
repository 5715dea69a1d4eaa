/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/entry.h"

#include <stdio.h>

#include "expr.h"

#define WALK_MAX 32 /* instructions */

/* May the walk go on behind this instruction? It must not branch, call or be more than simple to the stack pointer. */
static bool passes(const struct code *code, const struct code_effect *effect, uint32_t needs)
{
	switch ((enum code_kind)code->kind) {
	case CODE_OTHER:
	case CODE_PUSH:
	case CODE_NOP:
	case CODE_ENDBR:
		return effect->sp_known && !(effect->writes & needs);
	case CODE_JCC:
	case CODE_JMP:
	case CODE_JMP_INDIRECT:
	case CODE_CALL:
	case CODE_CALL_INDIRECT:
	case CODE_RET:
	case CODE_TRAP:
		break;
	}
	return false;
}

static bool arrives(const struct body *body, uint64_t vaddr)
{
	int32_t node = body ? body__node(body, vaddr) : -1;

	return node >= 0 && body->nodes[node].targeted;
}

/* Is it a jump out of the function? A call that ends there would begin where it ends. */
static bool departs(const struct body *body, uint64_t vaddr)
{
	int32_t node = body ? body__node(body, vaddr) : -1;

	return node >= 0 && body->nodes[node].leaves != LEAVE_NOT;
}

bool entry__find(struct answer_function *function, const struct elf_file *elf, const struct body *body, uint32_t needs)
{
	uint64_t at = function->vaddr, available, end;
	const uint8_t *bytes = elf_file__rest(elf, at, &available);
	int32_t moved = 0; /* of the stack pointer, so far */
	struct code_effect effect;
	struct code code;

	/* The stack pointer itself is given with its change, so that it need not stand still. */
	needs &= ~(1u << EXPR_SP);
	if (!bytes || !elf_file__is_code(elf, at) || !code__decode(bytes, available, at, &code)) {
		snprintf(function->why, sizeof(function->why), "there is no instruction at %#llx",
			 (unsigned long long)at);
		return false;
	}
	memcpy(function->entry_bytes, bytes,
	       available < sizeof(function->entry_bytes) ? available : sizeof(function->entry_bytes));
	function->entry_vaddr = at;
	function->entry_cost = code.cost;
	function->entry_frame_offset = 0;
	end = function->size ? at + function->size : at + available;
	for (int i = 0; i < WALK_MAX && at < end && code__at(elf, at, &code) && !(i && arrives(body, at)); i++) {
		if (!code.unprobeable && code.cost < function->entry_cost && !departs(body, at)) {
			function->entry_vaddr = at;
			function->entry_cost = code.cost;
			function->entry_frame_offset = -moved;
		}
		/* The five-byte nop is cheap on new kernels only: an emulated instruction at hand is cheap on all. */
		if (function->entry_cost == COST_EMULATED || !code__effect(elf, at, &effect) ||
		    !passes(&code, &effect, needs))
			break;
		moved += effect.sp_change;
		at += code.length;
	}
	if (!elf_file__offset(elf, function->entry_vaddr, &function->entry_offset) ||
	    !code__at(elf, function->entry_vaddr, &code) || code.unprobeable) {
		snprintf(function->why, sizeof(function->why), "the kernel takes no probe on its first instruction");
		return false;
	}
	return true;
}
