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

#define ALL_HOOKS SIZE_MAX /* of the plan that are for every process */

struct attached {
	struct bpf_link *link;
	size_t hook; /* in the plan, or ALL_HOOKS */
	pid_t pid;   /* -1: every process */
	enum site_role role;
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
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < HOOKS_MAX; i++) {
			if (!programs->used[i]) {
				programs->used[i] = true;
				return i;
			}
		}
		programs__reap(programs);
	}
	return -ENOSPC;
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
	case SITE_HANDOVER:
		return skeleton->progs.on_handover;
	case SITE_ROLES:
		break;
	}
	return NULL;
}

/* A program, and at which sites of a hook (or ALL_HOOKS) it is wanted. */
struct wanted {
	size_t hook;
	enum site_role role;
	struct bpf_program *program;
	const struct plan *returned; /* only hooks that end by return probes in this plan; NULL: all */
};

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

static int keep(struct site_set *set, struct bpf_link *link, const struct wanted *wanted, pid_t pid, size_t sites)
{
	struct attached attached = { link, wanted->hook, pid, wanted->role, sites };

	if (!link)
		return errno ? -errno : -EIO;
	utarray_push_back(set->links, &attached);
	return 0;
}

static bool ends_by_return(const struct plan *plan, size_t hook)
{
	const struct plan_site *sites = plan->sites + plan->hooks[hook].first_site;

	for (size_t i = 0; i < plan->hooks[hook].n_sites; i++) {
		if (sites[i].role == SITE_RETURN)
			return true;
	}
	return false;
}

static bool is_wanted(const struct site_set *set, size_t wanted, size_t hook)
{
	if (set->plan->hooks[hook].refused || set->slots[hook] < 0)
		return false;
	return wanted == ALL_HOOKS ? !set->plan->hooks[hook].when_maps : wanted == hook;
}

static bool is_wanted_at(const struct site_set *set, const struct wanted *wanted, const struct plan_site *site)
{
	if (wanted->returned && !ends_by_return(wanted->returned, site->hook))
		return false;
	return site->role == wanted->role && is_wanted(set, wanted->hook, site->hook) &&
	       program_of(set->programs, &set->plan->hooks[site->hook], site->role) == wanted->program;
}

/* One link for all that one program does in the file: each link costs its time when it is closed, or we are killed. */
static int attach_multi(struct site_set *set, const struct wanted *wanted, pid_t pid, const char *path)
{
	unsigned long *offsets = calloc(set->plan->n_sites + 1, sizeof(*offsets));
	__u64 *cookies = calloc(set->plan->n_sites + 1, sizeof(*cookies));
	size_t n = 0;
	int error = -ENOMEM;

	if (!offsets || !cookies)
		goto cleanup;
	for (size_t i = 0; i < set->plan->n_sites; i++) {
		const struct plan_site *site = &set->plan->sites[i];

		if (!is_wanted_at(set, wanted, site))
			continue;
		offsets[n] = site->offset;
		cookies[n++] = cookie_of(site, set->slots[site->hook]);
	}
	error = 0;
	if (n) {
		LIBBPF_OPTS(bpf_uprobe_multi_opts, opts, .offsets = offsets, .cookies = cookies, .cnt = n,
			    .retprobe = wanted->role == SITE_RETURN);

		errno = 0;
		error = keep(set, bpf_program__attach_uprobe_multi(wanted->program, pid, path, NULL, &opts), wanted,
			     pid, n);
	}
cleanup:
	free(offsets);
	free(cookies);
	return error;
}

static int attach_single(struct site_set *set, const struct wanted *wanted, pid_t pid, const char *path)
{
	int error = 0;

	for (size_t i = 0; !error && i < set->plan->n_sites; i++) {
		const struct plan_site *site = &set->plan->sites[i];
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = cookie_of(site, set->slots[site->hook]),
			    .retprobe = wanted->role == SITE_RETURN, .attach_mode = PROBE_ATTACH_MODE_LINK);

		if (!is_wanted_at(set, wanted, site))
			continue;
		errno = 0;
		error = keep(set, bpf_program__attach_uprobe_opts(wanted->program, pid, path, site->offset, &opts),
			     wanted, pid, 1);
	}
	return error;
}

static void drop_links(struct site_set *set, size_t hook, pid_t pid)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < utarray_len(set->links); i++) {
		struct attached *attached = (struct attached *)utarray_eltptr(set->links, i);

		if ((hook == ALL_HOOKS || attached->hook == hook) && (pid == 0 || attached->pid == pid)) {
			reaper__give(set->programs->reaper, attached->link);
			continue;
		}
		*(struct attached *)utarray_eltptr(set->links, kept) =
			*attached; /* reads its index twice: no kept++ here */
		kept++;
	}
	utarray_resize(set->links, kept);
}

/*
 * One hook or ALL_HOOKS, for every process (pid -1) or one. Exits first: an entry without its exits would look like a call
 * that never ends. The plan has identity hooks before call hooks, which is the order of attaching within a role.
 */
