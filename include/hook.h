/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * User space → kernel: what a site means. A hook here is an adapter's hook made ready for one module:
 * its expressions hold that file's constants. The kernel finds it by the cookie of the site that fired.
 */
#ifndef INFERMETER_HOOK_H
#define INFERMETER_HOOK_H

#include "expr.h"

#define HOOKS_MAX 1024 /* hooks that are attached at one time */

/* What the function does (design.md, the closed vocabulary; grows with the vocabulary, never by runtime). */
enum hook_means {
	HOOK_CALL = 1, /* one pass is one execution of a model */
	HOOK_LOAD,     /* makes a handle; the name is an argument or can be read from the handle */
	HOOK_DERIVE,   /* makes a handle from another handle, whose model it shares */
	HOOK_FREE,     /* the handle is gone */
	HOOK_CAUGHT,   /* a C++ exception was caught: frames at or below this stack pointer have ended */
	HOOK_MEANS
};

/* The values that a hook's programs give by EXPR_OUT: indices of expr_state.values. */
enum hook_value {
	VALUE_HANDLE,  /* the session, context or model: never 0 */
	VALUE_PARENT,  /* DERIVE: the handle that this one comes from */
	VALUE_BATCH,   /* rows of one call */
	VALUE_TOKENS,  /* tokens of one call */
	VALUE_STATUS,  /* the runtime's own code, 0 = ok */
	VALUE_FAILED,  /* != 0: the call failed */
	VALUE_IGNORED, /* != 0: the call was refused before any work and is no execution */
	VALUE_SPARE,
	VALUES
};
_Static_assert(VALUES <= EXPR_VALUES_MAX, "values fit");

enum hook_flags {
	HOOK_NAME_AT_EXIT = 1 << 0, /* the name program runs at the call's exit, over saved values; else at its entry */
};

/* Where a hook's program begins in ops[], and how many operations it has (0: none). */
struct hook_program {
	__u16 start, length;
};

struct hook {
	__u32 id;    /* unique while the agent lives; what records carry */
	__u16 means; /* enum hook_means */
	__u16 flags; /* enum hook_flags */
	__u32 group; /* hooks of one runtime that may nest: the outermost counts */
	__u32 spare;
	__u64 entry_vaddr; /* of the entry probe's instruction in the file: gives the load base */
	struct hook_program entry, exit, name;
	__u32 spare2;
	struct expr_op ops[EXPR_OPS_MAX];
};

/* What a probe at a site does. */
enum site_role {
	SITE_ENTRY = 1, /* pushes a frame (HOOK_FREE, HOOK_CAUGHT: acts at once, no frame) */
	SITE_EXIT,	/* pops it: a probe on an exit instruction */
	SITE_RETURN,	/* pops it: a uretprobe */
	SITE_PAD,	/* a landing pad of the function: it ends by exception */
	SITE_HANDOVER,	/* drops it: a jump to the function of another hook, whose call it is from there on */
	SITE_ROLES
};

/*
 * A site's cookie: bits 0-15 index of the hook in the kernel's table, 16-19 role, 20-21 register from
 * which the function's entry stack pointer is found (1 sp, 2 bp, 0 unknown), 32-63 what to add to it
 * (s32). At an entry the register is always sp.
 */
enum site_frame { SITE_FRAME_UNKNOWN, SITE_FRAME_SP, SITE_FRAME_BP };

#define SITE_COOKIE(hook, role, frame, offset)                                                                         \
	((__u64)(hook) | (__u64)(role) << 16 | (__u64)(frame) << 20 | (__u64)(__u32)(offset) << 32)
#define SITE_HOOK(cookie)   ((__u32)((cookie)&0xffff))
#define SITE_ROLE(cookie)   ((__u32)((cookie) >> 16 & 0xf))
#define SITE_FRAME(cookie)  ((__u32)((cookie) >> 20 & 0x3))
#define SITE_OFFSET(cookie) ((__s32)((cookie) >> 32))

#endif
