// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#include "discover/table.h"

#include <errno.h>
#include <stdlib.h>

#define MODULES_MAX 20000

struct module *table__module(struct table *table, struct file_id id)
{
	struct module *module;

	HASH_FIND(hh, table->modules, &id, sizeof(id), module);
	return module;
}

struct module *table__module_or_alias(struct table *table, struct file_id id)
{
	struct alias *alias;

	HASH_FIND(hh, table->aliases, &id, sizeof(id), alias);
	return table__module(table, alias ? alias->target : id);
}

struct process *table__process(struct table *table, pid_t pid)
{
	struct process *process;

	HASH_FIND_INT(table->processes, &pid, process);
	return process;
}

static void forget_boring(struct table *table)
{
	struct module *module, *next_module;
	struct alias *alias, *next_alias;

	HASH_ITER (hh, table->modules, module, next_module)
		if (module->verdict == BORING)
			table__remove_module(table, module);
	HASH_ITER (hh, table->aliases, alias, next_alias)
		if (!table__module(table, alias->target)) {
			HASH_DEL(table->aliases, alias);
			free(alias);
		}
}

struct module *table__add_module(struct table *table, struct file_id id, uint64_t generation)
{
	struct module *module;

	if (HASH_COUNT(table->modules) >= MODULES_MAX)
		forget_boring(table);
	module = calloc(1, sizeof(*module));
	if (!module)
		return NULL;
	module->id = id;
	module->generation = generation;
	HASH_ADD(hh, table->modules, id, sizeof(module->id), module);
	return module;
}

void table__remove_module(struct table *table, struct module *module)
{
	table__unlink_module(table, module);
	HASH_DEL(table->modules, module);
	free(module);
}

void table__add_alias(struct table *table, struct file_id id, struct file_id target)
{
	struct alias *alias;

	HASH_FIND(hh, table->aliases, &id, sizeof(id), alias);
	if (!alias) {
		alias = calloc(1, sizeof(*alias));
		if (!alias)
			return;
		alias->id = id;
		HASH_ADD(hh, table->aliases, id, sizeof(alias->id), alias);
	}
	alias->target = target;
}

int table__link(struct table *table, pid_t pid, struct module *module, uint64_t round)
{
	struct process *process = table__process(table, pid);

	if (!process) {
		process = calloc(1, sizeof(*process));
		if (!process)
			return -ENOMEM;
		process->pid = pid;
		HASH_ADD_INT(table->processes, pid, process);
	}
	for (size_t i = 0; i < process->n_links; i++)
		if (process->links[i].module == module) {
			process->links[i].round = round;
			return 0;
		}
	if (process->n_links == process->max_links) {
		size_t max = process->max_links ? 2 * process->max_links : 4;
		struct link *links = realloc(process->links, max * sizeof(*links));

		if (!links)
			goto no_memory;
		process->links = links;
		process->max_links = max;
	}
	if (module->n_pids == module->max_pids) {
		size_t max = module->max_pids ? 2 * module->max_pids : 4;
		pid_t *pids = realloc(module->pids, max * sizeof(*pids));

		if (!pids)
			goto no_memory;
		module->pids = pids;
		module->max_pids = max;
	}
	process->links[process->n_links++] = (struct link) { module, round };
	module->pids[module->n_pids++] = pid;
	return 1;
no_memory:
	if (!process->n_links)
		table__remove_process(table, process);
	return -ENOMEM;
}

static void drop_pid(struct module *module, pid_t pid)
{
	for (size_t i = 0; i < module->n_pids; i++)
		if (module->pids[i] == pid) {
			module->pids[i] = module->pids[--module->n_pids];
			return;
		}
}

static void drop_module(struct process *process, const struct module *module)
{
	for (size_t i = 0; i < process->n_links; i++)
		if (process->links[i].module == module) {
			process->links[i] = process->links[--process->n_links];
			return;
		}
}

void table__unlink_module(struct table *table, struct module *module)
{
	for (size_t i = 0; i < module->n_pids; i++) {
		struct process *process = table__process(table, module->pids[i]);

		if (!process)
			continue;
		drop_module(process, module);
		if (!process->n_links)
			table__remove_process(table, process);
	}
	free(module->pids);
	module->pids = NULL;
	module->n_pids = module->max_pids = 0;
}

size_t table__unlink_older(struct process *process, uint64_t round)
{
	size_t n = 0;

	for (size_t i = 0; i < process->n_links; i++)
		if (process->links[i].round != round) {
			drop_pid(process->links[i].module, process->pid);
			process->links[i--] = process->links[--process->n_links];
			n++;
		}
	return n;
}

void table__remove_process(struct table *table, struct process *process)
{
	for (size_t i = 0; i < process->n_links; i++)
		drop_pid(process->links[i].module, process->pid);
	HASH_DEL(table->processes, process);
	free(process->links);
	free(process);
}

void table__clear(struct table *table)
{
	struct process *process, *next_process;
	struct module *module, *next_module;
	struct alias *alias, *next_alias;

	HASH_ITER (hh, table->processes, process, next_process)
		table__remove_process(table, process);
	HASH_ITER (hh, table->modules, module, next_module)
		table__remove_module(table, module);
	HASH_ITER (hh, table->aliases, alias, next_alias) {
		HASH_DEL(table->aliases, alias);
		free(alias);
	}
}

bool pid_set__has(struct pid_entry *set, pid_t pid)
{
	struct pid_entry *entry;

	HASH_FIND_INT(set, &pid, entry);
	return entry != NULL;
}

void pid_set__add(struct pid_entry **set, pid_t pid)
{
	struct pid_entry *entry;

	if (pid_set__has(*set, pid))
		return;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return;
	entry->pid = pid;
	HASH_ADD_INT(*set, pid, entry);
}

void pid_set__remove(struct pid_entry **set, pid_t pid)
{
	struct pid_entry *entry;

	HASH_FIND_INT(*set, &pid, entry);
	if (entry) {
		HASH_DEL(*set, entry);
		free(entry);
	}
}

void pid_set__clear(struct pid_entry **set)
{
	struct pid_entry *entry, *next;

	HASH_ITER (hh, *set, entry, next) {
		HASH_DEL(*set, entry);
		free(entry);
	}
}
