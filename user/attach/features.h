/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What this kernel and these rights allow. Each is tried, not told from a version; the release that brought it is for the message. */
#ifndef INFERMETER_FEATURES_H
#define INFERMETER_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

enum feature {
	FEATURE_RIGHTS,	      /* CAP_SYS_ADMIN, or CAP_BPF with CAP_PERFMON */
	FEATURE_BTF,	      /* /sys/kernel/btf/vmlinux */
	FEATURE_RING,	      /* BPF ring buffer, 5.8 */
	FEATURE_COOKIE,	      /* cookies of uprobes, 5.15 */
	FEATURE_LOOP,	      /* bpf_loop and bpf_find_vma, 5.17 */
	FEATURE_UPROBES,      /* perf's uprobe device, 4.17 */
	FEATURE_UPROBE_MULTI, /* uprobe_multi links, 6.6 */
	FEATURE_EVENTS,	      /* a system-wide perf event: new processes are seen as they come */
	FEATURES
};

struct feature_state {
	const char *name;
	const char *since; /* kernel release */
	bool required;	   /* without it nothing can be attached */
	bool present;
	char why[160];	    /* not present: what was tried and what it said */
	const char *remedy; /* not present: what to do about it */
};

/* Tries every feature. Takes some milliseconds. */
void features__probe(struct feature_state states[FEATURES]);

/* Just the one that decides how we attach. */
bool features__uprobe_multi(void);

/* The first required feature that is missing, or NULL. */
const struct feature_state *features__missing(const struct feature_state states[FEATURES]);

#endif
