/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Any bytes as a saved stream: read, applied, rendered by every sink. Without end, with coverage:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined … tests/fuzz/stream_fuzz.c
 * Bounded, from a good stream that is damaged in random places: tests/unit/stream_fuzz_test.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "decode/stream.h"
#include "export/call_line.h"
#include "export/json.h"
#include "export/prometheus.h"
#include "export/terminal.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void on_call(void *context, const struct model_call *call)
{
	struct text text = { 0 };

	call_line__text(call, &text);
	call_line__json(call, &text);
	text__free(&text);
}

static void render(struct model *model)
{
	struct snapshot *snapshot = model__snapshot(model, 1000000000);
	const struct terminal_options options = { .width = 60 };
	struct terminal_rates *rates = terminal_rates__note(snapshot);
	struct text text = { 0 };

	prometheus__render(snapshot, &text);
	terminal__models(snapshot, rates, &options, &text);
	terminal__losses(snapshot, &text);
	free(json__models(snapshot));
	text__free(&text);
	terminal_rates__free(rates);
	snapshot__free(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const struct model_options options = { .max_models = 20, .call = on_call };
	const int fd = memfd_create("stream", MFD_CLOEXEC);
	struct stream_reader *reader = NULL;
	struct model *model = model__new(&options);
	struct record record;
	char path[64], why[128];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (model && write(fd, bytes, size) == (ssize_t)size)
		reader = stream_reader__open(path, why, sizeof(why));
	while (reader && stream_reader__next(reader, &record) > 0)
		model__apply(model, &record);
	if (reader) {
		render(model);
		model__after_scrape(model);
		model__after_scrape(model);
		render(model);
	}
	stream_reader__close(reader);
	model__free(model);
	close(fd);
	return 0;
}
