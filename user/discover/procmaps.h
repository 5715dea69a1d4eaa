/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The one reader of /proc/PID/maps. */
#ifndef INFERMETER_PROCMAPS_H
#define INFERMETER_PROCMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct procmaps; /* an open maps file and a buffer that is used again */

enum procmaps_permissions { PROCMAPS_READ = 1, PROCMAPS_WRITE = 2, PROCMAPS_EXEC = 4, PROCMAPS_SHARED = 8 };

struct procmaps_entry {
	uint64_t start, end, offset;
	uint64_t dev;	      /* makedev(major, minor) */
	uint64_t inode;	      /* 0: no file */
	unsigned permissions; /* enum procmaps_permissions */
	bool deleted;	      /* the file has no name any more; path is its last */
	/* "" for anonymous memory, "[heap]" …; with spaces and newlines as they are; valid until the next call */
	const char *path;
};

/* Returns a reader without a process, or NULL with errno. The caller frees it. */
struct procmaps *procmaps__new(void);
void procmaps__free(struct procmaps *maps); /* NULL is fine */

/* Begins to read the maps of a process (and leaves the one before). Returns 0 or -errno: -ENOENT and -ESRCH if it is gone. */
int procmaps__begin(struct procmaps *maps, pid_t pid);

/* The same over a text, for tests. fd: read to its end, stays the caller's. */
int procmaps__begin_fd(struct procmaps *maps, int fd);

/* The next mapping. Returns 1, 0 at the end, or -errno (a line that cannot be read: -EBADMSG). */
int procmaps__next(struct procmaps *maps, struct procmaps_entry *entry);

/*
 * Opens the file behind a mapping for reading: by /proc/PID/map_files (also deleted files, any mount namespace), else by its
 * path below /proc/PID/root, else by its path here, the last two only if device and inode are the same. Returns a descriptor
 * that the caller closes, or -errno.
 */
int procmaps__open(pid_t pid, const struct procmaps_entry *entry);

#endif
