/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "attach/sites.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utarray.h>

#include "attach/internal.h"
#include "base/log.h"

struct attached {
	struct bpf_link *link;
	size_t hook; /* in the plan */
	pid_t pid;   /* -1: every process */
	size_t sites;
};

struct site_set {
	struct programs *programs;
	struct plan *plan;
	int *slots; /* plan hook → entry of the map `hooks`; -1: none */
	int fd;	    /* the file, for hooks that are attached to single processes later; else -1 */
	UT_array *links;
};

static const UT_icd attached_icd = { sizeof(struct attached), NULL, NULL, NULL };

static int take_slot(struct programs *programs)
{
	for (int i = 0; i < HOOKS_MAX; i++) {
		if (!programs->used[i]) {
			programs->used[i] = true;
			return i;
		}
	}
	return -ENOSPC;
}

static void give_slot(struct programs *programs, int slot)
{
	static const struct hook none;
	uint32_t key = (uint32_t)slot;

	bpf_map_update_elem(bpf_map__fd(programs->skeleton->maps.hooks), &key, &none, BPF_ANY);
	programs->used[slot] = false;
}

/* Which program stands at a site, and whether as a uretprobe. NULL: none (a role that this hook does not use). */
static struct bpf_program *program_of(const struct programs *programs, const struct plan_hook *hook, uint8_t role)
{
	struct infermeter *skeleton = programs->skeleton;

	if (hook->code.means == HOOK_CAUGHT)
		return role == SITE_ENTRY ? skeleton->progs.on_caught : NULL;
	switch ((enum site_role)role) {
	case SITE_ENTRY:
		return skeleton->progs.on_entry;
	case SITE_EXIT:
	case SITE_RETURN:
		return skeleton->progs.on_exit;
	case SITE_PAD:
		return skeleton->progs.on_pad;
	case SITE_ROLES:
		break;
	}
	return NULL;
}

static uint64_t cookie_of(const struct plan_site *site, int slot)
{
	uint8_t frame = site->frame;
	int32_t offset = site->frame_offset;

	/* A uretprobe fires when the return address has been taken off: eight bytes above the function's first sp. */
	if (site->role == SITE_RETURN) {
		frame = SITE_FRAME_SP;
		offset = -8;
	}
	return SITE_COOKIE(slot, site->role, frame, offset);
}

static int keep(struct site_set *set, struct bpf_link *link, size_t hook, pid_t pid, size_t sites)
{
	struct attached attached = { link, hook, pid, sites };

	if (!link)
		return errno ? -errno : -EIO;
	utarray_push_back(set->links, &attached);
	return 0;
}

static int attach_multi(struct site_set *set, size_t hook, uint8_t role, pid_t pid, const char *path)
{
	const struct plan_hook *plan_hook = &set->plan->hooks[hook];
	struct bpf_program *program = program_of(set->programs, plan_hook, role);
	unsigned long *offsets = calloc(plan_hook->n_sites + 1, sizeof(*offsets));
	__u64 *cookies = calloc(plan_hook->n_sites + 1, sizeof(*cookies));
	size_t n = 0;
	int error = -ENOMEM;

	if (!offsets || !cookies)
		goto cleanup;
	for (size_t i = 0; i < plan_hook->n_sites; i++) {
		const struct plan_site *site = &set->plan->sites[plan_hook->first_site + i];

		if (site->role != role)
			continue;
		offsets[n] = site->offset;
		cookies[n++] = cookie_of(site, set->slots[hook]);
	}
	error = 0;
	if (n && program) {
		LIBBPF_OPTS(bpf_uprobe_multi_opts, opts, .offsets = offsets, .cookies = cookies, .cnt = n,
			    .retprobe = role == SITE_RETURN);

		errno = 0;
		error = keep(set, bpf_program__attach_uprobe_multi(program, pid, path, NULL, &opts), hook, pid, n);
	}
cleanup:
	free(offsets);
	free(cookies);
	return error;
}

static int attach_single(struct site_set *set, size_t hook, uint8_t role, pid_t pid, const char *path)
{
	const struct plan_hook *plan_hook = &set->plan->hooks[hook];
	struct bpf_program *program = program_of(set->programs, plan_hook, role);
	int error = 0;

	for (size_t i = 0; program && !error && i < plan_hook->n_sites; i++) {
		const struct plan_site *site = &set->plan->sites[plan_hook->first_site + i];
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = cookie_of(site, set->slots[hook]),
			    .retprobe = role == SITE_RETURN, .attach_mode = PROBE_ATTACH_MODE_LINK);

		if (site->role != role)
			continue;
		errno = 0;
		error = keep(set, bpf_program__attach_uprobe_opts(program, pid, path, site->offset, &opts), hook, pid,
			     1);
	}
	return error;
}

static void drop_links(struct site_set *set, size_t hook, pid_t pid)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < utarray_len(set->links); i++) {
		struct attached *attached = (struct attached *)utarray_eltptr(set->links, i);

		if ((hook == SIZE_MAX || attached->hook == hook) && (pid == 0 || attached->pid == pid)) {
			bpf_link__destroy(attached->link);
			continue;
		}
		*(struct attached *)utarray_eltptr(set->links, kept) =
			*attached; /* reads its index twice: no kept++ here */
		kept++;
	}
	utarray_resize(set->links, kept);
}

