/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/state.h"

/* A batch or a number of tokens above this is a misread value: unknown. */
#define VALUE_LIMIT ((uint64_t)1 << 32)

struct model *model__new(const struct model_options *options)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	if (options)
		model->options = *options;
	if (!model->options.version)
		model->options.version = "unknown";
	model->table.max = model->options.max_models ? model->options.max_models : MODEL_MODELS_MAX;
	registry__init(&model->registry);
	return model;
}

void model__free(struct model *model)
{
	if (!model)
		return;
	registry__clear(&model->registry);
	series_table__clear(&model->table);
	free(model);
}

void model__set_realtime_offset(struct model *model, int64_t realtime_offset_ns)
{
	model->options.realtime_offset_ns = realtime_offset_ns;
}

static void found(const struct model *model, const void *record, enum wire_tag tag)
{
	const struct record said = { .tag = tag, .header = record };

	if (model->options.found)
		model->options.found(model->options.context, &said);
}

/* Processes. */

/* The process of a record, made if missing. NULL: it has ended, or there is no memory; both are counted. */
static struct registry_process *need_process(struct model *model, const struct wire_header *header)
{
	struct registry_process *process = registry__process(&model->registry, &header->process);
	struct wire_fact_process fact = { .header = *header };

	if (process)
		return process;
	if (registry__has_ended(&model->registry, &header->process)) {
		model->counts.ended++;
		return NULL;
	}
	process = registry__add_process(&model->registry, &header->process);
	if (!process) {
		model->counts.memory++;
		return NULL;
	}
	fact.header.tag = WIRE_FACT_PROCESS;
	fact.header.length = sizeof(fact);
	if (model->options.process && model->options.process(model->options.context, &fact)) {
		found(model, &fact, WIRE_FACT_PROCESS);
		if (registry_process__describe(process, &fact) < 0)
			model->counts.memory++;
	}
	return process;
}

/* Handles: from a name to a series. */

static struct model_labels labels_of(const struct registry_process *process, const struct registry_hook *hook,
				     const char *label)
{
	if (!process)
		return (struct model_labels) { label, hook->runtime, "", "", "", "" };
	return (struct model_labels) { label,	     hook->runtime,	  process->container,
				       process->pod, process->namespace_, process->unit };
}

/* The series of a model of this name (NULL: unknown). Counts a lack of memory and returns NULL then. */
static struct series *need_series(struct model *model, const struct registry_process *process,
				  const struct registry_hook *hook, const char *name, uint64_t now_ns)
{
	const struct model_options *options = &model->options;
	char label[NAMES_LABEL_MAX + 1], alias[NAMES_LABEL_MAX + 1] = "";
	struct model_labels labels;
	struct series *series;

	if (!name || !options->alias || !options->alias(options->context, name, hook->runtime, alias) ||
	    !names__sanitise(alias, strlen(alias), label))
		names__label(name ? name : "", name ? strlen(name) : 0, label);
	labels = labels_of(process, hook, label);
	series = series_table__get(&model->table, &labels, now_ns);
	if (!series)
		model->counts.memory++;
	return series;
}

/* The name that came with an announcement, or that the agent knows. NULL: none (or no memory). malloc'd. */
static char *announced_name(struct model *model, const struct wire_handle *announced)
{
	const struct model_options *options = &model->options;
	char name[WIRE_NAME_MAX];
	struct wire_handle named;
	size_t length;

	if (announced->flags & WIRE_NAME_KNOWN && announced->name_length)
		return strndup(announced->name, announced->name_length);
	memset(&named, 0, sizeof(named));
	memcpy(&named, announced, offsetof(struct wire_handle, name)); /* the record may end there */
	length = options->name ? options->name(options->context, &named, name) : 0;
	if (!length)
		return NULL;
	/* A second announcement of the same moment: a replay then finds the name known. */
	named.header.tag = WIRE_HANDLE;
	named.header.length = sizeof(named);
	named.flags = WIRE_NAME_KNOWN;
	named.parent = 0;
	named.name_length = (uint16_t)(length < WIRE_NAME_MAX ? length : WIRE_NAME_MAX);
	memcpy(named.name, name, named.name_length);
	found(model, &named, WIRE_HANDLE);
	return strndup(named.name, named.name_length);
}

