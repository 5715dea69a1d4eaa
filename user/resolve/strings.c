/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Wu and Manber's search: a window as long as the shortest pattern moves over the text; the last two bytes of the window say how
 * far it may jump until some pattern could end there. With patterns of sixteen bytes that is some tenths of a nanosecond a byte.
 */
#include "resolve/strings.h"

#include <stdlib.h>

#define PAIRS 65536

struct table {
	const char *const *patterns;
	size_t length[STRINGS_MAX];
	size_t window;
	int16_t next[STRINGS_MAX]; /* patterns whose windows end in the same pair */
	int16_t first[PAIRS];
	uint8_t shift[PAIRS];
};

static uint16_t pair_at(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static void prepare(struct table *table, const char *const *patterns, int n)
{
	table->patterns = patterns;
	table->window = 255;
	for (int i = 0; i < n; i++) {
		table->length[i] = strlen(patterns[i]);
		if (table->length[i] >= 2 && table->length[i] < table->window)
			table->window = table->length[i];
	}
	memset(table->first, -1, sizeof(table->first));
	memset(table->shift, table->window - 1, sizeof(table->shift));
	for (int i = 0; i < n; i++) {
		if (table->length[i] < 2)
			continue;
		for (size_t end = 2; end <= table->window; end++) {
			uint16_t pair = pair_at((const uint8_t *)patterns[i] + end - 2);

			if (table->shift[pair] > table->window - end)
				table->shift[pair] = table->window - end;
			if (end == table->window) {
				table->next[i] = table->first[pair];
				table->first[pair] = i;
			}
		}
	}
}

static bool search(const struct table *table, const uint8_t *text, uint64_t size, uint64_t vaddr, strings_fn *fn,
		   void *context)
{
	for (uint64_t end = table->window; end <= size;) {
		uint16_t pair = pair_at(text + end - 2);
		uint64_t start = end - table->window;

		if (table->shift[pair]) {
			end += table->shift[pair];
			continue;
		}
		for (int i = table->first[pair]; i >= 0; i = table->next[i])
			if (table->length[i] <= size - start &&
			    !memcmp(text + start, table->patterns[i], table->length[i]) &&
			    !fn(context, i, vaddr + start))
				return false;
		end++;
	}
	return true;
}

void strings__find(const struct elf_file *elf, const char *const *patterns, int n, strings_fn *fn, void *context)
{
	struct table *table = malloc(sizeof(*table));

	if (n > STRINGS_MAX)
		n = STRINGS_MAX;
	if (table && n) {
		prepare(table, patterns, n);
		for (int i = 0; i < elf->n_readonly; i++) {
			uint64_t vaddr = elf->readonly[i].vaddr, size = elf->readonly[i].size;
			const uint8_t *text = elf_file__at(elf, vaddr, size);

			if (text && !search(table, text, size, vaddr, fn, context))
				break;
		}
	}
	free(table);
}
