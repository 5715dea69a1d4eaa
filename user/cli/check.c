/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* check: an adapter against a library, without a process: what each hook resolves to, and what it would cost. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "cli/cli.h"
#include "plan/adapter.h"
#include "plan/plan.h"
#include "resolve/resolver.h"

static const char *cost_text(uint8_t cost)
{
	switch ((enum site_cost)cost) {
	case COST_NOP5:
		return "nop, cheapest";
	case COST_EMULATED:
		return "emulated, about 1 us";
	case COST_STEPPED:
		return "single-stepped, 20 to 30 us";
	}
	return "unknown";
}

static const char *role_text(uint8_t role)
{
	switch ((enum site_role)role) {
	case SITE_ENTRY:
		return "entry";
	case SITE_EXIT:
		return "exit";
	case SITE_RETURN:
		return "return (uretprobe)";
	case SITE_PAD:
		return "landing pad";
	case SITE_HANDOVER:
		return "goes on in another";
	case SITE_ROLES:
		break;
	}
	return "unknown";
}

static const char *how_text(uint8_t how)
{
	switch ((enum exit_how)how) {
	case EXIT_STRAIGHT:
		return "the branch before a ret, in a straight line";
	case EXIT_DOMINANT:
		return "a branch that every path to the ret crosses";
	case EXIT_RET:
		return "the ret itself";
	case EXIT_TAIL:
		return "a jump out of the function";
	}
	return "";
}

static const struct answer_exit *exit_at(const struct answer_function *function, uint64_t offset)
{
	for (uint16_t i = 0; i < function->n_exits; i++) {
		if (function->exits[i].offset == offset)
			return &function->exits[i];
	}
	return NULL;
}

static void hex(const uint8_t *bytes, size_t n, char *text)
{
	for (size_t i = 0; i < n; i++)
		sprintf(text + 3 * i, "%02x ", bytes[i]);
	text[3 * n - 1] = '\0';
}

static void print_hook(const struct plan *plan, const struct plan_hook *hook, const struct answer_function *function)
{
	char bytes[64];

	printf("  %-14s %s\n", hook->name, hook->refused ? "REFUSED" : "ok");
	if (*hook->why)
		printf("    %s\n", hook->why);
	if (!function->found) {
		if (strcmp(hook->why, function->why) != 0)
			printf("    not found: %s\n", function->why);
		return;
	}
	hex(function->entry_bytes, 12, bytes);
	printf("    function at file offset %#llx, %llu bytes: %s\n", (unsigned long long)function->offset,
	       (unsigned long long)function->size, bytes);
	for (size_t i = 0; i < hook->n_sites; i++) {
		const struct plan_site *site = &plan->sites[hook->first_site + i];
		const struct answer_exit *ends = site->role == SITE_EXIT ? exit_at(function, site->offset) : NULL;

		printf("    %-18s +%#-6llx %s%s%s%s\n", role_text(site->role),
		       (unsigned long long)(site->offset - function->offset), cost_text(site->cost), ends ? ", " : "",
		       ends ? how_text(ends->how) : "",
		       ends && ends->frame == SITE_FRAME_UNKNOWN ? ", stack frame unknown" : "");
	}
}

static cJSON *hook_json(const struct plan *plan, const struct plan_hook *hook, const struct answer_function *function)
{
	cJSON *json = cJSON_CreateObject(), *sites = cJSON_AddArrayToObject(json, "sites");
	char bytes[64];

	cJSON_AddStringToObject(json, "hook", hook->name);
	cJSON_AddBoolToObject(json, "refused", hook->refused);
	cJSON_AddStringToObject(json, "why", hook->why);
	if (!function->found)
		return json;
	hex(function->entry_bytes, sizeof(function->entry_bytes), bytes);
	cJSON_AddNumberToObject(json, "offset", (double)function->offset);
	cJSON_AddNumberToObject(json, "size", (double)function->size);
	cJSON_AddStringToObject(json, "bytes", bytes);
	for (size_t i = 0; i < hook->n_sites; i++) {
		const struct plan_site *site = &plan->sites[hook->first_site + i];
		const struct answer_exit *ends = site->role == SITE_EXIT ? exit_at(function, site->offset) : NULL;
		cJSON *row = cJSON_CreateObject();

		cJSON_AddStringToObject(row, "role", role_text(site->role));
		cJSON_AddNumberToObject(row, "offset", (double)site->offset);
		cJSON_AddStringToObject(row, "cost", cost_text(site->cost));
		if (ends)
			cJSON_AddStringToObject(row, "how", how_text(ends->how));
		cJSON_AddItemToArray(sites, row);
	}
	return json;
}

