/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Inside of discover: which process maps which file. A *module* is a file that some process mapped as code, with its
 * verdict; a boring one is no more than a key. A *process* is kept while it maps a module that is interesting or undecided.
 * The two are linked both ways.
 *
 * One file can have several names (found_file.h): one is the module's, the others are aliases.
 */
#ifndef INFERMETER_TABLE_H
#define INFERMETER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uthash.h>

enum verdict { UNDECIDED, BORING, INTERESTING };

struct file_id {
	uint64_t dev, inode;
};

struct module {
	struct file_id id;
	uint64_t generation;
	enum verdict verdict;
	pid_t *pids; /* processes that map it; none if boring */
	size_t n_pids, max_pids;
	UT_hash_handle hh;
};

struct alias {
	struct file_id id;
	struct file_id target;
	UT_hash_handle hh;
};

struct link {
	struct module *module;
	uint64_t round; /* of the last scan that saw it */
};

struct process {
	pid_t pid;
	bool reported; /* process_maps was called */
	bool lingers;  /* its first thread ended; look whether others live */
	uint64_t read_ns, start_ticks;
	struct link *links;
	size_t n_links, max_links;
	UT_hash_handle hh;
};

struct table {
	struct module *modules;
	struct alias *aliases;
	struct process *processes;
};

struct module *table__module(struct table *table, struct file_id id);
struct module *table__module_or_alias(struct table *table, struct file_id id);
struct process *table__process(struct table *table, pid_t pid);

/* Returns the new module, undecided, or NULL. Makes room by forgetting boring ones: they are only asked about again. */
struct module *table__add_module(struct table *table, struct file_id id, uint64_t generation);
void table__remove_module(struct table *table, struct module *module);
void table__add_alias(struct table *table, struct file_id id, struct file_id target);

/* Returns 1 if the link is new, 0 if it was there (it gets the round then), -ENOMEM. Adds the process where it is missing. */
int table__link(struct table *table, pid_t pid, struct module *module, uint64_t round);

/* The module forgets its processes and they it; those without a module left are removed. */
void table__unlink_module(struct table *table, struct module *module);

/* Removes the links of a process that are older than the round. Returns how many; the process stays, if need be without links. */
size_t table__unlink_older(struct process *process, uint64_t round);
void table__remove_process(struct table *table, struct process *process);
void table__clear(struct table *table);

/* A set of process ids. */
struct pid_entry {
	pid_t pid;
	UT_hash_handle hh;
};

bool pid_set__has(struct pid_entry *set, pid_t pid);
void pid_set__add(struct pid_entry **set, pid_t pid);
void pid_set__remove(struct pid_entry **set, pid_t pid);
void pid_set__clear(struct pid_entry **set);

#endif