static int attach_hook(struct site_set *set, size_t hook, pid_t pid)
{
	const struct infermeter *skeleton = set->programs->skeleton;
	const struct wanted order[] = {
		{ hook, SITE_EXIT, skeleton->progs.on_exit, NULL },
		{ hook, SITE_RETURN, skeleton->progs.on_exit, NULL },
		{ hook, SITE_PAD, skeleton->progs.on_pad, NULL },
		{ hook, SITE_HANDOVER, skeleton->progs.on_handover, NULL },
		{ hook, SITE_ENTRY, skeleton->progs.on_caught, NULL },
		{ hook, SITE_ENTRY, skeleton->progs.on_entry, NULL },
	};
	char path[64];
	int error = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", set->fd);
	for (size_t i = 0; !error && i < sizeof(order) / sizeof(*order); i++)
		error = set->programs->multi ? attach_multi(set, &order[i], pid, path)
					     : attach_single(set, &order[i], pid, path);
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

/* The kernel takes all probes of a link or none: which hook has one that it does not take? Returns how many have. */
static size_t attach_each(struct site_set *set, int *error)
{
	size_t bad = 0;

	for (size_t i = 0; i < set->plan->n_hooks; i++) {
		int error_of_hook = is_wanted(set, ALL_HOOKS, i) ? attach_hook(set, i, -1) : 0;

		if (!error_of_hook)
			continue;
		refuse(&set->plan->hooks[i], "the kernel refused the probe", error_of_hook);
		*error = error_of_hook;
		bad++;
	}
	return bad;
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
	for (size_t i = 0; i < plan->n_hooks; i++) {
		struct plan_hook *hook = &plan->hooks[i];

		if (hook->refused)
			continue;
		error = publish_hook(set, i);
		if (error)
			refuse(hook, "no room for the hook in the kernel's table", error);
		else
			good++;
		per_process |= hook->when_maps != NULL;
	}
	if (attach_hook(set, ALL_HOOKS, -1)) {
		programs__reap(programs); /* none twice */
		good -= attach_each(set, &error);
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

/* Hooks of two plans of one file are the same but for how they end. */
static int take_over(const struct plan *old, struct plan *plan)
{
	if (plan->n_hooks != old->n_hooks)
		return -ENOTSUP;
	for (size_t i = 0; i < plan->n_hooks; i++) {
		struct plan_hook *hook = &plan->hooks[i];

		if (hook->refused && !old->hooks[i].refused)
			return -ENOTSUP;
		hook->code.id = old->hooks[i].code.id;
		if (!old->hooks[i].refused)
			continue;
		hook->refused = true;
		memcpy(hook->why, old->hooks[i].why, sizeof(hook->why));
	}
	return 0;
}

/* Links from first on whose role is this (SITE_ROLES: all). */
static void drop_role(struct site_set *set, enum site_role role, unsigned first)
{
	unsigned kept = first;

	for (unsigned i = first; i < utarray_len(set->links); i++) {
		struct attached attached = *(struct attached *)utarray_eltptr(set->links, i);

		if (role == SITE_ROLES || attached.role == role) {
			reaper__give(set->programs->reaper, attached.link);
			continue;
		}
		*(struct attached *)utarray_eltptr(set->links, kept) = attached;
		kept++;
	}
	utarray_resize(set->links, kept);
}

/* Where each probe has a link of its own, the first stands for all. */
static bool has_returns_before(const struct site_set *set, unsigned end)
{
	const struct attached *one = (const struct attached *)utarray_eltptr(set->links, end);

	for (unsigned i = 0; i < end; i++) {
		const struct attached *other = (const struct attached *)utarray_eltptr(set->links, i);

		if (other->role == one->role && other->hook == one->hook && other->pid == one->pid)
			return true;
	}
	return false;
}

int sites__end_by_exits(struct site_set *set, struct plan *plan, int fd)
{
	const struct infermeter *skeleton = set->programs->skeleton;
	const unsigned before = utarray_len(set->links);
	struct plan *old = set->plan;
	int error = take_over(old, plan);
	char path[64];

	if (error)
		return error;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", set->fd >= 0 ? set->fd : fd);
	set->plan = plan;
	for (unsigned i = 0; i < before && !error; i++) {
		const struct attached returns = *(struct attached *)utarray_eltptr(set->links, i);
		const struct wanted ends[] = {
			{ returns.hook, SITE_EXIT, skeleton->progs.on_exit, old },
			{ returns.hook, SITE_PAD, skeleton->progs.on_pad, old },
			{ returns.hook, SITE_HANDOVER, skeleton->progs.on_handover, old },
		};

		if (returns.role != SITE_RETURN || has_returns_before(set, i))
			continue;
		for (size_t j = 0; j < sizeof(ends) / sizeof(*ends) && !error; j++)
			error = set->programs->multi ? attach_multi(set, &ends[j], returns.pid, path)
						     : attach_single(set, &ends[j], returns.pid, path);
	}
	if (error) {
		set->plan = old;
		drop_role(set, SITE_ROLES, before);
		return error;
	}
	drop_role(set, SITE_RETURN, 0);
	return 0;
}

void sites__forget_process(struct site_set *set, pid_t pid)
{
	drop_links(set, ALL_HOOKS, pid);
}

void sites__detach(struct site_set *set)
{
	if (!set)
		return;
	drop_links(set, ALL_HOOKS, 0);
	for (size_t i = 0; set->slots && i < set->plan->n_hooks; i++) {
		if (set->slots[i] >= 0)
			set->programs->limbo[set->slots[i]] = true;
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
