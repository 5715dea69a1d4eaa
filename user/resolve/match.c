/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/match.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "resolve/strings.h"
#include "resolve/symbol.h"

static bool soname_fits(const struct elf_file *elf, const char *pattern)
{
	const char *name = elf->soname;

	if (!pattern)
		return true;
	if (!name) {
		name = elf->name ? strrchr(elf->name, '/') : NULL;
		name = name ? name + 1 : elf->name;
	}
	return name && !fnmatch(pattern, name, 0);
}

/* All that costs next to nothing. */
static bool fits_cheaply(const struct elf_file *elf, const struct match_alternative *alternative)
{
	if (!soname_fits(elf, alternative->soname))
		return false;
	for (size_t i = 0; i < alternative->n_exports; i++)
		if (!symbol__marks(elf, alternative->exports[i]))
			return false;
	for (size_t i = 0; i < alternative->n_absent_exports; i++)
		if (symbol__marks(elf, alternative->absent_exports[i]))
			return false;
	return true;
}

struct wanted {
	const char *text[STRINGS_MAX];
	bool seen[STRINGS_MAX];
	int n, n_seen;
};

static int index_of(const struct wanted *wanted, const char *text)
{
	for (int i = 0; i < wanted->n; i++)
		if (!strcmp(wanted->text[i], text))
			return i;
	return -1;
}

static bool note(void *context, int which, uint64_t vaddr)
{
	struct wanted *wanted = context;

	(void)vaddr;
	if (!wanted->seen[which])
		wanted->n_seen++;
	wanted->seen[which] = true;
	return wanted->n_seen < wanted->n;
}

static bool strings_fit(const struct wanted *wanted, const struct match_alternative *alternative)
{
	for (size_t i = 0; i < alternative->n_strings; i++) {
		int index = index_of(wanted, alternative->strings[i]);

		if (index < 0 || !wanted->seen[index])
			return false;
	}
	return true;
}

void match__queries(const struct elf_file *elf, const struct module_query *queries, size_t n, bool *matched)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));

	memset(matched, 0, n * sizeof(*matched));
	for (size_t q = 0; wanted && q < n; q++)
		for (size_t a = 0; a < queries[q].n_matches && !matched[q]; a++) {
			const struct match_alternative *alternative = &queries[q].matches[a];

			if (!fits_cheaply(elf, alternative))
				continue;
			matched[q] = !alternative->n_strings;
			for (size_t i = 0; i < alternative->n_strings && wanted->n < STRINGS_MAX; i++)
				if (index_of(wanted, alternative->strings[i]) < 0)
					wanted->text[wanted->n++] = alternative->strings[i];
		}
	if (wanted && wanted->n)
		strings__find(elf, wanted->text, wanted->n, note, wanted);
	for (size_t q = 0; wanted && q < n; q++)
		for (size_t a = 0; a < queries[q].n_matches && !matched[q]; a++)
			matched[q] = queries[q].matches[a].n_strings && fits_cheaply(elf, &queries[q].matches[a]) &&
				     strings_fit(wanted, &queries[q].matches[a]);
	free(wanted);
}
