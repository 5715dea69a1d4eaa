/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The models of a snapshot as a table. A table is made as cells first and printed once it is known how wide each
 * column must be; what does not fit the terminal is taken from the names, then from whole columns at the right of
 * their importance.
 */
#include "export/terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <uthash.h>

#include "export/table.h"

#define RED   "\x1b[31m"
#define BOLD  "\x1b[1m"
#define DIM   "\x1b[2m"
#define PLAIN "\x1b[0m"

unsigned int terminal__width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return columns ? (unsigned int)strtoul(columns, NULL, 10) : 0;
}

/* Three digits that count, with the unit that needs no zeros in front. */
static void three_digits(double number, const char *unit, char *buffer)
{
	const int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;

	snprintf(buffer, TERMINAL_NUMBER_MAX, "%.*f%s%s", decimals, number, *unit ? " " : "", unit);
}

char *terminal__duration(double seconds, char buffer[TERMINAL_NUMBER_MAX])
{
	static const struct {
		double least, scale;
		const char *unit;
	} units[] = { { 0.9995, 1, "s" }, { 0.9995e-3, 1e3, "ms" }, { 0.9995e-6, 1e6, "µs" } };
	const double minutes = floor(seconds / 60), hours = floor(seconds / 3600);

	if (isnan(seconds)) {
		strcpy(buffer, "-");
		return buffer;
	}
	if (seconds >= 1e9) {
		snprintf(buffer, TERMINAL_NUMBER_MAX, "%.3g s", seconds);
		return buffer;
	}
	if (seconds >= 3600) {
		snprintf(buffer, TERMINAL_NUMBER_MAX, "%.0f h %.0f m", hours, floor((seconds - hours * 3600) / 60));
		return buffer;
	}
	if (seconds >= 100) {
		snprintf(buffer, TERMINAL_NUMBER_MAX, "%.0f m %.0f s", minutes, floor(seconds - minutes * 60));
		return buffer;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (seconds >= units[i].least) {
			three_digits(seconds * units[i].scale, units[i].unit, buffer);
			return buffer;
		}
	}
	snprintf(buffer, TERMINAL_NUMBER_MAX, "%.0f ns", seconds * 1e9);
	return buffer;
}

char *terminal__count(double count, char buffer[TERMINAL_NUMBER_MAX])
{
	static const char *const units[] = { "", "k", "M", "G", "T", "P" };
	size_t i = 0;

	if (isnan(count)) {
		strcpy(buffer, "-");
		return buffer;
	}
	if (count < 9999.5) { /* short enough as it is; whole numbers without decimals */
		if (count == floor(count) || count >= 99.95)
			snprintf(buffer, TERMINAL_NUMBER_MAX, "%.0f", count);
		else
			three_digits(count, "", buffer);
		return buffer;
	}
	while (count >= 999.5 && i + 1 < sizeof(units) / sizeof(*units)) {
		count /= 1000;
		i++;
	}
	three_digits(count, units[i], buffer);
	return buffer;
}

/* Rates: the calls of an earlier snapshot, found by the labels. Labels stand in one key, so that they outlive it. */

struct rate {
	char *key;
	unsigned int key_length;
	uint64_t executions;
	UT_hash_handle hh;
};

struct terminal_rates {
	uint64_t now_ns;
	struct rate *all;
};

static char *rate_key(const struct model_labels *labels, unsigned int *length)
{
	char *key;
	const int printed = asprintf(&key, "%s\1%s\1%s\1%s\1%s\1%s", labels->model, labels->runtime, labels->container,
				     labels->pod, labels->namespace_, labels->unit);

	*length = (unsigned int)printed;
	return printed < 0 ? NULL : key;
}

struct terminal_rates *terminal_rates__note(const struct snapshot *snapshot)
{
	struct terminal_rates *rates = calloc(1, sizeof(*rates));

	if (!rates)
		return NULL;
	rates->now_ns = snapshot->now_ns;
	for (size_t i = 0; i < snapshot->n_models; i++) {
		struct rate *rate;

		if (snapshot->models[i].gauges_only)
			continue;
		rate = calloc(1, sizeof(*rate));
		if (rate)
			rate->key = rate_key(&snapshot->models[i].labels, &rate->key_length);
		if (!rate || !rate->key) {
			free(rate);
			terminal_rates__free(rates);
			return NULL;
		}
		rate->executions = snapshot->models[i].executions;
		HASH_ADD_KEYPTR(hh, rates->all, rate->key, rate->key_length, rate);
	}
	return rates;
}

void terminal_rates__free(struct terminal_rates *rates)
{
	struct rate *rate, *next;

	if (!rates)
		return;
	HASH_ITER (hh, rates->all, rate, next) {
		HASH_DEL(rates->all, rate);
		free(rate->key);
		free(rate);
	}
	free(rates);
}

