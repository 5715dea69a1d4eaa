/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/exits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "expr.h"
#include "hook.h"

#define BACK_MAX 96 /* instructions before the way out that are looked at */
/* What a call may write: the caller's registers by the ABI. */
#define CALL_CLOBBERS                                                                                                  \
	(1u << EXPR_DI | 1u << EXPR_SI | 1u << EXPR_DX | 1u << EXPR_CX | 1u << EXPR_R8 | 1u << EXPR_R9 |               \
	 1u << EXPR_AX | 1u << EXPR_R10 | 1u << EXPR_R11)
#define WORK_MAX (1 << 27) /* node visits in one function: the bound for hostile graphs */

/* One function under work. Marks are bytes, one a node. */
struct search {
	const struct body *body;
	uint8_t *reached, *after, *leads, *useful;
	int32_t *stack, *before, *before_from; /* before: predecessors, those of node i at before_from[i] .. [i + 1] */
	int32_t *site;			       /* of each way out: the node to probe; -1: not yet known */
	uint32_t needs;			       /* registers that are read at the exits */
	uint64_t work;
};

__attribute__((format(printf, 2, 3))) static void say(struct answer_function *function, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(function->exits_why, sizeof(function->exits_why), format, arguments);
	va_end(arguments);
}

/* Calls push for each node that may follow node i. */
#define FOR_EACH_SUCCESSOR(search, i, successor)                                                                       \
	for (int32_t which_ = 0, successor;                                                                            \
	     which_ < successors(search, i) && ((successor = successor_of(search, i, which_)), true); which_++)

static int32_t successors(const struct search *search, int32_t i)
{
	return 3 + (search->body->nodes[i].by_table ? search->body->n_tables : 0);
}

static int32_t successor_of(const struct search *search, int32_t i, int32_t which)
{
	const struct body_node *node = &search->body->nodes[i];

	switch (which) {
	case 0:
		return node->next;
	case 1:
		return node->branch;
	case 2:
		return node->landing;
	}
	return search->body->tables[which - 3];
}

static void flood(struct search *search, uint8_t *marks, int32_t depth, int32_t without)
{
	while (depth) {
		int32_t i = search->stack[--depth];

		search->work++;
		FOR_EACH_SUCCESSOR(search, i, next)
		if (next >= 0 && next != without && !marks[next]) {
			marks[next] = 1;
			search->stack[depth++] = next;
		}
	}
}

/* Marks what the entry and the landing pads lead to, on paths that avoid one node (-1: none). */
static void flood_from_roots(struct search *search, uint8_t *marks, int32_t without)
{
	const struct body *body = search->body;
	int32_t depth = 0;

	memset(marks, 0, body->n_nodes);
	if (body->n_nodes && without != 0) {
		marks[0] = 1;
		search->stack[depth++] = 0;
	}
	for (int i = 0; i < body->n_pads; i++) {
		int32_t pad = body->pads[i].node;

		if (pad >= 0 && pad != without && !marks[pad]) {
			marks[pad] = 1;
			search->stack[depth++] = pad;
		}
	}
	flood(search, marks, depth, without);
}

/* Marks what lies behind node i (i too, only where it lies on a cycle). */
static void flood_behind(struct search *search, uint8_t *marks, int32_t i)
{
	int32_t depth = 0;

	memset(marks, 0, search->body->n_nodes);
	FOR_EACH_SUCCESSOR(search, i, next)
	if (next >= 0 && !marks[next]) {
		marks[next] = 1;
		search->stack[depth++] = next;
	}
	flood(search, marks, depth, -1);
}

static bool is_way_out(const struct search *search, int32_t i)
{
	return search->body->nodes[i].leaves != LEAVE_NOT;
}

/* Marks what leads to a way out at all: the rest throws or aborts. */
static void mark_useful(struct search *search)
{
	const struct body *body = search->body;
	int32_t depth = 0;

	for (int32_t i = 0; i < body->n_nodes; i++)
		if (is_way_out(search, i)) {
			search->useful[i] = 1;
			search->stack[depth++] = i;
		}
	while (depth) {
		int32_t i = search->stack[--depth];

		for (int32_t k = search->before_from[i]; k < search->before_from[i + 1]; k++)
			if (!search->useful[search->before[k]]) {
				search->useful[search->before[k]] = 1;
				search->stack[depth++] = search->before[k];
			}
	}
}

