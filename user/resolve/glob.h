/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Patterns with * and ? only: in C++ names brackets and backslashes stand for themselves, so that fnmatch would misread them. */
#ifndef INFERMETER_GLOB_H
#define INFERMETER_GLOB_H

#include <stdbool.h>

bool glob__match(const char *pattern, const char *text);

#endif
