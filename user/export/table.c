/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "export/table.h"

#include <stdlib.h>
#include <string.h>

#define GAP	 2 /* spaces between columns */
#define ELLIPSIS "…"
#define PLAIN	 "\x1b[0m"

void table__column(struct table *table, const char *title, unsigned int flags, unsigned int sheds)
{
	const size_t i = table->n_columns;

	if (i == TABLE_COLUMNS_MAX)
		return;
	table->columns[i].title = title;
	table->columns[i].flags = flags;
	table->columns[i].sheds = sheds;
	table->n_columns++;
}

void table__row(struct table *table)
{
	struct table_cell *grown;

	if (table->n_cells + table->n_columns > table->room) {
		const size_t room = 2 * (table->n_cells + table->n_columns);

		grown = realloc(table->cells, room * sizeof(*grown));
		if (!grown) {
			table->failed = true;
			return;
		}
		table->cells = grown;
		table->room = room;
	}
	memset(table->cells + table->n_cells, 0, table->n_columns * sizeof(*table->cells));
	table->n_cells += table->n_columns;
	table->column = 0;
}

void table__cell(struct table *table, const char *text, const char *style)
{
	struct table_cell *cell;

	if (table->failed || !table->n_cells || table->column == table->n_columns)
		return;
	cell = table->cells + table->n_cells - table->n_columns + table->column++;
	cell->text = strdup(text);
	cell->style = style;
	table->failed |= !cell->text;
}

void table__free(struct table *table)
{
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	table->cells = NULL;
	table->n_cells = table->room = 0;
}

/* Widths: UTF-8 without a locale. */

/* The code point at text, and its bytes. */
static uint32_t code_point(const char *text, size_t *bytes)
{
	const unsigned char lead = (unsigned char)*text;
	uint32_t code = lead < 0x80 ? lead : lead < 0xe0 ? lead & 0x1f : lead < 0xf0 ? lead & 0xf : lead & 7;

	for (*bytes = 1; ((unsigned char)text[*bytes] & 0xc0) == 0x80; ++*bytes)
		code = code << 6 | ((unsigned char)text[*bytes] & 0x3f);
	return code;
}

static size_t code_width(uint32_t code)
{
	static const uint32_t none[][2] = { { 0x300, 0x36f }, { 0x200b, 0x200f }, { 0xfe00, 0xfe0f } };
	static const uint32_t two[][2] = { { 0x1100, 0x115f }, { 0x2e80, 0xa4cf },   { 0xac00, 0xd7a3 },
					   { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },
					   { 0xffe0, 0xffe6 }, { 0x1f300, 0x1faff }, { 0x20000, 0x3fffd } };

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		if (code >= none[i][0] && code <= none[i][1])
			return 0;
	for (size_t i = 0; i < sizeof(two) / sizeof(*two); i++)
		if (code >= two[i][0] && code <= two[i][1])
			return 2;
	return 1;
}

size_t table__text_width(const char *text)
{
	size_t width = 0, bytes;

	for (; *text; text += bytes)
		width += code_width(code_point(text, &bytes));
	return width;
}

/* The part of text that takes at most width columns from its begin. */
static size_t head_bytes(const char *text, size_t width)
{
	size_t used = 0, bytes;

	while (text[used]) {
		const size_t wide = code_width(code_point(text + used, &bytes));

		if (wide > width)
			break;
		width -= wide;
		used += bytes;
	}
	return used;
}

void table__add_cut(struct text *into, const char *text, size_t width)
{
	const size_t whole = table__text_width(text);
	size_t head, skip, bytes;

	if (!width || whole <= width) {
		text__add(into, text);
		return;
	}
	/* The end of a name says more than its middle. */
	head = (width - 1) / 2;
	text__add_bytes(into, text, head_bytes(text, head));
	text__add(into, ELLIPSIS);
	for (skip = whole; *text && skip > width - 1 - head; text += bytes)
		skip -= code_width(code_point(text, &bytes));
	text__add(into, text);
}

