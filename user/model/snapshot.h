/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What every sink reads: plain structs. Times are nanoseconds; names say which clock. Strings and histograms belong to
 * the model: a snapshot is good until the next call that changes the model.
 */
#ifndef INFERMETER_SNAPSHOT_H
#define INFERMETER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode/decode.h"
#include "model/histogram.h"

/* What every series is labelled with; "" where not known (the label is left out then). All valid UTF-8. */
struct model_labels {
	const char *model, *runtime;
	const char *container, *pod, *namespace_, *unit;
};

enum call_outcome {
	CALL_OK,
	CALL_STATUS,	/* failed: the runtime's status says so */
	CALL_UNWOUND,	/* failed: left by exception, longjmp or cancellation */
	CALL_IGNORED,	/* refused before any work: no execution */
	CALL_ABANDONED, /* its thread or program ended inside it: no execution */
	CALL_OUTCOMES
};
const char *call_outcome__name(enum call_outcome outcome); /* "ok", "status", "unwound", "ignored", "abandoned" */

/* One finished call or model load, for sinks that show each (trace). */
struct model_call {
	const struct model_labels *labels;
	const char *hook;    /* its name in the adapter, "" unknown */
	const char *command; /* of the process, "" unknown */
	uint32_t tgid, tid;
	uint64_t handle; /* 0: not known */
	uint64_t duration_ns;
	uint64_t end_ns; /* monotonic */
	int64_t end_unix_ns;
	enum call_outcome outcome;
	bool load; /* a model load, else an execution */
	bool late; /* the duration is an upper bound */
	bool has_batch, has_tokens, has_status;
	uint64_t batch, tokens;
	int64_t status; /* the runtime's own code */
};

enum snapshot_failure { FAILURE_STATUS, FAILURE_UNWOUND, FAILURES };
const char *snapshot__failure_reason(enum snapshot_failure failure); /* value of the reason label */

/* A process that holds a model. */
struct snapshot_process {
	uint32_t tgid;
	uint32_t handles;    /* of this model */
	const char *command; /* "" unknown */
};

struct snapshot_model {
	struct model_labels labels;

	/* Counters, since the agent began; they never go back. */
	uint64_t executions; /* finished, failed ones too */
	uint64_t failures[FAILURES];
	uint64_t inferences;	/* rows: sum of the batches of successful calls */
	uint64_t batch_unknown; /* successful calls whose batch could not be read */
	uint64_t tokens;
	bool has_tokens; /* a call told its tokens */
	uint64_t loads, load_failures;
	const struct histogram *duration; /* seconds, successful calls */
	const struct histogram *batch;	  /* rows, successful calls */

	/* Gauges: to be shown only where live (a process holds it, or held it at the scrape before). */
	bool live;
	bool gauges_only; /* calls in flight of a model whose name is not known yet: no counters */
	uint64_t in_flight;
	uint64_t oldest_in_flight_ns;	/* age; 0: none */
	uint64_t load_duration_ns;	/* of the last load, 0: none seen */
	int64_t last_execution_unix_ns; /* 0: none */

	const struct snapshot_process *processes;
	size_t n_processes;
	const char *const *versions; /* of the runtimes that hold it, each once; "" unknown */
	size_t n_versions;
};

/* A probe of the agent: supplied by the agent. */
struct snapshot_probe {
	const char *runtime, *probe;
	bool attached;
};

enum snapshot_counts { SNAPSHOT_LOST, SNAPSHOT_UNMATCHED, SNAPSHOT_INVALID, SNAPSHOT_COUNTS };

struct snapshot_count {
	const char *stage;
	uint64_t count;
};
#define SNAPSHOT_STAGES_MAX 24

/* The agent itself: supplied by the agent; left out where zero. */
struct snapshot_self {
	uint64_t cpu_ns;
	uint64_t resident_bytes;
	int64_t start_unix_ns;
};

struct snapshot {
	uint64_t now_ns;
	int64_t now_unix_ns;
	const char *version;	       /* of infermeter */
	struct snapshot_model *models; /* ordered by labels */
	size_t n_models;
	struct snapshot_count counts[SNAPSHOT_COUNTS][SNAPSHOT_STAGES_MAX]; /* known stages exist from the start */
	size_t n_counts[SNAPSHOT_COUNTS];
	uint64_t series_dropped;
	const struct snapshot_probe *probes; /* NULL unless the agent sets it; stays the agent's */
	size_t n_probes;
	struct snapshot_self self;

	struct snapshot_process *processes_; /* what models[] points into */
	const char **versions_;
};

/* Adds the agent's own count (decode errors …) to a stage, which is made if new; stage must live as long as the
 * snapshot. Beyond SNAPSHOT_STAGES_MAX it goes to the last one. */
void snapshot__add_count(struct snapshot *snapshot, enum snapshot_counts kind, const char *stage, uint64_t count);

/* Adds what the decoder refused to SNAPSHOT_INVALID. */
void snapshot__add_decode(struct snapshot *snapshot, const struct decode_counts *counts);
void snapshot__free(struct snapshot *snapshot); /* NULL is fine */

#endif
