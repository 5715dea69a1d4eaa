/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/adapter_data.h"
#include "plan/compile.h"

__attribute__((format(printf, 2, 3))) static void refuse(struct plan_hook *hook, const char *format, ...)
{
	va_list args;

	hook->refused = true;
	va_start(args, format);
	vsnprintf(hook->why, sizeof(hook->why), format, args);
	va_end(args);
}

static void add_site(struct plan *plan, size_t hook, uint64_t offset, enum site_role role, enum site_frame frame,
		     int32_t frame_offset, uint8_t cost)
{
	plan->sites[plan->n_sites++] = (struct plan_site) { .offset = offset,
							    .hook = (uint32_t)hook,
							    .role = (uint8_t)role,
							    .frame = (uint8_t)frame,
							    .frame_offset = frame_offset,
							    .cost = cost };
}

/* How many sites a function may need: entry, exits or return, pads. */
static size_t sites_of(const struct answer_function *function)
{
	return 2U + function->n_exits + function->n_pads;
}

/* A tail jump leaves the result to another function: what an exit expression reads is not there yet. */
static bool reads_tail_result(const struct function_query *query, const struct answer_function *function)
{
	if (!query->exit_needs)
		return false;
	for (size_t i = 0; i < function->n_exits; i++)
		if (function->exits[i].how == EXIT_TAIL)
			return true;
	return false;
}

/* The sites that end a call. Returns false with the hook refused. */
static bool plan_end(struct plan *plan, size_t index, const struct adapter_hook *from,
		     const struct function_query *query, const struct answer_function *function, bool no_return_probes)
{
	struct plan_hook *hook = &plan->hooks[index];
	bool exits = from->ends == ENDS_EXITS || (from->ends == ENDS_RETURN && no_return_probes);
	unsigned int stepped = 0;

	if (from->ends == ENDS_ENTRY) {
		snprintf(hook->why, sizeof(hook->why), "%s", function->why);
		return true;
	}
	if (!exits) {
		add_site(plan, index, function->entry_offset, SITE_RETURN, SITE_FRAME_SP, 0, COST_EMULATED);
		snprintf(hook->why, sizeof(hook->why), "%s; ends by return probe", function->why);
		return true;
	}
	if (!function->exits_complete || function->n_exits == 0) {
		refuse(hook, "%s, but not every way out of it is known: %s%s", function->why,
		       function->exits_why[0] ? function->exits_why : "no exits were found",
		       from->ends == ENDS_RETURN ? " (a return probe is not safe in this process)" : "");
		return false;
	}
	if (!from->continues_in && reads_tail_result(query, function)) {
		refuse(hook, "%s, but it ends in a jump to another function, so its result cannot be read at its exit",
		       function->why);
		return false;
	}
	for (size_t i = 0; i < function->n_exits; i++) {
		const struct answer_exit *exit = &function->exits[i];

		add_site(plan, index, exit->offset,
			 exit->how == EXIT_TAIL && from->continues_in ? SITE_HANDOVER : SITE_EXIT, exit->frame,
			 exit->frame_offset, exit->cost);
		hook->hands_over |= exit->how == EXIT_TAIL && from->continues_in;
		stepped += exit->cost == COST_STEPPED;
	}
	for (size_t i = 0; i < function->n_pads && from->pads; i++)
		/* A pad that may catch is no end: the function can go on behind it. */
		if (!function->pads[i].catches)
			add_site(plan, index, function->pads[i].offset, SITE_PAD, function->pads[i].frame,
				 function->pads[i].frame_offset, function->pads[i].cost);
	snprintf(hook->why, sizeof(hook->why), "%s; ends at %u exit%s%s", function->why, function->n_exits,
		 function->n_exits == 1 ? "" : "s", stepped ? ", single-stepped" : "");
	return true;
}

static void plan_hook(struct plan *plan, size_t index, size_t function_index, const struct answer_match *match,
		      bool no_return_probes)
{
	const struct adapter *adapter = plan->adapter;
	const struct adapter_hook *from = &adapter->hooks[function_index];
	const struct answer_function *function = &match->functions[function_index];
	struct plan_hook *hook = &plan->hooks[index];
	struct compile_report report;

	hook->runtime = adapter->runtime;
	hook->name = from->name;
	hook->when_maps = from->when_maps;
	hook->function = function_index;
	hook->first_site = plan->n_sites;
	hook->code.means = (uint16_t)from->means;
	hook->code.group = from->group;
	hook->code.entry_vaddr = function->entry_vaddr;
	if (!function->found) {
		refuse(hook, "%s", function->why[0] ? function->why : "not found");
		return;
	}
	if (compile__hook(adapter, from, match->constants, &hook->code, &report)) {
		refuse(hook, "%u:%u: %s", report.line, report.column, report.error);
		return;
	}
	snprintf(hook->unknown, sizeof(hook->unknown), "%s", report.unknown);
	if (report.refused) {
		refuse(hook, "%s", report.why);
		return;
	}
	add_site(plan, index, function->entry_offset, SITE_ENTRY, SITE_FRAME_SP, function->entry_frame_offset,
		 function->entry_cost);
	if (!plan_end(plan, index, from, &adapter->query.functions[function_index], function, no_return_probes))
		plan->n_sites = hook->first_site;
	hook->n_sites = plan->n_sites - hook->first_site;
}

