// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#include "discover/procmaps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BUFFER_BYTES (64 * 1024)

struct procmaps {
	int fd;
	bool owned;	   /* fd is ours to close */
	bool ended;	   /* read() said end of file */
	size_t at, filled; /* unread text: buffer[at .. filled) */
	char buffer[BUFFER_BYTES + 1];
};

struct procmaps *procmaps__new(void)
{
	struct procmaps *maps = malloc(sizeof(*maps));

	if (!maps)
		return NULL;
	maps->fd = -1;
	maps->owned = false;
	maps->ended = true;
	maps->at = maps->filled = 0;
	return maps;
}

static void close_file(struct procmaps *maps)
{
	if (maps->owned && maps->fd >= 0)
		close(maps->fd);
	maps->fd = -1;
	maps->owned = false;
}

void procmaps__free(struct procmaps *maps)
{
	if (!maps)
		return;
	close_file(maps);
	free(maps);
}

int procmaps__begin_fd(struct procmaps *maps, int fd)
{
	close_file(maps);
	maps->fd = fd;
	maps->ended = false;
	maps->at = maps->filled = 0;
	return 0;
}

int procmaps__begin(struct procmaps *maps, pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	procmaps__begin_fd(maps, fd);
	maps->owned = true;
	return 0;
}

/* Returns the next line without its newline, NULL at the end; *err on trouble. */
static char *next_line(struct procmaps *maps, int *err)
{
	char *newline;
	ssize_t n;

	*err = 0;
	for (;;) {
		char *line = maps->buffer + maps->at;

		newline = memchr(line, '\n', maps->filled - maps->at);
		if (newline) {
			*newline = '\0';
			maps->at = (size_t)(newline + 1 - maps->buffer);
			return line;
		}
		if (maps->ended) {
			if (maps->at == maps->filled)
				return NULL;
			maps->buffer[maps->filled] = '\0'; /* a last line without newline */
			maps->at = maps->filled;
			return line;
		}
		memmove(maps->buffer, line, maps->filled - maps->at);
		maps->filled -= maps->at;
		maps->at = 0;
		if (maps->filled == BUFFER_BYTES) {
			*err = -EBADMSG;
			return NULL;
		}
		n = read(maps->fd, maps->buffer + maps->filled, BUFFER_BYTES - maps->filled);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			*err = -errno;
			return NULL;
		}
		if (n == 0)
			maps->ended = true;
		maps->filled += (size_t)n;
	}
}

/* Reads digits of a base and the separator after them. */
static bool read_number(char **at, int base, char separator, uint64_t *value)
{
	char *end;

	if (**at == ' ' || **at == '-' || **at == '+')
		return false;
	errno = 0;
	*value = strtoull(*at, &end, base);
	if (end == *at || errno || *end != separator)
		return false;
	*at = end + 1;
	return true;
}

/* The kernel writes a newline in a path as \012 and escapes nothing else, backslashes neither. */
static void unescape(char *path)
{
	char *from = path, *to = path;

	if (!strstr(path, "\\012"))
		return;
	while (*from) {
		if (strncmp(from, "\\012", 4) == 0) {
			*to++ = '\n';
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static bool parse_line(char *line, struct procmaps_entry *entry)
{
	static const char deleted[] = " (deleted)";
	uint64_t dev_major, dev_minor;
	size_t length;
	char *end;

	if (!read_number(&line, 16, '-', &entry->start) || !read_number(&line, 16, ' ', &entry->end))
		return false;
	if (strnlen(line, 5) < 5 || line[4] != ' ')
		return false;
	entry->permissions = (line[0] == 'r' ? PROCMAPS_READ : 0) | (line[1] == 'w' ? PROCMAPS_WRITE : 0) |
			     (line[2] == 'x' ? PROCMAPS_EXEC : 0) | (line[3] == 's' ? PROCMAPS_SHARED : 0);
	line += 5;
	if (!read_number(&line, 16, ' ', &entry->offset) || !read_number(&line, 16, ':', &dev_major) ||
	    !read_number(&line, 16, ' ', &dev_minor))
		return false;
	errno = 0;
	entry->inode = strtoull(line, &end, 10);
	if (end == line || errno || (*end != ' ' && *end))
		return false;
	entry->dev = makedev(dev_major, dev_minor);
	line = end;
	while (*line == ' ')
		line++;
	entry->path = line;
	entry->deleted = false;
	length = strlen(line);
	if (entry->inode && length >= sizeof(deleted) && strcmp(line + length - (sizeof(deleted) - 1), deleted) == 0) {
		entry->deleted = true;
		line[length - (sizeof(deleted) - 1)] = '\0';
	}
	unescape(line);
	return true;
}

int procmaps__next(struct procmaps *maps, struct procmaps_entry *entry)
{
	int err;
	char *line = next_line(maps, &err);

	if (!line) {
		close_file(maps);
		return err;
	}
	return parse_line(line, entry) ? 1 : -EBADMSG;
}

/* Opens for reading if it is the regular file that the entry names. */
static int open_same(const char *path, const struct procmaps_entry *entry)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == entry->dev && st.st_ino == entry->inode)
		return fd;
	close(fd);
	return -ESTALE;
}

int procmaps__open(pid_t pid, const struct procmaps_entry *entry)
{
	char path[4096 + 64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)entry->start,
		 (unsigned long long)entry->end);
	/* O_PATH first: a mapped device must not be opened only to find out that it is one. */
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

		close(fd);
		if (!regular)
			return -EINVAL;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0)
			return fd;
	}
	if (entry->path[0] != '/' || entry->deleted)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, entry->path);
	fd = open_same(path, entry);
	return fd >= 0 ? fd : open_same(entry->path, entry);
}