/* Whether an announcement says something new of a handle that is known. */
static bool is_another(const struct registry_handle *known, const struct wire_handle *announced,
		       const struct registry_hook *hook)
{
	const bool named = announced->flags & WIRE_NAME_KNOWN && announced->name_length;

	if (named && (!known->name || strlen(known->name) != announced->name_length ||
		      memcmp(known->name, announced->name, announced->name_length) != 0))
		return true;
	if (known->announced_ns == announced->header.time_ns)
		return false;
	/* A call's hook announces again what the kernel forgot; the others have made a new object at this address. */
	return hook->means != HOOK_CALL && hook->means != 0;
}

static struct registry_handle *announce(struct model *model, const struct wire_handle *announced)
{
	const struct registry_hook *hook = registry__hook(&model->registry, announced->hook);
	const struct wire_header *header = &announced->header;
	struct registry_process *process = need_process(model, header);
	struct registry_handle *handle, *parent = NULL;
	struct series *series;
	char *name;

	if (!process)
		return NULL;
	if (announced->flags & WIRE_NAME_TRUNCATED)
		model->counts.truncated++;
	handle = registry__handle(&model->registry, &header->process, announced->handle, hook);
	if (handle && !is_another(handle, announced, hook))
		return handle;
	if (announced->parent && announced->parent != announced->handle)
		parent = registry__handle(&model->registry, &header->process, announced->parent, hook);
	if (!handle)
		handle = registry__add_handle(&model->registry, process, announced->handle, hook, header->time_ns);
	if (!handle) {
		model->counts.memory++;
		return NULL;
	}
	if (parent && parent->series) {
		name = parent->name ? strdup(parent->name) : NULL;
		series = parent->series;
	} else {
		name = announced_name(model, announced);
		series = need_series(model, process, hook, name, header->time_ns);
		model->counts.unnamed += !name;
	}
	free(handle->name);
	handle->name = name;
	handle->hook = announced->hook;
	handle->announced_ns = header->time_ns;
	registry_handle__bind(handle, series, hook->version);
	return handle;
}

/* The handle of a call: announced before, or its announcement was lost. NULL: the call has none, or see announce. */
static struct registry_handle *need_handle(struct model *model, const struct wire_call *call,
					   const struct registry_hook *hook)
{
	const uint64_t value = call->values[VALUE_HANDLE];
	struct registry_handle *handle;
	struct wire_handle announced;

	if (!(call->known & 1 << VALUE_HANDLE) || !value)
		return NULL;
	handle = registry__handle(&model->registry, &call->header.process, value, hook);
	if (handle || call->flags & WIRE_ABANDONED)
		return handle;
	memset(&announced, 0, sizeof(announced));
	announced.header = call->header;
	announced.header.tag = WIRE_HANDLE;
	announced.header.length = sizeof(announced);
	announced.handle = value;
	announced.hook = call->hook;
	return announce(model, &announced);
}

/* Calls. */

static bool value_of(const struct wire_call *call, enum hook_value which, uint64_t *value)
{
	*value = call->values[which];
	return call->known & 1 << which;
}

/* A batch or tokens: known, and possible. */
static bool amount_of(struct model *model, const struct wire_call *call, enum hook_value which, uint64_t *value)
{
	if (!value_of(call, which, value))
		return false;
	if (*value <= VALUE_LIMIT)
		return true;
	model->counts.value++;
	return false;
}

static enum call_outcome outcome_of(const struct wire_call *call)
{
	uint64_t value;

	if (call->flags & WIRE_ABANDONED)
		return CALL_ABANDONED;
	if (call->flags & WIRE_UNWOUND)
		return CALL_UNWOUND;
	if (value_of(call, VALUE_IGNORED, &value) && value)
		return CALL_IGNORED;
	if (value_of(call, VALUE_FAILED, &value) && value)
		return CALL_STATUS;
	if (call->header.tag == WIRE_LOAD && (!value_of(call, VALUE_HANDLE, &value) || !value))
		return CALL_STATUS; /* it gave no model */
	return CALL_OK;
}

static void count_values(struct model *model, struct series *series, const struct model_call *told)
{
	int error = histogram__observe(&series->duration, (double)told->duration_ns / 1e9);

	if (told->has_batch) {
		error |= histogram__observe(&series->batch, (double)told->batch);
		series->inferences += told->batch;
	} else {
		series->batch_unknown++;
	}
	if (told->has_tokens) {
		series->tokens += told->tokens;
		series->has_tokens = true;
	}
	model->counts.memory += error != 0;
}

