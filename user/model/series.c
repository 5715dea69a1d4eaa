/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/series.h"

#include <stdlib.h>
#include <string.h>

#include "model/names.h"

#define TEXTS 6 /* in struct model_labels */

static void texts_of(const struct model_labels *labels, const char *texts[TEXTS])
{
	texts[0] = labels->model;
	texts[1] = labels->runtime;
	texts[2] = labels->container;
	texts[3] = labels->pod;
	texts[4] = labels->namespace_;
	texts[5] = labels->unit;
}

/* Returns malloc'd key and its length, or NULL. */
static char *key_of(const struct model_labels *labels, unsigned int *length)
{
	const char *texts[TEXTS];
	size_t used = 0, need = 0;
	char *key;

	texts_of(labels, texts);
	for (int i = 0; i < TEXTS; i++)
		need += strlen(texts[i]) + 1;
	key = malloc(need);
	for (int i = 0; key && i < TEXTS; i++) {
		const size_t size = strlen(texts[i]) + 1;

		memcpy(key + used, texts[i], size);
		used += size;
	}
	*length = (unsigned int)need;
	return key;
}

static struct model_labels labels_in(const char *key)
{
	const char *texts[TEXTS];

	for (int i = 0; i < TEXTS; i++) {
		texts[i] = key;
		key += strlen(key) + 1;
	}
	return (struct model_labels) { texts[0], texts[1], texts[2], texts[3], texts[4], texts[5] };
}

static void free_series(struct series *series)
{
	while (series->versions) {
		struct series_version *version = series->versions;

		series->versions = version->next;
		free(version);
	}
	histogram__clear(&series->duration);
	histogram__clear(&series->batch);
	free(series->key);
	free(series);
}

/* Takes key over, also on failure. */
static struct series *add(struct series_table *table, char *key, unsigned int length)
{
	struct series *series = calloc(1, sizeof(*series));

	if (!series) {
		free(key);
		return NULL;
	}
	series->key = key;
	series->key_length = length;
	series->labels = labels_in(key);
	series->other = strcmp(series->labels.model, NAMES_OTHER) == 0;
	histogram__init(&series->duration, &histogram_bounds_execution);
	histogram__init(&series->batch, &histogram_bounds_batch);
	HASH_ADD_KEYPTR(hh, table->all, series->key, series->key_length, series);
	table->count += !series->other;
	return series;
}

/* Drops the least recently used series that nothing holds. Returns whether there was one. */
static bool make_room(struct series_table *table)
{
	struct series *oldest = NULL;

	for (struct series *series = table->all; series; series = series->hh.next) {
		if (!series->holders && !series->other && (!oldest || series->last_used_ns < oldest->last_used_ns))
			oldest = series;
	}
	if (!oldest)
		return false;
	HASH_DEL(table->all, oldest);
	free_series(oldest);
	table->count--;
	return true;
}

struct series *series_table__find(const struct series_table *table, const struct model_labels *labels)
{
	struct series *series;
	unsigned int length;
	char *key = key_of(labels, &length);

	if (!key)
		return NULL;
	HASH_FIND(hh, table->all, key, length, series);
	free(key);
	return series;
}

struct series *series_table__get(struct series_table *table, const struct model_labels *labels, uint64_t now_ns)
{
	const struct model_labels other = { NAMES_OTHER, labels->runtime, "", "", "", "" };
	struct series *series;
	unsigned int length;
	char *key = key_of(labels, &length);

	if (!key)
		return NULL;
	HASH_FIND(hh, table->all, key, length, series);
	if (!series && table->count >= table->max && strcmp(labels->model, NAMES_OTHER) != 0) {
		table->dropped++;
		if (!make_room(table)) {
			free(key);
			key = key_of(&other, &length);
			if (!key)
				return NULL;
			HASH_FIND(hh, table->all, key, length, series);
		}
	}
	if (series)
		free(key);
	else
		series = add(table, key, length);
	if (series && now_ns > series->last_used_ns)
		series->last_used_ns = now_ns;
	return series;
}

void series_table__clear(struct series_table *table)
{
	struct series *series, *next;

	HASH_ITER (hh, table->all, series, next) {
		HASH_DEL(table->all, series);
		free_series(series);
	}
	table->count = 0;
}

void series__hold(struct series *series, const char *version)
{
	struct series_version *known = series->versions;

	series->holders++;
	while (known && strcmp(known->version, version) != 0)
		known = known->next;
	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return; /* the info series goes without this version */
		known->version = version;
		known->next = series->versions;
		series->versions = known;
	}
	known->holders++;
}

void series__release(struct series *series, const char *version)
{
	struct series_version **at = &series->versions;

	if (--series->holders == 0)
		series->last_scrape = true;
	/* A version without holders stays until the next scrape has shown it. */
	while (*at && strcmp((*at)->version, version) != 0)
		at = &(*at)->next;
	if (*at)
		(*at)->holders--;
}

void series__after_scrape(struct series *series)
{
	struct series_version **at = &series->versions;

	series->last_scrape = false;
	while (*at) {
		struct series_version *version = *at;

		if (version->holders) {
			at = &version->next;
		} else {
			*at = version->next;
			free(version);
		}
	}
}

bool series__live(const struct series *series)
{
	return series->holders || series->last_scrape || series->in_flight;
}
