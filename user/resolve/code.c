/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/code.h"

#include <Zydis/Zydis.h>

#include "expr.h"
#include "resolve/answer.h"
#include "resolve/reloc.h"

#define STUB_INSTRUCTIONS 4
#define STUB_JUMPS	  4

static bool decode_raw(const uint8_t *bytes, uint64_t available, ZydisDecoderContext *context,
		       ZydisDecodedInstruction *raw)
{
	ZydisDecoder decoder;

	return ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) &&
	       ZYAN_SUCCESS(
		       ZydisDecoderDecodeInstruction(&decoder, context, bytes, available < 15 ? available : 15, raw));
}

static uint8_t kind_of(const ZydisDecodedInstruction *raw)
{
	bool direct = raw->raw.imm[0].size && raw->raw.imm[0].is_relative;

	switch (raw->mnemonic) {
	case ZYDIS_MNEMONIC_ENDBR64:
		return CODE_ENDBR;
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_HLT:
		return CODE_TRAP;
	case ZYDIS_MNEMONIC_NOP:
		return CODE_NOP;
	default:
		break;
	}
	switch (raw->meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		return CODE_JCC;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return direct ? CODE_JMP : CODE_JMP_INDIRECT;
	case ZYDIS_CATEGORY_CALL:
		return direct ? CODE_CALL : CODE_CALL_INDIRECT;
	case ZYDIS_CATEGORY_RET:
		return CODE_RET;
	case ZYDIS_CATEGORY_PUSH:
		return CODE_PUSH;
	default:
		return CODE_OTHER;
	}
}

/*
 * The kernel's own rules (arch/x86/kernel/uprobes.c): it emulates push of a register, near jcc, jmp and call, and the one-byte
 * nop; the five-byte nop it may turn into something better. Longer nops are emulated by new kernels only: counted as stepped.
 */
static uint8_t cost_of(const uint8_t *bytes, const struct code *code)
{
	static const uint8_t nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

	switch (code->kind) {
	case CODE_PUSH:
		if ((bytes[0] & 0xf8) == 0x50 || (bytes[0] == 0x41 && (bytes[1] & 0xf8) == 0x50))
			return COST_EMULATED;
		return COST_STEPPED;
	case CODE_NOP:
		if (code->length == 1)
			return COST_EMULATED;
		return code->length == 5 && !memcmp(bytes, nop5, 5) ? COST_NOP5 : COST_STEPPED;
	case CODE_JCC:
		return bytes[0] >= 0xe0 && bytes[0] <= 0xe3 ? COST_STEPPED : COST_EMULATED;
	case CODE_JMP:
	case CODE_CALL:
		return COST_EMULATED;
	default:
		return COST_STEPPED;
	}
}

/* Prefixes and instructions that uprobes do not take (is_prefix_bad, good_insns_64 in the kernel). */
static bool refused(const ZydisDecodedInstruction *raw, const struct code *code)
{
	bool branch = code->kind == CODE_JCC || code->kind == CODE_JMP || code->kind == CODE_CALL;

	for (int i = 0; i < raw->raw.prefix_count; i++) {
		uint8_t prefix = raw->raw.prefixes[i].value;

		if (prefix == 0x26 || prefix == 0x2e || prefix == 0x36 || prefix == 0x3e || prefix == 0xf0)
			return true;
		if (prefix == 0x66 && branch)
			return true;
	}
	return code->kind == CODE_TRAP && raw->mnemonic != ZYDIS_MNEMONIC_UD2;
}

