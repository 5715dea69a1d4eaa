/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The files that hold runtimes, what was planned for each and what is attached. One probe serves all processes that
 * share a file; when the last process that maps it has gone, its probes go too, so that no file system is kept busy.
 */
#ifndef INFERMETER_MODULES_H
#define INFERMETER_MODULES_H

#include <uthash.h>

#include "attach/sites.h"
#include "discover/discover.h"
#include "plan/plan.h"
#include "resolve/answer.h"

/* One runtime in one file. */
struct module_part {
	struct plan *plan;
	const struct answer_match *match; /* what it was made of */
	struct site_set *sites;		  /* NULL: not attached */
	char why[256];			  /* not attached: why */
};

struct module {
	struct module_key key;
	char *path; /* as the first process saw it */
	const struct answer *answer;
	struct module_part *parts;
	size_t n_parts;
	bool returns;		/* a uretprobe is among the probes */
	bool no_returns;	/* planned without, for a target with a seccomp filter */
	size_t users;		/* processes that map it */
	uint64_t idle_since_ns; /* no users since then */
	UT_hash_handle hh;
};

struct modules;

/* Told of each hook that has an id from now on. */
typedef void module_hook_fn(void *context, const struct module *module, const struct module_part *part,
			    const struct plan_hook *hook);

/* set and programs stay the caller's. programs NULL: nothing is attached (a dry run). */
struct modules *modules__new(const struct adapter_set *set, struct programs *programs, module_hook_fn *fn,
			     void *context);
void modules__free(struct modules *modules); /* detaches all; NULL is fine */

/* A file with an answer that matches a runtime: planned, not attached yet. Returns NULL if no adapter has anything for it. */
struct module *modules__add(struct modules *modules, struct module_key key, const char *path,
			    const struct answer *answer);
struct module *modules__find(struct modules *modules, struct module_key key);

/* A process maps it: attaches on the first one. fd: the file, or negative when it could not be opened. seccomp: the
 * process has a seccomp filter, which a uretprobe's system call could violate. */
void modules__use(struct modules *modules, struct module *module, int fd, bool seccomp);
void modules__release(struct modules *modules, struct module *module, uint64_t now_ns);

/* Detaches what has had no users for idle_ns. Returns how many files. */
size_t modules__sweep(struct modules *modules, uint64_t now_ns, uint64_t idle_ns);

/* Has the module a call hook that is in place (or would be)? */
bool module__sees_calls(const struct module *module);

/* The hook with this id, and its part. */
const struct plan_hook *modules__hook(const struct modules *modules, uint32_t id, const struct module_part **part);

struct module *modules__first(struct modules *modules); /* then module->hh.next */

#endif
