/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Probes at the sites of a plan, in one file. */
#ifndef INFERMETER_SITES_H
#define INFERMETER_SITES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/programs.h"
#include "plan/plan.h"

struct site_set;

/*
 * Attaches what the plan has for every process (no when_maps) to the file behind fd, by inode, and gives each hook
 * that is not refused its id (plan->hooks[i].code.id). Identity hooks come before call hooks, exits before entries.
 * The plan must outlive the set; fd may be closed afterwards. A hook that could not be attached is marked refused in
 * the plan, with the reason; the others stay. Returns NULL with errno if nothing could be attached at all.
 */
struct site_set *sites__attach(struct programs *programs, struct plan *plan, int fd);

/* Attaches the plan's when_maps hooks to one process (they are counted: a second call for a pid does nothing). Returns 0 or -errno. */
int sites__attach_process(struct site_set *set, const char *when_maps, pid_t pid);

/*
 * The hooks that end by return probes end by exits from now on: plan is the set's plan made anew without return probes, and
 * takes its place. No call is missed: exits stand before return probes go (one that is between both when they go looks
 * unwound). Returns 0, or -errno (-ENOTSUP: a hook has no
 * exits), and then all is as before. fd as above.
 */
int sites__end_by_exits(struct site_set *set, struct plan *plan, int fd);

/* The process is gone or is another program now. */
void sites__forget_process(struct site_set *set, pid_t pid);

/* Detaches all; NULL is fine. The probes are gone after programs__reap; records of its hooks may still lie in the ring. */
void sites__detach(struct site_set *set);

/* How many probes are in place. */
size_t sites__count(const struct site_set *set);

#endif
