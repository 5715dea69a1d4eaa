/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A plain C runtime: models that are loaded and freed, in a pool, so that addresses come back. */
#ifndef PLAIN_H
#define PLAIN_H

#include "torture.h"

/* PLAIN_OTHER: the same code under names that no adapter knows. */
#ifdef PLAIN_OTHER
#define torture_load	    other_load
#define torture_free	    other_free
#define torture_run	    other_run
#define torture_return	    other_return
#define torture_version	    other_version
#define torture_nest	    other_nest
#define torture_nest_levels other_nest_levels
#endif

#define NEST_LEVELS 12

struct model *torture_load(const char *name); /* NULL for the empty name, or no room */
void torture_free(struct model *model);
int torture_run(struct model *model, int rows, step_fn *step, void *arg);
int torture_return(struct model *model, int rows, step_fn *step, void *arg); /* its hook ends by return probe */
const char *torture_version(void);
/* Calls of unlike kinds in each other: level 0 calls 1 …, to depth levels in all. */
int torture_nest(struct model *model, int depth);

#endif
