// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * Where a process runs is written in its cgroup path, by each manager in its own way (v1 and v2 alike):
 *
 *   docker      /docker/ID, /system.slice/docker-ID.scope
 *   containerd  /kubepods/burstable/podUID/ID, …-podU_I_D.slice/cri-containerd-ID.scope, …/kubepods-…-podU_I_D.slice:cri-containerd:ID
 *   cri-o       …-podU_I_D.slice/crio-ID.scope
 *   podman      /machine.slice/libpod-ID.scope, /user.slice/…/libpod-ID.scope/container
 *   lxc, nspawn /lxc.payload.NAME, /machine.slice/machine-NAME.scope
 *   systemd     /system.slice/NAME.service, /user.slice/user-0.slice/session-1.scope
 *
 * A container id is 64 hexadecimal digits wherever it stands.
 */
#include "discover/owner.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "discover/procmaps.h"

#define CONTAINER_ID_DIGITS 64
#define CONTAINER_SHORT	    12

/* Copies length bytes and NUL; only printable ones: these texts become labels. */
static void copy_text(char to[OWNER_TEXT_MAX], const char *from, size_t length)
{
	if (length >= OWNER_TEXT_MAX)
		length = OWNER_TEXT_MAX - 1;
	for (size_t i = 0; i < length; i++)
		to[i] = from[i] >= 0x20 && from[i] != 0x7f ? from[i] : '?';
	to[length] = '\0';
}

/* Returns the bytes read into text, which ends with NUL; 0 on trouble. */
static size_t read_file(const char *path, char *text, size_t size)
{
	size_t length = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	text[0] = '\0';
	if (fd < 0)
		return 0;
	while (length < size - 1 && (n = read(fd, text + length, size - 1 - length)) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		length += (size_t)n;
	}
	close(fd);
	text[length] = '\0';
	return length;
}

static bool starts(const char *text, size_t length, const char *prefix)
{
	return length >= strlen(prefix) && strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool contains(const char *text, size_t length, const char *word)
{
	return memmem(text, length, word, strlen(word)) != NULL;
}

static bool ends(const char *text, size_t length, const char *suffix)
{
	size_t n = strlen(suffix);

	return length > n && strncmp(text + length - n, suffix, n) == 0;
}

static void find_container(const char *part, size_t length, struct owner *owner)
{
	size_t digits = 0;

	for (size_t i = 0; i < length; i++) {
		digits = isxdigit((unsigned char)part[i]) ? digits + 1 : 0;
		if (digits == CONTAINER_ID_DIGITS && (i + 1 == length || !isalnum((unsigned char)part[i + 1])) &&
		    !starts(part, length, "crio-conmon-") && !starts(part, length, "libpod-conmon-")) {
			copy_text(owner->container, part + i + 1 - CONTAINER_ID_DIGITS, CONTAINER_SHORT);
			return;
		}
	}
	if (starts(part, length, "lxc.payload."))
		copy_text(owner->container, part + 12, length - 12);
	else if (starts(part, length, "machine-") && ends(part, length, ".scope"))
		copy_text(owner->container, part + 8, length - 8 - 6);
}

/* podUID between the last "pod" and the end of the part or its ".slice"; systemd writes the uid's '-' as '_'. */
static void find_pod(const char *part, size_t length, struct owner *owner)
{
	const char *at = NULL;
	size_t n = 0;

	for (size_t i = 0; i + 3 < length; i++)
		if (strncmp(part + i, "pod", 3) == 0 && (i == 0 || part[i - 1] == '-'))
			at = part + i + 3;
	if (!at)
		return;
	while (at + n < part + length && (isxdigit((unsigned char)at[n]) || at[n] == '-' || at[n] == '_'))
		n++;
	if (n < 32 || (at + n < part + length && at[n] != '.' && at[n] != ':'))
		return;
	copy_text(owner->pod, at, n);
	for (char *c = owner->pod; *c; c++)
		if (*c == '_')
			*c = '-';
}

/* systemd writes a '-' of a slice's or scope's own name as \x2d and so on. */
static void copy_unit(char to[OWNER_TEXT_MAX], const char *from, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length && n < OWNER_TEXT_MAX - 1; i++) {
		if (i + 3 < length && from[i] == '\\' && from[i + 1] == 'x' && isxdigit((unsigned char)from[i + 2]) &&
		    isxdigit((unsigned char)from[i + 3])) {
			char code[3] = { from[i + 2], from[i + 3], 0 };

			to[n++] = (char)strtoul(code, NULL, 16);
			i += 3;
		} else {
			to[n++] = from[i];
		}
		if (to[n - 1] < 0x20 || to[n - 1] == 0x7f)
			to[n - 1] = '?';
	}
	to[n] = '\0';
}

