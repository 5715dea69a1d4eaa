/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "export/terminal.h"

#include <math.h>

#include "check.h"
#include "export/table.h"
#include "records.h"

static const char *duration(double seconds)
{
	static char buffer[TERMINAL_NUMBER_MAX];

	return terminal__duration(seconds, buffer);
}

static const char *count(double number)
{
	static char buffer[TERMINAL_NUMBER_MAX];

	return terminal__count(number, buffer);
}

static void numbers(void)
{
	CHECK_STR(duration(0), "0 ns");
	CHECK_STR(duration(87e-9), "87 ns");
	CHECK_STR(duration(999e-9), "999 ns");
	CHECK_STR(duration(1e-6), "1.00 µs");
	CHECK_STR(duration(123.4e-6), "123 µs");
	CHECK_STR(duration(1.234e-3), "1.23 ms");
	CHECK_STR(duration(12.34e-3), "12.3 ms");
	CHECK_STR(duration(0.99996), "1.00 s");
	CHECK_STR(duration(4.5), "4.50 s");
	CHECK_STR(duration(99.9), "99.9 s");
	CHECK_STR(duration(125), "2 m 5 s");
	CHECK_STR(duration(7260), "2 h 1 m");
	CHECK_STR(duration(NAN), "-");
	CHECK(strlen(duration(1.8e10)) < TERMINAL_NUMBER_MAX && strlen(duration(1e300)) < TERMINAL_NUMBER_MAX);
	CHECK_STR(count(0), "0");
	CHECK_STR(count(23), "23");
	CHECK_STR(count(9999), "9999");
	CHECK_STR(count(10000), "10.0 k");
	CHECK_STR(count(1234567), "1.23 M");
	CHECK_STR(count(999999), "1.00 M");
	CHECK_STR(count(2.5), "2.50");
	CHECK_STR(count(33.333), "33.3");
	CHECK_STR(count(456.7), "457");
	CHECK_STR(count(NAN), "-");
	CHECK_STR(count(1.8e19), "18000 P");
}

static struct feed begin(void)
{
	struct feed feed = { .model = model__new(NULL) };
	const struct wire_process p = process_of(1, 1, 1);

	feed__hook(&feed, 1, HOOK_CALL, "onnxruntime", "1");
	feed__process(&feed, p, "python3", "", "");
	feed__handle(&feed, p, 0x1000, 0, 1, "/m/bert-base-uncased-finetuned-for-something-long.onnx");
	feed__handle(&feed, p, 0x2000, 0, 1, "/m/\xe6\xa8\xa1\xe5\x9e\x8b.onnx");
	for (int i = 0; i < 23; i++) {
		struct wire_call call = feed__call_of(&feed, p, 0x1000, 1);

		call.duration_ns = 2000000;
		call.values[VALUE_BATCH] = i == 0 ? 8 : 1;
		feed__bytes(&feed, &call, sizeof(call));
	}
	feed__call(&feed, p, 0x2000, 1);
	return feed;
}

/* The widest line. */
static size_t widest(const struct text *text)
{
	char line[1024];
	size_t most = 0;

	for (const char *at = text->data; at && *at;) {
		const size_t length = strcspn(at, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)length, at);
		most = table__text_width(line) > most ? table__text_width(line) : most;
		at += length + (at[length] == '\n');
	}
	return most;
}

static void models(void)
{
	static const char wanted[] = "MODEL                                                RUNTIME      CALLS  FAILED  "
				     "    P50      P95      P99    BATCH"
				     "  IN FLIGHT  PROC\n"
				     "bert-base-uncased-finetuned-for-something-long.onnx  onnxruntime     23       0  "
				     "2.00 ms  2.00 ms  2.00 ms  1.30 / 8"
				     "          0     1\n"
				     "模型.onnx                                            onnxruntime      1       0  "
				     "1.00 ms  1.00 ms  1.00 ms         1"
				     "          0     1\n";
	struct feed feed = begin();
	struct snapshot *snapshot = model__snapshot(feed.model, 1000000000);
	struct terminal_options options = { 0 };
	struct text text = { 0 };

	terminal__models(snapshot, NULL, &options, &text);
	/* The heading of BATCH is as wide as its cells. */
	CHECK(text.data && strstr(text.data, strchr(wanted, '\n') + 1));
	CHECK(strncmp(text.data, "MODEL  ", 7) == 0);
	text__free(&text);
	for (options.width = 200; options.width >= 30; options.width--) {
		terminal__models(snapshot, NULL, &options, &text);
		CHECK(widest(&text) <= options.width);
		CHECK(strstr(text.data, "onnx") != NULL);
		text__free(&text);
	}
	options = (struct terminal_options) { .width = 100, .color = true };
	terminal__models(snapshot, NULL, &options, &text);
	CHECK(strstr(text.data, "\x1b[1mMODEL\x1b[0m") != NULL);
	text__free(&text);
	snapshot__free(snapshot);
	model__free(feed.model);
}

