/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Inside of discover: opens the file behind a mapping and says which file it is. Two containers of one image map one file
 * through two overlays, under two inode numbers, but a uprobe on either is on both: they must be one module. Kernels
 * differ in which number they show where (overlay or lower file, in maps and in the stream), so a file of an overlay is
 * known by the file handle that overlayfs makes from the lower file (from kernel 6.6 on), else by what the stream calls it.
 */
#ifndef INFERMETER_FOUND_FILE_H
#define INFERMETER_FOUND_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "discover/events.h"
#include "discover/procmaps.h"
#include "discover/table.h"

#define FOUND_OVERLAY_DEV UINT64_MAX /* file_id.dev of a file known by its handle; inode is a hash of that then */

struct found_file {
	int fd;
	bool elf;
	struct file_id id;
	uint64_t generation;	/* 0: unknown */
	struct file_id also[2]; /* other names of the same file, where not equal to id */
	size_t n_also;
};

/* tid: a living thread that has the mapping. streamed: the mapping comes from the stream and its borders may have changed since.
 * Returns 0 (the caller closes file->fd), -EINVAL for a device, or -errno. */
int found_file__open(struct events *events, pid_t tid, const struct procmaps_entry *entry, bool streamed,
		     struct found_file *file);

#endif
