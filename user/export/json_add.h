/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What json.c and call_line.c both put into objects. All ignore a lack of memory: a NULL object is fine. */
#ifndef INFERMETER_JSON_ADD_H
#define INFERMETER_JSON_ADD_H

#include <cjson/cJSON.h>

#include "model/snapshot.h"

/* model, runtime, and what else is known. */
void json__add_labels(cJSON *object, const struct model_labels *labels);
/* A text, made valid UTF-8; left out if NULL or empty. */
void json__add_text(cJSON *object, const char *name, const char *text);
/* A number written with all its digits. */
void json__add_unsigned(cJSON *object, const char *name, uint64_t number);
void json__add_seconds(cJSON *object, const char *name, uint64_t nanoseconds);

#endif
