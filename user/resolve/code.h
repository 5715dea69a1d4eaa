/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Single instructions: what kind, where they go, what they write, and what a probe on them costs. */
#ifndef INFERMETER_CODE_H
#define INFERMETER_CODE_H

#include "resolve/elf_file.h"

enum code_kind {
	CODE_OTHER,
	CODE_PUSH,
	CODE_NOP,
	CODE_ENDBR,
	CODE_JCC,	   /* conditional, to target (loop and jrcxz too) */
	CODE_JMP,	   /* to target */
	CODE_JMP_INDIRECT, /* through a register or memory */
	CODE_CALL,	   /* to target */
	CODE_CALL_INDIRECT,
	CODE_RET,
	CODE_TRAP, /* ud2, int3, hlt: never goes on */
};

struct code {
	uint64_t vaddr;
	uint8_t length;
	uint8_t kind;	    /* enum code_kind */
	uint8_t cost;	    /* enum site_cost */
	bool unprobeable;   /* the kernel refuses a uprobe here */
	bool lea;	    /* reference is computed, not read */
	bool indexed;	    /* the memory operand has a scaled index */
	bool table_load;    /* loads a 32-bit offset, sign-extended, by index: the start of a jump table's dispatch */
	uint64_t target;    /* of a direct branch */
	uint64_t reference; /* of a rip-relative operand, or of one that is an address and an index; 0: none */
	uint64_t immediate; /* mov $imm, %reg: the constant; 0: anything else */
};

/* What an instruction does to registers and memory: slower to find out than the above. */
struct code_effect {
	uint32_t writes;   /* bit (1 << enum expr_arg); a call writes what the ABI lets it */
	bool stores;	   /* to memory that is not the stack as rsp and rbp address it */
	bool sp_known;	   /* false: moves the stack pointer by an amount that is not in the instruction */
	int32_t sp_change; /* bytes added to the stack pointer */
	int copies_to;	   /* register that gets a copy of copies_from, else -1 (enum expr_arg) */
	int copies_from;
};

/* Decodes the instruction at bytes. false: no instruction. */
bool code__decode(const uint8_t *bytes, uint64_t available, uint64_t vaddr, struct code *code);
/* The same at a virtual address of the file. */
bool code__at(const struct elf_file *elf, uint64_t vaddr, struct code *code);

/* Its effect. false: not known. */
bool code__effect(const struct elf_file *elf, uint64_t vaddr, struct code_effect *effect);

/*
 * Follows stubs (PLT entries, jumps through the GOT): the address in this file where a call to vaddr arrives.
 * *import, where not NULL, gets the symbol's name where the stub has one. Returns 0 where it leaves the file.
 */
uint64_t code__follow_stub(const struct elf_file *elf, uint64_t vaddr, const char **import);

/* The displacement of a function that only returns a member or its address: `lea/mov disp(%rdi), %rax; ret`. */
bool code__accessor(const struct elf_file *elf, uint64_t vaddr, int64_t *displacement);

/* Calls fn for each place where code refers to one of the n addresses: rip-relative lea, and mov $imm32 where addresses are fixed. */
typedef bool code_fn(void *context, uint64_t vaddr, uint64_t target);
void code__find_references(const struct elf_file *elf, const uint64_t *targets, int n, code_fn *fn, void *context);

/* Calls fn for each place that looks like a direct jump (jmp, jcc) to an address in [low, high). */
void code__find_jumps(const struct elf_file *elf, uint64_t low, uint64_t high, code_fn *fn, void *context);

#endif
