/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "export/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/json_add.h"
#include "export/text.h"

/* Adding pieces. */

void json__add_text(cJSON *object, const char *name, const char *text)
{
	cJSON *string;

	if (!text || !*text)
		return;
	string = cJSON_AddStringToObject(object, name, text);
	/* Paths and commands are bytes of strangers; labels are clean already. What is no ASCII is kept only if it is UTF-8. */
	for (unsigned char *at = string ? (unsigned char *)string->valuestring : NULL; at && *at;) {
		const size_t bytes = *at < 0x80	  ? 1
				     : *at < 0xc2 ? 0
				     : *at < 0xe0 ? 2
				     : *at < 0xf0 ? 3
				     : *at < 0xf5 ? 4
						  : 0;
		size_t good = bytes ? 1 : 0;

		while (good && good < bytes && (at[good] & 0xc0) == 0x80)
			good++;
		if (good < bytes || !bytes) {
			*at++ = '?';
			continue;
		}
		at += bytes;
	}
}

void json__add_unsigned(cJSON *object, const char *name, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	cJSON_AddRawToObject(object, name, digits); /* a double would round above 2^53 */
}

void json__add_seconds(cJSON *object, const char *name, uint64_t nanoseconds)
{
	cJSON_AddNumberToObject(object, name, (double)nanoseconds / 1e9);
}

void json__add_labels(cJSON *object, const struct model_labels *labels)
{
	json__add_text(object, "model", labels->model);
	json__add_text(object, "runtime", labels->runtime);
	json__add_text(object, "container", labels->container);
	json__add_text(object, "pod", labels->pod);
	json__add_text(object, "namespace", labels->namespace_);
	json__add_text(object, "unit", labels->unit);
}

static void add_unix_time(cJSON *object, const char *name, int64_t unix_ns)
{
	char number[40];

	snprintf(number, sizeof(number), "%lld.%03lld", (long long)(unix_ns / 1000000000),
		 (long long)(unix_ns % 1000000000 / 1000000));
	if (unix_ns > 0)
		cJSON_AddRawToObject(object, name, number);
}

/* Printed and freed. */
static char *print(cJSON *object)
{
	char *printed = object ? cJSON_PrintUnformatted(object) : NULL;
	struct text text = { 0 };

	cJSON_Delete(object);
	if (!printed)
		return NULL;
	text__add(&text, printed);
	text__add(&text, "\n");
	free(printed);
	return text__take(&text, NULL);
}

/* Models. */

static void add_quantiles(cJSON *object, const struct histogram *histogram)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = { { "p50", 0.5 }, { "p95", 0.95 }, { "p99", 0.99 } };

	json__add_unsigned(object, "count", histogram->count);
	cJSON_AddNumberToObject(object, "sum", histogram->sum);
	if (!histogram->count)
		return;
	cJSON_AddNumberToObject(object, "min", histogram->min);
	cJSON_AddNumberToObject(object, "max", histogram->max);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++)
		cJSON_AddNumberToObject(object, quantiles[i].name, histogram__quantile(histogram, quantiles[i].q));
}

/* [{"le": 1, "count": 3}, … {"count": 1}]: not cumulated, empty ones left out; the last without le is +Inf. */
static void add_buckets(cJSON *object, const struct histogram *histogram)
{
	cJSON *buckets = cJSON_AddArrayToObject(object, "buckets");

	for (size_t i = 0; histogram->classic && i <= histogram->bounds->n; i++) {
		cJSON *bucket;

		if (!histogram->classic[i])
			continue;
		bucket = cJSON_CreateObject();
		if (i < histogram->bounds->n)
			cJSON_AddNumberToObject(bucket, "le", histogram->bounds->upper[i]);
		json__add_unsigned(bucket, "count", histogram->classic[i]);
		cJSON_AddItemToArray(buckets, bucket);
	}
}

static void add_processes(cJSON *object, const struct snapshot_model *model)
{
	cJSON *processes = cJSON_AddArrayToObject(object, "processes");

	for (size_t i = 0; i < model->n_processes; i++) {
		cJSON *process = cJSON_CreateObject();

		json__add_unsigned(process, "pid", model->processes[i].tgid);
		json__add_text(process, "command", model->processes[i].command);
		json__add_unsigned(process, "handles", model->processes[i].handles);
		cJSON_AddItemToArray(processes, process);
	}
}

