/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What the kernel remembers of a thread between probes, in the map `threads`, keyed by tid. User space
 * reads it at a scrape: calls in flight and the age of the oldest are these frames.
 */
#ifndef INFERMETER_FRAME_H
#define INFERMETER_FRAME_H

#include "wire.h"

#define FRAMES_MAX  8	  /* calls of unlike hooks that one thread can have open */
#define THREADS_MAX 65536 /* threads that have called a hook and live */
#define HANDLES_MAX 65536

enum frame_flags {
	/* A call began above it on what may be another stack (a coroutine): it may have vanished. Its own exit, an entry
	 * at its very place, or the end of the thread decides. It is not shown as in flight. */
	FRAME_SUSPECT = 1 << 0,
};

struct frame {
	__u64 sp; /* stack pointer at the function's first instruction: identifies the call */
	__u64 start_ns;
	__u64 base; /* load base of the module */
	__u32 hook; /* hook.id */
	__u32 group;
	__u16 means;
	__u8 flags; /* enum frame_flags */
	__u8 known; /* bit i: values[i] */
	__u64 values[VALUES];
	__u64 saved[EXPR_SAVED_MAX];
};
_Static_assert(VALUES <= 8, "known has a bit for each value");

struct thread {
	struct wire_process process;
	__u32 open;	  /* bit i: frames[i] is open; so that the common case, none or one, looks at no other */
	__u32 seen_group; /* the handle that was seen last, which need not be looked up again … */
	__u64 seen_handle;
	__u64 seen_epoch; /* … while no handle of any process was made or freed */
	struct frame frames[FRAMES_MAX];
	struct expr_state
		state; /* scratch of a run: a per-CPU one could be taken by another task in the middle of ours */
};

/* Key of the map `handles`: handles that were announced. */
struct handle_key {
	struct wire_process process;
	__u64 handle;
	__u32 group;
	__u32 spare;
};

#endif
