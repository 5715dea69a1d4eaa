/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/body.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hook.h"
#include "resolve/reloc.h"
#include "resolve/split.h"

#define NODES_MAX      (1 << 18)
#define PADS_MAX       4096
#define TABLE_MAX      8192
#define DISPATCH_REACH 16 /* instructions between the load from a jump table and its jump */

__attribute__((format(printf, 2, 3))) static int refuse(struct body *body, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(body->why, sizeof(body->why), format, arguments);
	va_end(arguments);
	return -1;
}

/* Room for one more in a growing array. */
static bool grow(void **array, int32_t *room, int32_t n, size_t size)
{
	void *more;

	if (n < *room)
		return true;
	more = realloc(*array, (size_t)(*room ? *room * 2 : 64) * size);
	if (!more)
		return false;
	*array = more;
	*room = *room ? *room * 2 : 64;
	return true;
}

static int part_of(const struct body *body, uint64_t vaddr)
{
	for (int i = 0; i < body->n_parts; i++)
		if (vaddr - body->parts[i].fde.start < body->parts[i].fde.size)
			return i;
	return -1;
}

int32_t body__node(const struct body *body, uint64_t vaddr)
{
	int part = part_of(body, vaddr);
	int32_t low, high;

	if (part < 0)
		return -1;
	low = body->parts[part].first;
	high = low + body->parts[part].n;
	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (body->nodes[middle].code.vaddr == vaddr)
			return middle;
		if (body->nodes[middle].code.vaddr < vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

int body__frame(const struct body *body, uint64_t vaddr, int32_t *offset)
{
	int part = part_of(body, vaddr);

	*offset = 0;
	if (part < 0 || !body->parts[part].has_fde)
		return SITE_FRAME_UNKNOWN;
	return unwind__frame(body->elf, &body->parts[part].fde, vaddr, offset);
}

static int add_part(struct body *body, const struct fde *fde, bool has_fde)
{
	struct body_part *part = &body->parts[body->n_parts];
	uint64_t at = fde->start, end = fde->start + fde->size;

	if (body->n_parts == BODY_PARTS_MAX)
		return refuse(body, "it is split into more than %d parts", BODY_PARTS_MAX);
	if (end < at || !elf_file__at(body->elf, at, fde->size))
		return refuse(body, "its code at %#llx is not in the file", (unsigned long long)at);
	*part = (struct body_part) { .fde = *fde, .has_fde = has_fde, .first = body->n_nodes };
	for (; at < end; part->n++) {
		struct body_node *node;

		if (body->n_nodes == NODES_MAX)
			return refuse(body, "it has more than %d instructions", NODES_MAX);
		if (!grow((void **)&body->nodes, &body->room, body->n_nodes, sizeof(*node)))
			return refuse(body, "out of memory");
		node = &body->nodes[body->n_nodes];
		memset(node, 0, sizeof(*node));
		node->next = node->branch = node->landing = -1;
		node->part = body->n_parts;
		if (!code__at(body->elf, at, &node->code) || node->code.length > end - at)
			return refuse(body, "the bytes at %#llx are no instruction", (unsigned long long)at);
		at += node->code.length;
		body->n_nodes++;
	}
	body->n_parts++;
	return 0;
}

/* A direct jump leaves the parts known so far: is it to another part, or to another function? */
static int follow_out(struct body *body, int32_t index)
{
	struct code code = body->nodes[index].code;
	struct fde other;
	int32_t offset;
	bool clean = body__frame(body, code.vaddr, &offset) == SITE_FRAME_SP && offset == 0;

	switch (split__is_part(body->elf, body->start, &body->parts[body->nodes[index].part].fde, code.vaddr, clean,
			       code.target, &other)) {
	case SPLIT_PART:
		return add_part(body, &other, true);
	case SPLIT_OTHER:
		body->nodes[index].leaves = code.kind == CODE_JMP ? LEAVE_TAIL : LEAVE_TAIL_IF;
		return 0;
	case SPLIT_NOWHERE:
		return 0;
	case SPLIT_UNCLEAR:
		break;
	}
	return refuse(body, "the jump at %#llx leaves it for %#llx with its frame still there",
		      (unsigned long long)code.vaddr, (unsigned long long)code.target);
}

/*
 * A jump to the first instruction with the frame gone is the function calling itself in tail position: its entry site is passed
 * again, so this call must end.
 */
static void mark_self_calls(struct body *body)
{
	for (int32_t i = 0; i < body->n_nodes; i++) {
		struct body_node *node = &body->nodes[i];
		int32_t offset;

		if ((node->code.kind != CODE_JMP && node->code.kind != CODE_JCC) || node->code.target != body->start ||
		    body__frame(body, node->code.vaddr, &offset) != SITE_FRAME_SP || offset != 0)
			continue;
		node->leaves = node->code.kind == CODE_JMP ? LEAVE_TAIL : LEAVE_TAIL_IF;
		node->branch = -1;
	}
}

/* Each part that is added may hold jumps to further ones: the loop meets them since their nodes come last. */
static int find_parts(struct body *body)
{
	for (int32_t i = 0; i < body->n_nodes; i++) {
		const struct code *code = &body->nodes[i].code;

		if ((code->kind == CODE_JMP || code->kind == CODE_JCC) && part_of(body, code->target) < 0 &&
		    follow_out(body, i) < 0)
			return -1;
	}
	return 0;
}

static bool note_landing(void *context, const struct landing *landing)
{
	struct body *body = context;
	struct fde fde;
	int i;

	if (!landing->pad)
		return true;
	for (i = 0; i < body->n_pads; i++)
		if (body->pads[i].vaddr == landing->pad)
			break;
	if (i == body->n_pads) {
		if (body->n_pads == PADS_MAX ||
		    !grow((void **)&body->pads, &body->pads_room, body->n_pads, sizeof(*body->pads)))
			return refuse(body, "it has more than %d landing pads", PADS_MAX) == 0;
		body->pads[body->n_pads++] = (struct body_pad) { .vaddr = landing->pad, .node = -1 };
	}
	body->pads[i].catches |= landing->catches;
	if (part_of(body, landing->pad) < 0 && unwind__find(body->elf, landing->pad, &fde))
		return add_part(body, &fde, true) == 0;
	return true;
}

static bool link_landing(void *context, const struct landing *landing)
{
	struct body *body = context;
	int32_t pad = landing->pad ? body__node(body, landing->pad) : -1;
	int part = part_of(body, landing->start);
	int32_t last = part < 0 ? 0 : body->parts[part].first + body->parts[part].n;

	for (int32_t i = body__node(body, landing->start); pad >= 0 && i >= 0 && i < last; i++) {
		struct body_node *node = &body->nodes[i];

		if (node->code.vaddr >= landing->end)
			break;
		if (node->code.kind == CODE_CALL || node->code.kind == CODE_CALL_INDIRECT)
			node->landing = pad;
	}
	return true;
}

static int find_pads(struct body *body)
{
	int known = -1;

	/* A pad may lie in a part that only the exception table names, and that part may have a table too. */
	for (int i = 0; i < body->n_parts; i++)
		if (!unwind__each_landing(body->elf, &body->parts[i].fde, note_landing, body) && !body->why[0])
			return refuse(body, "its exception table is damaged");
	if (body->why[0])
		return -1;
	while (known != body->n_parts) { /* and such a part may jump to further ones */
		known = body->n_parts;
		if (find_parts(body) < 0)
			return -1;
	}
	for (int i = 0; i < body->n_pads; i++)
		body->pads[i].node = body__node(body, body->pads[i].vaddr);
	for (int i = 0; i < body->n_parts; i++)
		unwind__each_landing(body->elf, &body->parts[i].fde, link_landing, body);
	return 0;
}

static bool add_table_target(struct body *body, uint64_t vaddr)
{
	int32_t node = body__node(body, vaddr);

	if (node < 0 || body->n_tables == TABLE_MAX ||
	    !grow((void **)&body->tables, &body->tables_room, body->n_tables, sizeof(*body->tables)))
		return false;
	body->nodes[node].targeted = true;
	body->tables[body->n_tables++] = node;
	return true;
}

/*
 * What may be a jump table at base: offsets from it, or addresses, that all are instructions of ours. It is read until one is not:
 * a neighbour's entries that fit too only add ways that are not taken, which is the safe side.
 */
static void read_table(struct body *body, uint64_t base, bool addresses)
{
	uint64_t value;
	uint32_t offset;

	if (elf_file__is_code(body->elf, base) && addresses)
		return;
	for (int i = 0; !addresses && elf_file__u32(body->elf, base + i * 4ull, &offset); i++)
		if (!add_table_target(body, base + (uint64_t)(int64_t)(int32_t)offset))
			return;
	for (int i = 0; addresses && reloc__value(body->elf, base + i * 8ull, &value); i++)
		if (!add_table_target(body, value))
			return;
}

/* Is the indirect jump the dispatch of a switch, or a call in tail position? */
static bool dispatches(const struct body *body, int32_t index, bool clean)
{
	const struct code *code = &body->nodes[index].code;

	if (code->reference && !code->indexed)
		return false; /* through a pointer of its own: the GOT */
	if (!clean || code->indexed)
		return true;
	for (int32_t i = index - 1; i >= 0 && i >= index - DISPATCH_REACH; i--)
		if (body->nodes[i].code.table_load)
			return true;
	return false;
}

static void find_tables(struct body *body)
{
	bool switches = false, addresses = false;

	for (int32_t i = 0; i < body->n_nodes; i++) {
		struct body_node *node = &body->nodes[i];
		int32_t offset;
		int frame;

		if (node->code.kind != CODE_JMP_INDIRECT)
			continue;
		frame = body__frame(body, node->code.vaddr, &offset);
		node->by_table = dispatches(body, i, frame == SITE_FRAME_SP && offset == 0);
		if (!node->by_table)
			node->leaves = LEAVE_TAIL;
		switches |= node->by_table;
		addresses |= node->by_table && node->code.indexed;
	}
	if (!switches)
		return;
	for (int32_t i = 0; i < body->n_nodes; i++) {
		struct code code = body->nodes[i].code;

		if (code.reference && code.lea)
			read_table(body, code.reference, false);
		if (code.reference && addresses && (code.lea || code.indexed))
			read_table(body, code.reference, true);
		if (code.immediate && body->elf->fixed && addresses)
			read_table(body, code.immediate, true);
	}
	body->unknown_jump = !body->n_tables;
}

/* Is there nothing but padding between this place and the end of its part, or a trap at once? */
static bool ends_here(const struct body *body, int32_t index)
{
	const struct body_part *part = &body->parts[body->nodes[index].part];

	for (index++; index < part->first + part->n; index++) {
		if (body->nodes[index].code.kind == CODE_TRAP)
			return true;
		if (body->nodes[index].code.kind != CODE_NOP)
			return false;
	}
	return true;
}

static void note_end(struct body_node *node, enum call_end end)
{
	node->never_returns = end == CALL_THROWS || end == CALL_ABORTS;
	node->trivial = end == CALL_FREES;
	/* The compiler's table may cover calls that can throw nothing, the stack protector's above all. */
	if (end == CALL_ABORTS || end == CALL_FREES)
		node->landing = -1;
}

static void link_nodes(struct body *body, struct noreturn *noreturn)
{
	for (int32_t i = 0; i < body->n_nodes; i++) {
		struct body_node *node = &body->nodes[i];
		const struct body_part *part = &body->parts[node->part];
		bool goes_on = i + 1 < part->first + part->n;

		switch ((enum code_kind)node->code.kind) {
		case CODE_RET:
			node->leaves = LEAVE_RETURN;
			goes_on = false;
			break;
		case CODE_TRAP:
		case CODE_JMP_INDIRECT:
			goes_on = false;
			break;
		case CODE_JMP:
			goes_on = false;
			node->branch = body__node(body, node->code.target);
			break;
		case CODE_JCC:
			node->branch = body__node(body, node->code.target);
			break;
		case CODE_CALL:
			note_end(node, noreturn__call(noreturn, node->code.target));
			break;
		case CODE_CALL_INDIRECT:
			if (node->code.reference)
				note_end(node, noreturn__call_slot(noreturn, node->code.reference));
			break;
		case CODE_OTHER:
		case CODE_PUSH:
		case CODE_NOP:
		case CODE_ENDBR:
			break;
		}
		if ((node->code.kind == CODE_CALL || node->code.kind == CODE_CALL_INDIRECT) && ends_here(body, i))
			node->never_returns = true;
		if (goes_on && !node->never_returns)
			node->next = i + 1;
		if (node->branch >= 0)
			body->nodes[node->branch].targeted = true;
		if (node->landing >= 0)
			body->nodes[node->landing].targeted = true;
	}
}

int body__read(struct body *body, const struct elf_file *elf, uint64_t start, uint64_t size, struct noreturn *noreturn)
{
	struct fde fde = { 0 };
	bool has_fde = unwind__find(elf, start, &fde) && fde.start == start;

	memset(body, 0, sizeof(*body));
	body->elf = elf;
	if (!has_fde) {
		memset(&fde, 0, sizeof(fde));
		fde.start = start;
		fde.size = size;
		if (!size)
			return refuse(body, "neither an unwind entry nor a symbol tells where it ends");
	}
	body->start = start;
	body->size = fde.size;
	if (add_part(body, &fde, has_fde) < 0 || find_parts(body) < 0 || find_pads(body) < 0)
		return -1;
	find_tables(body);
	link_nodes(body, noreturn);
	mark_self_calls(body);
	return 0;
}

void body__free(struct body *body)
{
	free(body->nodes);
	free(body->pads);
	free(body->tables);
	memset(body, 0, sizeof(*body));
}
