/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Kernel → user space: the records of the ring buffer. Also the records of a saved stream (--save),
 * where the facts that discover and resolve found (WIRE_FACT_*) stand between them, so that a saved
 * file explains itself. Every record begins with a header; its length counts all of it, header
 * included, and is a multiple of 8. All times are CLOCK_MONOTONIC nanoseconds, as bpf_ktime_get_ns().
 */
#ifndef INFERMETER_WIRE_H
#define INFERMETER_WIRE_H

#include "hook.h"

#define WIRE_VERSION  1
#define WIRE_NAME_MAX EXPR_STRING_MAX

enum wire_tag {
	WIRE_CALL = 1, /* a call ended (struct wire_call) */
	WIRE_LOAD,     /* a model load ended; a WIRE_HANDLE went before it if it succeeded (struct wire_call) */
	WIRE_HANDLE,   /* a handle was seen for the first time (struct wire_handle) */
	WIRE_FREE,     /* a handle is gone (struct wire_free) */
	WIRE_EXEC,     /* the process is another program now: what it held is gone (struct wire_life) */
	WIRE_EXIT,     /* the process ended (struct wire_life) */
	WIRE_HELD,     /* a held child mapped executable code and was stopped (struct wire_life) */
	WIRE_KERNEL_TAGS,

	WIRE_FACT_HOOK = 64, /* user space: what a hook id means (struct wire_fact_hook) */
	WIRE_FACT_PROCESS,   /* user space: who a process is (struct wire_fact_process) */
	WIRE_FACT_LOSS,	     /* user space: counters of what was lost so far (struct wire_fact_loss) */
	WIRE_FACT_TAGS
};

/* One life of one program: a tgid is reused, and exec makes another program of it. */
struct wire_process {
	__u32 tgid;
	__u32 exec_id;	/* task_struct.self_exec_id, low 32 bits */
	__u64 start_ns; /* the group leader's start_boottime */
};

struct wire_header {
	__u16 tag;
	__u16 length;
	__u32 tid;
	__u64 time_ns; /* when it ended, was seen, happened */
	struct wire_process process;
};
_Static_assert(sizeof(struct wire_header) == 32, "header");

enum wire_call_flags {
	WIRE_UNWOUND = 1 << 0,	 /* left by exception, longjmp or cancellation: values of the exit are unknown */
	WIRE_ABANDONED = 1 << 1, /* the thread ended or the process called exec inside the call */
	WIRE_LATE = 1 << 2,	 /* end seen late (unwound, found at the next entry): the duration is an upper bound */
};

struct wire_call {
	struct wire_header header;
	__u64 duration_ns;
	__u32 hook;	      /* hook.id */
	__u16 flags;	      /* enum wire_call_flags */
	__u16 known;	      /* bit i: values[i] is known */
	__u64 values[VALUES]; /* enum hook_value; the handle is values[VALUE_HANDLE] */
};
_Static_assert(sizeof(struct wire_call) == 48 + 8 * VALUES, "call");

enum wire_name_flags { WIRE_NAME_KNOWN = 1 << 0, WIRE_NAME_TRUNCATED = 1 << 1 };

struct wire_handle {
	struct wire_header header;
	__u64 handle;
	__u64 parent;		  /* DERIVE: the handle it comes from; else 0 */
	__u32 hook;		  /* the hook that saw it first */
	__u16 flags;		  /* enum wire_name_flags */
	__u16 name_length;	  /* bytes of name[], no NUL */
	char name[WIRE_NAME_MAX]; /* a path, or what the runtime calls the model */
};
_Static_assert(sizeof(struct wire_handle) == 56 + WIRE_NAME_MAX, "handle");

struct wire_free {
	struct wire_header header;
	__u64 handle;
	__u32 hook;
	__u32 spare;
};
_Static_assert(sizeof(struct wire_free) == 48, "free");

struct wire_life {
	struct wire_header header;
};

#define WIRE_TEXT_MAX 64

struct wire_fact_hook {
	struct wire_header header; /* process all zero */
	__u32 hook;
	__u16 means; /* enum hook_means */
	__u16 spare;
	char runtime[WIRE_TEXT_MAX]; /* NUL-terminated, as its adapter names it */
	char name[WIRE_TEXT_MAX];    /* the hook's name in its adapter: run */
	char version[WIRE_TEXT_MAX]; /* the module's version where known, else "" */
	char module[WIRE_NAME_MAX];  /* base name of the file */
};

struct wire_fact_process {
	struct wire_header header;
	char command[WIRE_TEXT_MAX];   /* comm */
	char container[WIRE_TEXT_MAX]; /* each "" where unknown */
	char pod[WIRE_TEXT_MAX];
	char namespace_[WIRE_TEXT_MAX];
	char unit[WIRE_TEXT_MAX];
};

/* Counted in the kernel, per CPU, summed by user space; exported as events_*_total{stage}. */
enum wire_loss {
	LOSS_RING_FULL,	      /* lost: a call record found no room */
	LOSS_RING_FULL_OTHER, /* lost: another record found no room */
	LOSS_FRAME_DEPTH,     /* lost: calls nested deeper than FRAMES_MAX */
	LOSS_FRAME_MEMORY,    /* lost: no room for a thread's frames */
	LOSS_HANDLE_MEMORY,   /* a handle could not be remembered: it is announced again */
	LOSS_EXIT_UNMATCHED,  /* an exit without its entry: the call began before we attached */
	LOSS_NO_HANDLE,	      /* lost: the handle could not be read */
	LOSS_GUARD,	      /* values that are unknown because no layout's guards held */
	LOSS_UNWOUND,	      /* calls that ended without their exit */
	LOSS_ABANDONED,	      /* calls cut off by the end of their thread or by exec */
	LOSS_NESTED,	      /* inner calls that were not counted, by design */
	LOSS_SITE,	      /* a cookie that names no hook */
	LOSS_KINDS
};

struct wire_fact_loss {
	struct wire_header header;
	__u64 counts[16];
};
_Static_assert(LOSS_KINDS <= 16, "losses fit");

#endif
