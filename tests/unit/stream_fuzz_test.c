/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The bounded part of tests/fuzz/stream_fuzz.c: a good stream, damaged in random places, must never crash what reads it.
 * Damage that the check sums would catch is also given to the decoder and the model directly. Run under a sanitizer it
 * proves most.
 */
#include "../fuzz/stream_fuzz.c"

#include <fcntl.h>

#include "check.h"
#include "records.h"

enum { ROUNDS = 3000, RECORD_ROUNDS = 200000 };

static char path[64];

static void write_good_stream(void)
{
	struct feed feed = { .model = model__new(NULL), .stream = stream_writer__open(path, 0) };
	const struct wire_process one = process_of(1, 1, 1), two = process_of(2, 1, 1);
	struct wire_call load;

	feed__hook(&feed, 1, HOOK_CALL, "toy", "1");
	feed__hook(&feed, 2, HOOK_LOAD, "toy", "1");
	feed__hook(&feed, 3, HOOK_DERIVE, "toy", "1");
	feed__process(&feed, one, "python3", "box", "");
	feed__handle(&feed, one, 0x1000, 0, 2, "/m/a.onnx");
	load = feed__call_of(&feed, one, 0x1000, 2);
	load.header.tag = WIRE_LOAD;
	feed__bytes(&feed, &load, sizeof(load));
	feed__handle(&feed, one, 0x2000, 0x1000, 3, NULL);
	for (int i = 0; i < 5; i++) {
		feed__call(&feed, one, 0x1000, 1);
		feed__call(&feed, one, 0x2000, 1);
		feed__call(&feed, two, 0x1000, 1);
	}
	feed__free(&feed, one, 0x2000, 1);
	feed__life(&feed, WIRE_EXEC, two);
	feed__life(&feed, WIRE_EXIT, one);
	stream_writer__close(feed.stream);
	model__free(feed.model);
}

static size_t read_file(uint8_t *bytes, size_t room)
{
	const int fd = open(path, O_RDONLY);
	const ssize_t n = read(fd, bytes, room);

	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static void damaged_streams(void)
{
	static uint8_t good[32768], bad[32768];
	uint64_t seed = 2024;
	size_t size;

	write_good_stream();
	size = read_file(good, sizeof(good));
	CHECK(size > 2000);
	LLVMFuzzerTestOneInput(good, size);
	for (int round = 0; round < ROUNDS; round++) {
		size_t length = size;

		memcpy(bad, good, size);
		if (random_next(&seed) % 4 == 0)
			length = random_next(&seed) % (size + 1);
		for (uint64_t flips = random_next(&seed) % 16; flips; flips--)
			bad[random_next(&seed) % size] ^= (uint8_t)(1 << random_next(&seed) % 8);
		if (random_next(&seed) % 8 == 0)
			memset(bad + random_next(&seed) % size / 2, (int)random_next(&seed),
			       random_next(&seed) % (size / 2));
		LLVMFuzzerTestOneInput(bad, length);
	}
	unlink(path);
}

/* Records with any bits, past the check sums, into one model that lives on. */
static void damaged_records(void)
{
	static const size_t lengths[] = { sizeof(struct wire_call),	 sizeof(struct wire_handle),
					  sizeof(struct wire_free),	 sizeof(struct wire_life),
					  sizeof(struct wire_fact_hook), sizeof(struct wire_fact_process),
					  sizeof(struct wire_fact_loss) };
	static const uint16_t tags[] = { WIRE_CALL, WIRE_LOAD, WIRE_HANDLE,    WIRE_FREE,	  WIRE_EXEC,
					 WIRE_EXIT, WIRE_HELD, WIRE_FACT_HOOK, WIRE_FACT_PROCESS, WIRE_FACT_LOSS };
	const struct model_options options = { .max_models = 20 };
	struct model *model = model__new(&options);
	uint64_t seed = 77, bytes[128];
	struct decode_counts counts = { 0 };

	for (int round = 0; round < RECORD_ROUNDS; round++) {
		struct wire_header *header = (struct wire_header *)bytes;
		struct record record;
		size_t size = lengths[random_next(&seed) % 7];
		uint8_t *copy;

		memset(bytes, 0, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes) / 8; i++)
			if (random_next(&seed) % 3)
				bytes[i] = random_next(&seed) % 4 ? random_next(&seed) & 0x0003000300030003
								  : random_next(&seed);
		header->tag = tags[random_next(&seed) % 10];
		header->length = random_next(&seed) % 50 ? (uint16_t)size : (uint16_t)random_next(&seed);
		copy = malloc(size); /* ends where it ends */
		memcpy(copy, bytes, size);
		if (decode__record(copy, size, &record, &counts))
			model__apply(model, &record);
		free(copy);
		if (round % 1000 == 0) {
			const struct model_in_flight call = { .process = header->process, .handle = bytes[6] };

			model__set_in_flight(model, &call, 1);
			render(model);
			model__after_scrape(model);
		}
	}
	CHECK(counts.good > RECORD_ROUNDS / 20);
	CHECK_INT(counts.good + counts.bad[DECODE_SIZE] + counts.bad[DECODE_TAG] + counts.bad[DECODE_LENGTH] +
			  counts.bad[DECODE_TEXT],
		  RECORD_ROUNDS);
	CHECK(model__series_count(model) <= 60); /* 20, and _other of each runtime: few bits make few runtimes */
	model__free(model);
}

int main(void)
{
	snprintf(path, sizeof(path), "/tmp/infermeter-fuzz-test-%d", (int)getpid());
	RUN(damaged_streams);
	RUN(damaged_records);
	return check__report();
}
