/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Tables for people: list, the report at the end of run, and the page that top repaints. Plain text with aligned columns;
 * no line is wider than width (0: no limit), names are cut in their middle.
 */
#ifndef INFERMETER_TERMINAL_H
#define INFERMETER_TERMINAL_H

#include "export/target.h"
#include "export/text.h"
#include "model/snapshot.h"

struct terminal_options {
	unsigned int width; /* columns, 0: no limit */
	bool color;	    /* ANSI colors where they mean something */
	bool verbose;	    /* targets: also a line for each attached hook */
};

/* The width of the terminal at fd: its own size, else COLUMNS, else 0 (no terminal: no limit). */
unsigned int terminal__width(int fd);

/*
 * A line a model: calls, failures, p50/p95/p99, batch, in flight. before: the calls of an earlier snapshot, for the rate
 * (terminal_rates__note), or NULL: the rate column is left out.
 */
struct terminal_rates;
void terminal__models(const struct snapshot *snapshot, const struct terminal_rates *before,
		      const struct terminal_options *options, struct text *text);

/* Remembers the calls of a snapshot. Returns NULL with errno on no memory. The caller frees it. */
struct terminal_rates *terminal_rates__note(const struct snapshot *snapshot);
void terminal_rates__free(struct terminal_rates *rates); /* NULL is fine */

/* What list shows: targets, their modules, hooks and why not. */
void terminal__targets(const struct target *targets, size_t n, const struct terminal_options *options,
		       struct text *text);

/* What was lost, unmatched or invalid, a line each; nothing when all is well. */
void terminal__losses(const struct snapshot *snapshot, struct text *text);

/* What top paints: home, the page cut to rows lines, clear the rest. */
void terminal__page(const struct snapshot *snapshot, const struct terminal_rates *before, unsigned int rows,
		    const struct terminal_options *options, struct text *text);

/* "87 ns", "1.23 ms", "4.5 s", "2 m 5 s"; "12", "1.2 k", "3.4 M". NaN gives "-". Return buffer. */
#define TERMINAL_NUMBER_MAX 32
char *terminal__duration(double seconds, char buffer[TERMINAL_NUMBER_MAX]);
char *terminal__count(double count, char buffer[TERMINAL_NUMBER_MAX]);

#endif
