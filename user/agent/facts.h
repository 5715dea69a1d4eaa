/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What discover, resolve and the kernel's counters say, as records of the stream (wire.h, WIRE_FACT_*). */
#ifndef INFERMETER_FACTS_H
#define INFERMETER_FACTS_H

#include "agent/modules.h"
#include "wire.h"

void facts__hook(struct wire_fact_hook *fact, const char *path, const struct plan *plan, const struct plan_hook *hook);

/* Reads who the process is. Returns false if nothing is known of it; the header must be set. */
bool facts__process(struct wire_fact_process *fact);

void facts__loss(struct wire_fact_loss *fact, const uint64_t counts[LOSS_KINDS]);

/* A model's name from outside, where its runtime keeps none: tries the plan's fallbacks in order. Returns its length, 0: none. */
size_t facts__name(const struct plan *plan, pid_t pid, char name[WIRE_NAME_MAX]);

#endif
