/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What is known of the models of this host: records go in, snapshots come out. Pure: no kernel, no files; what only the
 * agent can find out (a process's container, a name that the runtime does not keep) is asked through callbacks.
 *
 * The agent gives each record to model__apply first and to the stream (--save) second, and saves what the `found`
 * callback hands it: then a replay of the stream, without any callback but `alias`, gives the same model.
 */
#ifndef INFERMETER_MODEL_H
#define INFERMETER_MODEL_H

#include "decode/decode.h"
#include "model/names.h"
#include "model/snapshot.h"

#define MODEL_MODELS_MAX 200 /* models a host (metrics.md) */

struct model;

struct model_options {
	unsigned int max_models;    /* 0: MODEL_MODELS_MAX */
	int64_t realtime_offset_ns; /* Unix time − monotonic time; see model__set_realtime_offset */
	const char *version;	    /* of infermeter, NULL: "unknown"; not copied */
	void *context;		    /* handed to each callback. Each may be NULL; none may call back into the model
					 * but for model__find_name */

	/*
	 * A handle is new and no name came with it (nor a parent's): the name, as a path or word, into name (not
	 * NUL-terminated). Returns its length, 0 for none. Called once a handle, before anything is counted for it.
	 */
	size_t (*name)(void *context, const struct wire_handle *handle, char name[WIRE_NAME_MAX]);

	/*
	 * A process is new and no WIRE_FACT_PROCESS told who it is: fill the texts of fact (all zero, header set).
	 * Returns false if nothing is known.
	 */
	bool (*process)(void *context, struct wire_fact_process *fact);

	/* The configured alias of a model of this name (a path or word), into alias (NUL-terminated). False: none. */
	bool (*alias)(void *context, const char *name, const char *runtime, char alias[NAMES_LABEL_MAX + 1]);

	/* What the two callbacks above found, as a record: to be saved before the record that is being applied. */
	void (*found)(void *context, const struct record *record);

	/* A call or load ended and has been counted. call and what it points at live until the callback returns. */
	void (*call)(void *context, const struct model_call *call);
};

/* A call that has begun and not ended, as the kernel's frames tell. */
struct model_in_flight {
	struct wire_process process;
	uint64_t handle;
	uint64_t start_ns; /* monotonic */
	uint32_t hook;
	uint32_t tid;
};

/* Returns a model, or NULL with errno. options may be NULL and is copied. The caller frees it. */
struct model *model__new(const struct model_options *options);
void model__free(struct model *model); /* NULL is fine */

/* Counts one checked record. Never fails: what memory is missing for is counted as lost{stage="memory"}. */
void model__apply(struct model *model, const struct record *record);

/* The clock was set: from now on monotonic times are told as Unix times with this offset. */
void model__set_realtime_offset(struct model *model, int64_t realtime_offset_ns);

/* Just before a snapshot: all calls in flight now. Replaces what was given before. */
void model__set_in_flight(struct model *model, const struct model_in_flight *calls, size_t n);

/*
 * What is known at now_ns (monotonic). Returns NULL with errno when there is no memory. The caller frees it with
 * snapshot__free, before the model changes (see snapshot.h). What is known stays as it was.
 */
struct snapshot *model__snapshot(struct model *model, uint64_t now_ns);

/* A scrape was answered: gauges of models that no process holds any more go with the next one. */
void model__after_scrape(struct model *model);

/*
 * The name (a path or word, as it was announced) of a handle in the newest program of tgid; for a child that calls a
 * model which its parent loaded before the fork. NULL if not known. Valid until the model changes.
 */
const char *model__find_name(const struct model *model, uint32_t tgid, uint64_t handle);

/*
 * The processes that the model knows, into the first room places of ids. Returns how many there are. The agent asks when
 * records were lost: for one that has ended it applies a WIRE_EXIT of its own.
 */
size_t model__processes(const struct model *model, struct wire_process *ids, size_t room);

/* How many series there are, those of model="_other" included. */
size_t model__series_count(const struct model *model);

#endif