void table__add_wrapped(struct text *into, const char *text, unsigned int indent, unsigned int width)
{
	const char *line = into->data ? into->data + into->length : "";
	size_t column;

	while (into->data && line > into->data && line[-1] != '\n')
		line--;
	column = 0;
	for (size_t bytes; *line; line += bytes) { /* styles take no column */
		if (*line == '\x1b') {
			bytes = strcspn(line, "m") + 1;
			continue;
		}
		column += code_width(code_point(line, &bytes));
	}
	while (*text) {
		const size_t length = strcspn(text, " \n");
		size_t word = 0, bytes;

		for (size_t i = 0; i < length; i += bytes)
			word += code_width(code_point(text + i, &bytes));
		if (width && column + word > width && column > indent) {
			while (into->length && into->data[into->length - 1] == ' ')
				into->length--;
			text__printf(into, "\n%*s", (int)indent, "");
			column = indent;
		}
		text__add_bytes(into, text, length);
		column += word;
		text += length;
		if (*text) {
			text__add(into, " ");
			column++;
			text++;
		}
	}
	text__add(into, "\n");
}

/* Layout. */

static const char *cell_text(const struct table *table, size_t row, size_t column)
{
	const char *text = table->cells[row * table->n_columns + column].text;

	return text ? text : "";
}

static size_t total(const struct table *table)
{
	size_t sum = 0;

	for (size_t i = 0; i < table->n_columns; i++)
		sum += table->columns[i].hidden ? 0 : table->columns[i].width + GAP;
	return sum ? sum - GAP : 0;
}

static void measure(struct table *table, size_t rows)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		bool empty = true;

		table->columns[i].width = table__text_width(table->columns[i].title);
		for (size_t row = 0; row < rows; row++) {
			const char *text = cell_text(table, row, i);
			const size_t width = table__text_width(text);

			empty &= !*text || strcmp(text, "-") == 0;
			if (width > table->columns[i].width)
				table->columns[i].width = width;
		}
		table->columns[i].natural = table->columns[i].width;
		table->columns[i].hidden = empty && table->columns[i].flags & TABLE_HIDE_EMPTY;
	}
}

/* Takes columns from the widest that may shrink; then leaves columns out. */
static void fit(struct table *table)
{
	while (table->width && total(table) > table->width) {
		size_t widest = table->n_columns, first = table->n_columns;

		for (size_t i = 0; i < table->n_columns; i++) {
			if (table->columns[i].hidden)
				continue;
			if (table->columns[i].flags & TABLE_SHRINK && table->columns[i].width > TABLE_SHRINK_MIN &&
			    (widest == table->n_columns || table->columns[i].width > table->columns[widest].width))
				widest = i;
			if (table->columns[i].sheds &&
			    (first == table->n_columns || table->columns[i].sheds > table->columns[first].sheds))
				first = i;
		}
		if (widest < table->n_columns)
			table->columns[widest].width--;
		else if (first < table->n_columns)
			table->columns[first].hidden = true;
		else
			break;
	}
	/* What a column that was left out gave back goes to the names. */
	for (size_t i = 0; i < table->n_columns && table->width; i++)
		while (!table->columns[i].hidden && table->columns[i].width < table->columns[i].natural &&
		       total(table) < table->width)
			table->columns[i].width++;
}

static void add_cell(const struct table *table, size_t column, const char *text, const char *style, bool last,
		     struct text *into)
{
	const size_t room = table->columns[column].width, width = table__text_width(text);
	const size_t padding = width < room ? room - width : 0;
	const bool left = table->columns[column].flags & TABLE_LEFT;

	text__printf(into, "%*s", left ? 0 : (int)padding, "");
	text__add(into, style);
	table__add_cut(into, text, room);
	if (*style)
		text__add(into, PLAIN);
	if (!last)
		text__printf(into, "%*s", (left ? (int)padding : 0) + GAP, "");
}

void table__print(struct table *table, struct text *text)
{
	const size_t rows = table->n_columns ? table->n_cells / table->n_columns : 0;
	size_t last = 0;

	if (table->failed) {
		text->failed = true;
		return;
	}
	measure(table, rows);
	fit(table);
	for (size_t i = 0; i < table->n_columns; i++)
		last = table->columns[i].hidden ? last : i;
	for (size_t row = 0; row <= rows; row++) { /* row 0: the heading */
		for (size_t i = 0; i <= last; i++) {
			const struct table_cell *cell = row ? &table->cells[(row - 1) * table->n_columns + i] : NULL;

			if (table->columns[i].hidden)
				continue;
			if (cell)
				add_cell(table, i, cell->text ? cell->text : "",
					 table->color && cell->style ? cell->style : "", i == last, text);
			else
				add_cell(table, i, table->columns[i].title,
					 table->heading_style ? table->heading_style : "", i == last, text);
		}
		text__add(text, "\n");
	}
}
