/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The kernel's programs and maps: opened, loaded, read. sites.h attaches them. */
#ifndef INFERMETER_PROGRAMS_H
#define INFERMETER_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"

struct programs;

struct programs_options {
	size_t ring_bytes; /* a power of two, at least a page; 0: 2 MiB */
	bool filtered;	   /* only processes given by programs__want, and their children */
	bool hold;	   /* these are also stopped at new executable code (`run`); implies filtered */
	bool no_multi;	   /* use single uprobes although the kernel has uprobe_multi (tests) */
};

/* Opens and loads. Returns NULL with errno; what the kernel said has been logged. The caller frees; links die with it. */
struct programs *programs__new(const struct programs_options *options);
void programs__free(struct programs *programs);

/* Calls fn for each record that lies in the ring; fn returns nothing: a bad record is its business. Returns how many, or -errno. */
typedef void record_fn(void *context, const void *data, size_t size);
int programs__drain(struct programs *programs, record_fn *fn, void *context);

/* Becomes readable when the ring is filled to its mark. */
int programs__ring_fd(const struct programs *programs);

/* Sums of enum wire_loss over all CPUs. */
void programs__losses(const struct programs *programs, uint64_t counts[LOSS_KINDS]);

/* Calls fn for each call that is open now. Frames are read while threads go on: a frame can be gone when fn sees it. */
typedef void frame_fn(void *context, uint32_t tid, const struct wire_process *process, const struct frame *frame);
void programs__each_frame(const struct programs *programs, frame_fn *fn, void *context);

/* Drops what the kernel remembers of handles of processes that are gone (alive says so of one). Returns how many. */
typedef bool alive_fn(void *context, const struct wire_process *process);
size_t programs__collect(struct programs *programs, alive_fn *alive, void *context);

/* Watches this process and its children (options.filtered). Returns 0 or -errno. */
int programs__want(struct programs *programs, pid_t tgid);

/* Waits until the probes that were detached are gone: some 50 ms, however many they are. */
void programs__reap(struct programs *programs);

#endif