/* Turns the successors around. */
static bool find_predecessors(struct search *search)
{
	int32_t n = search->body->n_nodes, total = 0;

	for (int32_t i = 0; i < n; i++)
		FOR_EACH_SUCCESSOR(search, i, next)
	if (next >= 0) {
		search->before_from[next]++;
		if (++total > 1 << 24)
			return false;
	}
	search->before = malloc(sizeof(*search->before) * (total ? total : 1));
	if (!search->before)
		return false;
	for (int32_t i = 0, sum = 0; i <= n; i++) {
		sum += i < n ? search->before_from[i] : 0;
		search->before_from[i] = sum;
	}
	for (int32_t i = 0; i < n; i++)
		FOR_EACH_SUCCESSOR(search, i, next)
	if (next >= 0)
		search->before[--search->before_from[next]] = i;
	return true;
}

/* Is this instruction work, so that nothing before it may count as the end? Writing a register that is read at the end is. */
static bool is_work(const struct search *search, int32_t i)
{
	const struct body_node *node = &search->body->nodes[i];
	struct code_effect effect;

	if (node->code.kind == CODE_CALL || node->code.kind == CODE_CALL_INDIRECT)
		return !node->never_returns && (!node->trivial || search->needs & CALL_CLOBBERS);
	return !code__effect(search->body->elf, node->code.vaddr, &effect) || effect.stores ||
	       effect.writes & search->needs;
}

/*
 * The register that holds the return value at node i, on its straight way to a ret; EXPR_ARGS: none, since it is made later. Only
 * the straight way is followed: from a branch both sides would have to agree.
 */
static uint8_t result_at(const struct search *search, int32_t i)
{
	const struct body *body = search->body;
	int32_t way[BACK_MAX];
	int n = 0;
	uint8_t holds = EXPR_AX;

	if (body->nodes[i].leaves == LEAVE_RETURN)
		return EXPR_AX;
	for (; i >= 0 && n < BACK_MAX; n++) {
		const struct body_node *node = &body->nodes[i];
		bool both = node->branch >= 0 && search->useful[node->branch] && node->next >= 0 &&
			    search->useful[node->next];

		way[n] = i;
		if (node->leaves == LEAVE_RETURN)
			break;
		if (node->leaves != LEAVE_NOT || both)
			return EXPR_ARGS;
		i = node->next >= 0 && search->useful[node->next] ? node->next : node->branch;
	}
	if (i < 0 || n == BACK_MAX)
		return EXPR_ARGS;
	while (n-- > 0) { /* backwards: where did what is in rax at the ret come from? */
		struct code_effect effect;

		if (!code__effect(body->elf, body->nodes[way[n]].code.vaddr, &effect))
			return EXPR_ARGS;
		if (!(effect.writes & 1u << holds))
			continue;
		if (effect.copies_to != holds || effect.copies_from < 0)
			return EXPR_ARGS;
		holds = effect.copies_from;
	}
	return holds;
}

/* Does X serve as the site of way out `out`, and of all that it leads to? */
static bool serves(struct search *search, int32_t x, int32_t out, uint64_t entry_vaddr)
{
	const struct body *body = search->body;
	const struct body_node *node = &body->nodes[x];

	if (node->code.cost == COST_STEPPED || node->code.unprobeable || node->code.kind == CODE_CALL ||
	    node->code.vaddr == entry_vaddr)
		return false;
	flood_behind(search, search->after, x);
	if (search->after[x])
		return false;
	flood_from_roots(search, search->leads, x); /* what can be reached without X */
	if (search->leads[out])
		return false;
	for (int32_t i = 0; i < body->n_nodes; i++) {
		if (!search->after[i] || !search->useful[i])
			continue;
		if (is_way_out(search, i) && (search->leads[i] || search->site[i] >= 0))
			return false;
		/* A way out through a tail jump is its own site: its end is marked as such. */
		if (body->nodes[i].leaves == LEAVE_TAIL || (body->nodes[i].leaves == LEAVE_TAIL_IF && i != x))
			return false;
		if (is_work(search, i))
			return false;
	}
	return true;
}

/* Is there a cycle among the useful nodes behind X? Peels off what nothing leads to, until nothing or a cycle is left. */
static bool loops_behind(struct search *search)
{
	const struct body *body = search->body;
	int32_t left = 0, depth = 0, *degree = calloc(body->n_nodes + 1, sizeof(*degree));

	if (!degree)
		return true;
	for (int32_t i = 0; i < body->n_nodes; i++) {
		if (!search->after[i] || !search->useful[i])
			continue;
		left++;
		FOR_EACH_SUCCESSOR(search, i, next)
		if (next >= 0 && search->after[next] && search->useful[next])
			degree[next]++;
	}
	for (int32_t i = 0; i < body->n_nodes; i++)
		if (search->after[i] && search->useful[i] && !degree[i])
			search->stack[depth++] = i;
	while (depth) {
		int32_t i = search->stack[--depth];

		left--;
		FOR_EACH_SUCCESSOR(search, i, next)
		if (next >= 0 && search->after[next] && search->useful[next] && !--degree[next])
			search->stack[depth++] = next;
	}
	free(degree);
	return left != 0;
}