/* Calls a second since then. NaN: no time went by. */
static double rate_of(const struct snapshot *snapshot, const struct snapshot_model *model,
		      const struct terminal_rates *before)
{
	const double seconds = (double)(snapshot->now_ns - before->now_ns) / 1e9;
	struct rate *rate = NULL;
	unsigned int length;
	char *key = rate_key(&model->labels, &length);
	uint64_t calls = model->executions;

	if (key)
		HASH_FIND(hh, before->all, key, length, rate);
	free(key);
	if (rate && rate->executions <= calls)
		calls -= rate->executions;
	return snapshot->now_ns > before->now_ns ? (double)calls / seconds : NAN;
}

/* Models. */

static void add_quantile(struct table *table, const struct histogram *histogram, double q)
{
	char number[TERMINAL_NUMBER_MAX];

	table__cell(table, terminal__duration(histogram__quantile(histogram, q), number), "");
}

static void add_batch(struct table *table, const struct histogram *batch)
{
	char cell[2 * TERMINAL_NUMBER_MAX + 4], mean[TERMINAL_NUMBER_MAX], most[TERMINAL_NUMBER_MAX];

	if (!batch->count)
		strcpy(cell, "-");
	else if (batch->min == batch->max)
		snprintf(cell, sizeof(cell), "%s", terminal__count(batch->max, most));
	else
		snprintf(cell, sizeof(cell), "%s / %s", terminal__count(histogram__mean(batch), mean),
			 terminal__count(batch->max, most));
	table__cell(table, cell, "");
}

/* Where it runs: the first that is known, from what says most to whom looks. */
static const char *place_of(const struct model_labels *labels)
{
	return *labels->pod ? labels->pod : *labels->container ? labels->container : labels->unit;
}

static void add_model(struct table *table, const struct snapshot *snapshot, const struct snapshot_model *model,
		      const struct terminal_rates *before)
{
	const uint64_t failures = model->failures[FAILURE_STATUS] + model->failures[FAILURE_UNWOUND];
	char number[TERMINAL_NUMBER_MAX], age[TERMINAL_NUMBER_MAX], cell[2 * TERMINAL_NUMBER_MAX + 4];

	table__row(table);
	table__cell(table, model->labels.model, "");
	table__cell(table, model->labels.runtime, "");
	table__cell(table, place_of(&model->labels), "");
	table__cell(table, terminal__count((double)model->executions, number), "");
	if (before)
		table__cell(table, terminal__count(rate_of(snapshot, model, before), number), "");
	table__cell(table, terminal__count((double)failures, number), failures ? RED : "");
	add_quantile(table, model->duration, 0.5);
	add_quantile(table, model->duration, 0.95);
	add_quantile(table, model->duration, 0.99);
	add_batch(table, model->batch);
	if (model->in_flight && model->oldest_in_flight_ns >= 1000000000)
		snprintf(cell, sizeof(cell), "%s (%s)", terminal__count((double)model->in_flight, number),
			 terminal__duration((double)model->oldest_in_flight_ns / 1e9, age));
	else
		snprintf(cell, sizeof(cell), "%s", terminal__count((double)model->in_flight, number));
	table__cell(table, cell, "");
	snprintf(cell, sizeof(cell), "%zu", model->n_processes);
	table__cell(table, cell, "");
}

void terminal__models(const struct snapshot *snapshot, const struct terminal_rates *before,
		      const struct terminal_options *options, struct text *text)
{
	struct table table = { .width = options->width, .heading_style = options->color ? BOLD : "" };

	table__column(&table, "MODEL", TABLE_LEFT | TABLE_SHRINK, 0);
	table__column(&table, "RUNTIME", TABLE_LEFT, 4);
	table__column(&table, "WHERE", TABLE_LEFT | TABLE_SHRINK | TABLE_HIDE_EMPTY, 6);
	table__column(&table, "CALLS", 0, 0);
	if (before)
		table__column(&table, "CALLS/S", 0, 1);
	table__column(&table, "FAILED", 0, 1);
	table__column(&table, "P50", 0, 1);
	table__column(&table, "P95", 0, 5);
	table__column(&table, "P99", 0, 2);
	table__column(&table, "BATCH", TABLE_HIDE_EMPTY, 4);
	table__column(&table, "IN FLIGHT", 0, 3);
	table__column(&table, "PROC", 0, 7);
	for (size_t i = 0; i < snapshot->n_models; i++)
		add_model(&table, snapshot, snapshot->models + i, before);
	table.color = options->color;
	if (snapshot->n_models)
		table__print(&table, text);
	else
		text__add(text, "No model seen yet.\n");
	table__free(&table);
}