static void count_execution(struct model *model, struct series *series, const struct model_call *told)
{
	switch (told->outcome) {
	case CALL_OK:
		count_values(model, series, told);
		break;
	case CALL_STATUS:
		series->failures[FAILURE_STATUS]++;
		break;
	case CALL_UNWOUND:
		series->failures[FAILURE_UNWOUND]++;
		break;
	case CALL_IGNORED:
	case CALL_ABANDONED:
	case CALL_OUTCOMES:
		return;
	}
	series->executions++;
	if (told->end_ns > series->last_execution_ns)
		series->last_execution_ns = told->end_ns;
}

static void count_load(struct series *series, const struct model_call *told)
{
	switch (told->outcome) {
	case CALL_OK:
		series->loads++;
		series->load_duration_ns = told->duration_ns;
		break;
	case CALL_STATUS:
	case CALL_UNWOUND:
		series->load_failures++;
		break;
	case CALL_IGNORED:
	case CALL_ABANDONED:
	case CALL_OUTCOMES:
		break;
	}
}

static void count_outcome(struct model_counts *counts, enum call_outcome outcome, bool load)
{
	counts->abandoned += outcome == CALL_ABANDONED;
	counts->unwound += outcome == CALL_UNWOUND;
	counts->ignored += outcome == CALL_IGNORED && !load;
}

static void apply_call(struct model *model, const struct wire_call *call)
{
	const struct registry_hook *hook = registry__hook(&model->registry, call->hook);
	const enum call_outcome outcome = outcome_of(call);
	struct registry_handle *handle = need_handle(model, call, hook);
	struct registry_process *process = handle ? handle->process : NULL;
	struct series *series = handle ? handle->series : NULL;
	const struct model_labels nobody = labels_of(NULL, hook, NAMES_UNKNOWN);
	struct model_call told = {
		.labels = &nobody,
		.hook = hook->name,
		.command = "",
		.tgid = call->header.process.tgid,
		.tid = call->header.tid,
		.handle = call->known & 1 << VALUE_HANDLE ? call->values[VALUE_HANDLE] : 0,
		.duration_ns = call->duration_ns,
		.end_ns = call->header.time_ns,
		.end_unix_ns = (int64_t)call->header.time_ns + model->options.realtime_offset_ns,
		.outcome = outcome,
		.load = call->header.tag == WIRE_LOAD,
		.late = call->flags & WIRE_LATE,
	};
	uint64_t status;

	count_outcome(&model->counts, outcome, told.load);
	model->counts.hook += hook == &model->registry.unknown;
	told.has_batch = amount_of(model, call, VALUE_BATCH, &told.batch);
	told.has_tokens = amount_of(model, call, VALUE_TOKENS, &told.tokens);
	told.has_status = value_of(call, VALUE_STATUS, &status);
	told.status = (int64_t)status;

	if (!series && outcome != CALL_ABANDONED && !told.handle) {
		/* A failed load, or a call whose handle could not be read: of an unknown model. */
		process = need_process(model, &call->header);
		if (process)
			series = need_series(model, process, hook, NULL, call->header.time_ns);
	}
	if (series) {
		if (told.load)
			count_load(series, &told);
		else
			count_execution(model, series, &told);
		if (call->header.time_ns > series->last_used_ns)
			series->last_used_ns = call->header.time_ns;
		told.labels = &series->labels;
	}
	if (handle)
		handle->used_ns = call->header.time_ns;
	if (process)
		told.command = process->command;
	if (model->options.call &&
	    !(told.load && outcome == CALL_IGNORED)) /* a step of a load that counts when it fails */
		model->options.call(model->options.context, &told);
	/* A load may be announced at its entry: one that failed left no handle. */
	if (handle && told.load && (outcome == CALL_STATUS || outcome == CALL_UNWOUND))
		registry__drop_handle(&model->registry, handle);
}

/* The rest of the records. */

static void apply_free(struct model *model, const struct wire_free *freed)
{
	const struct registry_hook *hook = registry__hook(&model->registry, freed->hook);
	struct registry_handle *handle;

	handle = registry__handle(&model->registry, &freed->header.process, freed->handle, hook);
	if (handle)
		registry__drop_handle(&model->registry, handle);
	else
		model->counts.freed++;
}

static void apply_process(struct model *model, const struct wire_fact_process *fact)
{
	struct registry_process *process = registry__process(&model->registry, &fact->header.process);
	int changed;

	if (!process && registry__has_ended(&model->registry, &fact->header.process)) {
		model->counts.ended++;
		return;
	}
	if (!process)
		process = registry__add_process(&model->registry, &fact->header.process);
	changed = process ? registry_process__describe(process, fact) : -ENOMEM;
	if (changed < 0)
		model->counts.memory++;
	if (changed <= 0)
		return;
	/* Known too late for what was counted already; from now on it is counted where it belongs. */
	for (struct registry_handle *handle = process->handles; handle; handle = handle->next) {
		const struct registry_hook *hook = registry__hook(&model->registry, handle->hook);

		registry_handle__bind(handle, need_series(model, process, hook, handle->name, fact->header.time_ns),
				      hook->version);
	}
}

