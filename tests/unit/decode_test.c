/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "decode/decode.h"

#include "check.h"
#include "records.h"

static struct decode_counts counts;

/* Decodes a copy that ends exactly where it ends, so that a read beyond it is seen by a sanitizer. */
static bool decode(const void *bytes, size_t size)
{
	struct record record;
	void *copy = malloc(size ? size : 1);
	bool good;

	if (size)
		memcpy(copy, bytes, size);
	memset(&counts, 0, sizeof(counts));
	good = decode__record(copy, size, &record, &counts);
	if (good)
		CHECK(record.header == copy);
	free(copy);
	return good;
}

static const struct {
	uint16_t tag;
	size_t length;
} fixed[] = {
	{ WIRE_CALL, sizeof(struct wire_call) },	   { WIRE_LOAD, sizeof(struct wire_call) },
	{ WIRE_FREE, sizeof(struct wire_free) },	   { WIRE_EXEC, sizeof(struct wire_life) },
	{ WIRE_EXIT, sizeof(struct wire_life) },	   { WIRE_HELD, sizeof(struct wire_life) },
	{ WIRE_FACT_HOOK, sizeof(struct wire_fact_hook) }, { WIRE_FACT_PROCESS, sizeof(struct wire_fact_process) },
	{ WIRE_FACT_LOSS, sizeof(struct wire_fact_loss) },
};

static void every_tag_has_its_length(void)
{
	uint64_t room[128] = { 0 };
	struct wire_header *header = (struct wire_header *)room;

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		header->tag = fixed[i].tag;
		for (size_t length = 0; length <= sizeof(room); length++) {
			const bool right = length == fixed[i].length;

			header->length = (uint16_t)length;
			CHECK_INT(decode(room, sizeof(room)), right);
			if (!right)
				CHECK_INT(counts.bad[DECODE_SIZE] + counts.bad[DECODE_LENGTH], 1);
		}
		header->length = (uint16_t)fixed[i].length;
		CHECK_INT(decode(room, fixed[i].length), true); /* exactly */
		CHECK_INT(counts.good, 1);
		CHECK_INT(decode(room, fixed[i].length - 1), false);
		CHECK_INT(counts.bad[DECODE_SIZE], 1);
	}
}

static void unknown_tags(void)
{
	uint64_t room[128] = { 0 };
	struct wire_header *header = (struct wire_header *)room;
	int known = 0;

	header->length = sizeof(struct wire_header);
	for (int tag = 0; tag < 65536; tag++) {
		header->tag = (uint16_t)tag;
		decode(room, sizeof(room));
		known += !counts.bad[DECODE_TAG];
	}
	CHECK_INT(known, 10);
}

static void names_stay_inside(void)
{
	struct wire_handle handle = { .header = { .tag = WIRE_HANDLE, .length = sizeof(handle) } };

	for (int length = 0; length < 65536; length++) {
		handle.name_length = (uint16_t)length;
		CHECK_INT(decode(&handle, sizeof(handle)), length <= WIRE_NAME_MAX);
	}
	CHECK_INT(counts.bad[DECODE_TEXT], 1);
	/* A record may end behind its name. */
	handle.header.length = 56 + 16;
	handle.name_length = 16;
	CHECK(decode(&handle, 56 + 16));
	handle.name_length = 17;
	CHECK(!decode(&handle, 56 + 16));
	handle.header.length = 56;
	handle.name_length = 0;
	CHECK(decode(&handle, 56));
	handle.header.length = 48;
	CHECK(!decode(&handle, sizeof(handle)));
	handle.header.length = sizeof(handle) + 8;
	CHECK(!decode(&handle, sizeof(handle)));
}

static void texts_end(void)
{
	struct wire_fact_hook hook = { .header = { .tag = WIRE_FACT_HOOK, .length = sizeof(hook) } };
	struct wire_fact_process process = { .header = { .tag = WIRE_FACT_PROCESS, .length = sizeof(process) } };
	char *const in_hook[] = { hook.runtime, hook.name, hook.version };
	char *const in_process[] = { process.command, process.container, process.pod, process.namespace_,
				     process.unit };

	for (size_t i = 0; i < sizeof(in_hook) / sizeof(*in_hook); i++) {
		memset(in_hook[i], 'x', WIRE_TEXT_MAX);
		CHECK(!decode(&hook, sizeof(hook)));
		CHECK_INT(counts.bad[DECODE_TEXT], 1);
		in_hook[i][WIRE_TEXT_MAX - 1] = 0;
		CHECK(decode(&hook, sizeof(hook)));
	}
	memset(hook.module, 'x', sizeof(hook.module));
	CHECK(!decode(&hook, sizeof(hook)));
	for (size_t i = 0; i < sizeof(in_process) / sizeof(*in_process); i++) {
		memset(in_process[i], 'x', WIRE_TEXT_MAX);
		CHECK(!decode(&process, sizeof(process)));
		in_process[i][WIRE_TEXT_MAX - 1] = 0;
		CHECK(decode(&process, sizeof(process)));
	}
}

static void short_and_crooked(void)
{
	uint64_t room[64] = { 0 };
	struct wire_header *header = (struct wire_header *)room;
	struct record record;

	header->tag = WIRE_EXIT;
	header->length = sizeof(*header);
	for (size_t size = 0; size < sizeof(*header); size++)
		CHECK(!decode(room, size));
	memset(&counts, 0, sizeof(counts));
	memmove((char *)room + 4, room, sizeof(*header));
	CHECK(!decode__record((char *)room + 4, sizeof(*header), &record, &counts));
	CHECK_INT(counts.bad[DECODE_SIZE], 1);
	CHECK(!decode__record(room, 3, &record, NULL));
	for (int error = 0; error < DECODE_ERRORS; error++)
		CHECK(strncmp(decode__error_stage(error), "decode_", 7) == 0);
}

int main(void)
{
	RUN(every_tag_has_its_length);
	RUN(unknown_tags);
	RUN(names_stay_inside);
	RUN(texts_end);
	RUN(short_and_crooked);
	return check__report();
}