/* What is not as it should be. Nested, ignored and unwound calls and unknown frees are the targets' business. */
static bool is_harmless(enum snapshot_counts kind, const char *stage)
{
	static const char *const harmless[] = { "nested", "ignored", "unwound", "free", "exit", "abandoned" };

	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		if (kind == SNAPSHOT_UNMATCHED && strcmp(stage, harmless[i]) == 0)
			return true;
	return false;
}

void terminal__losses(const struct snapshot *snapshot, struct text *text)
{
	static const char *const kinds[SNAPSHOT_COUNTS] = { "lost", "unmatched", "invalid" };
	char number[TERMINAL_NUMBER_MAX];

	for (int kind = 0; kind < SNAPSHOT_COUNTS; kind++) {
		for (size_t i = 0; i < snapshot->n_counts[kind]; i++) {
			const struct snapshot_count *count = &snapshot->counts[kind][i];

			if (count->count && !is_harmless(kind, count->stage))
				text__printf(text, "events %s (%s): %s\n", kinds[kind], count->stage,
					     terminal__count((double)count->count, number));
		}
	}
	if (snapshot->series_dropped)
		text__printf(text, "models beyond the limit: %s; counted together as _other\n",
			     terminal__count((double)snapshot->series_dropped, number));
}

void terminal__page(const struct snapshot *snapshot, const struct terminal_rates *before, unsigned int rows,
		    const struct terminal_options *options, struct text *text)
{
	struct text page = { 0 };
	const char *line;
	unsigned int left = rows ? rows - 1 : ~0U; /* the last line stays free, so that nothing scrolls */

	terminal__models(snapshot, before, options, &page);
	terminal__losses(snapshot, &page);
	if (page.failed) {
		text->failed = true;
		text__free(&page);
		return;
	}
	text__add(text, "\x1b[H");
	for (line = page.data; line && *line && left; left--) {
		const size_t length = strcspn(line, "\n");

		text__add_bytes(text, line, length);
		text__add(text, "\x1b[K\n"); /* what stood there before */
		line += length + (line[length] == '\n');
	}
	text__add(text, "\x1b[J");
	text__free(&page);
}

/* Targets. */

static const char *known(const char *text)
{
	return text && *text ? text : NULL;
}

static void add_module(const struct target_module *module, const struct terminal_options *options, struct text *text)
{
	const char *red = options->color ? RED : "", *dim = options->color ? DIM : "";
	const char *plain = options->color ? PLAIN : "";
	size_t attached = 0;

	for (size_t i = 0; i < module->n_hooks; i++)
		attached += module->hooks[i].attached;
	text__add(text, "  ");
	table__add_cut(text, module->path ? module->path : "?", options->width > 2 ? options->width - 2 : 0);
	text__printf(text, "\n    %s%s%s: ", module->runtime ? module->runtime : "?", known(module->version) ? " " : "",
		     known(module->version) ? module->version : "");
	if (!module->usable) {
		text__printf(text, "%snot watched%s: ", red, plain);
		table__add_wrapped(text, known(module->why) ? module->why : "unknown why", 6, options->width);
	} else {
		text__printf(text, "watched, %zu of %zu probes attached\n", attached, module->n_hooks);
	}
	for (size_t i = 0; i < module->n_hooks; i++) {
		const struct target_hook *hook = module->hooks + i;

		if (hook->attached && !options->verbose)
			continue;
		text__printf(text, "      %s%s%s %s%s", hook->attached ? "" : red,
			     hook->attached ? "attached" : "missing ", hook->attached ? "" : plain, hook->name,
			     known(hook->why) ? ": " : "");
		text__add(text, dim);
		table__add_wrapped(text, known(hook->why) ? hook->why : "", 8, options->width);
		text__add(text, plain);
	}
}

void terminal__targets(const struct target *targets, size_t n, const struct terminal_options *options,
		       struct text *text)
{
	const char *bold = options->color ? BOLD : "", *plain = options->color ? PLAIN : "";

	if (!n)
		text__add(text, "No process on this host maps a runtime that infermeter knows.\n");
	for (size_t i = 0; i < n; i++) {
		const struct target *target = targets + i;

		text__printf(text, "%s%u %s%s", bold, target->pid, target->command ? target->command : "?", plain);
		if (known(target->pod))
			text__printf(text, "  pod %s%s%s", known(target->namespace_) ? target->namespace_ : "",
				     known(target->namespace_) ? "/" : "", target->pod);
		if (known(target->container))
			text__printf(text, "  container %s", target->container);
		if (known(target->unit))
			text__printf(text, "  unit %s", target->unit);
		text__add(text, "\n");
		for (size_t j = 0; j < target->n_modules; j++)
			add_module(target->modules + j, options, text);
	}
}
