/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What is asked of the agent: the state of all models, and the targets. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/facts.h"
#include "agent/internal.h"

void agent__apply(struct agent *agent, const struct record *record)
{
	model__apply(agent->model, record);
	if (agent->stream)
		stream_writer__write(agent->stream, record);
}

void agent__apply_losses(struct agent *agent)
{
	uint64_t counts[LOSS_KINDS];
	struct wire_fact_loss fact;
	struct record record = { .tag = WIRE_FACT_LOSS, .loss = &fact };

	if (!agent->programs)
		return;
	programs__losses(agent->programs, counts);
	facts__loss(&fact, counts);
	agent__apply(agent, &record);
}

static void note_frame(void *context, uint32_t tid, const struct wire_process *process, const struct frame *frame)
{
	struct agent *agent = context;
	struct model_in_flight call = {
		.process = *process,
		.handle = frame->known & (1U << VALUE_HANDLE) ? frame->values[VALUE_HANDLE] : 0,
		.start_ns = frame->start_ns,
		.hook = frame->hook,
		.tid = tid,
	};

	if (frame->means == HOOK_CALL)
		utarray_push_back(agent->in_flight, &call);
}

/* One row a runtime and hook: 1 while it is in place wherever it should be. */
static void note_probe(struct agent *agent, const struct plan_hook *hook, bool attached)
{
	struct snapshot_probe probe = { hook->runtime, hook->name, attached };

	for (unsigned i = 0; i < utarray_len(agent->probes); i++) {
		struct snapshot_probe *other = (struct snapshot_probe *)utarray_eltptr(agent->probes, i);

		if (strcmp(other->runtime, probe.runtime) == 0 && strcmp(other->probe, probe.probe) == 0) {
			other->attached |= attached;
			return;
		}
	}
	utarray_push_back(agent->probes, &probe);
}

static void note_probes(struct agent *agent)
{
	utarray_clear(agent->probes);
	for (const struct module *module = modules__first(agent->modules); module; module = module->hh.next) {
		for (size_t i = 0; i < module->n_parts; i++) {
			const struct module_part *part = &module->parts[i];

			for (size_t h = 0; module->users && h < part->plan->n_hooks; h++)
				note_probe(agent, &part->plan->hooks[h], part->sites && !part->plan->hooks[h].refused);
		}
	}
}

static void note_self(struct agent *agent, struct snapshot *snapshot)
{
	struct rusage usage;
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file) {
		if (fscanf(file, "%*d %ld", &pages) != 1)
			pages = 0;
		fclose(file);
	}
	getrusage(RUSAGE_SELF, &usage);
	snapshot->self.cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
				(uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
	snapshot->self.resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	snapshot->self.start_unix_ns = agent->start_unix_ns;
}

struct snapshot *agent__snapshot(struct agent *agent)
{
	struct resolver_stats resolved = resolver__stats(agent->resolver);
	struct discover_stats discovered;
	struct snapshot *snapshot;

	discover__drain(agent->discover);
	agent__drain(agent);
	agent__apply_losses(agent);
	utarray_clear(agent->in_flight);
	if (agent->programs)
		programs__each_frame(agent->programs, note_frame, agent);
	model__set_in_flight(agent->model, (const struct model_in_flight *)utarray_front(agent->in_flight),
			     utarray_len(agent->in_flight));
	snapshot = model__snapshot(agent->model, loop__now_ns());
	if (!snapshot)
		return NULL;
	note_probes(agent);
	snapshot->probes = (const struct snapshot_probe *)utarray_front(agent->probes);
	snapshot->n_probes = utarray_len(agent->probes);
	discovered = discover__stats(agent->discover);
	for (int i = 0; i < DECODE_ERRORS; i++)
		snapshot__add_count(snapshot, SNAPSHOT_INVALID, decode__error_stage((enum decode_error)i),
				    agent->decoded.bad[i]);
	snapshot__add_count(snapshot, SNAPSHOT_INVALID, "elf", resolved.failed + resolved.timed_out + resolved.crashed);
	snapshot__add_count(snapshot, SNAPSHOT_LOST, "process_events", discovered.lost);
	if (agent->stream)
		snapshot__add_count(snapshot, SNAPSHOT_LOST, "save", stream_writer__lost(agent->stream));
	note_self(agent, snapshot);
	return snapshot;
}

void agent__after_scrape(struct agent *agent)
{
	model__after_scrape(agent->model);
}

struct target *agent__targets(struct agent *agent, size_t *n)
{
	discover__drain(agent->discover);
	return processes__targets(agent->processes, n);
}