/* Handles must be known before calls on them are seen: what makes and frees them comes first. */
static int order(enum hook_means means)
{
	return means == HOOK_CALL ? 1 : 0;
}

/* Is the hook that this one stands in for there? Then this one must not count too. */
static void drop_fallbacks(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_hooks; i++) {
		struct plan_hook *hook = &plan->hooks[i];
		const char *wanted = plan->adapter->hooks[hook->function].fallback_for;

		for (size_t j = 0; wanted && j < plan->n_hooks; j++) {
			if (strcmp(plan->hooks[j].name, wanted) != 0 || plan->hooks[j].refused || hook->refused)
				continue;
			refuse(hook, "not needed: '%s' is there", wanted);
			hook->n_sites = 0;
		}
	}
}

/* What goes on in a hook that is not there would be lost on the way. */
static void drop_without_continuation(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_hooks; i++) {
		struct plan_hook *hook = &plan->hooks[i];
		const char *wanted = plan->adapter->hooks[hook->function].continues_in;

		for (size_t j = 0; hook->hands_over && j < plan->n_hooks; j++) {
			if (strcmp(plan->hooks[j].name, wanted) != 0 || !plan->hooks[j].refused || hook->refused)
				continue;
			refuse(hook, "it goes on in '%s', which cannot be used", wanted);
			hook->n_sites = 0;
		}
	}
}

static bool replaced(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_hooks; i++) {
		const char *wanted = plan->adapter->hooks[plan->hooks[i].function].fallback_for;

		if (wanted && !plan->hooks[i].refused && strcmp(wanted, name) == 0)
			return true;
	}
	return false;
}

static void judge(struct plan *plan)
{
	bool counts = false;

	plan->usable = true;
	for (size_t i = 0; i < plan->n_hooks; i++) {
		const struct plan_hook *hook = &plan->hooks[i];
		const struct adapter_hook *from = &plan->adapter->hooks[hook->function];

		counts |= !hook->refused && (from->means == HOOK_CALL || from->means == HOOK_CAUGHT);
		if (!hook->refused || from->optional || from->fallback_for || replaced(plan, hook->name) ||
		    !plan->usable)
			continue;
		plan->usable = false;
		snprintf(plan->why, sizeof(plan->why), "%s: %.200s", hook->name, hook->why);
	}
	if (plan->usable && !counts) {
		plan->usable = false;
		snprintf(plan->why, sizeof(plan->why), "no hook that counts calls was found");
	}
}

/* Refused hooks leave no sites, and their places are taken up. */
static void close_gaps(struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_hooks; i++) {
		struct plan_hook *hook = &plan->hooks[i];
		size_t first = n;

		for (size_t j = 0; j < hook->n_sites; j++)
			plan->sites[n++] = plan->sites[hook->first_site + j];
		hook->first_site = first;
	}
	plan->n_sites = n;
}

struct plan *plan__new(const struct adapter_set *set, const struct answer_match *match, bool no_return_probes)
{
	const struct adapter *adapter = adapter_set__at(set, match->query);
	struct plan *plan = calloc(1, sizeof(*plan));
	size_t sites = 0;

	if (!plan)
		return NULL;
	plan->adapter = adapter;
	plan->version = match->version;
	if (!adapter || match->n_functions != adapter->n_hooks || match->n_constants != adapter->constants.n) {
		snprintf(plan->why, sizeof(plan->why), "this answer belongs to other adapters");
		return plan;
	}
	for (size_t i = 0; i < match->n_functions; i++)
		sites += sites_of(&match->functions[i]);
	plan->hooks = calloc(adapter->n_hooks + 1, sizeof(*plan->hooks));
	plan->sites = calloc(sites + 1, sizeof(*plan->sites));
	if (!plan->hooks || !plan->sites) {
		plan__free(plan);
		return NULL;
	}
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < adapter->n_hooks; i++)
			if (order(adapter->hooks[i].means) == round)
				plan_hook(plan, plan->n_hooks++, i, match, no_return_probes);
	plan->fallbacks = adapter->fallbacks;
	plan->n_fallbacks = adapter->n_fallbacks;
	drop_without_continuation(plan);
	drop_fallbacks(plan);
	close_gaps(plan);
	judge(plan);
	return plan;
}

void plan__free(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->hooks);
	free(plan->sites);
	free(plan);
}

const char *plan__means_name(enum hook_means means)
{
	static const char *const names[HOOK_MEANS] = { [HOOK_CALL] = "call",
						       [HOOK_LOAD] = "load",
						       [HOOK_DERIVE] = "derive",
						       [HOOK_FREE] = "free",
						       [HOOK_CAUGHT] = "caught" };

	return means > 0 && means < HOOK_MEANS ? names[means] : "?";
}
