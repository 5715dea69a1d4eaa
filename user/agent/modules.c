/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "agent/modules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct modules {
	const struct adapter_set *set;
	struct programs *programs;
	module_hook_fn *fn;
	void *context;
	struct module *table;
};

struct modules *modules__new(const struct adapter_set *set, struct programs *programs, module_hook_fn *fn,
			     void *context)
{
	struct modules *modules = calloc(1, sizeof(*modules));

	if (!modules)
		return NULL;
	modules->set = set;
	modules->programs = programs;
	modules->fn = fn;
	modules->context = context;
	return modules;
}

static void detach(struct module *module)
{
	for (size_t i = 0; i < module->n_parts; i++) {
		sites__detach(module->parts[i].sites);
		module->parts[i].sites = NULL;
	}
}

static void drop_plans(struct module *module)
{
	detach(module);
	for (size_t i = 0; i < module->n_parts; i++)
		plan__free(module->parts[i].plan);
	free(module->parts);
	module->parts = NULL;
	module->n_parts = 0;
}

static void free_module(struct module *module)
{
	drop_plans(module);
	free(module->path);
	free(module);
}

void modules__free(struct modules *modules)
{
	struct module *module, *next;

	if (!modules)
		return;
	HASH_ITER (hh, modules->table, module, next) {
		HASH_DEL(modules->table, module);
		free_module(module);
	}
	free(modules);
}

static bool uses_returns(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_sites; i++) {
		if (plan->sites[i].role == SITE_RETURN)
			return true;
	}
	return false;
}

/* Plans every runtime that the answer found in the file. */
static int make_plans(struct modules *modules, struct module *module)
{
	const struct answer *answer = module->answer;

	module->parts = calloc(answer->n_matches, sizeof(*module->parts));
	if (!module->parts)
		return -ENOMEM;
	module->returns = false;
	for (size_t i = 0; i < answer->n_matches; i++) {
		struct module_part *part = &module->parts[module->n_parts];

		part->match = &answer->matches[i];
		part->plan = plan__new(modules->set, part->match, module->no_returns);
		if (!part->plan)
			continue;
		if (!part->plan->usable)
			snprintf(part->why, sizeof(part->why), "%s", part->plan->why);
		module->returns |= uses_returns(part->plan);
		module->n_parts++;
	}
	return module->n_parts ? 0 : -ENOENT;
}

struct module *modules__add(struct modules *modules, struct module_key key, const char *path,
			    const struct answer *answer)
{
	struct module *module = calloc(1, sizeof(*module));

	if (!module)
		return NULL;
	module->key = key;
	module->path = strdup(path);
	module->answer = answer;
	if (!module->path || make_plans(modules, module)) {
		free_module(module);
		return NULL;
	}
	HASH_ADD(hh, modules->table, key, sizeof(module->key), module);
	return module;
}

struct module *modules__find(struct modules *modules, struct module_key key)
{
	struct module *module;

	HASH_FIND(hh, modules->table, &key, sizeof(key), module);
	return module;
}

static void attach(struct modules *modules, struct module *module, int fd)
{
	for (size_t i = 0; i < module->n_parts; i++) {
		struct module_part *part = &module->parts[i];

		if (!part->plan->usable || part->sites || !modules->programs)
			continue;
		part->sites = sites__attach(modules->programs, part->plan, fd);
		if (!part->sites) {
			snprintf(part->why, sizeof(part->why), "the kernel refused the probes: %s", strerror(errno));
			log_warn("%s: %s", module->path, part->why);
			continue;
		}
		part->why[0] = '\0';
		log_info("%s: %s %s, %zu probes", module->path, adapter__runtime(part->plan->adapter),
			 part->plan->version, sites__count(part->sites));
		for (size_t h = 0; h < part->plan->n_hooks; h++) {
			if (!part->plan->hooks[h].refused)
				modules->fn(modules->context, module, part, &part->plan->hooks[h]);
		}
	}
}

/* In place, so that the other processes' calls go on being counted. Returns 0 or -errno. */
static int end_by_exits(struct modules *modules, struct module *module, int fd)
{
	for (size_t i = 0; i < module->n_parts; i++) {
		struct module_part *part = &module->parts[i];
		struct plan *plan = plan__new(modules->set, part->match, true);
		int error = !plan ? -ENOMEM : part->sites ? sites__end_by_exits(part->sites, plan, fd) : 0;

		if (error) {
			plan__free(plan);
			return error;
		}
		plan__free(part->plan);
		part->plan = plan;
		if (!plan->usable)
			snprintf(part->why, sizeof(part->why), "%s", plan->why);
	}
	if (modules->programs)
		programs__reap(modules->programs); /* it is not attached before its return probes are gone */
	return 0;
}

void modules__use(struct modules *modules, struct module *module, int fd, bool seccomp)
{
	module->users++;
	if (seccomp && module->returns && !module->no_returns && fd >= 0) {
		/* Its uretprobes could kill this target. */
		module->no_returns = true;
		if (end_by_exits(modules, module, fd)) {
			/* A hook must go: all probes anew, without it. */
			drop_plans(module);
			if (modules->programs)
				programs__reap(modules->programs); /* the same sites come next, under other names */
			if (make_plans(modules, module))
				return;
		}
	}
	if (fd >= 0)
		attach(modules, module, fd);
}

void modules__release(struct modules *modules, struct module *module, uint64_t now_ns)
{
	if (module->users && --module->users == 0)
		module->idle_since_ns = now_ns;
}

size_t modules__sweep(struct modules *modules, uint64_t now_ns, uint64_t idle_ns)
{
	size_t detached = 0;

	for (struct module *module = modules->table; module; module = module->hh.next) {
		bool attached = false;

		for (size_t i = 0; i < module->n_parts; i++)
			attached |= module->parts[i].sites != NULL;
		if (attached && !module->users && now_ns - module->idle_since_ns >= idle_ns) {
			detach(module);
			detached++;
		}
	}
	if (detached)
		programs__reap(modules->programs);
	return detached;
}

bool module__sees_calls(const struct module *module)
{
	for (size_t i = 0; i < module->n_parts; i++) {
		const struct plan *plan = module->parts[i].plan;

		for (size_t h = 0; plan->usable && h < plan->n_hooks; h++) {
			if (plan->hooks[h].code.means == HOOK_CALL)
				return true;
		}
	}
	return false;
}

const struct plan_hook *modules__hook(const struct modules *modules, uint32_t id, const struct module_part **part)
{
	for (const struct module *module = modules->table; module; module = module->hh.next) {
		for (size_t i = 0; i < module->n_parts; i++) {
			const struct plan *plan = module->parts[i].plan;

			for (size_t h = 0; h < plan->n_hooks; h++) {
				if (plan->hooks[h].code.id == id) {
					*part = &module->parts[i];
					return &plan->hooks[h];
				}
			}
		}
	}
	return NULL;
}

struct module *modules__first(struct modules *modules)
{
	return modules->table;
}
