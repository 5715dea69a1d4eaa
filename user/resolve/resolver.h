/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The outside of the resolver: give it an open file, get an answer later. The file itself is read only by a
 * short-lived child process (resolve.c), which gets descriptors and answers in messages over a pipe:
 * strangers' files are read by a stranger. Answers are cached in memory and on disk, by build id where the
 * file has one, else by device, inode, size and mtime.
 */
#ifndef INFERMETER_RESOLVER_H
#define INFERMETER_RESOLVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/loop.h"
#include "resolve/answer.h"
#include "resolve/query.h"

struct resolver;

struct resolver_stats {
	uint64_t answered, from_memory, from_disk, failed, timed_out, crashed;
};

/* answer is never NULL (answer->failed says it) and lives as long as the resolver. */
typedef void resolver_fn(void *context, const struct answer *answer);

/*
 * queries stay the caller's and must outlive the resolver. cache_dir: where answers are kept, made if
 * missing; NULL or a folder that cannot be written: memory only. The key of the disk cache includes a hash of the
 * queries and of this program's build, so a changed adapter never reads old answers. Returns NULL with errno.
 */
struct resolver *resolver__new(struct loop *loop, const struct module_query *queries, size_t n_queries,
			       const char *cache_dir);
void resolver__free(struct resolver *resolver); /* ends a child that still runs; callbacks are not called */

/*
 * Asks for one file. fd stays the caller's (it is duplicated). name is for messages and for a soname glob of a file
 * without DT_SONAME. Calls fn exactly once, from the loop, or before this returns if the answer is in memory.
 * Requests wait in a queue; one child serves many of them; a file that crashes it or takes over 10 s fails alone.
 * Returns 0 or -errno (fn is not called then).
 */
int resolver__ask(struct resolver *resolver, int fd, const char *name, resolver_fn *fn, void *context);

/* How many requests have no answer yet. */
size_t resolver__pending(const struct resolver *resolver);
struct resolver_stats resolver__stats(const struct resolver *resolver);

/* The same in this very process, without a child or cache: for unit tests and for the child itself. The caller frees with answer__free. */
struct answer *resolve__file(int fd, const char *name, const struct module_query *queries, size_t n_queries);
void answer__free(struct answer *answer); /* NULL is fine */

#endif
