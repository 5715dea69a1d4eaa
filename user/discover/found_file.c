// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#include "discover/found_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif
#define HANDLE_BYTES 128

static uint64_t hash(uint64_t sum, const void *data, size_t length) /* FNV-1a */
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3ull;
	return sum;
}

/* A changed file of an overlay keeps the handle of the file that it was copied from, but not its time of change. */
static bool overlay_id(int fd, struct file_id *id)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + HANDLE_BYTES];
	} buffer = { .handle.handle_bytes = HANDLE_BYTES };
	struct statfs fs;
	struct stat st;
	uint64_t sum = 0xcbf29ce484222325ull;
	int mount;

	if (fstatfs(fd, &fs) < 0 || fs.f_type != OVERLAYFS_SUPER_MAGIC || fstat(fd, &st) < 0 ||
	    name_to_handle_at(fd, "", &buffer.handle, &mount, AT_EMPTY_PATH | AT_HANDLE_FID) < 0)
		return false;
	sum = hash(sum, buffer.handle.f_handle, buffer.handle.handle_bytes);
	sum = hash(sum, &st.st_size, sizeof(st.st_size));
	sum = hash(sum, &st.st_ctim.tv_sec, sizeof(st.st_ctim.tv_sec));
	sum = hash(sum, &st.st_ctim.tv_nsec, sizeof(st.st_ctim.tv_nsec));
	*id = (struct file_id) { FOUND_OVERLAY_DEV, sum };
	return true;
}

static int open_streamed(pid_t tid, const struct procmaps_entry *entry)
{
	struct procmaps *maps;
	struct procmaps_entry now;
	int fd = procmaps__open(tid, entry);

	if (fd >= 0)
		return fd;
	maps = procmaps__new();
	if (!maps)
		return -ENOMEM;
	if (procmaps__begin(maps, tid) == 0)
		while (procmaps__next(maps, &now) == 1)
			if (now.start <= entry->start && entry->start < now.end && now.inode) {
				fd = procmaps__open(tid, &now);
				break;
			}
	procmaps__free(maps);
	return fd;
}

static void add_name(struct found_file *file, struct file_id id)
{
	if (memcmp(&id, &file->id, sizeof(id)) == 0)
		return;
	for (size_t i = 0; i < file->n_also; i++)
		if (memcmp(&id, &file->also[i], sizeof(id)) == 0)
			return;
	file->also[file->n_also++] = id;
}

int found_file__open(struct events *events, pid_t tid, const struct procmaps_entry *entry, bool streamed,
		     struct found_file *file)
{
	struct file_id mapped = { entry->dev, entry->inode };
	struct events_mapping identity;
	bool identified;
	char magic[4];

	memset(file, 0, sizeof(*file));
	file->fd = streamed ? open_streamed(tid, entry) : procmaps__open(tid, entry);
	if (file->fd < 0)
		return file->fd;
	identified = events__identify(events, file->fd, &identity) == 0;
	if (identified && streamed && (identity.dev != mapped.dev || identity.inode != mapped.inode)) {
		close(file->fd); /* another file is mapped there by now */
		return -ESTALE;
	}
	file->id = identified ? (struct file_id) { identity.dev, identity.inode } : mapped;
	file->generation = identified ? identity.generation : 0;
	if (overlay_id(file->fd, &file->id)) {
		file->generation = 0;
		if (identified)
			add_name(file, (struct file_id) { identity.dev, identity.inode });
	}
	add_name(file, mapped);
	file->elf = pread(file->fd, magic, sizeof(magic), 0) == sizeof(magic) && memcmp(magic, "\177ELF", 4) == 0;
	return 0;
}
