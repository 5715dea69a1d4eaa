/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/arena.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 16384
#define ALIGN	   16

struct arena_block {
	struct arena_block *before;
	size_t size, used;
	_Alignas(ALIGN) char bytes[];
};

void *arena__alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->last;
	void *memory;

	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	if (!block || block->size - block->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		block = calloc(1, sizeof(*block) + room);
		if (!block)
			return NULL;
		block->size = room;
		block->before = arena->last;
		arena->last = block;
	}
	memory = block->bytes + block->used;
	block->used += size;
	arena->used += size;
	return memory;
}

char *arena__copy(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena__alloc(arena, length + 1);

	if (copy)
		memcpy(copy, text, length);
	return copy;
}

void arena__free(struct arena *arena)
{
	struct arena_block *before;

	for (struct arena_block *block = arena->last; block; block = before) {
		before = block->before;
		free(block);
	}
	arena->last = NULL;
	arena->used = 0;
}
