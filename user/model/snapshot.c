/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "model/state.h"

const char *call_outcome__name(enum call_outcome outcome)
{
	switch (outcome) {
	case CALL_OK:
		return "ok";
	case CALL_STATUS:
		return "status";
	case CALL_UNWOUND:
		return "unwound";
	case CALL_IGNORED:
		return "ignored";
	case CALL_ABANDONED:
		return "abandoned";
	case CALL_OUTCOMES:
		break;
	}
	return "unknown";
}

const char *snapshot__failure_reason(enum snapshot_failure failure)
{
	return failure == FAILURE_STATUS ? "status" : "unwound";
}

void snapshot__add_count(struct snapshot *snapshot, enum snapshot_counts kind, const char *stage, uint64_t count)
{
	struct snapshot_count *counts = snapshot->counts[kind];
	size_t i = 0;

	while (i < snapshot->n_counts[kind] && strcmp(counts[i].stage, stage) != 0)
		i++;
	if (i == SNAPSHOT_STAGES_MAX)
		i--;
	else if (i == snapshot->n_counts[kind])
		counts[snapshot->n_counts[kind]++] = (struct snapshot_count) { .stage = stage };
	counts[i].count += count;
}

void snapshot__add_decode(struct snapshot *snapshot, const struct decode_counts *counts)
{
	for (int i = 0; i < DECODE_ERRORS; i++)
		snapshot__add_count(snapshot, SNAPSHOT_INVALID, decode__error_stage(i), counts->bad[i]);
}

