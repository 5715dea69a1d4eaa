/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Makes wire records, for tests: each goes through the decoder into a model, and into a stream if there is one. */
#ifndef INFERMETER_RECORDS_H
#define INFERMETER_RECORDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/stream.h"
#include "model/model.h"

struct feed {
	struct model *model;
	struct stream_writer *stream; /* NULL: none */
	uint64_t time_ns;	      /* of the next record; each adds 1000 */
	uint64_t refused;
};

static inline void feed__bytes(struct feed *feed, const void *bytes, size_t size)
{
	struct record record;

	if (!decode__record(bytes, size, &record, NULL)) {
		feed->refused++;
		return;
	}
	model__apply(feed->model, &record);
	if (feed->stream)
		stream_writer__write(feed->stream, &record);
}

static inline struct wire_header feed__header(struct feed *feed, uint16_t tag, size_t length,
					      struct wire_process process)
{
	feed->time_ns += 1000;
	return (struct wire_header) { .tag = tag,
				      .length = (uint16_t)length,
				      .tid = process.tgid,
				      .time_ns = feed->time_ns,
				      .process = process };
}

static inline struct wire_process process_of(uint32_t tgid, uint32_t exec_id, uint64_t start_ns)
{
	return (struct wire_process) { tgid, exec_id, start_ns };
}

static inline void feed__hook(struct feed *feed, uint32_t id, uint16_t means, const char *runtime, const char *version)
{
	struct wire_fact_hook fact = {
		.header = feed__header(feed, WIRE_FACT_HOOK, sizeof(fact), process_of(0, 0, 0)),
		.hook = id,
		.means = means,
	};

	snprintf(fact.runtime, sizeof(fact.runtime), "%s", runtime);
	snprintf(fact.name, sizeof(fact.name), "hook%u", id);
	snprintf(fact.version, sizeof(fact.version), "%s", version);
	feed__bytes(feed, &fact, sizeof(fact));
}

static inline void feed__process(struct feed *feed, struct wire_process process, const char *command,
				 const char *container, const char *unit)
{
	struct wire_fact_process fact = { .header = feed__header(feed, WIRE_FACT_PROCESS, sizeof(fact), process) };

	snprintf(fact.command, sizeof(fact.command), "%s", command);
	snprintf(fact.container, sizeof(fact.container), "%s", container);
	snprintf(fact.unit, sizeof(fact.unit), "%s", unit);
	feed__bytes(feed, &fact, sizeof(fact));
}

/* name NULL: none came with it. */
static inline void feed__handle(struct feed *feed, struct wire_process process, uint64_t handle, uint64_t parent,
				uint32_t hook, const char *name)
{
	struct wire_handle record = {
		.header = feed__header(feed, WIRE_HANDLE, sizeof(record), process),
		.handle = handle,
		.parent = parent,
		.hook = hook,
	};

	if (name) {
		record.flags = WIRE_NAME_KNOWN;
		record.name_length = (uint16_t)strlen(name);
		memcpy(record.name, name, strlen(name));
	}
	feed__bytes(feed, &record, sizeof(record));
}

/* A call of a batch of 1 that took 1 ms; change what differs. */
static inline struct wire_call feed__call_of(struct feed *feed, struct wire_process process, uint64_t handle,
					     uint32_t hook)
{
	struct wire_call call = {
		.header = feed__header(feed, WIRE_CALL, sizeof(call), process),
		.duration_ns = 1000000,
		.hook = hook,
		.known = 1 << VALUE_HANDLE | 1 << VALUE_BATCH,
	};

	call.values[VALUE_HANDLE] = handle;
	call.values[VALUE_BATCH] = 1;
	return call;
}

static inline void feed__call(struct feed *feed, struct wire_process process, uint64_t handle, uint32_t hook)
{
	const struct wire_call call = feed__call_of(feed, process, handle, hook);

	feed__bytes(feed, &call, sizeof(call));
}

static inline void feed__free(struct feed *feed, struct wire_process process, uint64_t handle, uint32_t hook)
{
	const struct wire_free record = { .header = feed__header(feed, WIRE_FREE, sizeof(record), process),
					  .handle = handle,
					  .hook = hook };

	feed__bytes(feed, &record, sizeof(record));
}

/* WIRE_EXEC, WIRE_EXIT, WIRE_HELD */
static inline void feed__life(struct feed *feed, uint16_t tag, struct wire_process process)
{
	const struct wire_life record = { .header = feed__header(feed, tag, sizeof(record), process) };

	feed__bytes(feed, &record, sizeof(record));
}

/* The row of a model in a snapshot, or NULL. container may be NULL: any. */
static inline const struct snapshot_model *row_of(const struct snapshot *snapshot, const char *model,
						  const char *container)
{
	for (size_t i = 0; i < snapshot->n_models; i++)
		if (strcmp(snapshot->models[i].labels.model, model) == 0 &&
		    (!container || strcmp(snapshot->models[i].labels.container, container) == 0))
			return snapshot->models + i;
	return NULL;
}

static inline uint64_t count_of(const struct snapshot *snapshot, enum snapshot_counts kind, const char *stage)
{
	for (size_t i = 0; i < snapshot->n_counts[kind]; i++)
		if (strcmp(snapshot->counts[kind][i].stage, stage) == 0)
			return snapshot->counts[kind][i].count;
	return ~0ULL;
}

/* Executions of a model, all its series together. ~0: there is none. */
static inline uint64_t executions_of(struct model *model, const char *name)
{
	struct snapshot *snapshot = model__snapshot(model, 0);
	uint64_t sum = ~0ULL;

	for (size_t i = 0; snapshot && i < snapshot->n_models; i++)
		if (strcmp(snapshot->models[i].labels.model, name) == 0)
			sum = (sum == ~0ULL ? 0 : sum) + snapshot->models[i].executions;
	snapshot__free(snapshot);
	return sum;
}

/* xorshift64*: the same numbers in each run. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif
