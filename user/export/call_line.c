/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "export/call_line.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "export/json_add.h"
#include "export/table.h"
#include "export/terminal.h"

#define TIME_WIDTH     15
#define PROCESS_WIDTH  15
#define COMMAND_WIDTH  15
#define RUNTIME_WIDTH  12
#define MODEL_WIDTH    28
#define DURATION_WIDTH 9

/* text in width columns, cut or filled, and two spaces. */
static void add_left(struct text *into, const char *text, size_t width)
{
	const size_t taken = table__text_width(text);

	table__add_cut(into, text, width);
	text__printf(into, "%*s", (int)(taken < width ? width - taken : 0) + 2, "");
}

static void add_right(struct text *into, const char *text, size_t width)
{
	const size_t taken = table__text_width(text);

	text__printf(into, "%*s%s  ", (int)(taken < width ? width - taken : 0), "", text);
}

void call_line__heading(struct text *text)
{
	add_left(text, "TIME", TIME_WIDTH);
	add_left(text, "PID/TID", PROCESS_WIDTH);
	add_left(text, "COMMAND", COMMAND_WIDTH);
	add_left(text, "RUNTIME", RUNTIME_WIDTH);
	add_left(text, "MODEL", MODEL_WIDTH);
	add_right(text, "DURATION", DURATION_WIDTH);
	text__add(text, "RESULT\n");
}

void call_line__text(const struct model_call *call, struct text *text)
{
	const time_t seconds = (time_t)(call->end_unix_ns / 1000000000);
	char cell[64], duration[TERMINAL_NUMBER_MAX];
	struct tm local;

	localtime_r(&seconds, &local);
	snprintf(cell, sizeof(cell), "%02d:%02d:%02d.%06d", local.tm_hour, local.tm_min, local.tm_sec,
		 (int)(call->end_unix_ns % 1000000000 / 1000));
	add_left(text, cell, TIME_WIDTH);
	snprintf(cell, sizeof(cell), "%u/%u", call->tgid, call->tid);
	add_left(text, cell, PROCESS_WIDTH);
	add_left(text, call->command, COMMAND_WIDTH);
	add_left(text, call->labels->runtime, RUNTIME_WIDTH);
	add_left(text, call->labels->model, MODEL_WIDTH);
	snprintf(cell, sizeof(cell), "%s%s", call->late ? "≤ " : "",
		 terminal__duration((double)call->duration_ns / 1e9, duration));
	add_right(text, cell, DURATION_WIDTH);
	if (call->load)
		text__add(text, "load ");
	switch (call->outcome) {
	case CALL_OK:
		text__add(text, "ok");
		break;
	case CALL_STATUS:
		text__add(text, "failed");
		break;
	case CALL_UNWOUND:
		text__add(text, "failed (unwound)");
		break;
	case CALL_IGNORED:
		text__add(text, "refused");
		break;
	case CALL_ABANDONED:
		text__add(text, "abandoned");
		break;
	case CALL_OUTCOMES:
		break;
	}
	if (call->has_status && call->status)
		text__printf(text, "  status %lld", (long long)call->status);
	if (call->has_batch)
		text__printf(text, "  batch %llu", (unsigned long long)call->batch);
	if (call->has_tokens)
		text__printf(text, "  tokens %llu", (unsigned long long)call->tokens);
	text__add(text, "\n");
}

void call_line__json(const struct model_call *call, struct text *text)
{
	cJSON *object = cJSON_CreateObject();
	char number[32], *printed;

	/* Nanoseconds of today do not fit a double: written out. */
	snprintf(number, sizeof(number), "%lld.%09lld", (long long)(call->end_unix_ns / 1000000000),
		 (long long)(call->end_unix_ns % 1000000000));
	cJSON_AddRawToObject(object, "time", number);
	cJSON_AddStringToObject(object, "kind", call->load ? "load" : "execution");
	json__add_labels(object, call->labels);
	json__add_text(object, "hook", call->hook);
	json__add_unsigned(object, "pid", call->tgid);
	json__add_unsigned(object, "tid", call->tid);
	json__add_text(object, "command", call->command);
	json__add_seconds(object, "duration_seconds", call->duration_ns);
	if (call->late)
		cJSON_AddBoolToObject(object, "duration_is_upper_bound", true);
	cJSON_AddStringToObject(object, "outcome", call_outcome__name(call->outcome));
	if (call->has_status)
		cJSON_AddNumberToObject(object, "status", (double)call->status);
	if (call->has_batch)
		json__add_unsigned(object, "batch", call->batch);
	if (call->has_tokens)
		json__add_unsigned(object, "tokens", call->tokens);
	printed = object ? cJSON_PrintUnformatted(object) : NULL;
	cJSON_Delete(object);
	if (!printed) {
		text->failed = true;
		return;
	}
	text__add(text, printed);
	text__add(text, "\n");
	free(printed);
}
