/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The cap on series: who is dropped, who is not, and that counters never go back while they are shown. */
#include "model/series.h"

#include "check.h"
#include "records.h"

#define RUN_HOOK  1
#define LOAD_HOOK 2

static struct feed begin(unsigned int max)
{
	const struct model_options options = { .max_models = max };
	struct feed feed = { .model = model__new(&options) };

	feed__hook(&feed, RUN_HOOK, HOOK_CALL, "toy", "1");
	feed__hook(&feed, LOAD_HOOK, HOOK_LOAD, "toy", "1");
	return feed;
}

static const char *name_of(unsigned int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "model-%u", i);
	return name;
}

static uint64_t dropped(struct model *model)
{
	struct snapshot *snapshot = model__snapshot(model, 0);
	const uint64_t count = snapshot->series_dropped;

	snapshot__free(snapshot);
	return count;
}

static void the_rest_goes_to_other(void)
{
	struct feed feed = begin(0);
	const struct wire_process p = process_of(1, 1, 1);
	struct snapshot *snapshot;

	for (unsigned int i = 0; i < MODEL_MODELS_MAX + 50; i++) { /* all are held */
		feed__handle(&feed, p, 0x1000 + i, 0, LOAD_HOOK, name_of(i));
		feed__call(&feed, p, 0x1000 + i, RUN_HOOK);
	}
	CHECK_INT(model__series_count(feed.model), MODEL_MODELS_MAX + 1);
	CHECK_INT(executions_of(feed.model, "model-0"), 1);
	CHECK_INT(executions_of(feed.model, "model-199"), 1);
	CHECK_INT(executions_of(feed.model, "model-200"), -1);
	CHECK_INT(executions_of(feed.model, NAMES_OTHER), 50);
	CHECK_INT(dropped(feed.model), 50);
	for (unsigned int i = 0; i < MODEL_MODELS_MAX + 50; i++)
		feed__call(&feed, p, 0x1000 + i, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, NAMES_OTHER), 100);
	CHECK_INT(dropped(feed.model), 50); /* once a handle, not once a call */
	snapshot = model__snapshot(feed.model, 0);
	CHECK_STR(row_of(snapshot, NAMES_OTHER, NULL)->labels.runtime, "toy");
	CHECK_INT(row_of(snapshot, NAMES_OTHER, NULL)->processes[0].handles, 50);
	snapshot__free(snapshot);
	model__free(feed.model);
}

static void the_least_recently_used_that_nobody_holds_goes(void)
{
	struct feed feed = begin(3);
	const struct wire_process p = process_of(1, 1, 1), q = process_of(2, 1, 1);

	feed__handle(&feed, p, 1, 0, LOAD_HOOK, "held");
	feed__handle(&feed, q, 1, 0, LOAD_HOOK, "a");
	feed__handle(&feed, q, 2, 0, LOAD_HOOK, "b");
	feed__call(&feed, p, 1, RUN_HOOK);
	feed__call(&feed, q, 2, RUN_HOOK);
	feed__call(&feed, q, 1, RUN_HOOK); /* a was used last */
	feed__life(&feed, WIRE_EXIT, q);
	feed__handle(&feed, p, 2, 0, LOAD_HOOK, "c");
	CHECK_INT(executions_of(feed.model, "b"), -1);
	CHECK_INT(executions_of(feed.model, "a"), 1);
	CHECK_INT(executions_of(feed.model, "held"), 1);
	CHECK_INT(executions_of(feed.model, "c"), 0);
	CHECK_INT(executions_of(feed.model, NAMES_OTHER), -1);
	CHECK_INT(dropped(feed.model), 1);
	feed__handle(&feed, p, 3, 0, LOAD_HOOK, "d"); /* now a */
	CHECK_INT(executions_of(feed.model, "a"), -1);
	feed__handle(&feed, p, 4, 0, LOAD_HOOK, "e"); /* none is left to drop */
	feed__call(&feed, p, 4, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "e"), -1);
	CHECK_INT(executions_of(feed.model, NAMES_OTHER), 1);
	CHECK_INT(dropped(feed.model), 3);
	CHECK_INT(model__series_count(feed.model), 4);
	model__free(feed.model);
}

