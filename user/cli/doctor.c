/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* doctor: what this host and one process allow, with a remedy for each no. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/processes.h"
#include "attach/features.h"
#include "base/log.h"
#include "cli/session.h"
#include "export/json.h"
#include "export/terminal.h"

static void print_features(const struct feature_state states[FEATURES])
{
	struct utsname name;

	uname(&name);
	printf("kernel %s %s\n", name.release, name.machine);
	for (int i = 0; i < FEATURES; i++) {
		const struct feature_state *state = &states[i];

		printf("  %-3s %s (since %s)\n", state->present ? "yes" : "NO", state->name, state->since);
		if (!state->present)
			printf("      %s\n      remedy: %s\n", state->why, state->remedy);
	}
}

static cJSON *features_json(const struct feature_state states[FEATURES])
{
	cJSON *rows = cJSON_CreateArray();

	for (int i = 0; i < FEATURES; i++) {
		cJSON *row = cJSON_CreateObject();

		cJSON_AddStringToObject(row, "feature", states[i].name);
		cJSON_AddStringToObject(row, "since", states[i].since);
		cJSON_AddBoolToObject(row, "required", states[i].required);
		cJSON_AddBoolToObject(row, "present", states[i].present);
		if (!states[i].present) {
			cJSON_AddStringToObject(row, "why", states[i].why);
			cJSON_AddStringToObject(row, "remedy", states[i].remedy);
		}
		cJSON_AddItemToArray(rows, row);
	}
	return rows;
}

static bool parse_pid(const char *text, pid_t *pid)
{
	char *end;
	long number = strtol(text, &end, 10);

	*pid = (pid_t)number;
	return number > 0 && !*end;
}

/* The process as the agent would see it, and for each no the remedy. Attaches nothing. */
static int examine(pid_t pid, const struct cli_options *options, cJSON *json)
{
	struct cli_options only = *options;
	const struct agent_options agent = { .dry = true };
	struct terminal_options terminal = { .verbose = true };
	struct session session;
	struct target *targets;
	struct text text = { 0 };
	size_t n = 0;
	int code;

	only.pids[0] = pid;
	only.n_pids = 1;
	code = session__open(&session, &only, &agent);
	if (code)
		return code;
	code = session__start(&session, 30000);
	targets = code ? NULL : agent__targets(session.agent, &n);
	if (json && targets) {
		char *array = json__targets(targets, n);

		cJSON_AddItemToObject(json, "process", array ? cJSON_Parse(array) : NULL);
		free(array);
	} else if (targets && n) {
		terminal__targets(targets, n, &terminal, &text);
		printf("%s", text.data ? text.data : "");
		text__free(&text);
		printf("(a dry run: nothing was attached)\n");
	} else if (targets) {
		printf("process %d maps no runtime that is known.\n"
		       "      remedy: if it runs a private runtime, write an adapter (docs/runtime-author.md) and give "
		       "--runtimes DIR;\n"
		       "      if the runtime is loaded only later, it is found then.\n",
		       (int)pid);
	}
	targets__free(targets, n);
	session__close(&session);
	return code;
}

int cli__doctor(const struct cli_options *options)
{
	struct feature_state states[FEATURES];
	cJSON *json = options->json ? cJSON_CreateObject() : NULL;
	pid_t pid = 0;
	char path[64], *out;
	int code = EXIT_DONE;

	if (options->n_arguments && !parse_pid(options->arguments[0], &pid)) {
		log_error("doctor: `%s` is no process id", options->arguments[0]);
		cJSON_Delete(json);
		return EXIT_USAGE;
	}
	features__probe(states);
	if (json)
		cJSON_AddItemToObject(json, "features", features_json(states));
	else
		print_features(states);
	if (features__missing(states))
		code = EXIT_NOT_ALLOWED;
	if (pid && !code) {
		snprintf(path, sizeof(path), "/proc/%d", (int)pid);
		if (access(path, F_OK) == 0) {
			code = examine(pid, options, json);
		} else {
			log_error("there is no process %d", (int)pid);
			code = EXIT_FAILED;
		}
	}
	if (json) {
		out = cJSON_Print(json);
		puts(out ? out : "{}");
		free(out);
		cJSON_Delete(json);
	}
	return code;
}