/* From x to the way out without a branch target between: the common, plain case, which gets a name of its own. */
static bool straight(const struct search *search, int32_t x, int32_t out)
{
	for (int32_t i = x + 1; i <= out; i++)
		if (search->body->nodes[i].targeted)
			return false;
	return x < out;
}

/*
 * Without knowing where an indirect jump arrives, only one thing is safe before a ret: the stack protector's branch, whose other
 * side never comes back, in a straight line.
 */
static int32_t protector_before(const struct search *search, int32_t out)
{
	const struct body *body = search->body;

	for (int32_t i = out - 1; i >= 0 && i > out - BACK_MAX && !body->nodes[i + 1].targeted; i--) {
		const struct body_node *node = &body->nodes[i];

		if (node->next != i + 1 || node->never_returns || is_work(search, i))
			return -1;
		if (node->code.kind == CODE_JCC && node->branch >= 0 && !search->useful[node->branch] &&
		    node->code.cost != COST_STEPPED)
			return i;
	}
	return -1;
}

/* Walks back from a way out, nearest first, until a site serves. */
static int32_t find_site(struct search *search, int32_t out, uint64_t entry_vaddr)
{
	const struct body *body = search->body;
	int32_t queue[BACK_MAX], n = 0;

	if (body->nodes[out].leaves == LEAVE_TAIL)
		return out;
	if (body->nodes[out].leaves == LEAVE_TAIL_IF)
		return !body->unknown_jump && serves(search, out, out, entry_vaddr) && !loops_behind(search) ? out : -1;
	if (body->unknown_jump) {
		int32_t site = protector_before(search, out);

		return site >= 0 ? site : out;
	}
	queue[n++] = out;
	for (int32_t at = 0; at < n && search->work < WORK_MAX; at++) {
		if (at && serves(search, queue[at], out, entry_vaddr) && !loops_behind(search))
			return queue[at];
		/* Nothing before work can serve. */
		if (at && is_work(search, queue[at]))
			continue;
		for (int32_t k = search->before_from[queue[at]]; k < search->before_from[queue[at] + 1]; k++) {
			bool known = !search->reached[search->before[k]];

			for (int32_t i = 0; i < n && !known; i++)
				known = queue[i] == search->before[k];
			if (!known && n < BACK_MAX)
				queue[n++] = search->before[k];
		}
	}
	return out;
}

static void fill(struct answer_exit *exit, const struct search *search, int32_t site, int32_t out)
{
	const struct body *body = search->body;
	const struct body_node *node = &body->nodes[site];
	uint64_t available;
	const uint8_t *bytes = elf_file__rest(body->elf, node->code.vaddr, &available);

	memset(exit, 0, sizeof(*exit));
	exit->vaddr = node->code.vaddr;
	elf_file__offset(body->elf, exit->vaddr, &exit->offset);
	exit->frame = body__frame(body, exit->vaddr, &exit->frame_offset);
	/* At a ret and at a tail jump the stack is as it was, whatever the table lacks. */
	if (exit->frame == SITE_FRAME_UNKNOWN && (node->leaves == LEAVE_RETURN))
		exit->frame = SITE_FRAME_SP;
	exit->cost = node->code.cost;
	exit->result = result_at(search, site);
	if (node->leaves == LEAVE_TAIL || node->leaves == LEAVE_TAIL_IF)
		exit->how = EXIT_TAIL;
	else if (site == out)
		exit->how = EXIT_RET;
	else
		exit->how = straight(search, site, out) ? EXIT_STRAIGHT : EXIT_DOMINANT;
	memcpy(exit->bytes, bytes, available < sizeof(exit->bytes) ? available : sizeof(exit->bytes));
}

