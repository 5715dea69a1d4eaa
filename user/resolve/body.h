/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A function's whole code as a graph: its parts (the compiler may have moved unlikely code to a .cold part
 * with an unwind entry of its own), its instructions, where each may go on, and how it can be left.
 */
#ifndef INFERMETER_BODY_H
#define INFERMETER_BODY_H

#include "resolve/answer.h"
#include "resolve/code.h"
#include "resolve/noreturn.h"
#include "resolve/unwind.h"

#define BODY_PARTS_MAX 16

enum body_leave {
	LEAVE_NOT,
	LEAVE_RETURN,
	LEAVE_TAIL,    /* jumps to another function, always */
	LEAVE_TAIL_IF, /* a conditional jump to another function */
};

struct body_node {
	struct code code;
	int32_t next, branch,
		landing; /* indices of nodes that may follow, -1: none; landing: where an exception of this call goes on */
	uint8_t part;
	uint8_t leaves;	    /* enum body_leave */
	bool targeted;	    /* a branch, a table or an exception arrives here */
	bool by_table;	    /* an indirect jump to any of body.tables */
	bool never_returns; /* a call without a way back */
	bool trivial;	    /* a call that only frees memory */
};

struct body_part {
	struct fde fde; /* size is what matters where the file has no FDE; then lsda and instructions are empty */
	bool has_fde;
	int32_t first, n; /* its nodes */
};

struct body_pad {
	uint64_t vaddr;
	int32_t node; /* -1: outside of the code that we know */
	bool catches;
};

struct body {
	const struct elf_file *elf;
	uint64_t start, size; /* of the part that has the entry */
	struct body_part parts[BODY_PARTS_MAX];
	int n_parts;
	struct body_node *nodes;
	int32_t n_nodes, room;
	struct body_pad *pads;
	int n_pads, pads_room;
	int32_t *tables; /* nodes that jump tables name */
	int n_tables, tables_room;
	bool unknown_jump; /* an indirect jump that may arrive anywhere */
	char why[ANSWER_TEXT_MAX];
};

/*
 * Reads the function at start. size is used where the file has no unwind entry for it (0: then it fails). noreturn is the file's
 * memo. Returns 0, or -1 with body->why. The caller calls body__free in both cases.
 */
int body__read(struct body *body, const struct elf_file *elf, uint64_t start, uint64_t size, struct noreturn *noreturn);
void body__free(struct body *body);

/* The index of the instruction at vaddr, or -1. */
int32_t body__node(const struct body *body, uint64_t vaddr);

/* Where the entry stack pointer is, seen from vaddr (unwind__frame over the parts). */
int body__frame(const struct body *body, uint64_t vaddr, int32_t *offset);

/* If vaddr lies in a part that was split off another function: that function's start; else the start of its own FDE. 0: no FDE. */
uint64_t body__owner(const struct elf_file *elf, uint64_t vaddr);

#endif
