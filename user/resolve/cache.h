/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Answers that are known: in memory, and in a folder for the next start. An answer belongs to one file as stat tells it; change one byte
 * of the file and its times change with it. Build ids serve for one thing only: a file that has the build id and size of one
 * without any runtime is taken for the same, so that the hundred libraries of each new container are not searched again. What would
 * place probes is never taken from another file, since anybody can write any build id into a file.
 */
#ifndef INFERMETER_CACHE_H
#define INFERMETER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "resolve/answer.h"
#include "resolve/query.h"

struct cache;

/* folder may be NULL. Returns NULL with errno. */
struct cache *cache__new(const struct module_query *queries, size_t n_queries, const char *folder);
void cache__free(struct cache *cache);

enum cache_source { CACHE_NOWHERE, CACHE_MEMORY, CACHE_DISK };

/* The answer for the file with this status, and where it was. */
enum cache_source cache__find(struct cache *cache, const struct stat *status, const struct answer **answer);

/* Keeps an answer, which is the cache's from now on; keep: on disk too. Returns it, or NULL with errno and answer freed. */
const struct answer *cache__put(struct cache *cache, const struct stat *status, struct answer *answer, bool keep);

/* Is a file with this build id and size known to be no module of any runtime? */
bool cache__is_none(const struct cache *cache, const uint8_t *build_id, size_t length, uint64_t size);
/* Is there any such file known at all? Else nothing need be asked. */
bool cache__knows_none(const struct cache *cache);

#endif
