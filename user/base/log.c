/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = { "error", "warn", "info", "debug" };
static enum log_level current = LOG_WARN;

void log__set_level(enum log_level level)
{
	current = level;
}

enum log_level log__level(void)
{
	return current;
}

int log__parse_level(const char *word, enum log_level *level)
{
	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		if (strcmp(word, words[i]) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log__write(enum log_level level, const char *format, ...)
{
	char *line;
	va_list args;
	int length;

	if (level > current)
		return;
	va_start(args, format);
	length = vasprintf(&line, format, args); /* one write a line, however long: a verifier's log is */
	va_end(args);
	if (length < 0)
		return;
	fprintf(stderr, "infermeter: %s: %s\n", words[level], line);
	free(line);
}
