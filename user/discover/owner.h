/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Who a process is: its command, and the container, pod or unit that it runs in, from /proc. Each text is "" where unknown. */
#ifndef INFERMETER_OWNER_H
#define INFERMETER_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define OWNER_TEXT_MAX 64

struct owner {
	char command[OWNER_TEXT_MAX]; /* comm */
	/* first 12 digits of the id, as docker and crictl show it; else the name (lxc, nspawn) */
	char container[OWNER_TEXT_MAX];
	char pod[OWNER_TEXT_MAX];	 /* the pod's name where it can be read, else its uid */
	char namespace_[OWNER_TEXT_MAX]; /* the pod's namespace where it can be read */
	char unit[OWNER_TEXT_MAX];	 /* systemd service or scope; "" inside a container */
};

/* Never fails: what cannot be read stays "". */
void owner__read(pid_t pid, struct owner *owner);

/* The part that comes from the text of /proc/PID/cgroup (pod: the uid). */
void owner__parse_cgroup(const char *text, struct owner *owner);

/*
 * The argument of a command line option: "-m X", "--model X", "--model=X". cmdline: arguments separated by NUL, length
 * bytes, as in /proc/PID/cmdline. Returns false if there is none; a longer value keeps its end.
 */
bool owner__parse_option(const char *cmdline, size_t length, const char *option, char *value, size_t size);
bool owner__command_option(pid_t pid, const char *option, char *value, size_t size);

/* The one file that the process maps (as anything) whose base name matches the glob: its path. False if none or several do. */
bool owner__mapped_file(pid_t pid, const char *glob, char *path, size_t size);

#endif