bool code__decode(const uint8_t *bytes, uint64_t available, uint64_t vaddr, struct code *code)
{
	ZydisDecoderContext context;
	ZydisDecodedInstruction raw;

	if (!decode_raw(bytes, available, &context, &raw))
		return false;
	memset(code, 0, sizeof(*code));
	code->vaddr = vaddr;
	code->length = raw.length;
	code->kind = kind_of(&raw);
	if (code->kind == CODE_JCC || code->kind == CODE_JMP || code->kind == CODE_CALL)
		code->target = vaddr + raw.length + (uint64_t)raw.raw.imm[0].value.s;
	if (raw.attributes & ZYDIS_ATTRIB_HAS_MODRM && raw.raw.modrm.mod != 3) {
		if (raw.raw.modrm.mod == 0 && raw.raw.modrm.rm == 5)
			code->reference = vaddr + raw.length + (uint64_t)raw.raw.disp.value;
		code->indexed = raw.raw.modrm.rm == 4 && (raw.raw.sib.index != 4 || raw.raw.rex.X);
		if (code->indexed && raw.raw.modrm.mod == 0 && raw.raw.sib.base == 5)
			code->reference = (uint64_t)raw.raw.disp.value;
		code->lea = raw.mnemonic == ZYDIS_MNEMONIC_LEA;
		code->table_load = code->indexed && raw.mnemonic == ZYDIS_MNEMONIC_MOVSXD;
	}
	if (raw.mnemonic == ZYDIS_MNEMONIC_MOV && raw.raw.imm[0].size >= 32 && !raw.raw.disp.size)
		code->immediate = raw.raw.imm[0].is_signed ? (uint64_t)raw.raw.imm[0].value.s : raw.raw.imm[0].value.u;
	code->cost = cost_of(bytes, code);
	code->unprobeable = refused(&raw, code);
	return true;
}

bool code__at(const struct elf_file *elf, uint64_t vaddr, struct code *code)
{
	uint64_t available;
	const uint8_t *bytes = elf_file__is_code(elf, vaddr) ? elf_file__rest(elf, vaddr, &available) : NULL;

	return bytes && code__decode(bytes, available, vaddr, code);
}

/* The 64-bit register that holds this one, as expressions name it; -1: not one of the sixteen. */
static int arg_of(ZydisRegister reg)
{
	static const uint8_t in_order[] = {
		EXPR_AX, EXPR_CX, EXPR_DX,  EXPR_BX,  EXPR_SP,	EXPR_BP,  EXPR_SI,  EXPR_DI,
		EXPR_R8, EXPR_R9, EXPR_R10, EXPR_R11, EXPR_R12, EXPR_R13, EXPR_R14, EXPR_R15
	};
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
		return -1;
	return in_order[whole - ZYDIS_REGISTER_RAX];
}

#define CALL_WRITES                                                                                                    \
	(1u << EXPR_DI | 1u << EXPR_SI | 1u << EXPR_DX | 1u << EXPR_CX | 1u << EXPR_R8 | 1u << EXPR_R9 |               \
	 1u << EXPR_AX | 1u << EXPR_R10 | 1u << EXPR_R11)

static void sp_effect(const ZydisDecodedInstruction *raw, const ZydisDecodedOperand *operands,
		      struct code_effect *effect)
{
	const ZydisDecodedOperand *second = &operands[1];

	effect->sp_known = true;
	switch (raw->mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHFQ:
		effect->sp_change = raw->operand_width == 16 ? -2 : -8;
		return;
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_POPFQ:
		effect->sp_change = 8;
		effect->sp_known = raw->operand_width != 16 && arg_of(operands[0].reg.value) != EXPR_SP;
		return;
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_ADD:
		if (second->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			effect->sp_change = (int32_t)second->imm.value.s;
			if (raw->mnemonic == ZYDIS_MNEMONIC_SUB)
				effect->sp_change = (int32_t)(0 - (uint32_t)effect->sp_change);
			return;
		}
		break;
	case ZYDIS_MNEMONIC_LEA:
		if (second->mem.base == ZYDIS_REGISTER_RSP && second->mem.index == ZYDIS_REGISTER_NONE) {
			effect->sp_change = (int32_t)second->mem.disp.value;
			return;
		}
		break;
	default:
		break;
	}
	effect->sp_known = raw->meta.category == ZYDIS_CATEGORY_CALL || raw->meta.category == ZYDIS_CATEGORY_RET;
}