static int print_plan(const struct plan *plan, const struct answer_match *match, const struct cli_options *options)
{
	cJSON *json = options->json ? cJSON_CreateObject() : NULL, *hooks = NULL;
	char *out;

	if (json) {
		cJSON_AddStringToObject(json, "runtime", adapter__runtime(plan->adapter));
		cJSON_AddStringToObject(json, "version", plan->version);
		cJSON_AddStringToObject(json, "module", options->module);
		cJSON_AddBoolToObject(json, "usable", plan->usable);
		cJSON_AddStringToObject(json, "why", plan->why);
		hooks = cJSON_AddArrayToObject(json, "hooks");
	} else {
		printf("%s %s in %s: %s%s\n", adapter__runtime(plan->adapter), plan->version, options->module,
		       plan->usable ? "usable" : "NOT usable: ", plan->usable ? "" : plan->why);
	}
	for (size_t i = 0; i < plan->n_hooks; i++) {
		const struct plan_hook *hook = &plan->hooks[i];
		const struct answer_function *function = &match->functions[hook->function];

		if (json)
			cJSON_AddItemToArray(hooks, hook_json(plan, hook, function));
		else
			print_hook(plan, hook, function);
	}
	if (json) {
		out = cJSON_Print(json);
		puts(out ? out : "{}");
		free(out);
		cJSON_Delete(json);
	}
	return plan->usable ? EXIT_DONE : EXIT_FAILED;
}

static void keep_answer(void *context, const struct answer *answer)
{
	*(const struct answer **)context = answer;
}

static int judge(const struct adapter_set *set, const struct answer *answer, const struct cli_options *options)
{
	struct plan *plan;
	int code;

	if (answer->failed) {
		log_error("%s: %s", options->module, answer->why);
		return EXIT_FAILED;
	}
	if (!answer->n_matches) {
		log_error("%s: no module of %s: none of the adapter's `modules` conditions holds", options->module,
			  adapter__runtime(adapter_set__at(set, 0)));
		return EXIT_FAILED;
	}
	plan = plan__new(set, &answer->matches[0], false);
	if (!plan) {
		log_error("no memory");
		return EXIT_FAILED;
	}
	code = print_plan(plan, &answer->matches[0], options);
	plan__free(plan);
	return code;
}

int cli__check(const struct cli_options *options)
{
	struct adapter_error error;
	struct adapter_set *set;
	struct resolver *resolver = NULL;
	struct loop *loop = NULL;
	const struct answer *answer = NULL;
	int code = EXIT_FAILED, fd = -1;

	if (!options->module) {
		log_error("check needs --module LIB: the library (or executable) that the runtime lives in");
		return EXIT_USAGE;
	}
	set = adapter_set__from_file(options->arguments[0], &error);
	if (!set) {
		log_error("%s", error.text);
		return EXIT_FAILED;
	}
	fd = open(options->module, O_RDONLY | O_CLOEXEC);
	loop = loop__new();
	resolver = loop ? resolver__new(loop, adapter_set__queries(set), adapter_set__count(set), NULL) : NULL;
	if (fd < 0 || !resolver) {
		log_error("%s: %s", options->module, strerror(errno));
		goto cleanup;
	}
	if (resolver__ask(resolver, fd, options->module, keep_answer, &answer)) {
		log_error("%s: cannot be looked at", options->module);
		goto cleanup;
	}
	while (!answer && loop__once(loop, 1000) >= 0)
		;
	if (answer)
		code = judge(set, answer, options);
cleanup:
	resolver__free(resolver);
	loop__free(loop);
	if (fd >= 0)
		close(fd);
	adapter_set__free(set);
	return code;
}
