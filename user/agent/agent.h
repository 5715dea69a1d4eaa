/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The agent: the one place that knows all stages and joins them on one loop. discover says which files
 * are mapped, the resolver answers for each, plans are attached, records come back, the model counts them.
 */
#ifndef INFERMETER_AGENT_H
#define INFERMETER_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "export/target.h"
#include "model/model.h"

struct agent;

struct agent_options {
	const pid_t *pids; /* only these and their children; none: the whole host */
	size_t n_pids;
	bool only_added;      /* no process but those given by agent__add_pid (`run`) */
	const char *runtimes; /* folder of adapters over the embedded ones, or NULL */
	const char *config;   /* configuration file, or NULL */
	const char *save;     /* keep the stream in this file, or NULL */
	size_t ring_bytes;    /* 0: default */
	bool hold;	      /* able to hold a child (`run`) */
	bool dry;	      /* find and plan, attach nothing (`doctor`) */
	bool no_multi;	      /* single uprobes even where uprobe_multi is there */
	void (*call)(void *context, const struct model_call *call); /* told of each finished call; may be NULL */
	void *context;
};

/* What went wrong, for the exit code: 1 or 3 (design.md). */
struct agent_error {
	int exit_code;
	char text[512];
};

/* Makes ready, attaches nothing yet. Returns NULL and fills error. The caller frees it, before the loop. */
struct agent *agent__new(struct loop *loop, const struct agent_options *options, struct agent_error *error);

/* Detaches everything; what the ring still holds is counted first. NULL is fine. */
void agent__free(struct agent *agent);

/* Scans the host and goes on from there, on the loop. Returns 0 or -errno. */
int agent__start(struct agent *agent);

/* Has everything that ran at the start been attached? */
bool agent__ready(const struct agent *agent);

/* Adds a process and its children to those that are watched. Returns 0 or -errno. */
int agent__add_pid(struct agent *agent, pid_t pid);

/* Counts everything that ended before now. */
void agent__drain(struct agent *agent);

/* The state now (drained first). The caller frees it with snapshot__free before the loop goes on. NULL with errno. */
struct snapshot *agent__snapshot(struct agent *agent);

/* A snapshot was given to a scraper: gauges of dead processes go with the next one. */
void agent__after_scrape(struct agent *agent);

/* The targets now. The caller frees them with targets__free (processes.h) before the loop goes on. NULL with errno. */
struct target *agent__targets(struct agent *agent, size_t *n);

#endif
