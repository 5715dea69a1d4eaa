/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Who holds what: (one life of a process, runtime, handle) → series. A process is {tgid, exec_id, start_ns}, so that
 * neither a reused pid nor exec inherits; a handle ends by FREE, by EXEC or EXIT of its process, or by a new
 * announcement at the same address. Runtimes are part of the key because two of them may use one address.
 */
#ifndef INFERMETER_REGISTRY_H
#define INFERMETER_REGISTRY_H

#include <uthash.h>

#include "model/series.h"
#include "wire.h"

#define REGISTRY_HANDLES_MAX 4096 /* handles of one process; beyond them the least recently used one is forgotten */
#define REGISTRY_ENDED	     64 /* processes that ended last: remembered, so that a late record does not revive them */

/* What a hook id means. Lives as long as the registry. */
struct registry_hook {
	uint32_t id;
	uint16_t means;	     /* enum hook_means, 0 unknown */
	uint32_t runtime_id; /* the same for hooks of one runtime; 0: unknown */
	const char *runtime, *name, *version;
	UT_hash_handle hh;
};

struct registry_process {
	struct wire_process id;
	char command[WIRE_TEXT_MAX];
	char *container, *pod, *namespace_, *unit; /* valid UTF-8, "" unknown; one allocation, of container */
	struct registry_handle *handles;
	unsigned int n_handles;
	UT_hash_handle hh;
};

struct registry_key {
	struct wire_process process;
	uint64_t handle;
	uint64_t runtime_id;
};

struct registry_handle {
	struct registry_key key;
	struct registry_process *process;
	struct series *series; /* held */
	const char *version;   /* the one that it is held with */
	char *name;	       /* as announced: a path or word; NULL: unknown */
	uint64_t announced_ns, used_ns;
	uint32_t hook; /* that announced it */
	struct registry_handle *prev, *next;
	UT_hash_handle hh;
};

struct registry {
	struct registry_hook *hooks;
	struct registry_process *processes;
	struct registry_handle *handles;
	struct wire_process ended[REGISTRY_ENDED];
	unsigned int next_ended;
	uint64_t forgotten; /* handles beyond REGISTRY_HANDLES_MAX */
	struct registry_hook unknown;
};

void registry__init(struct registry *registry);
void registry__clear(struct registry *registry);

/* Remembers what a hook means; said again, the first word holds. Returns 0 or -ENOMEM. */
int registry__add_hook(struct registry *registry, const struct wire_fact_hook *fact);
/* Never NULL: an unknown id gives runtime "unknown". */
const struct registry_hook *registry__hook(const struct registry *registry, uint32_t id);

/* The process, or NULL. */
struct registry_process *registry__process(const struct registry *registry, const struct wire_process *id);

/*
 * Adds a process that is not there; older lives of its tgid end by that (their end may have been lost). Returns NULL
 * when there is no memory.
 */
struct registry_process *registry__add_process(struct registry *registry, const struct wire_process *id);

/* Whether one is an older life than other, of the same tgid. */
bool registry__is_older(const struct wire_process *one, const struct wire_process *other);

/* Whether it ended not long ago. */
bool registry__has_ended(const struct registry *registry, const struct wire_process *id);

/* Takes the texts over, made valid for labels. Returns whether a label changed, or -ENOMEM. */
int registry_process__describe(struct registry_process *process, const struct wire_fact_process *fact);

/* The lives of tgid up to and with id end, and all they hold. */
void registry__end(struct registry *registry, const struct wire_process *id);

/* id called exec at time_ns: what it and older lives of its tgid held before that is gone. */
void registry__exec(struct registry *registry, const struct wire_process *id, uint64_t time_ns);

/* The handle, or NULL. */
struct registry_handle *registry__handle(const struct registry *registry, const struct wire_process *process,
					 uint64_t handle, const struct registry_hook *hook);

/* Adds a handle that is not there, without a series: bind it. Returns NULL when there is no memory. */
struct registry_handle *registry__add_handle(struct registry *registry, struct registry_process *process,
					     uint64_t handle, const struct registry_hook *hook, uint64_t now_ns);

/* Makes series the one of the handle: held under this version; the one before is released. */
void registry_handle__bind(struct registry_handle *handle, struct series *series, const char *version);

/* Forgets the handle and releases its series. */
void registry__drop_handle(struct registry *registry, struct registry_handle *handle);

#endif
