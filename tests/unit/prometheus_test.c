/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "export/prometheus.h"

#include <math.h>
#include <stdbool.h>
#include <unistd.h>

#include "check.h"
#include "records.h"

#define RUN_HOOK  1
#define LOAD_HOOK 2

/* A model with every kind of call, one not called yet, and one whose name needs escaping. */
static struct feed begin(void)
{
	const struct model_options options = { .realtime_offset_ns = 1700000000000000000, .version = "1.2.3" };
	struct feed feed = { .model = model__new(&options) };
	const struct wire_process p = process_of(4242, 1, 1), q = process_of(4243, 1, 1);
	struct model_in_flight in_flight = { p, 0x1000, 0, RUN_HOOK, 1 };
	struct wire_call call;

	feed__hook(&feed, RUN_HOOK, HOOK_CALL, "onnxruntime", "1.17.0");
	feed__hook(&feed, LOAD_HOOK, HOOK_LOAD, "onnxruntime", "1.17.0");
	feed__process(&feed, p, "python3", "web", "");
	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, "/m/bert.onnx");
	call = feed__call_of(&feed, p, 0x1000, LOAD_HOOK);
	call.header.tag = WIRE_LOAD;
	call.duration_ns = 1250000000;
	feed__bytes(&feed, &call, sizeof(call));
	feed__handle(&feed, p, 0x2000, 0, LOAD_HOOK, "/m/idle.onnx");
	feed__handle(&feed, q, 0x1000, 0, LOAD_HOOK, "a\"b\\c");
	for (int i = 0; i < 10; i++) {
		call = feed__call_of(&feed, p, 0x1000, RUN_HOOK);
		call.header.tid = 4242;
		call.duration_ns = 100000 + (uint64_t)i * 1000000;
		call.values[VALUE_BATCH] = (uint64_t)1 << (i % 4);
		call.known |= 1 << VALUE_TOKENS | 1 << VALUE_FAILED;
		call.values[VALUE_TOKENS] = 100;
		call.values[VALUE_FAILED] = i == 9;
		feed__bytes(&feed, &call, sizeof(call));
	}
	call.flags = WIRE_UNWOUND;
	feed__bytes(&feed, &call, sizeof(call));
	in_flight.start_ns = feed.time_ns;
	model__set_in_flight(feed.model, &in_flight, 1);
	return feed;
}

static char *render(struct feed *feed)
{
	static const struct snapshot_probe probes[] = { { "onnxruntime", "run", true },
							{ "llama.cpp", "decode", true },
							{ "onnxruntime", "run", false },
							{ "onnxruntime", "load", true } };
	struct snapshot *snapshot = model__snapshot(feed->model, feed->time_ns + 250000000);
	const struct decode_counts decode = { .bad[DECODE_TAG] = 5 };
	struct text text = { 0 };

	snapshot->probes = probes;
	snapshot->n_probes = 4;
	snapshot->self = (struct snapshot_self) { 1500000000, 12345678, 1699999999500000000 };
	snapshot__add_decode(snapshot, &decode);
	prometheus__render(snapshot, &text);
	snapshot__free(snapshot);
	return text__take(&text, NULL);
}

static void has_line(const char *text, const char *line)
{
	const char *at = text;
	const size_t length = strlen(line);
	bool found = false;

	while (!found && (at = strstr(at, line))) {
		found = (at == text || at[-1] == '\n') && at[length] == '\n';
		at += length;
	}
	if (!found)
		printf("  no line: %s\n", line);
	CHECK(found);
}

