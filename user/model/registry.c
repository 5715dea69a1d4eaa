/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "model/names.h"

void registry__init(struct registry *registry)
{
	memset(registry, 0, sizeof(*registry));
	registry->unknown = (struct registry_hook) { .runtime = NAMES_UNKNOWN, .name = "", .version = "" };
}

static void drop_process(struct registry *registry, struct registry_process *process)
{
	struct registry_handle *handle, *next;

	DL_FOREACH_SAFE (process->handles, handle, next)
		registry__drop_handle(registry, handle);
	HASH_DEL(registry->processes, process);
	free(process->container);
	free(process);
}

void registry__clear(struct registry *registry)
{
	struct registry_process *process, *next_process;
	struct registry_hook *hook, *next_hook;

	HASH_ITER (hh, registry->processes, process, next_process)
		drop_process(registry, process);
	HASH_ITER (hh, registry->hooks, hook, next_hook) {
		HASH_DEL(registry->hooks, hook);
		free(hook);
	}
}

/* Hooks: few, each said once. */

static uint32_t runtime_id(const struct registry *registry, const char *runtime)
{
	uint32_t last = 0;

	for (const struct registry_hook *hook = registry->hooks; hook; hook = hook->hh.next) {
		if (strcmp(hook->runtime, runtime) == 0)
			return hook->runtime_id;
		if (hook->runtime_id > last)
			last = hook->runtime_id;
	}
	return last + 1;
}

int registry__add_hook(struct registry *registry, const struct wire_fact_hook *fact)
{
	char runtime[NAMES_LABEL_MAX + 1], name[NAMES_LABEL_MAX + 1], version[NAMES_LABEL_MAX + 1], *texts;
	const size_t runtime_size = names__sanitise(fact->runtime, strlen(fact->runtime), runtime) + 1;
	const size_t name_size = names__sanitise(fact->name, strlen(fact->name), name) + 1;
	const size_t version_size = names__sanitise(fact->version, strlen(fact->version), version) + 1;
	struct registry_hook *hook;

	HASH_FIND(hh, registry->hooks, &fact->hook, sizeof(fact->hook), hook);
	if (hook)
		return 0;
	hook = calloc(1, sizeof(*hook) + runtime_size + name_size + version_size);
	if (!hook)
		return -ENOMEM;
	texts = (char *)(hook + 1);
	hook->id = fact->hook;
	hook->means = fact->means;
	hook->runtime_id = runtime_id(registry, runtime);
	hook->runtime = memcpy(texts, runtime, runtime_size);
	hook->name = memcpy(texts + runtime_size, name, name_size);
	hook->version = memcpy(texts + runtime_size + name_size, version, version_size);
	HASH_ADD(hh, registry->hooks, id, sizeof(hook->id), hook);
	return 0;
}

const struct registry_hook *registry__hook(const struct registry *registry, uint32_t id)
{
	struct registry_hook *hook;

	HASH_FIND(hh, registry->hooks, &id, sizeof(id), hook);
	return hook ? hook : &registry->unknown;
}

/* Processes. */

bool registry__is_older(const struct wire_process *one, const struct wire_process *other)
{
	if (one->start_ns != other->start_ns)
		return one->start_ns < other->start_ns;
	return (int32_t)(one->exec_id - other->exec_id) < 0; /* it wraps */
}

static bool is_same(const struct wire_process *one, const struct wire_process *other)
{
	return memcmp(one, other, sizeof(*one)) == 0;
}

bool registry__has_ended(const struct registry *registry, const struct wire_process *id)
{
	for (int i = 0; i < REGISTRY_ENDED; i++)
		if (is_same(&registry->ended[i], id))
			return true;
	return false;
}

static void note_ended(struct registry *registry, const struct wire_process *id)
{
	registry->ended[registry->next_ended++ % REGISTRY_ENDED] = *id;
}

static void end_older(struct registry *registry, const struct wire_process *id)
{
	struct registry_process *process, *next;

	HASH_ITER (hh, registry->processes, process, next) {
		if (process->id.tgid == id->tgid && registry__is_older(&process->id, id)) {
			note_ended(registry, &process->id);
			drop_process(registry, process);
		}
	}
}

struct registry_process *registry__process(const struct registry *registry, const struct wire_process *id)
{
	struct registry_process *process;

	HASH_FIND(hh, registry->processes, id, sizeof(*id), process);
	return process;
}

