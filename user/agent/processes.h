/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The targets: processes that map a module of ours, and which. */
#ifndef INFERMETER_PROCESSES_H
#define INFERMETER_PROCESSES_H

#include <sys/types.h>
#include <uthash.h>

#include "agent/modules.h"
#include "discover/owner.h"
#include "export/target.h"

struct process {
	pid_t pid;
	struct owner owner;
	struct module **modules;
	size_t n_modules;
	UT_hash_handle hh;
};

struct processes;

struct processes *processes__new(struct modules *modules);
void processes__free(struct processes *processes); /* NULL is fine */

/* The process maps the module (counted as a use of it, once). fd: the file or negative. Attaches per-process hooks whose condition holds now. */
void processes__maps(struct processes *processes, pid_t pid, struct module *module, int fd);

/* Exec or exit: it maps nothing of ours any more. */
void processes__forget(struct processes *processes, pid_t pid, uint64_t now_ns);

/* Is this a live target? */
bool processes__has(const struct processes *processes, pid_t pid);

/* All targets with a module that sees calls (or would, were it not for what why says), for list and the API. The caller
 * frees with targets__free. *n may be 0; returns NULL with errno on no memory. */
struct target *processes__targets(const struct processes *processes, size_t *n);
void targets__free(struct target *targets, size_t n);

#endif