static cJSON *model_object(const struct snapshot_model *model)
{
	cJSON *object = cJSON_CreateObject(), *failures, *duration, *batch, *versions;

	json__add_labels(object, &model->labels);
	cJSON_AddBoolToObject(object, "live", model->live);
	json__add_unsigned(object, "executions", model->executions);
	failures = cJSON_AddObjectToObject(object, "failures");
	for (int failure = 0; failure < FAILURES; failure++)
		json__add_unsigned(failures, snapshot__failure_reason(failure), model->failures[failure]);
	duration = cJSON_AddObjectToObject(object, "duration_seconds");
	add_quantiles(duration, model->duration);
	add_buckets(duration, model->duration);
	batch = cJSON_AddObjectToObject(object, "batch_size");
	add_quantiles(batch, model->batch);
	add_buckets(batch, model->batch);
	json__add_unsigned(batch, "unknown", model->batch_unknown);
	json__add_unsigned(object, "inferences", model->inferences);
	if (model->has_tokens)
		json__add_unsigned(object, "tokens", model->tokens);
	json__add_unsigned(object, "in_flight", model->in_flight);
	if (model->in_flight)
		json__add_seconds(object, "oldest_in_flight_seconds", model->oldest_in_flight_ns);
	json__add_unsigned(object, "loads", model->loads);
	json__add_unsigned(object, "load_failures", model->load_failures);
	if (model->load_duration_ns)
		json__add_seconds(object, "load_duration_seconds", model->load_duration_ns);
	add_unix_time(object, "last_execution", model->last_execution_unix_ns);
	versions = cJSON_AddArrayToObject(object, "versions");
	for (size_t i = 0; i < model->n_versions; i++)
		if (*model->versions[i])
			cJSON_AddItemToArray(versions, cJSON_CreateString(model->versions[i]));
	add_processes(object, model);
	return object;
}

static void add_agent(cJSON *object, const struct snapshot *snapshot)
{
	static const char *const kinds[SNAPSHOT_COUNTS] = { "events_lost", "events_unmatched", "events_invalid" };
	cJSON *agent = cJSON_AddObjectToObject(object, "agent");
	size_t attached = 0;

	cJSON_AddStringToObject(agent, "version", snapshot->version);
	for (int kind = 0; kind < SNAPSHOT_COUNTS; kind++) {
		cJSON *counts = cJSON_AddObjectToObject(agent, kinds[kind]);

		for (size_t i = 0; i < snapshot->n_counts[kind]; i++)
			json__add_unsigned(counts, snapshot->counts[kind][i].stage, snapshot->counts[kind][i].count);
	}
	json__add_unsigned(agent, "series_dropped", snapshot->series_dropped);
	for (size_t i = 0; i < snapshot->n_probes; i++)
		attached += snapshot->probes[i].attached;
	json__add_unsigned(agent, "probes", snapshot->n_probes);
	json__add_unsigned(agent, "probes_attached", attached);
}

char *json__models(const struct snapshot *snapshot)
{
	cJSON *object = cJSON_CreateObject(), *models;

	add_unix_time(object, "time", snapshot->now_unix_ns);
	models = cJSON_AddArrayToObject(object, "models");
	for (size_t i = 0; i < snapshot->n_models; i++)
		cJSON_AddItemToArray(models, model_object(snapshot->models + i));
	add_agent(object, snapshot);
	return print(object);
}

/* Targets. */

static cJSON *module_object(const struct target_module *module)
{
	cJSON *object = cJSON_CreateObject(), *hooks;

	json__add_text(object, "path", module->path);
	json__add_text(object, "runtime", module->runtime);
	json__add_text(object, "version", module->version);
	cJSON_AddBoolToObject(object, "usable", module->usable);
	json__add_text(object, "why", module->why);
	hooks = cJSON_AddArrayToObject(object, "hooks");
	for (size_t i = 0; i < module->n_hooks; i++) {
		cJSON *hook = cJSON_CreateObject();

		json__add_text(hook, "name", module->hooks[i].name);
		cJSON_AddBoolToObject(hook, "attached", module->hooks[i].attached);
		json__add_text(hook, "why", module->hooks[i].why);
		cJSON_AddItemToArray(hooks, hook);
	}
	return object;
}

char *json__targets(const struct target *targets, size_t n)
{
	cJSON *object = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(object, "targets");

	for (size_t i = 0; i < n; i++) {
		cJSON *target = cJSON_CreateObject(), *modules;

		json__add_unsigned(target, "pid", targets[i].pid);
		json__add_text(target, "command", targets[i].command);
		json__add_text(target, "container", targets[i].container);
		json__add_text(target, "pod", targets[i].pod);
		json__add_text(target, "namespace", targets[i].namespace_);
		json__add_text(target, "unit", targets[i].unit);
		modules = cJSON_AddArrayToObject(target, "modules");
		for (size_t j = 0; j < targets[i].n_modules; j++)
			cJSON_AddItemToArray(modules, module_object(targets[i].modules + j));
		cJSON_AddItemToArray(list, target);
	}
	return print(object);
}
