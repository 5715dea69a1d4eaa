/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A text that grows. When memory ends it stays as it was and `failed` is set: check once, at the end. */
#ifndef INFERMETER_TEXT_H
#define INFERMETER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data; /* NUL-terminated, or NULL while nothing was added */
	size_t length, room;
	bool failed;
};

void text__add(struct text *text, const char *string);
void text__add_bytes(struct text *text, const char *bytes, size_t length);
void text__add_unsigned(struct text *text, uint64_t number);
void text__add_double(struct text *text, double number); /* the shortest that reads back the same; NaN, +Inf, -Inf */
void text__printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hands over the bytes (malloc'd, NUL-terminated; the caller frees them) and empties the text. length may be NULL.
 * Returns NULL if something failed. */
char *text__take(struct text *text, size_t *length);
void text__free(struct text *text); /* frees what it holds; it can be used again */

#endif
