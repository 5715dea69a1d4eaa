/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Hooks of an adapter × what the resolver found in one file → what to attach there. Pure: no kernel, no files.
 */
#ifndef INFERMETER_PLAN_H
#define INFERMETER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hook.h"
#include "plan/adapter.h"
#include "resolve/answer.h"

struct plan_site {
	uint64_t offset; /* in the file */
	uint32_t hook;	 /* index into plan.hooks */
	int32_t frame_offset;
	uint8_t role;  /* enum site_role */
	uint8_t frame; /* enum site_frame */
	uint8_t cost;  /* enum site_cost */
};

struct plan_hook {
	struct hook code;	    /* ready for the kernel but for id, which attach gives */
	const char *runtime, *name; /* owned by the adapter */
	const char *
		when_maps; /* attach only to processes that map a module of this runtime ("any": of any runtime that has a
				 * call hook); NULL: to every process, by inode. Owned by the adapter */
	bool refused;	   /* no sites: why[] */
	bool hands_over;   /* it has a jump to the function of another hook, whose call it is from there on */
	char why[256];	   /* refused: why. Else how the function was found and how its calls end */
	char unknown[256]; /* values that cannot be had in this file, and why; "" none */
	size_t function;   /* index into answer_match.functions */
	size_t first_site, n_sites;
};

/* How user space finds a model's name when the hook's expressions gave none (process_vm_readv is not needed for these). */
enum name_fallback_kind {
	NAME_NONE,
	NAME_MAPPED_FILE,  /* the one file that the process maps and whose base name matches the glob */
	NAME_COMMAND_LINE, /* the argument after this option of the process's command line */
};
struct name_fallback {
	enum name_fallback_kind kind;
	const char *pattern; /* "*.gguf", "--model" */
};

struct plan {
	const struct adapter *adapter;
	const char *version; /* of the module, "" unknown; owned by the answer */
	struct plan_hook *hooks;
	size_t n_hooks;
	struct plan_site *sites;
	size_t n_sites;
	const struct name_fallback *fallbacks; /* in order; owned by the adapter */
	size_t n_fallbacks;
	bool usable;   /* every hook that is not optional has sites, and at least one call hook (or CAUGHT) */
	char why[256]; /* not usable: why */
};

/*
 * Plans one match. seccomp_or_unknown: a target runs under a seccomp filter, so that hooks that end by `return` must use
 * exits instead, or are refused. Returns NULL on no memory. The caller frees it; it points into set and answer.
 */
struct plan *plan__new(const struct adapter_set *set, const struct answer_match *match, bool no_return_probes);
void plan__free(struct plan *plan);

/* "call", "load" …, for messages. */
const char *plan__means_name(enum hook_means means);

#endif