static void fill_pads(struct answer_function *function, const struct body *body)
{
	for (int i = 0; i < body->n_pads; i++) {
		struct answer_pad *pad = &function->pads[function->n_pads];
		struct code code;

		if (!elf_file__is_code(body->elf, body->pads[i].vaddr) ||
		    !elf_file__offset(body->elf, body->pads[i].vaddr, &pad->offset) ||
		    !code__at(body->elf, body->pads[i].vaddr, &code) || code.unprobeable)
			continue;
		if (function->n_pads == ANSWER_PADS_MAX) {
			say(function, "only %d of its %d landing pads are listed", ANSWER_PADS_MAX, body->n_pads);
			return;
		}
		pad->frame = body__frame(body, body->pads[i].vaddr, &pad->frame_offset);
		pad->cost = code.cost;
		pad->catches = body->pads[i].catches;
		function->n_pads++;
	}
}

static void find_all(struct answer_function *function, struct search *search)
{
	const struct body *body = search->body;

	flood_from_roots(search, search->reached, -1);
	for (int32_t i = 0; i < body->n_nodes; i++)
		search->site[i] = -1;
	mark_useful(search);
	for (int32_t out = 0; out < body->n_nodes; out++) {
		int32_t site;

		/* What nothing leads to is padding, unless we do not know where all jumps go. */
		if (!is_way_out(search, out) || (!search->reached[out] && !body->unknown_jump) ||
		    search->site[out] >= 0)
			continue;
		site = find_site(search, out, function->entry_vaddr);
		if (site < 0) {
			say(function, "the conditional jump at +%#llx may end it or not, and a probe there cannot tell",
			    (unsigned long long)(body->nodes[out].code.vaddr - function->vaddr));
			return;
		}
		search->site[out] = site;
		/* All that it leads to ends there too: also behind a conditional tail jump, which is its own site. */
		if (body->nodes[site].leaves != LEAVE_RETURN && !body->unknown_jump) {
			flood_behind(search, search->after, site);
			for (int32_t i = 0; i < body->n_nodes; i++)
				if (search->after[i] && is_way_out(search, i))
					search->site[i] = site;
		}
		if (function->n_exits == ANSWER_EXITS_MAX) {
			say(function, "it has more than %d exits", ANSWER_EXITS_MAX);
			return;
		}
		fill(&function->exits[function->n_exits], search, site, out);
		if (body->nodes[site].code.unprobeable) {
			say(function, "the kernel takes no probe on its exit at +%#llx",
			    (unsigned long long)(body->nodes[site].code.vaddr - function->vaddr));
			return;
		}
		if (body->nodes[site].code.vaddr == function->entry_vaddr) {
			say(function, "it is no more than a jump to another function: hook that one, or use `entry`");
			return;
		}
		function->n_exits++;
	}
	if (!function->n_exits)
		say(function, "no way out of it was found");
	function->exits_complete = function->n_exits;
}

void exits__find(struct answer_function *function, const struct body *body, uint32_t needs)
{
	size_t n = body->n_nodes;
	/* The stack pointer is given with each site. */
	struct search search = { .body = body, .needs = needs & ~(1u << EXPR_SP) };
	uint8_t *marks = calloc(4, n + 1);

	search.stack = malloc((n + 1) * sizeof(*search.stack));
	search.site = malloc((n + 1) * sizeof(*search.site));
	search.before_from = calloc(n + 2, sizeof(*search.before_from));
	if (marks && search.stack && search.site && search.before_from) {
		search.reached = marks;
		search.after = marks + n;
		search.leads = marks + 2 * n;
		search.useful = marks + 3 * n;
		if (find_predecessors(&search))
			find_all(function, &search);
		else
			say(function, "its jumps are too many to follow");
	} else {
		say(function, "out of memory");
	}
	free(marks);
	free(search.stack);
	free(search.site);
	free(search.before_from);
	free(search.before);
	fill_pads(function, body);
}

uint64_t exits__tail(const struct body *body, char *why, size_t size)
{
	uint64_t found = 0;

	for (int32_t i = 0; i < body->n_nodes; i++) {
		const struct body_node *node = &body->nodes[i];
		uint64_t target;

		if (node->leaves != LEAVE_TAIL && node->leaves != LEAVE_TAIL_IF)
			continue;
		target = node->code.target ? code__follow_stub(body->elf, node->code.target, NULL)
					   : code__follow_stub(body->elf, node->code.vaddr, NULL);
		if (target == node->code.vaddr || !target) {
			snprintf(why, size, "the jump at its end, %#llx, goes to an address that the file does not say",
				 (unsigned long long)node->code.vaddr);
			return 0;
		}
		if (found && found != target) {
			snprintf(why, size, "it ends in jumps to several functions, %#llx and %#llx",
				 (unsigned long long)found, (unsigned long long)target);
			return 0;
		}
		found = target;
	}
	if (!found)
		snprintf(why, size, "it does not end in a jump to another function");
	return found;
}
