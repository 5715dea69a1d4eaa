/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Memory that lives and dies together: what one adapter file was read into. */
#ifndef INFERMETER_ARENA_H
#define INFERMETER_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *last;
	size_t used; /* bytes given out, all blocks together */
};

/* Zeroed memory, aligned for anything. NULL: no memory. */
void *arena__alloc(struct arena *arena, size_t size);
/* A copy with a NUL behind it. NULL: no memory. */
char *arena__copy(struct arena *arena, const char *text, size_t length);
void arena__free(struct arena *arena); /* empties it */

#endif
