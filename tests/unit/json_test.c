/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "export/json.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "check.h"
#include "export/call_line.h"
#include "records.h"

/* The value at a path of names and numbers, "models/0/labels"; NULL if there is none. */
static const cJSON *at(const cJSON *json, const char *path)
{
	char copy[128], *rest = copy, *name;

	snprintf(copy, sizeof(copy), "%s", path);
	while (json && (name = strsep(&rest, "/")))
		json = *name >= '0' && *name <= '9' ? cJSON_GetArrayItem(json, atoi(name))
						    : cJSON_GetObjectItemCaseSensitive(json, name);
	return json;
}

static double number(const cJSON *json, const char *path)
{
	const cJSON *item = at(json, path);

	return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static const char *string(const cJSON *json, const char *path)
{
	return cJSON_GetStringValue(at(json, path));
}

static void models(void)
{
	const struct model_options options = { .realtime_offset_ns = 1700000000000000000, .version = "1.2.3" };
	struct feed feed = { .model = model__new(&options) };
	const struct wire_process p = process_of(4242, 1, 1), q = process_of(4243, 1, 1);
	const struct model_in_flight in_flight = { p, 0x1000, 1000, 1, 1 };
	const struct snapshot_probe probes[] = { { "toy", "run", true }, { "toy", "load", false } };
	struct snapshot *snapshot;
	cJSON *json;
	char *text;

	feed__hook(&feed, 1, HOOK_CALL, "toy", "7.1");
	feed__process(&feed, p, "python3", "web", "");
	feed__handle(&feed, p, 0x1000, 0, 1, "/m/a \"b\".onnx");
	feed__handle(&feed, q, 0x1000, 0, 1, "idle");
	for (int i = 0; i < 100; i++) {
		struct wire_call call = feed__call_of(&feed, p, 0x1000, 1);

		call.duration_ns = 2000000;
		call.values[VALUE_BATCH] = i < 75 ? 4 : 8;
		call.known |= 1 << VALUE_FAILED;
		call.values[VALUE_FAILED] = i == 99;
		feed__bytes(&feed, &call, sizeof(call));
	}
	model__set_in_flight(feed.model, &in_flight, 1);
	snapshot = model__snapshot(feed.model, 2000001000);
	snapshot->probes = probes;
	snapshot->n_probes = 2;
	text = json__models(snapshot);
	CHECK(text[strlen(text) - 1] == '\n');
	json = cJSON_Parse(text);
	CHECK(json != NULL);
	CHECK(number(json, "time") == 1700000002.0);
	CHECK_INT(cJSON_GetArraySize(at(json, "models")), 2);
	CHECK_STR(string(json, "models/0/model"), "a \"b\".onnx");
	CHECK_STR(string(json, "models/0/runtime"), "toy");
	CHECK_STR(string(json, "models/0/container"), "web");
	CHECK(!at(json, "models/0/pod"));
	CHECK_INT(number(json, "models/0/executions"), 100);
	CHECK_INT(number(json, "models/0/failures/status"), 1);
	CHECK_INT(number(json, "models/0/failures/unwound"), 0);
	CHECK_INT(number(json, "models/0/duration_seconds/count"), 99);
	CHECK(number(json, "models/0/duration_seconds/p50") == 0.002);
	CHECK(number(json, "models/0/duration_seconds/p99") == 0.002);
	CHECK_INT(number(json, "models/0/batch_size/buckets/0/le"), 4);
	CHECK_INT(number(json, "models/0/batch_size/buckets/0/count"), 75);
	CHECK_INT(number(json, "models/0/batch_size/buckets/1/count"), 24);
	CHECK_INT(number(json, "models/0/inferences"), 75 * 4 + 24 * 8);
	CHECK(!at(json, "models/0/tokens"));
	CHECK_INT(number(json, "models/0/in_flight"), 1);
	CHECK(number(json, "models/0/oldest_in_flight_seconds") == 2);
	CHECK_STR(string(json, "models/0/versions/0"), "7.1");
	CHECK_INT(number(json, "models/0/processes/0/pid"), 4242);
	CHECK_STR(string(json, "models/0/processes/0/command"), "python3");
	CHECK_STR(string(json, "models/1/model"), "idle");
	CHECK_INT(number(json, "models/1/executions"), 0);
	CHECK(!at(json, "models/1/duration_seconds/p50")); /* nothing to tell */
	CHECK(!at(json, "models/1/last_execution"));
	CHECK_STR(string(json, "agent/version"), "1.2.3");
	CHECK_INT(number(json, "agent/events_lost/ring_full"), 0);
	CHECK_INT(number(json, "agent/probes"), 2);
	CHECK_INT(number(json, "agent/probes_attached"), 1);
	cJSON_Delete(json);
	free(text);
	snapshot__free(snapshot);
	model__free(feed.model);
}

static void targets(void)
{
	const struct target_hook hooks[] = { { "run", true, "export OrtRun" }, { "load", false, "no symbol" } };
	const struct target_module modules[] = {
		{ "/usr/lib/lib\xff\xc3\xa8.so", "onnxruntime", "1.17.0", true, NULL, hooks, 2 },
		{ "/usr/lib/b.so", "llama.cpp", "", false, "stripped", NULL, 0 },
	};
	const struct target all[] = { { 7, "python3", "web", "", NULL, "", modules, 2 },
				      { 8, NULL, "", "", "", "", NULL, 0 } };
	char *text = json__targets(all, 2);
	cJSON *json = cJSON_Parse(text);

	CHECK_INT(number(json, "targets/0/pid"), 7);
	CHECK_STR(string(json, "targets/0/container"), "web");
	CHECK_STR(string(json, "targets/0/modules/0/path"), "/usr/lib/lib?\xc3\xa8.so");
	CHECK_STR(string(json, "targets/0/modules/0/version"), "1.17.0");
	CHECK(cJSON_IsTrue(at(json, "targets/0/modules/0/usable")));
	CHECK(cJSON_IsTrue(at(json, "targets/0/modules/0/hooks/0/attached")));
	CHECK(cJSON_IsFalse(at(json, "targets/0/modules/0/hooks/1/attached")));
	CHECK_STR(string(json, "targets/0/modules/0/hooks/1/why"), "no symbol");
	CHECK_STR(string(json, "targets/0/modules/1/why"), "stripped");
	CHECK(!at(json, "targets/0/modules/1/version"));
	CHECK(!at(json, "targets/1/command"));
	CHECK_INT(cJSON_GetArraySize(at(json, "targets/1/modules")), 0);
	cJSON_Delete(json);
	free(text);
	text = json__targets(NULL, 0);
	CHECK_STR(text, "{\"targets\":[]}\n");
	free(text);
}

static void calls(void)
{
	const struct model_labels labels = { "bert.onnx", "onnxruntime", "", "", "", "ml.service" };
	struct model_call call = { .labels = &labels,
				   .hook = "run",
				   .command = "python3",
				   .tgid = 4242,
				   .tid = 4243,
				   .duration_ns = 1234567,
				   .end_unix_ns = 1700000000123456789,
				   .outcome = CALL_STATUS,
				   .has_batch = true,
				   .batch = 8,
				   .has_status = true,
				   .status = -3 };
	struct text text = { 0 };

	setenv("TZ", "UTC", 1);
	call_line__json(&call, &text);
	CHECK_STR(text.data,
		  "{\"time\":1700000000.123456789,\"kind\":\"execution\",\"model\":\"bert.onnx\",\"runtime\":"
		  "\"onnxruntime\",\"unit\":\"ml.service\",\"hook\":\"run\",\"pid\":4242,\"tid\":4243,\"command\":"
		  "\"python3\",\"duration_seconds\":0.001234567,\"outcome\":\"status\",\"status\":-3,\"batch\":8}\n");
	text__free(&text);
	call_line__text(&call, &text);
	CHECK_STR(text.data,
		  "22:13:20.123456  4242/4243        python3          onnxruntime   bert.onnx                       "
		  "1.23 ms  failed  status -3  batch 8\n");
	text__free(&text);
	call.load = true;
	call.outcome = CALL_OK;
	call.has_batch = call.has_status = false;
	call.late = true;
	call_line__text(&call, &text);
	CHECK(strstr(text.data, "≤ 1.23 ms  load ok\n") != NULL);
	text__free(&text);
	call_line__heading(&text);
	CHECK(strncmp(text.data, "TIME             PID/TID          COMMAND          RUNTIME       MODEL", 67) == 0);
	text__free(&text);
}

int main(void)
{
	RUN(models);
	RUN(targets);
	RUN(calls);
	return check__report();
}