static void exact_lines(void)
{
	static const char *const lines[] = {
#define BERT "model=\"bert.onnx\",runtime=\"onnxruntime\",container=\"web\""
#define IDLE "model=\"idle.onnx\",runtime=\"onnxruntime\",container=\"web\""
#define ODD  "model=\"a\\\"b\\\\c\",runtime=\"onnxruntime\""
		"# TYPE infermeter_executions_total counter",
		"infermeter_executions_total{" BERT "} 11",
		"infermeter_executions_total{" IDLE "} 0",
		"infermeter_executions_total{" ODD "} 0",
		"infermeter_execution_failures_total{" BERT ",reason=\"status\"} 1",
		"infermeter_execution_failures_total{" BERT ",reason=\"unwound\"} 1",
		"infermeter_execution_failures_total{" IDLE ",reason=\"status\"} 0",
		"infermeter_execution_failures_total{" IDLE ",reason=\"unwound\"} 0",
		"# TYPE infermeter_execution_duration_seconds histogram",
		"infermeter_execution_duration_seconds_bucket{" BERT ",le=\"5e-05\"} 0",
		"infermeter_execution_duration_seconds_bucket{" BERT ",le=\"0.0001\"} 1",
		"infermeter_execution_duration_seconds_bucket{" BERT ",le=\"0.0025\"} 3",
		"infermeter_execution_duration_seconds_bucket{" BERT ",le=\"10\"} 9",
		"infermeter_execution_duration_seconds_bucket{" BERT ",le=\"+Inf\"} 9",
		"infermeter_execution_duration_seconds_sum{" BERT "} 0.0369",
		"infermeter_execution_duration_seconds_count{" BERT "} 9",
		"infermeter_execution_duration_seconds_bucket{" IDLE ",le=\"+Inf\"} 0",
		"infermeter_execution_duration_seconds_sum{" IDLE "} 0",
		"infermeter_execution_batch_size_bucket{" BERT ",le=\"1\"} 3",
		"infermeter_execution_batch_size_bucket{" BERT ",le=\"4\"} 7",
		"infermeter_execution_batch_size_bucket{" BERT ",le=\"1024\"} 9",
		"infermeter_execution_batch_size_sum{" BERT "} 31",
		"infermeter_inferences_total{" BERT "} 31",
		"infermeter_execution_batch_unknown_total{" BERT "} 0",
		"infermeter_execution_tokens_total{" BERT "} 900",
		"infermeter_executions_in_flight{" BERT "} 1",
		"infermeter_executions_in_flight{" IDLE "} 0",
		"infermeter_execution_oldest_in_flight_seconds{" BERT "} 0.25",
		"infermeter_model_loads_total{" BERT "} 1",
		"infermeter_model_load_failures_total{" BERT "} 0",
		"infermeter_model_load_duration_seconds{" BERT "} 1.25",
		"infermeter_model_info{" BERT ",version=\"1.17.0\"} 1",
		"infermeter_model_info{" ODD ",version=\"1.17.0\"} 1",
		"infermeter_build_info{version=\"1.2.3\"} 1",
		"infermeter_probe_attached{runtime=\"llama.cpp\",probe=\"decode\"} 1",
		"infermeter_probe_attached{runtime=\"onnxruntime\",probe=\"load\"} 1",
		"infermeter_probe_attached{runtime=\"onnxruntime\",probe=\"run\"} 0",
		"infermeter_events_lost_total{stage=\"ring_full\"} 0",
		"infermeter_events_unmatched_total{stage=\"abandoned\"} 0",
		"infermeter_events_unmatched_total{stage=\"unwound\"} 1",
		"infermeter_events_unmatched_total{stage=\"ignored\"} 0",
		"infermeter_events_invalid_total{stage=\"decode_tag\"} 5",
		"infermeter_events_invalid_total{stage=\"decode_size\"} 0",
		"infermeter_series_dropped_total 0",
		"process_cpu_seconds_total 1.5",
		"process_resident_memory_bytes 12345678",
	};
	struct feed feed = begin();
	char *text = render(&feed);

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		has_line(text, lines[i]);
	CHECK(!strstr(text, "execution_tokens_total{" IDLE)); /* it never told any */
	CHECK(!strstr(text, "load_duration_seconds{" IDLE));
	CHECK(!strstr(text, "last_execution_timestamp_seconds{" IDLE));
	CHECK(strstr(text, "infermeter_model_last_execution_timestamp_seconds{" BERT "} 1700000000.0000") != NULL);
	CHECK(!strstr(text, "4242") && !strstr(text, "/m/")); /* no pid, no path */
	free(text);
	model__free(feed.model);
}

