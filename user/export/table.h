/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Tables of text: columns as wide as their cells need, within a width. Inside of terminal.c and call_line.c. */
#ifndef INFERMETER_TABLE_H
#define INFERMETER_TABLE_H

#include "export/text.h"

#define TABLE_COLUMNS_MAX 16

enum table_flags {
	TABLE_LEFT = 1 << 0,	   /* text; else a number: to the right */
	TABLE_SHRINK = 1 << 1,	   /* may be cut in its middle, to TABLE_SHRINK_MIN */
	TABLE_HIDE_EMPTY = 1 << 2, /* left out if all cells are empty or "-" */
};
#define TABLE_SHRINK_MIN 12

struct table_cell {
	char *text;
	const char *style;
};

/* Zero at first, but for width and styles. */
struct table {
	unsigned int width; /* 0: no limit */
	bool color;
	const char *heading_style; /* ANSI sequence or "" */

	size_t n_columns;
	struct {
		const char *title;
		unsigned int flags, sheds; /* sheds: what goes first if the width is too small (largest); 0: never */
		size_t width, natural;
		bool hidden;
	} columns[TABLE_COLUMNS_MAX];
	struct table_cell *cells; /* row by row */
	size_t n_cells, room, column;
	bool failed;
};

void table__column(struct table *table, const char *title, unsigned int flags, unsigned int sheds);
void table__row(struct table *table); /* begins a row: its missing cells are empty */
/* The next cell of the row. text is copied; style is an ANSI sequence or "", and static. */
void table__cell(struct table *table, const char *text, const char *style);
void table__print(struct table *table, struct text *text);
void table__free(struct table *table); /* frees what it holds */

/* Columns of a terminal that UTF-8 text takes: a code point each, combining marks aside. */
size_t table__text_width(const char *text);

/* Adds text, cut in its middle to width columns (0: whole). */
void table__add_cut(struct text *into, const char *text, size_t width);

/* Adds text and a newline, broken at spaces so that lines end before width (0: not broken); further lines are indented.
 * The first line's beginning stands in `into` already. */
void table__add_wrapped(struct text *into, const char *text, unsigned int indent, unsigned int width);

#endif
