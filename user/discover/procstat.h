/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What /proc/PID/stat says, and the list of processes. */
#ifndef INFERMETER_PROCSTAT_H
#define INFERMETER_PROCSTAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct procstat {
	pid_t pid, parent;
	char state; /* of the first thread: R, S, D, Z … */
	bool kernel_thread;
	bool exiting;	      /* the first thread is on its way out, or out */
	uint64_t start_ticks; /* tells two processes with one number apart */
};

/* Returns false if the process is gone. */
bool procstat__read(pid_t pid, struct procstat *stat);

/* A living thread other than the first, 0 if there is none. */
pid_t procstat__other_thread(pid_t pid);

/* Every process that runs user code. Returns how many, or -errno; the caller frees *list. */
ssize_t procstat__list(struct procstat **list);

#endif
