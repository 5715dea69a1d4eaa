/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "agent/processes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct processes {
	struct modules *modules;
	struct process *table;
};

struct processes *processes__new(struct modules *modules)
{
	struct processes *processes = calloc(1, sizeof(*processes));

	if (processes)
		processes->modules = modules;
	return processes;
}

static void free_process(struct process *process)
{
	free(process->modules);
	free(process);
}

void processes__free(struct processes *processes)
{
	struct process *process, *next;

	if (!processes)
		return;
	HASH_ITER (hh, processes->table, process, next) {
		HASH_DEL(processes->table, process);
		free_process(process);
	}
	free(processes);
}

/*
 * Seccomp: 1 or 2 in /proc/PID/status: it allows only some system calls. What cannot be read counts as such: when unsure,
 * the harmless way. But a process that is gone needs no care, and the others keep their probes.
 */
static bool has_seccomp(pid_t pid)
{
	char path[64], line[256];
	bool found = false;
	int mode = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return errno != ENOENT;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "Seccomp: %d", &mode) == 1;
	fclose(file);
	return found ? mode != 0 : kill(pid, 0) == 0 || errno != ESRCH;
}

static bool condition_holds(const struct process *process, const char *when_maps)
{
	for (size_t i = 0; i < process->n_modules; i++) {
		const struct module *module = process->modules[i];

		if (strcmp(when_maps, "any") == 0 && module__sees_calls(module))
			return true;
		for (size_t p = 0; p < module->n_parts; p++) {
			if (strcmp(adapter__runtime(module->parts[p].plan->adapter), when_maps) == 0)
				return true;
		}
	}
	return false;
}

/* A module that the process maps later can make the condition of an earlier one's hooks true: all are looked at. */
static void attach_conditional(const struct process *process)
{
	for (size_t i = 0; i < process->n_modules; i++) {
		struct module *module = process->modules[i];

		for (size_t p = 0; p < module->n_parts; p++) {
			struct module_part *part = &module->parts[p];

			for (size_t h = 0; part->sites && h < part->plan->n_hooks; h++) {
				const char *when = part->plan->hooks[h].when_maps;
				int error = 0;

				if (when && condition_holds(process, when))
					error = sites__attach_process(part->sites, when, process->pid);
				if (error && error != -ESRCH)
					log_warn("%s in process %d: %s", module->path, (int)process->pid,
						 strerror(-error));
			}
		}
	}
}

void processes__maps(struct processes *processes, pid_t pid, struct module *module, int fd)
{
	struct process *process;
	struct module **grown;

	HASH_FIND_INT(processes->table, &pid, process);
	if (!process) {
		process = calloc(1, sizeof(*process));
		if (!process)
			return;
		process->pid = pid;
		owner__read(pid, &process->owner);
		HASH_ADD_INT(processes->table, pid, process);
	}
	for (size_t i = 0; i < process->n_modules; i++) {
		if (process->modules[i] == module)
			return;
	}
	grown = realloc(process->modules, (process->n_modules + 1) * sizeof(*grown));
	if (!grown)
		return;
	process->modules = grown;
	process->modules[process->n_modules++] = module;
	modules__use(processes->modules, module, fd, has_seccomp(pid));
	attach_conditional(process);
}

void processes__forget(struct processes *processes, pid_t pid, uint64_t now_ns)
{
	struct process *process;

	HASH_FIND_INT(processes->table, &pid, process);
	if (!process)
		return;
	for (size_t i = 0; i < process->n_modules; i++) {
		struct module *module = process->modules[i];

		for (size_t p = 0; p < module->n_parts; p++) {
			if (module->parts[p].sites)
				sites__forget_process(module->parts[p].sites, pid);
		}
		modules__release(processes->modules, module, now_ns);
	}
	HASH_DEL(processes->table, process);
	free_process(process);
}

bool processes__has(const struct processes *processes, pid_t pid)
{
	struct process *process;

	HASH_FIND_INT(processes->table, &pid, process);
	return process != NULL;
}

static size_t count_parts(const struct process *process)
{
	size_t n = 0;

	for (size_t i = 0; i < process->n_modules; i++)
		n += process->modules[i]->n_parts;
	return n;
}

static bool shown(const struct process *process)
{
	for (size_t i = 0; i < process->n_modules; i++) {
		const struct module *module = process->modules[i];

		for (size_t p = 0; p < module->n_parts; p++) {
			const struct plan *plan = module->parts[p].plan;

			for (size_t h = 0; h < plan->n_hooks; h++) {
				if (plan->hooks[h].code.means == HOOK_CALL)
					return true;
			}
		}
	}
	return false;
}

static struct target_hook *fill_hooks(const struct module_part *part)
{
	struct target_hook *hooks = calloc(part->plan->n_hooks + 1, sizeof(*hooks));

	for (size_t i = 0; hooks && i < part->plan->n_hooks; i++) {
		const struct plan_hook *hook = &part->plan->hooks[i];

		hooks[i].name = hook->name;
		hooks[i].attached = part->sites && !hook->refused;
		hooks[i].why = hook->why;
	}
	return hooks;
}

static int fill_target(struct target *target, const struct process *process)
{
	struct target_module *modules = calloc(count_parts(process) + 1, sizeof(*modules));
	size_t n = 0;

	if (!modules)
		return -ENOMEM;
	target->pid = (uint32_t)process->pid;
	target->command = process->owner.command;
	target->container = process->owner.container;
	target->pod = process->owner.pod;
	target->namespace_ = process->owner.namespace_;
	target->unit = process->owner.unit;
	target->modules = modules;
	for (size_t i = 0; i < process->n_modules; i++) {
		const struct module *module = process->modules[i];

		for (size_t p = 0; p < module->n_parts; p++) {
			const struct module_part *part = &module->parts[p];
			struct target_hook *hooks = fill_hooks(part);

			if (!hooks)
				return -ENOMEM;
			modules[n++] = (struct target_module) {
				.path = module->path,
				.runtime = adapter__runtime(part->plan->adapter),
				.version = part->plan->version,
				.usable = part->plan->usable && part->sites,
				.why = part->why,
				.hooks = hooks,
				.n_hooks = part->plan->n_hooks,
			};
			target->n_modules = n;
		}
	}
	return 0;
}

struct target *processes__targets(const struct processes *processes, size_t *n)
{
	struct target *targets = calloc(HASH_COUNT(processes->table) + 1, sizeof(*targets));
	struct process *process, *next;

	*n = 0;
	if (!targets)
		return NULL;
	HASH_ITER (hh, processes->table, process, next) {
		if (!shown(process))
			continue;
		(*n)++;
		if (fill_target(&targets[*n - 1], process)) {
			targets__free(targets, *n);
			errno = ENOMEM;
			return NULL;
		}
	}
	return targets;
}

void targets__free(struct target *targets, size_t n)
{
	for (size_t i = 0; targets && i < n; i++) {
		for (size_t m = 0; m < targets[i].n_modules; m++)
			free((void *)targets[i].modules[m].hooks);
		free((void *)targets[i].modules);
	}
	free(targets);
}