static void parse_path(const char *path, size_t length, struct owner *owner)
{
	char unit[OWNER_TEXT_MAX] = "";
	bool in_pods = false;

	while (length) {
		const char *slash = memchr(path, '/', length);
		size_t n = slash ? (size_t)(slash - path) : length;

		if (contains(path, n, "kubepods"))
			in_pods = true;
		if (in_pods && !owner->pod[0])
			find_pod(path, n, owner);
		if (!owner->container[0])
			find_container(path, n, owner);
		/* The innermost unit names it best: a user's service below user@1000.service. */
		if (ends(path, n, ".service") || ends(path, n, ".scope"))
			copy_unit(unit, path, n);
		length -= n + (slash ? 1 : 0);
		path += n + 1;
	}
	if (unit[0] && !owner->unit[0])
		memcpy(owner->unit, unit, sizeof(unit));
}

void owner__parse_cgroup(const char *text, struct owner *owner)
{
	/* A line is HIERARCHY:CONTROLLERS:PATH; v1 has many, and not each controller is in use: take what any says. */
	while (*text) {
		size_t length = strcspn(text, "\n");
		const char *colon = memchr(text, ':', length);

		colon = colon ? memchr(colon + 1, ':', length - (size_t)(colon + 1 - text)) : NULL;
		if (colon)
			parse_path(colon + 1, length - (size_t)(colon + 1 - text), owner);
		text += length + (text[length] == '\n');
	}
	if (owner->container[0] || owner->pod[0])
		owner->unit[0] = '\0';
}

/* A name as Kubernetes allows it (DNS label or subdomain), from the first line of a file of the container. */
static void read_name(pid_t pid, const char *file, char name[OWNER_TEXT_MAX])
{
	char path[128], text[256];
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, file);
	if (!read_file(path, text, sizeof(text)))
		return;
	length = strcspn(text, "\n");
	for (size_t i = 0; i < length; i++)
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '-' &&
		    text[i] != '.')
			return;
	if (length)
		copy_text(name, text, length);
}

void owner__read(pid_t pid, struct owner *owner)
{
	char path[64], text[16384];
	size_t length;

	memset(owner, 0, sizeof(*owner));
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	length = read_file(path, text, sizeof(text));
	if (length && text[length - 1] == '\n')
		length--;
	copy_text(owner->command, text, length);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	read_file(path, text, sizeof(text));
	owner__parse_cgroup(text, owner);
	if (owner->pod[0]) {
		read_name(pid, "/etc/hostname", owner->pod); /* the kubelet writes the pod's name there */
		read_name(pid, "/var/run/secrets/kubernetes.io/serviceaccount/namespace", owner->namespace_);
	}
}

bool owner__parse_option(const char *cmdline, size_t length, const char *option, char *value, size_t size)
{
	const char *end = cmdline + length;
	size_t option_length = strlen(option);

	/* The first argument is the program. */
	for (const char *at = cmdline + strnlen(cmdline, length) + 1; at < end;
	     at += strnlen(at, (size_t)(end - at)) + 1) {
		size_t n = strnlen(at, (size_t)(end - at));
		const char *found = NULL;
		size_t found_length;

		if (n == option_length && memcmp(at, option, n) == 0 && at + n + 1 < end)
			found = at + n + 1;
		else if (n > option_length && memcmp(at, option, option_length) == 0 && at[option_length] == '=')
			found = at + option_length + 1;
		else
			continue;
		found_length = strnlen(found, (size_t)(end - found));
		if (!found_length)
			continue;
		if (found_length >= size) {
			found += found_length - (size - 1);
			found_length = size - 1;
		}
		memcpy(value, found, found_length);
		value[found_length] = '\0';
		return true;
	}
	return false;
}

bool owner__command_option(pid_t pid, const char *option, char *value, size_t size)
{
	char path[64];
	char *text = malloc(1 << 17);
	size_t length;
	bool found;

	if (!text)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	length = read_file(path, text, 1 << 17);
	found = owner__parse_option(text, length, option, value, size);
	free(text);
	return found;
}

bool owner__mapped_file(pid_t pid, const char *glob, char *path, size_t size)
{
	struct procmaps *maps = procmaps__new();
	struct procmaps_entry entry;
	uint64_t dev = 0, inode = 0;
	bool unique = true;

	if (!maps)
		return false;
	if (procmaps__begin(maps, pid) == 0) {
		while (unique && procmaps__next(maps, &entry) == 1) {
			const char *base = strrchr(entry.path, '/');

			if (!entry.inode || !base || fnmatch(glob, base + 1, 0) != 0)
				continue;
			if (!inode)
				snprintf(path, size, "%s", entry.path);
			else if (entry.dev != dev || entry.inode != inode)
				unique = false;
			dev = entry.dev;
			inode = entry.inode;
		}
	}
	procmaps__free(maps);
	return unique && inode;
}
