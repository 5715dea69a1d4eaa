/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/glob.h"

#include <stddef.h>

bool glob__match(const char *pattern, const char *text)
{
	const char *star = NULL, *after = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			after = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) { /* let the last star take one more */
			pattern = star + 1;
			text = ++after;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
