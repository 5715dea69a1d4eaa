/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * How many records a second go from their bytes into histograms on one core, what a scrape costs, and how much memory a
 * full house takes. Arguments: records (default 5000000), models (default 200, over 50 processes).
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "export/json.h"
#include "export/prometheus.h"
#include "model/model.h"
#include "records.h"

#define PROCESSES    50
#define RING_RECORDS 4096 /* what is kept ready: as much as a ring buffer holds */

static double seconds_since(uint64_t start_ns)
{
	return (double)(loop__now_ns() - start_ns) / 1e9;
}

/* A line of /proc/self/status, in kB. */
static long status_kb(const char *key)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			kb = strtol(line + strlen(key) + 1, NULL, 10);
	if (file)
		fclose(file);
	return kb;
}

static struct wire_process process_at(uint64_t i)
{
	return process_of((uint32_t)(1000 + i % PROCESSES), 1, 77);
}

static void announce(struct feed *feed, uint64_t models)
{
	char name[64];

	feed__hook(feed, 1, HOOK_CALL, "onnxruntime", "1.17.0");
	feed__hook(feed, 2, HOOK_LOAD, "onnxruntime", "1.17.0");
	for (uint64_t i = 0; i < models; i++) {
		snprintf(name, sizeof(name), "/models/a-model-of-this-host-%03" PRIu64 ".onnx", i);
		feed__handle(feed, process_at(i), 0x7f0000001000 + i * 0x1000, 0, 2, name);
	}
}

/* Calls whose durations spread over three octaves about the model's own, as real ones do. */
static void make_ring(struct feed *feed, uint64_t models, struct wire_call *ring, uint64_t *seed)
{
	for (int i = 0; i < RING_RECORDS; i++) {
		const uint64_t r = random_next(seed), model = (r >> 8) % models;

		ring[i] = feed__call_of(feed, process_at(model), 0x7f0000001000 + model * 0x1000, 1);
		ring[i].duration_ns = (20000ULL << model % 14) * (8 + (r >> 40) % 56) / 8;
		ring[i].values[VALUE_BATCH] = 1 << (r >> 32) % 6;
	}
}

int main(int argc, char **argv)
{
	const uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000000;
	const uint64_t models = argc > 2 ? strtoull(argv[2], NULL, 10) : 200;
	struct wire_call *ring = malloc(RING_RECORDS * sizeof(*ring));
	struct feed feed = { .model = model__new(NULL) };
	uint64_t seed = 1, start_ns, done = 0;
	struct decode_counts counts = { 0 };
	struct snapshot *snapshot;
	struct text text = { 0 };
	size_t bytes;
	double s;

	if (!ring || !feed.model || !models || !records)
		return 2;
	make_ring(&feed, models, ring, &seed);
	bytes = mallinfo2().uordblks;
	announce(&feed, models);

	start_ns = loop__now_ns();
	while (done < records) {
		struct record record;

		for (int i = 0; i < RING_RECORDS && done < records; i++, done++)
			if (decode__record(ring + i, sizeof(ring[i]), &record, &counts))
				model__apply(feed.model, &record);
	}
	s = seconds_since(start_ns);
	printf("%" PRIu64 " records, %" PRIu64 " models: %.3f s, %.2f M records/s, %.0f ns a record\n", done, models, s,
	       (double)done / s / 1e6, s / (double)done * 1e9);
	bytes = mallinfo2().uordblks - bytes;
	printf("memory of the model: %zu kB, %zu bytes a model; resident: %ld kB\n", bytes / 1024, bytes / models,
	       status_kb("VmRSS:"));

	start_ns = loop__now_ns();
	snapshot = model__snapshot(feed.model, start_ns);
	prometheus__render(snapshot, &text);
	s = seconds_since(start_ns);
	printf("a scrape: %.2f ms, %zu kB of text\n", s * 1e3, text.length / 1024);
	text__free(&text);
	start_ns = loop__now_ns();
	free(json__models(snapshot));
	printf("/api/v1/models: %.2f ms\n", seconds_since(start_ns) * 1e3);
	snapshot__free(snapshot);
	printf("resident at most: %ld kB\n", status_kb("VmHWM:"));
	model__free(feed.model);
	free(ring);
	return counts.good == done ? 0 : 1;
}
