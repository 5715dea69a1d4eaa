/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* From what a runtime or a file system calls a model to the value of the `model` label. */
#ifndef INFERMETER_NAMES_H
#define INFERMETER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define NAMES_LABEL_MAX 128	  /* bytes of a label, without the NUL */
#define NAMES_UNKNOWN	"unknown" /* the model of a handle whose name nobody knows */
#define NAMES_OTHER	"_other"  /* the models beyond the cap */

/*
 * Writes text (length bytes, no NUL needed) as valid UTF-8 without control characters, at most NAMES_LABEL_MAX bytes
 * and cut between characters; what is not valid becomes '_'. Returns the length of label (0: nothing was left).
 */
size_t names__sanitise(const char *text, size_t length, char label[NAMES_LABEL_MAX + 1]);

/*
 * The label of a model that has this name: the base name if it is a path (slashes at its end do not count), else the
 * name; sanitised. Of one that is too long the middle is left out. An empty name gives NAMES_UNKNOWN. Returns the label's length.
 */
size_t names__label(const char *name, size_t length, char label[NAMES_LABEL_MAX + 1]);

#endif