void model__apply(struct model *model, const struct record *record)
{
	switch (record->tag) {
	case WIRE_CALL:
	case WIRE_LOAD:
		apply_call(model, record->call);
		break;
	case WIRE_HANDLE:
		announce(model, record->handle);
		break;
	case WIRE_FREE:
		apply_free(model, record->freed);
		break;
	case WIRE_EXEC:
		registry__exec(&model->registry, &record->header->process, record->header->time_ns);
		break;
	case WIRE_EXIT:
		registry__end(&model->registry, &record->header->process);
		break;
	case WIRE_FACT_HOOK:
		if (registry__add_hook(&model->registry, record->hook))
			model->counts.memory++;
		break;
	case WIRE_FACT_PROCESS:
		apply_process(model, record->process);
		break;
	case WIRE_FACT_LOSS:
		/* Sums since the agent began: they never go back, so an older fact changes nothing. */
		for (int i = 0; i < LOSS_KINDS; i++)
			if (record->loss->counts[i] > model->losses[i])
				model->losses[i] = record->loss->counts[i];
		break;
	case WIRE_HELD:
	case WIRE_KERNEL_TAGS:
	case WIRE_FACT_TAGS:
		break;
	}
}

/* Calls in flight. */

static void note_in_flight(uint64_t *count, uint64_t *oldest_start_ns, uint64_t start_ns)
{
	if (!*count || start_ns < *oldest_start_ns)
		*oldest_start_ns = start_ns;
	++*count;
}

static void note_unnamed(struct model *model, const struct registry_hook *hook, uint64_t start_ns)
{
	struct model_unnamed *unnamed = model->unnamed;

	while (unnamed < model->unnamed + model->n_unnamed && strcmp(unnamed->runtime, hook->runtime) != 0)
		unnamed++;
	if (unnamed == model->unnamed + MODEL_RUNTIMES_MAX)
		return;
	if (unnamed == model->unnamed + model->n_unnamed) {
		*unnamed = (struct model_unnamed) { .runtime = hook->runtime };
		model->n_unnamed++;
	}
	note_in_flight(&unnamed->in_flight, &unnamed->oldest_start_ns, start_ns);
}

void model__set_in_flight(struct model *model, const struct model_in_flight *calls, size_t n)
{
	for (struct series *series = model->table.all; series; series = series->hh.next)
		series->in_flight = series->oldest_start_ns = 0;
	model->n_unnamed = 0;
	for (size_t i = 0; i < n; i++) {
		const struct registry_hook *hook = registry__hook(&model->registry, calls[i].hook);
		const struct registry_handle *handle =
			registry__handle(&model->registry, &calls[i].process, calls[i].handle, hook);
		struct series *series = handle ? handle->series : NULL;

		if (!series && registry__has_ended(&model->registry, &calls[i].process))
			continue;
		if (!series) {
			const struct model_labels labels = labels_of(NULL, hook, NAMES_UNKNOWN);

			series = series_table__find(&model->table, &labels);
		}
		if (series)
			note_in_flight(&series->in_flight, &series->oldest_start_ns, calls[i].start_ns);
		else
			note_unnamed(model, hook, calls[i].start_ns);
	}
}

void model__after_scrape(struct model *model)
{
	for (struct series *series = model->table.all; series; series = series->hh.next)
		series__after_scrape(series);
}

/* What the agent may ask. */

const char *model__find_name(const struct model *model, uint32_t tgid, uint64_t handle)
{
	const struct registry_process *newest = NULL;

	for (const struct registry_process *process = model->registry.processes; process; process = process->hh.next)
		if (process->id.tgid == tgid && (!newest || registry__is_older(&newest->id, &process->id)))
			newest = process;
	for (const struct registry_handle *held = newest ? newest->handles : NULL; held; held = held->next)
		if (held->key.handle == handle && held->name)
			return held->name;
	return NULL;
}

size_t model__processes(const struct model *model, struct wire_process *ids, size_t room)
{
	size_t n = 0;

	for (const struct registry_process *process = model->registry.processes; process; process = process->hh.next) {
		if (n < room)
			ids[n] = process->id;
		n++;
	}
	return n;
}

size_t model__series_count(const struct model *model)
{
	return HASH_COUNT(model->table.all);
}
