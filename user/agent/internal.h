/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The agent itself, shared by agent.c (what happens to it) and report.c (what is asked of it). */
#ifndef INFERMETER_AGENT_INTERNAL_H
#define INFERMETER_AGENT_INTERNAL_H

#include <utarray.h>

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/modules.h"
#include "agent/processes.h"
#include "attach/programs.h"
#include "decode/decode.h"
#include "decode/stream.h"
#include "discover/discover.h"
#include "plan/adapter.h"
#include "resolve/resolver.h"

struct agent {
	struct loop *loop;
	struct agent_options options;
	struct config *config;
	struct adapter_set *adapters;
	struct resolver *resolver;
	struct programs *programs; /* NULL: dry */
	struct modules *modules;
	struct processes *processes;
	struct discover *discover;
	struct model *model;
	struct stream_writer *stream;
	struct decode_counts decoded;
	struct loop_source *drain_timer, *tidy_timer, *ring;
	bool started, ready;
	bool processes_ended; /* since the last tidying */
	UT_array *held;	      /* pids that wait for our answer */
	UT_array *in_flight;  /* reused at each snapshot */
	UT_array *probes;
	int64_t start_unix_ns;
};

/* Into the model and the saved stream: the order of a replay is the order of life. */
void agent__apply(struct agent *agent, const struct record *record);

/* Tells both what the kernel has counted as lost so far. */
void agent__apply_losses(struct agent *agent);

#endif
