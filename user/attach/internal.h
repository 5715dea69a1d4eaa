/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the files of this room share. */
#ifndef INFERMETER_ATTACH_INTERNAL_H
#define INFERMETER_ATTACH_INTERNAL_H

#include <stdbool.h>

#include "attach/programs.h"
#include "attach/reaper.h"
#include "infermeter.skel.h"

struct programs {
	struct infermeter *skeleton;
	struct ring_buffer *ring;
	record_fn *fn;
	void *context;
	bool multi;
	uint32_t next_hook_id;
	struct reaper *reaper;
	bool used[HOOKS_MAX];  /* entries of the map `hooks` */
	bool limbo[HOOKS_MAX]; /* used no more, but a probe may still stand that names the entry: programs__reap */
};

#endif