static void models_come_and_go(void)
{
	struct feed feed = begin(10);

	/* A thousand processes that load, call and end: bounded, and no model is counted as another. */
	for (unsigned int i = 0; i < 1000; i++) {
		const struct wire_process p = process_of(i + 1, 1, i + 1);

		feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, name_of(i));
		for (unsigned int j = 0; j < 3; j++)
			feed__call(&feed, p, 0x1000, RUN_HOOK);
		CHECK_INT(executions_of(feed.model, name_of(i)), 3);
		feed__life(&feed, WIRE_EXIT, p);
		model__after_scrape(feed.model);
		CHECK(model__series_count(feed.model) <= 10);
	}
	CHECK_INT(dropped(feed.model), 990);
	CHECK_INT(executions_of(feed.model, NAMES_OTHER), -1);
	model__free(feed.model);
}

static void counters_never_go_back(void)
{
	enum { MODELS = 12, STEPS = 20000 };
	struct feed feed = begin(MODELS);
	uint64_t last[MODELS] = { 0 }, seed = 5;
	uint32_t lives[MODELS] = { 0 };

	for (int step = 0; step < STEPS; step++) {
		const unsigned int i = (unsigned int)(random_next(&seed) >> 20) % MODELS;
		const struct wire_process p = process_of(i + 1, 1, lives[i]);

		if (random_next(&seed) % 8 == 0) {
			feed__life(&feed, WIRE_EXIT, p);
			lives[i]++;
		} else {
			feed__handle(&feed, p, 0x1000, 0, RUN_HOOK, name_of(i));
			feed__call(&feed, p, 0x1000, RUN_HOOK);
		}
		if (step % 64 == 0) {
			struct snapshot *snapshot = model__snapshot(feed.model, 0);

			for (unsigned int j = 0; j < MODELS; j++) {
				const struct snapshot_model *row = row_of(snapshot, name_of(j), NULL);

				CHECK((row ? row->executions : 0) >= last[j]);
				last[j] = row ? row->executions : 0;
			}
			snapshot__free(snapshot);
			model__after_scrape(feed.model);
		}
	}
	CHECK_INT(dropped(feed.model), 0);
	model__free(feed.model);
}

static void versions_of_holders(void)
{
	struct series_table table = { .max = 10 };
	const struct model_labels labels = { "m", "toy", "c", "", "", "" }, twin = { "m", "toy", "", "c", "", "" };
	struct series *series = series_table__get(&table, &labels, 1);

	CHECK(series_table__get(&table, &twin, 1) != series); /* the same texts in other places */
	CHECK(series_table__find(&table, &labels) == series);
	CHECK_STR(series->labels.container, "c");
	series__hold(series, "1.0");
	series__hold(series, "2.0");
	series__hold(series, "2.0");
	series__release(series, "1.0");
	CHECK(series->versions && series->versions->next);
	series__after_scrape(series);
	CHECK_STR(series->versions->version, "2.0");
	CHECK(!series->versions->next && series__live(series));
	series__release(series, "2.0");
	series__release(series, "2.0");
	CHECK(series->versions != NULL && series__live(series));
	series__after_scrape(series);
	CHECK(!series->versions && !series__live(series));
	series_table__clear(&table);
	CHECK_INT(HASH_COUNT(table.all), 0);
}

int main(void)
{
	RUN(the_rest_goes_to_other);
	RUN(the_least_recently_used_that_nobody_holds_goes);
	RUN(models_come_and_go);
	RUN(counters_never_go_back);
	RUN(versions_of_holders);
	return check__report();
}
