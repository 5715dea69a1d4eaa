/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What deploy/ asks for exists: every metric that the dashboard and the alerts name is one that we export, and promtool
 * accepts the files. Runs in the repository's root (or with it as its argument).
 */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "export/prometheus.h"
#include "records.h"

#define DASHBOARD "deploy/grafana/infermeter.json"
#define PROMTOOL  "/usr/bin/promtool"

static char *exposition;

/* All families, with a model in which each has a value. */
static char *render_all(void)
{
	const struct model_options options = { .realtime_offset_ns = 1700000000000000000 };
	const struct snapshot_probe probe = { "toy", "run", true };
	struct feed feed = { .model = model__new(&options) };
	struct snapshot *snapshot;
	struct text text = { 0 };
	struct wire_call call;

	feed__hook(&feed, 1, HOOK_CALL, "toy", "1");
	call = feed__call_of(&feed, process_of(1, 1, 1), 1, 1);
	call.known |= 1 << VALUE_TOKENS;
	feed__bytes(&feed, &call, sizeof(call));
	call.header.tag = WIRE_LOAD;
	feed__bytes(&feed, &call, sizeof(call));
	snapshot = model__snapshot(feed.model, feed.time_ns);
	snapshot->probes = &probe;
	snapshot->n_probes = 1;
	snapshot->self = (struct snapshot_self) { 1, 1, 1 };
	prometheus__render(snapshot, &text);
	snapshot__free(snapshot);
	model__free(feed.model);
	return text__take(&text, NULL);
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (file && !fread(text, 1, (1 << 20) - 1, file))
		*text = 0;
	if (file)
		fclose(file);
	return text;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* A metric, or a metric's label, that begins a line of the exposition: NAME{ or NAME and a space. */
static bool is_exported(const char *name, size_t length)
{
	const char *at = exposition;

	while ((at = strstr(at, "\n"))) {
		at++;
		if (strncmp(at, name, length) == 0 && (at[length] == '{' || at[length] == ' '))
			return true;
	}
	return false;
}

/* Names of metrics in text. Returns how many there were; checks each. */
static int check_names(const char *text)
{
	static const char *const prefixes[] = { "infermeter_", "process_" };
	int found = 0;

	for (const char *at = text; *at; at++) {
		size_t length = 0;

		if (at > text && (is_word(at[-1]) || at[-1] == ':'))
			continue;
		while (is_word(at[length]))
			length++;
		for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
			if (strncmp(at, prefixes[i], strlen(prefixes[i])) != 0)
				continue;
			found++;
			if (!is_exported(at, length))
				printf("  not exported: %.*s\n", (int)length, at);
			CHECK(is_exported(at, length));
		}
	}
	return found;
}

/* Adds the expression to a rules file, with Grafana's variables filled in. */
static void add_rule(struct text *rules, const char *expression, int number)
{
	static const char *const variables[][2] = { { "$__rate_interval", "1m" },
						    { "$__range", "1h" },
						    { "$instance", ".*" },
						    { "$runtime", ".*" },
						    { "$model", ".*" } };

	text__printf(rules, "  - record: rule%d\n    expr: '", number);
	while (*expression) {
		size_t skip = 1;

		for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
			if (strncmp(expression, variables[i][0], strlen(variables[i][0])) == 0) {
				text__add(rules, variables[i][1]);
				skip = strlen(variables[i][0]);
			}
		}
		if (skip == 1)
			text__add_bytes(rules, expression, 1);
		CHECK(*expression != '$' || skip > 1);
		expression += skip;
	}
	text__add(rules, "'\n");
}

static void dashboard(void)
{
	struct text rules = { 0 };
	const cJSON *panel, *target, *variable;
	char *text = read_file(DASHBOARD), path[64], command[128];
	cJSON *json = cJSON_Parse(text);
	int queries = 0, ids[256] = { 0 };
	FILE *file;

	free(text);
	if (!json)
		SKIP("not in the repository's root: " DASHBOARD " is not there, or is no JSON");
	text__add(&rules, "groups:\n- name: dashboard\n  rules:\n");
	cJSON_ArrayForEach(panel, cJSON_GetObjectItem(json, "panels"))
	{
		const int id = cJSON_GetObjectItem(panel, "id")->valueint;

		CHECK(id > 0 && id < 256 && !ids[id]);
		ids[id & 255] = 1;
		cJSON_ArrayForEach(target, cJSON_GetObjectItem(panel, "targets"))
		{
			const char *expression = cJSON_GetStringValue(cJSON_GetObjectItem(target, "expr"));

			CHECK(expression && check_names(expression) > 0);
			add_rule(&rules, expression, queries++);
		}
	}
	cJSON_ArrayForEach(variable, cJSON_GetObjectItem(cJSON_GetObjectItem(json, "templating"), "list"))
	{
		const char *definition = cJSON_GetStringValue(cJSON_GetObjectItem(variable, "definition"));

		if (definition)
			CHECK(check_names(definition) > 0);
	}
	CHECK(queries > 20);
	if (access(PROMTOOL, X_OK) == 0) {
		snprintf(path, sizeof(path), "/tmp/infermeter-deploy-test-%d.yml", (int)getpid());
		file = fopen(path, "w");
		CHECK(file && fputs(rules.data, file) >= 0);
		if (file)
			fclose(file);
		snprintf(command, sizeof(command), PROMTOOL " check rules %s >/dev/null", path);
		CHECK_INT(system(command), 0);
		unlink(path);
	}
	text__free(&rules);
	cJSON_Delete(json);
}

static void alerts(void)
{
	char *text = read_file("deploy/prometheus/infermeter.rules.yml");

	if (!*text) {
		free(text);
		SKIP("not in the repository's root");
	}
	CHECK(check_names(text) > 10);
	free(text);
	if (access(PROMTOOL, X_OK) != 0)
		SKIP("promtool is not installed (package prometheus): names checked, rules not");
	CHECK_INT(system(PROMTOOL " check config deploy/prometheus/prometheus.yml >/dev/null"), 0);
	CHECK_INT(system(PROMTOOL " test rules tests/unit/infermeter.rules.test.yml >/dev/null"), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && chdir(argv[1]) < 0) {
		perror(argv[1]);
		return 2;
	}
	exposition = render_all();
	RUN(dashboard);
	RUN(alerts);
	free(exposition);
	return check__report();
}
