/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The series of this host: what was counted for each set of labels. At most `max` of them: room for one more is made
 * by dropping the least recently used one that no process holds; if there is none, the model is counted in the series
 * of its runtime with model="_other". Both are counted in `dropped`.
 */
#ifndef INFERMETER_SERIES_H
#define INFERMETER_SERIES_H

#include <uthash.h>

#include "model/snapshot.h"

/* A version of the runtime that holds the model, and how many handles do. */
struct series_version {
	const char *version; /* borrowed from the hook, which lives as long as the model */
	uint32_t holders;
	struct series_version *next;
};

struct series {
	struct model_labels labels; /* point into key */
	char *key;		    /* the six texts, each with its NUL */
	unsigned int key_length;

	uint64_t executions, failures[FAILURES], inferences, batch_unknown, tokens, loads, load_failures;
	bool has_tokens;
	struct histogram duration, batch; /* seconds, rows */

	uint64_t load_duration_ns;
	uint64_t last_execution_ns; /* monotonic, 0: none */
	uint64_t last_used_ns;	    /* monotonic: for the choice of what to drop */

	uint32_t holders; /* handles of live processes */
	bool last_scrape; /* its last holder went after the last scrape: gauges are shown once more */
	struct series_version *versions;
	uint64_t in_flight, oldest_start_ns; /* set at a scrape */

	bool other;
	const void *mark; /* for who counts something per series */
	struct snapshot_model *row;
	UT_hash_handle hh;
};

struct series_table {
	struct series *all;
	unsigned int max, count; /* count: without those of model="_other" */
	uint64_t dropped;
};

/*
 * The series of these labels, made if missing (now_ns, monotonic, is its use). It is not held yet: hold it before the
 * next call. Returns NULL when there is no memory.
 */
struct series *series_table__get(struct series_table *table, const struct model_labels *labels, uint64_t now_ns);

/* The series of these labels if there is one, else NULL. */
struct series *series_table__find(const struct series_table *table, const struct model_labels *labels);
void series_table__clear(struct series_table *table);

/* One more, one fewer handle of a live process. version: of its runtime, "" unknown, borrowed. */
void series__hold(struct series *series, const char *version);
void series__release(struct series *series, const char *version);

/* Whether its gauges are to be shown. */
bool series__live(const struct series *series);

/* A scrape was answered: what was shown for the last time is forgotten. */
void series__after_scrape(struct series *series);

#endif