static void rates(void)
{
	struct feed feed = begin();
	struct snapshot *snapshot = model__snapshot(feed.model, 1000000000);
	struct terminal_rates *before = terminal_rates__note(snapshot);
	const struct terminal_options options = { 0 };
	struct text text = { 0 };

	snapshot__free(snapshot);
	for (int i = 0; i < 50; i++)
		feed__call(&feed, process_of(1, 1, 1), 0x1000, 1);
	snapshot = model__snapshot(feed.model, 3000000000);
	terminal__models(snapshot, before, &options, &text);
	CHECK(strstr(text.data, "CALLS/S") != NULL);
	CHECK(strstr(text.data, "onnxruntime     73       25  ") != NULL);
	CHECK(strstr(text.data, "onnxruntime      1        0  ") != NULL);
	text__free(&text);

	terminal__page(snapshot, before, 3, &options, &text);
	CHECK(strncmp(text.data, "\x1b[HMODEL", 8) == 0);
	CHECK(strstr(text.data, "bert-base") && !strstr(text.data, "\xe6\xa8\xa1")); /* no room for the third line */
	CHECK(strcmp(text.data + text.length - 3, "\x1b[J") == 0);
	text__free(&text);
	terminal_rates__free(before);
	snapshot__free(snapshot);
	model__free(feed.model);
}

static void losses(void)
{
	struct feed feed = begin();
	struct snapshot *snapshot = model__snapshot(feed.model, 0);
	struct text text = { 0 };

	terminal__losses(snapshot, &text);
	CHECK_INT(text.length, 0);
	snapshot__add_count(snapshot, SNAPSHOT_LOST, "ring_full", 12345);
	snapshot__add_count(snapshot, SNAPSHOT_UNMATCHED, "nested", 5);
	snapshot->series_dropped = 2;
	terminal__losses(snapshot, &text);
	CHECK_STR(text.data,
		  "events lost (ring_full): 12.3 k\nmodels beyond the limit: 2; counted together as _other\n");
	text__free(&text);
	snapshot__free(snapshot);
	model__free(feed.model);
}

static void targets(void)
{
	const struct target_hook hooks[] = {
		{ "run", true, "export" },
		{ "load", false,
		  "the function that refers to the string \"Load model from \" was not found in this file" },
	};
	const struct target_module modules[] = {
		{ "/usr/lib/libonnxruntime.so.1.17.0", "onnxruntime", "1.17.0", true, NULL, hooks, 2 },
		{ "/usr/lib/libllama.so", "llama.cpp", "", false, "it is stripped", NULL, 0 },
	};
	const struct target all[] = { { 7, "python3", "web", "pod-1", "prod", "", modules, 2 } };
	struct terminal_options options = { 0 };
	struct text text = { 0 };

	terminal__targets(all, 1, &options, &text);
	CHECK_STR(text.data, "7 python3  pod prod/pod-1  container web\n"
			     "  /usr/lib/libonnxruntime.so.1.17.0\n"
			     "    onnxruntime 1.17.0: watched, 1 of 2 probes attached\n"
			     "      missing  load: the function that refers to the string \"Load model from \" was not "
			     "found in this "
			     "file\n"
			     "  /usr/lib/libllama.so\n"
			     "    llama.cpp: not watched: it is stripped\n");
	text__free(&text);
	options.width = 60;
	options.verbose = true;
	terminal__targets(all, 1, &options, &text);
	CHECK(strstr(text.data, "attached run: export\n") != NULL);
	CHECK(widest(&text) <= 60);
	text__free(&text);
	terminal__targets(NULL, 0, &options, &text);
	CHECK(strstr(text.data, "No process") != NULL);
	text__free(&text);
}

static void cuts(void)
{
	struct text text = { 0 };

	table__add_cut(&text, "abcdefghij", 10);
	CHECK_STR(text.data, "abcdefghij");
	text__free(&text);
	table__add_cut(&text, "abcdefghij", 6);
	CHECK_STR(text.data, "ab…hij");
	text__free(&text);
	table__add_cut(&text, "模型模型模型", 7); /* two columns each: never half of one */
	CHECK(table__text_width(text.data) <= 7);
	text__free(&text);
	table__add_cut(&text, "abc", 1);
	CHECK_STR(text.data, "…");
	text__free(&text);
}

int main(void)
{
	RUN(numbers);
	RUN(models);
	RUN(rates);
	RUN(losses);
	RUN(targets);
	RUN(cuts);
	return check__report();
}