static int compare_lines(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Each family once, with HELP and TYPE; no series twice; each line ends. */
static void well_formed(void)
{
	struct feed feed = begin();
	char *text = render(&feed), *series[4096], *line, *rest = text;
	size_t n = 0, n_help = 0, n_type = 0;

	CHECK(text[strlen(text) - 1] == '\n');
	while ((line = strsep(&rest, "\n"))) {
		n_help += strncmp(line, "# HELP ", 7) == 0;
		n_type += strncmp(line, "# TYPE ", 7) == 0;
		if (!*line || *line == '#')
			continue;
		CHECK(strncmp(line, "infermeter_", 11) == 0 || strncmp(line, "process_", 8) == 0);
		*strrchr(line, ' ') = 0;
		series[n++] = line;
	}
	CHECK_INT(n_help, n_type);
	CHECK_INT(n_help, 23);
	qsort(series, n, sizeof(*series), compare_lines);
	for (size_t i = 1; i < n; i++)
		CHECK(strcmp(series[i - 1], series[i]) != 0);
	free(text);
	model__free(feed.model);
}

static void dead_models_keep_counters_only(void)
{
	struct feed feed = begin();
	char *text;

	model__set_in_flight(feed.model, NULL, 0);
	feed__life(&feed, WIRE_EXIT, process_of(4242, 1, 1));
	text = render(&feed);
	has_line(text, "infermeter_executions_in_flight{" BERT "} 0");
	has_line(text, "infermeter_model_info{" BERT ",version=\"1.17.0\"} 1");
	free(text);
	model__after_scrape(feed.model);
	text = render(&feed);
	has_line(text, "infermeter_executions_total{" BERT "} 11");
	CHECK(!strstr(text, "infermeter_executions_in_flight{" BERT));
	CHECK(!strstr(text, "infermeter_model_info{" BERT));
	CHECK(!strstr(text, "infermeter_model_last_execution_timestamp_seconds{" BERT));
	CHECK(strstr(text, "infermeter_executions_in_flight{" ODD) != NULL);
	free(text);
	model__free(feed.model);
}

static void promtool_accepts_it(void)
{
	struct feed feed = begin();
	char *text;
	FILE *promtool;

	if (access("/usr/bin/promtool", X_OK) != 0) {
		model__free(feed.model);
		SKIP("promtool is not installed (package prometheus)");
	}
	text = render(&feed);
	promtool = popen("/usr/bin/promtool check metrics", "w");
	CHECK(promtool != NULL);
	fputs(text, promtool);
	CHECK_INT(pclose(promtool), 0);
	free(text);
	model__free(feed.model);
}

static void numbers(void)
{
	static const double values[] = { 0,	1,	  0.1,	       1e-9, 5e-05, 1.0 / 3, 123456789.123456789,
					 1e300, 4.9e-324, 1700000000.5 };
	struct text text = { 0 };
	uint64_t seed = 4;
	char *empty;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		text__add_double(&text, values[i]);
		CHECK(strtod(text.data, NULL) == values[i]);
		text__free(&text);
	}
	for (int i = 0; i < 20000; i++) {
		const double value = (double)random_next(&seed) / (double)(random_next(&seed) | 1);

		text__add_double(&text, value);
		CHECK(strtod(text.data, NULL) == value);
		text__free(&text);
	}
	text__add_double(&text, 0.1);
	text__add(&text, " ");
	text__add_double(&text, NAN);
	text__add(&text, " ");
	text__add_double(&text, -INFINITY);
	text__add(&text, " ");
	text__add_unsigned(&text, UINT64_MAX);
	text__printf(&text, " %s %d", "x", 7);
	CHECK_STR(text.data, "0.1 NaN -Inf 18446744073709551615 x 7");
	text__free(&text);
	empty = text__take(&text, NULL);
	CHECK_STR(empty, "");
	free(empty);
}

int main(void)
{
	RUN(exact_lines);
	RUN(well_formed);
	RUN(dead_models_keep_counters_only);
	RUN(promtool_accepts_it);
	RUN(numbers);
	return check__report();
}
