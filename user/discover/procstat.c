// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#include "discover/procstat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel's PF_EXITING and PF_KTHREAD, as the flags of the stat line show them. */
#define EXITING	      0x00000004
#define KERNEL_THREAD 0x00200000

bool procstat__read(pid_t pid, struct procstat *stat)
{
	char path[64], text[1024], *at;
	unsigned long long flags, start;
	int parent, fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	at = strrchr(text, ')'); /* comm may hold anything */
	if (!at || sscanf(at + 1, " %c %d %*d %*d %*d %*d %llu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			  &stat->state, &parent, &flags, &start) != 4)
		return false;
	stat->pid = pid;
	stat->parent = parent;
	stat->kernel_thread = flags & KERNEL_THREAD;
	stat->exiting = flags & EXITING || stat->state == 'Z' || stat->state == 'X';
	stat->start_ticks = start;
	return true;
}

pid_t procstat__other_thread(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	pid_t found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (!found && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 && tid != pid)
			found = tid;
	}
	closedir(dir);
	return found;
}

ssize_t procstat__list(struct procstat **list)
{
	size_t n = 0, max = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	*list = NULL;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		struct procstat stat;
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || !procstat__read(pid, &stat) || stat.kernel_thread)
			continue;
		if (n == max) {
			struct procstat *more = realloc(*list, (max = max ? 2 * max : 256) * sizeof(**list));

			if (!more) {
				free(*list);
				closedir(dir);
				return -ENOMEM;
			}
			*list = more;
		}
		(*list)[n++] = stat;
	}
	closedir(dir);
	return (ssize_t)n;
}
