/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The inside of a model, for model.c and snapshot.c alone. */
#ifndef INFERMETER_MODEL_STATE_H
#define INFERMETER_MODEL_STATE_H

#include "model/model.h"
#include "model/registry.h"
#include "model/series.h"

#define MODEL_RUNTIMES_MAX 32 /* runtimes with calls in flight of handles that are not known yet */

/* What user space counts by itself; the kernel's counts come as WIRE_FACT_LOSS. */
struct model_counts {
	uint64_t memory;	     /* records that no memory was left for */
	uint64_t unwound, abandoned; /* calls, as records told; the kernel counts them too */
	uint64_t ignored;	     /* calls refused before any work */
	uint64_t freed;		     /* FREE of a handle that was never announced */
	uint64_t unnamed;	     /* handles that nobody had a name for */
	uint64_t truncated;	     /* names that were cut */
	uint64_t value;		     /* batches and tokens beyond VALUE_LIMIT */
	uint64_t ended;		     /* records of a process after its end */
	uint64_t hook;		     /* records whose hook is not known */
};

struct model_unnamed {
	const char *runtime;
	uint64_t in_flight, oldest_start_ns;
};

struct model {
	struct model_options options;
	struct registry registry;
	struct series_table table;
	struct model_counts counts;
	uint64_t losses[LOSS_KINDS];
	struct model_unnamed unnamed[MODEL_RUNTIMES_MAX];
	size_t n_unnamed;
};

#endif