bool code__effect(const struct elf_file *elf, uint64_t vaddr, struct code_effect *effect)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecoderContext context;
	ZydisDecodedInstruction raw;
	ZydisDecoder decoder;
	uint64_t available;
	const uint8_t *bytes = elf_file__rest(elf, vaddr, &available);
	bool moves_sp = false;

	memset(effect, 0, sizeof(*effect));
	effect->copies_to = effect->copies_from = -1;
	effect->sp_known = true;
	if (!bytes || !decode_raw(bytes, available, &context, &raw))
		return false;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&decoder, &context, &raw, operands, raw.operand_count)))
		return false;
	for (int i = 0; i < raw.operand_count; i++) {
		const ZydisDecodedOperand *operand = &operands[i];
		int arg;

		if (!(operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
		    operand->mem.base != ZYDIS_REGISTER_RSP && operand->mem.base != ZYDIS_REGISTER_RBP)
			effect->stores = true;
		if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		arg = arg_of(operand->reg.value);
		if (arg >= 0)
			effect->writes |= 1u << arg;
		if (arg == EXPR_SP)
			moves_sp = true;
	}
	if (moves_sp)
		sp_effect(&raw, operands, effect);
	if (raw.meta.category == ZYDIS_CATEGORY_CALL || raw.meta.category == ZYDIS_CATEGORY_SYSCALL)
		effect->writes |= CALL_WRITES;
	if (raw.mnemonic == ZYDIS_MNEMONIC_MOV && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER && raw.operand_width >= 32) {
		effect->copies_to = arg_of(operands[0].reg.value);
		effect->copies_from = arg_of(operands[1].reg.value);
	}
	return true;
}

uint64_t code__follow_stub(const struct elf_file *elf, uint64_t vaddr, const char **import)
{
	for (int jump = 0; jump < STUB_JUMPS; jump++) {
		uint64_t at = vaddr, target;
		struct code code;
		int i;

		for (i = 0; i < STUB_INSTRUCTIONS; i++, at += code.length)
			if (!code__at(elf, at, &code) || (code.kind != CODE_ENDBR && code.kind != CODE_NOP))
				break;
		if (i == STUB_INSTRUCTIONS || !elf_file__is_code(elf, at) || !code__at(elf, at, &code) ||
		    code.kind != CODE_JMP_INDIRECT || !code.reference)
			return vaddr;
		if (import)
			*import = reloc__symbol(elf, code.reference);
		if (!reloc__value(elf, code.reference, &target) || !elf_file__is_code(elf, target))
			return 0;
		/* A fixed program's slot holds the address behind the stub's own jump until the loader fills it. */
		if (target > vaddr && target - vaddr < 16)
			return 0;
		vaddr = target;
	}
	return 0;
}

bool code__accessor(const struct elf_file *elf, uint64_t vaddr, int64_t *displacement)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction raw;
	ZydisDecoder decoder;
	const uint8_t *bytes;
	uint64_t available;
	struct code code;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (int jump = 0; jump < STUB_JUMPS; jump++) {
		vaddr = code__follow_stub(elf, vaddr, NULL);
		if (!vaddr || !code__at(elf, vaddr, &code))
			return false;
		if (code.kind == CODE_ENDBR) {
			vaddr += code.length;
			if (!code__at(elf, vaddr, &code))
				return false;
		}
		if (code.kind != CODE_JMP)
			break;
		vaddr = code.target;
	}
	bytes = elf_file__rest(elf, vaddr, &available);
	if (!bytes ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, available < 15 ? available : 15, &raw, operands)))
		return false;
	if (raw.mnemonic != ZYDIS_MNEMONIC_LEA && raw.mnemonic != ZYDIS_MNEMONIC_MOV &&
	    raw.mnemonic != ZYDIS_MNEMONIC_MOVSXD && raw.mnemonic != ZYDIS_MNEMONIC_MOVZX &&
	    raw.mnemonic != ZYDIS_MNEMONIC_MOVSX)
		return false;
	if (arg_of(operands[0].reg.value) != EXPR_AX || operands[1].type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    operands[1].mem.base != ZYDIS_REGISTER_RDI || operands[1].mem.index != ZYDIS_REGISTER_NONE)
		return false;
	*displacement = operands[1].mem.disp.value;
	return code__at(elf, vaddr + raw.length, &code) && code.kind == CODE_RET;
}
