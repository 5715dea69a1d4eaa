/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Snapshots and targets as JSON. Times are in seconds, counts are numbers; what is not known is left out. */
#ifndef INFERMETER_JSON_H
#define INFERMETER_JSON_H

#include "export/target.h"
#include "model/snapshot.h"

#define JSON_CONTENT_TYPE "application/json"

/* Each returns malloc'd text that ends with a newline, or NULL when there is no memory. The caller frees it. */
char *json__models(const struct snapshot *snapshot);	     /* {"time": …, "models": [ … ], "agent": { … }} */
char *json__targets(const struct target *targets, size_t n); /* {"targets": [ … ]} */

#endif
