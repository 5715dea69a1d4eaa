/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A target as `list` and /api/v1/targets show it: filled by the agent, all strings stay the agent's. "" or NULL: not known. */
#ifndef INFERMETER_TARGET_H
#define INFERMETER_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target_hook {
	const char *name;
	bool attached;
	const char *why; /* attached: how it was found and how its calls end; else why not and what to do */
};

struct target_module {
	const char *path; /* as the target sees it */
	const char *runtime, *version;
	bool usable;	 /* its calls are seen */
	const char *why; /* not usable: why */
	const struct target_hook *hooks;
	size_t n_hooks;
};

struct target {
	uint32_t pid;
	const char *command;
	const char *container, *pod, *namespace_, *unit;
	const struct target_module *modules;
	size_t n_modules;
};

#endif