static uint64_t larger(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

static void fill_counts(const struct model *model, struct snapshot *snapshot)
{
	const struct model_counts *counts = &model->counts;
	const uint64_t *losses = model->losses;
	const struct decode_counts none = { 0 };
	/* Every stage stands here from the start, at zero. Unwound and abandoned calls are counted by the kernel and
	 * told as records: whichever side saw more. */
	const struct {
		enum snapshot_counts kind;
		const char *stage;
		uint64_t count;
	} all[] = {
		{ SNAPSHOT_LOST, "ring_full", losses[LOSS_RING_FULL] },
		{ SNAPSHOT_LOST, "ring_full_other", losses[LOSS_RING_FULL_OTHER] },
		{ SNAPSHOT_LOST, "frame_depth", losses[LOSS_FRAME_DEPTH] },
		{ SNAPSHOT_LOST, "frame_memory", losses[LOSS_FRAME_MEMORY] },
		{ SNAPSHOT_LOST, "memory", counts->memory },
		{ SNAPSHOT_LOST, "handles", model->registry.forgotten },
		{ SNAPSHOT_UNMATCHED, "exit", losses[LOSS_EXIT_UNMATCHED] },
		{ SNAPSHOT_UNMATCHED, "unwound", larger(losses[LOSS_UNWOUND], counts->unwound) },
		{ SNAPSHOT_UNMATCHED, "abandoned", larger(losses[LOSS_ABANDONED], counts->abandoned) },
		{ SNAPSHOT_UNMATCHED, "nested", losses[LOSS_NESTED] },
		{ SNAPSHOT_UNMATCHED, "ignored", counts->ignored },
		{ SNAPSHOT_UNMATCHED, "free", counts->freed },
		{ SNAPSHOT_INVALID, "no_handle", losses[LOSS_NO_HANDLE] },
		{ SNAPSHOT_INVALID, "handle_memory", losses[LOSS_HANDLE_MEMORY] },
		{ SNAPSHOT_INVALID, "guard", losses[LOSS_GUARD] },
		{ SNAPSHOT_INVALID, "site", losses[LOSS_SITE] },
		{ SNAPSHOT_INVALID, "name", counts->unnamed },
		{ SNAPSHOT_INVALID, "name_truncated", counts->truncated },
		{ SNAPSHOT_INVALID, "value", counts->value },
		{ SNAPSHOT_INVALID, "after_exit", counts->ended },
		{ SNAPSHOT_INVALID, "hook", counts->hook },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		snapshot__add_count(snapshot, all[i].kind, all[i].stage, all[i].count);
	snapshot__add_decode(snapshot, &none);
	snapshot->series_dropped = model->table.dropped;
}

static void fill_model(const struct model *model, const struct series *series, uint64_t now_ns,
		       struct snapshot_model *row)
{
	row->labels = series->labels;
	row->executions = series->executions;
	memcpy(row->failures, series->failures, sizeof(row->failures));
	row->inferences = series->inferences;
	row->batch_unknown = series->batch_unknown;
	row->tokens = series->tokens;
	row->has_tokens = series->has_tokens;
	row->loads = series->loads;
	row->load_failures = series->load_failures;
	row->duration = &series->duration;
	row->batch = &series->batch;
	row->live = series__live(series);
	row->in_flight = series->in_flight;
	if (series->in_flight && now_ns > series->oldest_start_ns)
		row->oldest_in_flight_ns = now_ns - series->oldest_start_ns;
	row->load_duration_ns = series->load_duration_ns;
	if (series->last_execution_ns)
		row->last_execution_unix_ns = (int64_t)series->last_execution_ns + model->options.realtime_offset_ns;
}

static void fill_unnamed(const struct model_unnamed *unnamed, uint64_t now_ns, struct snapshot_model *row)
{
	static const struct histogram no_duration = { .bounds = &histogram_bounds_execution };
	static const struct histogram no_batch = { .bounds = &histogram_bounds_batch };

	row->labels = (struct model_labels) { NAMES_UNKNOWN, unnamed->runtime, "", "", "", "" };
	row->duration = &no_duration;
	row->batch = &no_batch;
	row->live = row->gauges_only = true;
	row->in_flight = unnamed->in_flight;
	if (now_ns > unnamed->oldest_start_ns)
		row->oldest_in_flight_ns = now_ns - unnamed->oldest_start_ns;
}

static size_t count_versions(const struct series *series)
{
	size_t n = 0;

	for (const struct series_version *version = series->versions; version; version = version->next)
		n++;
	return n;
}

/* Puts the process of each handle behind the row of its series, once. The rows know where theirs begin. */
static void fill_processes(const struct model *model, struct snapshot *snapshot)
{
	const struct registry_process *process;
	const struct registry_handle *handle;
	struct snapshot_process *next = snapshot->processes_;

	/* How many each row has, then where each begins, then the rest: counting twice needs no lists. */
	for (int pass = 0; pass < 2; pass++) {
		for (process = model->registry.processes; process; process = process->hh.next) {
			for (handle = process->handles; handle; handle = handle->next) {
				struct snapshot_model *row = handle->series ? handle->series->row : NULL;
				struct snapshot_process *entry;

				if (!row)
					continue;
				if (handle->series->mark != process)
					row->n_processes++;
				handle->series->mark = process;
				if (!pass)
					continue;
				entry = (struct snapshot_process *)row->processes + row->n_processes - 1;
				entry->tgid = process->id.tgid;
				entry->command = process->command;
				entry->handles++;
			}
		}
		for (size_t i = 0; i < snapshot->n_models && !pass; i++) {
			struct snapshot_model *row = snapshot->models + i;

			row->processes = next;
			next += row->n_processes;
			row->n_processes = 0;
		}
		for (struct series *series = model->table.all; series; series = series->hh.next)
			series->mark = NULL;
	}
}

static int compare_series(const void *left, const void *right)
{
	const struct series *one = *(const struct series *const *)left, *other = *(const struct series *const *)right;
	const size_t length = one->key_length < other->key_length ? one->key_length : other->key_length;
	const int order = memcmp(one->key, other->key, length);

	return order ? order : (int)one->key_length - (int)other->key_length;
}

struct snapshot *model__snapshot(struct model *model, uint64_t now_ns)
{
	const size_t n_series = HASH_COUNT(model->table.all), n = n_series + model->n_unnamed;
	const size_t n_handles = HASH_COUNT(model->registry.handles);
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct series **sorted = calloc(n + 1, sizeof(*sorted));
	size_t n_versions = 0, i = 0;

	if (!snapshot || !sorted)
		goto failed;
	for (struct series *series = model->table.all; series; series = series->hh.next) {
		sorted[i++] = series;
		n_versions += count_versions(series);
	}
	qsort(sorted, n_series, sizeof(*sorted), compare_series);
	snapshot->models = calloc(n + 1, sizeof(*snapshot->models));
	snapshot->processes_ = calloc(n_handles + 1, sizeof(*snapshot->processes_));
	snapshot->versions_ = calloc(n_versions + 1, sizeof(*snapshot->versions_));
	if (!snapshot->models || !snapshot->processes_ || !snapshot->versions_)
		goto failed;

	snapshot->now_ns = now_ns;
	snapshot->now_unix_ns = (int64_t)now_ns + model->options.realtime_offset_ns;
	snapshot->version = model->options.version;
	snapshot->n_models = n;
	n_versions = 0;
	for (i = 0; i < n_series; i++) {
		struct snapshot_model *row = snapshot->models + i;

		fill_model(model, sorted[i], now_ns, row);
		sorted[i]->row = row;
		row->versions = snapshot->versions_ + n_versions;
		for (struct series_version *version = sorted[i]->versions; version; version = version->next)
			snapshot->versions_[n_versions + row->n_versions++] = version->version;
		n_versions += row->n_versions;
	}
	fill_processes(model, snapshot);
	for (i = 0; i < model->n_unnamed; i++)
		fill_unnamed(model->unnamed + i, now_ns, snapshot->models + n_series + i);
	fill_counts(model, snapshot);
	free(sorted);
	return snapshot;
failed:
	free(sorted);
	snapshot__free(snapshot);
	return NULL;
}

void snapshot__free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	free(snapshot->models);
	free(snapshot->processes_);
	free(snapshot->versions_);
	free(snapshot);
}