struct registry_process *registry__add_process(struct registry *registry, const struct wire_process *id)
{
	struct registry_process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	end_older(registry, id);
	process->id = *id;
	process->container = calloc(1, 1);
	if (!process->container) {
		free(process);
		return NULL;
	}
	process->pod = process->namespace_ = process->unit = process->container;
	HASH_ADD(hh, registry->processes, id, sizeof(process->id), process);
	return process;
}

int registry_process__describe(struct registry_process *process, const struct wire_fact_process *fact)
{
	const char *texts[] = { fact->container, fact->pod, fact->namespace_, fact->unit };
	char label[NAMES_LABEL_MAX + 1], *block = calloc(4, WIRE_TEXT_MAX), *smaller, *labels[4];
	size_t starts[4], used = 0;
	bool changed;

	if (!block)
		return -ENOMEM;
	names__sanitise(fact->command, strlen(fact->command), label);
	strcpy(process->command, label); /* not longer than fact->command: '_' takes a byte for a byte */
	for (int i = 0; i < 4; i++) {
		starts[i] = used;
		used += names__sanitise(texts[i], strlen(texts[i]), block + used) + 1;
	}
	smaller = realloc(block, used);
	if (smaller)
		block = smaller;
	for (int i = 0; i < 4; i++)
		labels[i] = block + starts[i];
	changed = strcmp(labels[0], process->container) || strcmp(labels[1], process->pod) ||
		  strcmp(labels[2], process->namespace_) || strcmp(labels[3], process->unit);
	free(process->container);
	process->container = labels[0];
	process->pod = labels[1];
	process->namespace_ = labels[2];
	process->unit = labels[3];
	return changed;
}

void registry__end(struct registry *registry, const struct wire_process *id)
{
	struct registry_process *process = registry__process(registry, id);

	end_older(registry, id);
	note_ended(registry, id);
	if (process)
		drop_process(registry, process);
}

void registry__exec(struct registry *registry, const struct wire_process *id, uint64_t time_ns)
{
	struct registry_process *process = registry__process(registry, id);
	struct registry_handle *handle, *next;

	end_older(registry, id);
	if (!process)
		return;
	DL_FOREACH_SAFE (process->handles, handle, next)
		if (handle->announced_ns <= time_ns)
			registry__drop_handle(registry, handle);
	if (!process->handles) /* most likely the old life; if not, it is asked for again */
		drop_process(registry, process);
}

/* Handles. */

static struct registry_key key_of(const struct wire_process *process, uint64_t handle, const struct registry_hook *hook)
{
	return (struct registry_key) { *process, handle, hook->runtime_id };
}

struct registry_handle *registry__handle(const struct registry *registry, const struct wire_process *process,
					 uint64_t handle, const struct registry_hook *hook)
{
	const struct registry_key key = key_of(process, handle, hook);
	struct registry_handle *found;

	HASH_FIND(hh, registry->handles, &key, sizeof(key), found);
	return found;
}

static void forget_oldest(struct registry *registry, struct registry_process *process)
{
	struct registry_handle *handle, *oldest = process->handles;

	DL_FOREACH (process->handles, handle)
		if (handle->used_ns < oldest->used_ns)
			oldest = handle;
	registry__drop_handle(registry, oldest);
	registry->forgotten++;
}

struct registry_handle *registry__add_handle(struct registry *registry, struct registry_process *process,
					     uint64_t handle, const struct registry_hook *hook, uint64_t now_ns)
{
	struct registry_handle *added = calloc(1, sizeof(*added));

	if (!added)
		return NULL;
	if (process->n_handles >= REGISTRY_HANDLES_MAX)
		forget_oldest(registry, process);
	added->key = key_of(&process->id, handle, hook);
	added->process = process;
	added->hook = hook->id;
	added->announced_ns = added->used_ns = now_ns;
	DL_APPEND(process->handles, added);
	process->n_handles++;
	HASH_ADD(hh, registry->handles, key, sizeof(added->key), added);
	return added;
}

void registry_handle__bind(struct registry_handle *handle, struct series *series, const char *version)
{
	if (series)
		series__hold(series, version); /* first: it may be the one that is released */
	if (handle->series)
		series__release(handle->series, handle->version);
	handle->series = series;
	handle->version = version;
}

void registry__drop_handle(struct registry *registry, struct registry_handle *handle)
{
	registry_handle__bind(handle, NULL, "");
	DL_DELETE(handle->process->handles, handle);
	handle->process->n_handles--;
	HASH_DEL(registry->handles, handle);
	free(handle->name);
	free(handle);
}
