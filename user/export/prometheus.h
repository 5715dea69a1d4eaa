/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A snapshot as Prometheus text exposition 0.0.4. metrics.md is the catalogue. */
#ifndef INFERMETER_PROMETHEUS_H
#define INFERMETER_PROMETHEUS_H

#include "export/text.h"
#include "model/snapshot.h"

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Adds the whole exposition to text. */
void prometheus__render(const struct snapshot *snapshot, struct text *text);

#endif
