/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The process that reads strangers' files, seen from the agent. It is started when there is something to ask, serves one request at a
 * time, and ends when there was nothing to do for a while, so that its memory goes with it. A crash or a time-out costs the
 * request under way.
 */
#ifndef INFERMETER_CHILD_H
#define INFERMETER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "resolve/query.h"

struct child;

enum child_request {
	CHILD_IDENTIFY, /* the file's build id alone */
	CHILD_RESOLVE,	/* the whole answer, as codec.h packs it */
};

enum child_outcome {
	CHILD_DONE,    /* data: what was asked for */
	CHILD_CRASHED, /* text: how */
	CHILD_TIMED_OUT,
};

/* Called once for each request, from the loop. data and text live until it returns. It may send the next request. */
typedef void child_fn(void *context, enum child_outcome outcome, const uint8_t *data, size_t size, const char *text);

/* timeout_ns: what one request may take. idle_ns: how long the process waits for the next. Returns NULL with errno. */
struct child *child__new(struct loop *loop, const struct module_query *queries, size_t n_queries, uint64_t timeout_ns,
			 uint64_t idle_ns, child_fn *fn, void *context);
void child__free(struct child *child); /* kills the process; NULL is fine */

/* Only when none is under way. fd stays the caller's. Returns 0 or -errno. */
int child__send(struct child *child, enum child_request request, int fd, const char *name);
bool child__busy(const struct child *child);

#endif