/* One hook, for every process (pid -1) or one. Exits first: an entry without its exits would look like a call that never ends. */
static int attach_hook(struct site_set *set, size_t hook, pid_t pid)
{
	static const uint8_t order[] = { SITE_EXIT, SITE_RETURN, SITE_PAD, SITE_ENTRY };
	char path[64];
	int error = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", set->fd);
	for (size_t i = 0; !error && i < sizeof(order); i++)
		error = set->programs->multi ? attach_multi(set, hook, order[i], pid, path)
					     : attach_single(set, hook, order[i], pid, path);
	if (error)
		drop_links(set, hook, pid);
	return error;
}

/* Makes the hook known to the kernel. */
static int publish_hook(struct site_set *set, size_t hook)
{
	struct plan_hook *plan_hook = &set->plan->hooks[hook];
	int slot = take_slot(set->programs);
	uint32_t key = (uint32_t)slot;
	int error;

	if (slot < 0)
		return slot;
	plan_hook->code.id = set->programs->next_hook_id++;
	error = bpf_map_update_elem(bpf_map__fd(set->programs->skeleton->maps.hooks), &key, &plan_hook->code, BPF_ANY);
	if (error) {
		set->programs->used[slot] = false;
		return error;
	}
	set->slots[hook] = slot;
	return 0;
}

static void refuse(struct plan_hook *hook, const char *what, int error)
{
	hook->refused = true;
	snprintf(hook->why, sizeof(hook->why), "%s: %s", what, strerror(-error));
}

struct site_set *sites__attach(struct programs *programs, struct plan *plan, int fd)
{
	struct site_set *set = calloc(1, sizeof(*set));
	bool per_process = false;
	int error = -ENOENT;
	size_t good = 0;

	if (!set)
		return NULL;
	set->programs = programs;
	set->plan = plan;
	set->fd = dup(fd);
	set->slots = calloc(plan->n_hooks + 1, sizeof(*set->slots));
	utarray_new(set->links, &attached_icd);
	if (set->fd < 0 || !set->slots) {
		error = set->fd < 0 ? -errno : -ENOMEM;
		goto failed;
	}
	memset(set->slots, -1, (plan->n_hooks + 1) * sizeof(*set->slots));
	/* The plan has identity hooks before call hooks: the order of attaching is its order. */
	for (size_t i = 0; i < plan->n_hooks; i++) {
		struct plan_hook *hook = &plan->hooks[i];

		if (hook->refused)
			continue;
		error = publish_hook(set, i);
		if (error) {
			refuse(hook, "no room for the hook in the kernel's table", error);
			continue;
		}
		if (hook->when_maps) {
			per_process = true;
			good++;
			continue;
		}
		error = attach_hook(set, i, -1);
		if (error)
			refuse(hook, "the kernel refused the probe", error);
		else
			good++;
	}
	if (!good)
		goto failed;
	if (!per_process) { /* an open file would keep its file system busy */
		close(set->fd);
		set->fd = -1;
	}
	return set;
failed:
	sites__detach(set);
	errno = -error;
	return NULL;
}

static bool has_process(const struct site_set *set, size_t hook, pid_t pid)
{
	for (unsigned i = 0; i < utarray_len(set->links); i++) {
		const struct attached *attached = (const struct attached *)utarray_eltptr(set->links, i);

		if (attached->hook == hook && attached->pid == pid)
			return true;
	}
	return false;
}

int sites__attach_process(struct site_set *set, const char *when_maps, pid_t pid)
{
	int first_error = 0;

	for (size_t i = 0; i < set->plan->n_hooks; i++) {
		const struct plan_hook *hook = &set->plan->hooks[i];
		int error;

		if (hook->refused || set->slots[i] < 0 || !hook->when_maps || strcmp(hook->when_maps, when_maps) != 0 ||
		    has_process(set, i, pid))
			continue;
		error = attach_hook(set, i, pid);
		if (error && !first_error)
			first_error = error;
	}
	return first_error;
}

void sites__forget_process(struct site_set *set, pid_t pid)
{
	drop_links(set, SIZE_MAX, pid);
}

void sites__detach(struct site_set *set)
{
	if (!set)
		return;
	drop_links(set, SIZE_MAX, 0);
	for (size_t i = 0; set->slots && i < set->plan->n_hooks; i++) {
		if (set->slots[i] >= 0)
			give_slot(set->programs, set->slots[i]);
	}
	utarray_free(set->links);
	if (set->fd >= 0)
		close(set->fd);
	free(set->slots);
	free(set);
}

size_t sites__count(const struct site_set *set)
{
	size_t sites = 0;

	for (unsigned i = 0; i < utarray_len(set->links); i++)
		sites += ((const struct attached *)utarray_eltptr(set->links, i))->sites;
	return sites;
}
