/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/names.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 character at text, 0 if there is none that may stand in a label: no C0 or C1 control, no
 * over-long form, no surrogate, nothing above U+10FFFF. */
static size_t character(const unsigned char *text, size_t left)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = { { 0xe0, 0xc0, 0xa0 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	if (text[0] < 0x80)
		return text[0] >= 0x20 && text[0] != 0x7f;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		const size_t bytes = i + 2;
		uint32_t code = text[0] & (unsigned char)~forms[i].mask;

		if ((text[0] & forms[i].mask) != forms[i].lead)
			continue;
		if (bytes > left)
			return 0;
		for (size_t j = 1; j < bytes; j++) {
			if ((text[j] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (text[j] & 0x3f);
		}
		if (code < forms[i].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return 0;
		return bytes;
	}
	return 0;
}

/* names__sanitise, of at most max bytes. */
static size_t sanitise(const char *text, size_t length, char *label, size_t max)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t used = 0, at = 0;

	while (at < length) {
		const size_t n = character(bytes + at, length - at);

		if (used + (n ? n : 1) > max)
			break;
		if (n)
			memcpy(label + used, bytes + at, n);
		else
			label[used] = '_';
		used += n ? n : 1;
		at += n ? n : 1;
	}
	label[used] = 0;
	return used;
}

size_t names__sanitise(const char *text, size_t length, char label[NAMES_LABEL_MAX + 1])
{
	return sanitise(text, length, label, NAMES_LABEL_MAX);
}

size_t names__label(const char *name, size_t length, char label[NAMES_LABEL_MAX + 1])
{
	static const char gap[] = "\xe2\x80\xa6"; /* … */
	const char *slash;
	size_t used = 0;

	while (length > 1 && name[length - 1] == '/')
		length--;
	slash = length ? memrchr(name, '/', length) : NULL;
	if (slash && slash + 1 < name + length) {
		length -= (size_t)(slash + 1 - name);
		name = slash + 1;
	}
	if (length > NAMES_LABEL_MAX) {
		/* Names of one series of models differ at the end as often as at the beginning: the middle is left out. */
		used = sanitise(name, length, label, NAMES_LABEL_MAX / 2 - sizeof(gap));
		memcpy(label + used, gap, sizeof(gap) - 1);
		used += sizeof(gap) - 1;
		length -= NAMES_LABEL_MAX / 2;
		name += length;
		for (length = NAMES_LABEL_MAX / 2; length && ((unsigned char)*name & 0xc0) == 0x80; length--)
			name++;
	}
	length = used + sanitise(name, length, label + used, NAMES_LABEL_MAX - used);
	if (!length) {
		length = strlen(NAMES_UNKNOWN);
		memcpy(label, NAMES_UNKNOWN, length + 1);
	}
	return length;
}
