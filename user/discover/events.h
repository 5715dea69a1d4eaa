/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The kernel's stream of what processes do: executable mappings, execs, forks, exits, of every process on the host, as
 * `perf record -a` reads it (software event "dummy", one ring a CPU). No tracefs, no hook on a hot path.
 */
#ifndef INFERMETER_EVENTS_H
#define INFERMETER_EVENTS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"

struct events;

struct events_mapping {
	pid_t pid, tid;			/* tid: open /proc/TID/… by it: the first thread may have ended */
	uint64_t start, length, offset; /* offset: of the mapping in the file, bytes */
	uint64_t dev;			/* makedev(major, minor) of the inode that uprobes see; 0: anonymous */
	uint64_t inode, generation;
	const char *path; /* valid during the call */
};

/* Any may be NULL. In the order of time: a cause never comes after its effect. */
struct events_user {
	void *context;
	void (*mapped)(void *context, const struct events_mapping *mapping);
	void (*comm_exec)(void *context, pid_t pid, const char *comm);
	void (*forked)(void *context, pid_t pid, pid_t parent); /* processes, not threads */
	/* any thread; tid == pid: the first one, usually the process */
	void (*exited)(void *context, pid_t pid, pid_t tid);
	void (*lost)(void *context, uint64_t n); /* 0: maybe some, how many is told later */
};

/* Opens the stream of every CPU that is online and adds it to the loop. Returns NULL with errno. The caller frees it. */
struct events *events__new(struct loop *loop, const struct events_user *user);
void events__free(struct events *events); /* NULL is fine */

/* Delivers what the rings hold now. */
void events__drain(struct events *events);

/* Inside a callback: when the record at hand was written, CLOCK_MONOTONIC. */
uint64_t events__time_ns(const struct events *events);

/* How many records were delivered since the start. */
uint64_t events__count(const struct events *events);

/* Where events__identify maps: far behind the end of any file of code, so that another agent on the host, who sees that
 * mapping, too, knows that it is none of a program's own. */
#define EVENTS_IDENTIFY_OFFSET (1ll << 40)

/*
 * What this stream calls the file: maps a page of it into this process and reads the kernel's word for that. Fills dev, inode
 * and generation. Returns 0 or -errno (a file system mounted noexec: -EPERM).
 */
int events__identify(struct events *events, int fd, struct events_mapping *mapping);

#endif
