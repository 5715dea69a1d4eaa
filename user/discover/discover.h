/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Which processes map which files as code, now and from now on. One scan of /proc at the start, then the kernel's own
 * stream of mappings, execs, forks and exits (events.h): no polling. Each *file* is announced once (module_seen); whoever
 * uses this says later whether it is interesting (discover__mark), and only then are processes that map it reported.
 */
#ifndef INFERMETER_DISCOVER_H
#define INFERMETER_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"

struct discover;

/*
 * A file, as uprobes see it: two containers of one image share the lower file of their overlays, and so one module. No
 * padding: may be hashed and compared as bytes.
 */
struct module_key {
	uint64_t dev; /* makedev(major, minor); UINT64_MAX: a file of an overlay, whose inode is a hash */
	uint64_t inode;
	uint64_t generation; /* tells a file from a later one with the same inode number; 0 where unknown */
};

/* Any function may be NULL. All are called from the loop, or from discover__start, __mark, __add_pid and __rescan, and
 * all may call discover__mark. */
struct discover_user {
	void *context;
	/* A file is mapped as code for the first time. fd is open for reading and closed after the call: duplicate it to
	 * keep it. path as the process sees it (" (deleted)" cut off). */
	void (*module_seen)(void *context, struct module_key key, const char *path, int fd, pid_t pid);
	/* The process maps a file that was marked interesting: once a process and file, also for processes that mapped it
	 * before the mark, and for forked children, which inherit. */
	void (*process_maps)(void *context, pid_t pid, struct module_key key);
	/* For processes that process_maps reported: it runs another program now (its modules are forgotten); it ended. */
	void (*process_exec)(void *context, pid_t pid);
	void (*process_gone)(void *context, pid_t pid);
	/* The kernel dropped n events of the stream; a rescan of /proc follows by itself. */
	void (*lost)(void *context, uint64_t n);
};

struct discover_stats {
	uint64_t modules, interesting, processes; /* now */
	uint64_t events, lost, rescans;		  /* since the start */
	uint64_t open_failed;			  /* files that were gone before they could be opened */
};

/*
 * pids: only these processes and what they fork from now on or forked before (n_pids 0: every process of the host). This
 * process itself and its own children are skipped, unless a child is given here or to discover__add_pid. Returns NULL
 * with errno (EACCES, EPERM: the kernel does not allow the stream). The caller frees it before the loop.
 */
struct discover *discover__new(struct loop *loop, const struct discover_user *user, const pid_t *pids, size_t n_pids);
void discover__free(struct discover *discover); /* NULL is fine; no callbacks */

/* Scans /proc once; the stream is already on, so nothing is missed between. Returns 0 or -errno. */
int discover__start(struct discover *discover);

/* Adds a process to the filter (or, without a filter, lifts the skip of an own child) and scans it. Returns 0 or -errno. */
int discover__add_pid(struct discover *discover, pid_t pid);

/* The verdict on a file. May be called again with the other verdict. Unknown keys are ignored. */
void discover__mark(struct discover *discover, struct module_key key, bool interesting);

/* Takes what the stream holds now without waiting for its wake-up: for callers who know that something just happened. */
void discover__drain(struct discover *discover);

/* Reads the maps of one process (0: all processes) again, and forgets processes that are gone. Returns 0 or -errno. */
int discover__rescan(struct discover *discover, pid_t pid);

/* Opens a known file again through a process that maps it. Returns a descriptor that the caller closes, or -errno. */
int discover__open(struct discover *discover, struct module_key key);

/* Does the process map an interesting file now? key NULL: any. */
bool discover__maps(struct discover *discover, pid_t pid, const struct module_key *key);

struct discover_stats discover__stats(const struct discover *discover);

#endif
