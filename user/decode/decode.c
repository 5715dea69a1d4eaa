/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "decode/decode.h"

#include <string.h>

_Static_assert(sizeof(struct wire_fact_hook) % 8 == 0 && sizeof(struct wire_fact_process) % 8 == 0 &&
		       sizeof(struct wire_fact_loss) % 8 == 0 && sizeof(struct wire_call) % 8 == 0 &&
		       sizeof(struct wire_handle) % 8 == 0 && sizeof(struct wire_free) % 8 == 0,
	       "records keep each other aligned");

static bool ends(const char *text, size_t room)
{
	return memchr(text, 0, room);
}

static bool texts_end(const struct record *record)
{
	const struct wire_fact_process *process = record->process;
	const struct wire_fact_hook *hook = record->hook;

	if (record->tag == WIRE_FACT_HOOK)
		return ends(hook->runtime, sizeof(hook->runtime)) && ends(hook->name, sizeof(hook->name)) &&
		       ends(hook->version, sizeof(hook->version)) && ends(hook->module, sizeof(hook->module));
	return ends(process->command, sizeof(process->command)) &&
	       ends(process->container, sizeof(process->container)) && ends(process->pod, sizeof(process->pod)) &&
	       ends(process->namespace_, sizeof(process->namespace_)) && ends(process->unit, sizeof(process->unit));
}

/* Returns what is wrong, or DECODE_ERRORS. The record's own length can be read. */
static enum decode_error check(const struct record *record)
{
	const size_t length = record->header->length;
	const size_t handle_min = offsetof(struct wire_handle, name);

	switch (record->tag) {
	case WIRE_CALL:
	case WIRE_LOAD:
		return length == sizeof(struct wire_call) ? DECODE_ERRORS : DECODE_LENGTH;
	case WIRE_HANDLE: /* may end after its name */
		if (length < handle_min || length > sizeof(struct wire_handle))
			return DECODE_LENGTH;
		return record->handle->name_length <= length - handle_min ? DECODE_ERRORS : DECODE_TEXT;
	case WIRE_FREE:
		return length == sizeof(struct wire_free) ? DECODE_ERRORS : DECODE_LENGTH;
	case WIRE_EXEC:
	case WIRE_EXIT:
	case WIRE_HELD:
		return length == sizeof(struct wire_life) ? DECODE_ERRORS : DECODE_LENGTH;
	case WIRE_FACT_HOOK:
		if (length != sizeof(struct wire_fact_hook))
			return DECODE_LENGTH;
		return texts_end(record) ? DECODE_ERRORS : DECODE_TEXT;
	case WIRE_FACT_PROCESS:
		if (length != sizeof(struct wire_fact_process))
			return DECODE_LENGTH;
		return texts_end(record) ? DECODE_ERRORS : DECODE_TEXT;
	case WIRE_FACT_LOSS:
		return length == sizeof(struct wire_fact_loss) ? DECODE_ERRORS : DECODE_LENGTH;
	case WIRE_KERNEL_TAGS:
	case WIRE_FACT_TAGS:
		break;
	}
	return DECODE_TAG;
}

bool decode__record(const void *bytes, size_t size, struct record *record, struct decode_counts *counts)
{
	enum decode_error error = DECODE_SIZE;

	if (size >= sizeof(struct wire_header) && (uintptr_t)bytes % 8 == 0) {
		record->header = bytes;
		record->tag = record->header->tag;
		if (record->header->length <= size && record->header->length % 8 == 0 &&
		    record->header->length >= sizeof(struct wire_header))
			error = check(record);
	}
	if (counts && error == DECODE_ERRORS)
		counts->good++;
	else if (counts)
		counts->bad[error]++;
	return error == DECODE_ERRORS;
}

const char *decode__error_stage(enum decode_error error)
{
	switch (error) {
	case DECODE_SIZE:
		return "decode_size";
	case DECODE_TAG:
		return "decode_tag";
	case DECODE_LENGTH:
		return "decode_length";
	case DECODE_TEXT:
		return "decode_text";
	case DECODE_ERRORS:
		break;
	}
	return "decode";
}
