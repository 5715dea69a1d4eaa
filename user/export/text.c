/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "export/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for more bytes and a NUL. */
static bool need(struct text *text, size_t more)
{
	size_t room = text->room ? text->room : 256;
	char *grown;

	if (text->failed)
		return false;
	while (room - text->length <= more) {
		if (room > SIZE_MAX / 2) {
			text->failed = true;
			return false;
		}
		room += room / 2;
	}
	if (room != text->room || !text->data) {
		grown = realloc(text->data, room);
		if (!grown) {
			text->failed = true;
			return false;
		}
		text->data = grown;
		text->room = room;
	}
	return true;
}

void text__add_bytes(struct text *text, const char *bytes, size_t length)
{
	if (!need(text, length))
		return;
	memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = 0;
}

void text__add(struct text *text, const char *string)
{
	text__add_bytes(text, string, strlen(string));
}

void text__add_unsigned(struct text *text, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	text__add_bytes(text, digits + at, sizeof(digits) - at);
}

void text__add_double(struct text *text, double number)
{
	char digits[40];

	if (isnan(number)) {
		text__add(text, "NaN");
		return;
	}
	if (isinf(number)) {
		text__add(text, number > 0 ? "+Inf" : "-Inf");
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*g", precision, number);
		if (strtod(digits, NULL) == number)
			break;
	}
	text__add(text, digits);
}

void text__printf(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0 || !need(text, (size_t)length)) {
		text->failed = true;
		return;
	}
	va_start(arguments, format);
	vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	text->length += (size_t)length;
}

char *text__take(struct text *text, size_t *length)
{
	char *data = NULL;

	if (need(text, 0)) {
		data = text->data;
		data[text->length] = 0;
		if (length)
			*length = text->length;
		text->data = NULL;
	}
	text__free(text);
	return data;
}

void text__free(struct text *text)
{
	free(text->data);
	memset(text, 0, sizeof(*text));
}
