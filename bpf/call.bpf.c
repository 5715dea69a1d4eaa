/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Calls: a probe at a function's entry opens a frame, a probe at one of its exits closes it and sends one
 * record. What is read on the way is the hook's compiled expressions; nothing here knows any runtime.
 */
#include "evaluate.h"
#include "frame_ops.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 ring_fill_mark = 1 << 20;
const volatile bool filtered = false;

/*
 * Counts, over the whole host, the handles that were freed or made anew. A thread that finds it unchanged knows that the
 * handle which it saw last is still the same: it is raised after the handle has left the map, and read before the map is.
 */
__u64 handle_epoch;

/* Announces a handle with its name. Remembers it only if the record found room: else it is announced again. */
static __always_inline bool announce(struct thread *thread, struct hook *hook, const struct handle_key *key,
				     __u64 parent)
{
	struct expr_state *state = &thread->state;
	struct wire_handle *record;
	__u64 *to, *from;
	__u32 known = state->known; /* values of the call at hand, which the name's program must not change */
	__u8 one = 1;

	state->has_string = 0;
	if (hook->name.length)
		evaluate(state, hook, hook->name.start, hook->name.length);
	state->known = known;
	record = reserve(sizeof(*record), LOSS_RING_FULL_OTHER);
	if (!record)
		return false;
	fill_header(&record->header, WIRE_HANDLE, sizeof(*record), bpf_ktime_get_ns(), &thread->process);
	record->handle = key->handle;
	record->parent = parent;
	record->hook = hook->id;
	record->flags = state->has_string ? WIRE_NAME_KNOWN : 0;
	if (state->has_string && state->string_truncated)
		record->flags |= WIRE_NAME_TRUNCATED;
	record->name_length = state->has_string ? state->string_length : 0;
	to = (__u64 *)record->name;
	from = (__u64 *)state->string;
	for (int i = 0; i < WIRE_NAME_MAX / 8; i++)
		to[i] = state->has_string ? from[i] : 0;
	submit(record);
	if (bpf_map_update_elem(&handles, key, &one, BPF_ANY)) {
		count_loss(LOSS_HANDLE_MEMORY);
		return false;
	}
	return true;
}

/* Makes sure that user space knows the handle of the call whose values the state holds. fresh: it was made just now, whatever stood at this address before. */
SEPARATE int see_handle(struct thread *thread, struct hook *hook, bool fresh)
{
	struct handle_key key = {};
	struct expr_state *state;
	__u64 parent, epoch;

	if (!thread || !hook)
		return 0;
	state = &thread->state;
	key.handle = state->values[VALUE_HANDLE];
	key.process = thread->process;
	key.group = hook->group;
	parent = state->known & (1U << VALUE_PARENT) ? state->values[VALUE_PARENT] : 0;
	if (fresh)
		__sync_fetch_and_add(&handle_epoch, 1);
	epoch = *(volatile __u64 *)&handle_epoch;
	if (!fresh && bpf_map_lookup_elem(&handles, &key)) {
		thread->seen_handle = key.handle;
		thread->seen_group = key.group;
		thread->seen_epoch = epoch;
		return 0;
	}
	announce(thread, hook, &key, parent);
	return 0;
}

static __always_inline bool seen_last(const struct thread *thread, const struct hook *hook, __u64 handle)
{
	return handle == thread->seen_handle && hook->group == thread->seen_group &&
	       thread->seen_epoch == *(volatile __u64 *)&handle_epoch;
}

/* Closes what has vanished and looks whether an open call of the same kind encloses the new one. Returns whether one does. */
SEPARATE int clear_way(struct thread *thread, struct hook *hook, __u64 sp)
{
	__u64 now = bpf_ktime_get_ns();
	int nested = 0;

	if (!thread || !hook)
		return 0;
	UNROLLED
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if (!(thread->open & (1U << i)))
			continue;
		if (frame->sp == sp) {
			close_frame(thread, i, now, WIRE_UNWOUND | WIRE_LATE);
		} else if (frame->sp < sp) {
			if (same_stack(sp, frame->sp) == STACK_SAME)
				close_frame(thread, i, now, WIRE_UNWOUND | WIRE_LATE);
			else
				frame->flags |= FRAME_SUSPECT;
		} else if (frame->group == hook->group && frame->means == hook->means &&
			   !(frame->flags & FRAME_SUSPECT)) {
			nested |= same_stack(sp, frame->sp) != STACK_OTHER;
		}
	}
	if (nested)
		count_loss(LOSS_NESTED);
	return nested;
}

/* A free frame's index; -1: none, which is counted. */
static __always_inline int free_slot(struct thread *thread)
{
	if (!(thread->open & 1))
		return 0;
	for (int i = 1; i < FRAMES_MAX; i++) {
		if (!(thread->open & (1U << i)))
			return i;
	}
	count_loss(LOSS_FRAME_DEPTH);
	return -1;
}

static __always_inline int released(struct hook *hook, struct thread *thread)
{
	struct expr_state *state = &thread->state;
	struct handle_key key = { .process = thread->process, .group = hook->group };
	struct wire_free *record;

	evaluate(state, hook, hook->entry.start, hook->entry.length);
	if (!(state->known & (1U << VALUE_HANDLE)))
		return 0;
	key.handle = state->values[VALUE_HANDLE];
	if (bpf_map_delete_elem(&handles, &key))
		return 0; /* never announced: nothing to take back */
	__sync_fetch_and_add(&handle_epoch, 1);
	record = reserve(sizeof(*record), LOSS_RING_FULL_OTHER);
	if (!record)
		return 0;
	fill_header(&record->header, WIRE_FREE, sizeof(*record), bpf_ktime_get_ns(), &thread->process);
	record->handle = key.handle;
	record->hook = hook->id;
	record->spare = 0;
	submit(record);
	return 0;
}

/* By words: what is copied at each call is copied without a look. */
static __always_inline void copy_values(__u64 *to, const __u64 *from)
{
	for (int i = 0; i < VALUES; i++)
		to[i] = from[i];
}

SEC("uprobe")
int on_entry(struct pt_regs *regs)
{
	__u64 cookie = bpf_get_attach_cookie(regs), sp = regs->sp + (__u64)(__s64)SITE_OFFSET(cookie);
	__u32 index = SITE_HOOK(cookie);
	struct hook *hook = bpf_map_lookup_elem(&hooks, &index);
	struct expr_state *state;
	struct thread *thread;
	struct frame *frame;
	int slot;

	if (!hook || !hook->id) {
		count_loss(LOSS_SITE);
		return 0;
	}
	thread = thread_get();
	if (!thread)
		return 0;
	state = &thread->state;
	if (hook->means != HOOK_FREE && thread->open && clear_way(thread, hook, sp))
		return 0;
	fill_args(state, regs, sp);
	state->base = regs->ip - hook->entry_vaddr;
	state->known = 0;
	if (hook->means == HOOK_FREE)
		return released(hook, thread);
	slot = free_slot(thread);
	if (slot < 0)
		return 0;
	evaluate(state, hook, hook->entry.start, hook->entry.length);
	if (!(hook->flags & HOOK_NAME_AT_EXIT) && (state->known & (1U << VALUE_HANDLE)) &&
	    (hook->means != HOOK_CALL || !seen_last(thread, hook, state->values[VALUE_HANDLE])))
		see_handle(thread, hook, hook->means != HOOK_CALL);

	frame = &thread->frames[slot & (FRAMES_MAX - 1)];
	frame->sp = sp;
	frame->base = state->base;
	frame->hook = hook->id;
	frame->group = hook->group;
	frame->means = hook->means;
	frame->known = (__u8)state->known;
	copy_values(frame->values, state->values);
	copy_values(frame->saved, state->saved);
	frame->flags = 0;
	frame->start_ns = bpf_ktime_get_ns(); /* late: our own work is not the call's */
	thread->open |= 1U << (slot & (FRAMES_MAX - 1)); /* last: from here on user space looks at the frame */
	return 0;
}

/* The frame of this hook at sp; -1: none. */
static __always_inline int frame_at(struct thread *thread, __u32 hook, __u64 sp)
{
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if ((thread->open & (1U << i)) && frame->hook == hook && frame->sp == sp)
			return i;
	}
	return -1;
}

/* The stack pointer of the innermost frame of this hook at or above sp: for an exit whose frame the unwind table does not tell. */
SEPARATE __u64 nearest_above(struct thread *thread, __u32 hook, __u64 sp)
{
	__u64 nearest = ~0ULL;

	if (!thread)
		return nearest;
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if ((thread->open & (1U << i)) && frame->hook == hook && frame->sp >= sp && frame->sp < nearest)
			nearest = frame->sp;
	}
	return nearest;
}

/* Does an open call of the same kind enclose sp? Then the exit there is that of an inner call, which was not counted. */
SEPARATE int is_enclosed(struct thread *thread, struct hook *hook, __u64 sp)
{
	if (!thread || !hook)
		return 0;
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if ((thread->open & (1U << i)) && frame->group == hook->group && frame->means == hook->means &&
		    frame->sp > sp)
			return 1;
	}
	return 0;
}

/* The index of the frame that an exit belongs to; -1: none, which is counted unless the call was an inner one. */
SEPARATE int find_frame(struct thread *thread, struct hook *hook, __u64 at, __u64 bp, __u64 cookie)
{
	__u64 sp;
	int found;

	if (!thread || !hook)
		return -1;
	sp = (SITE_FRAME(cookie) == SITE_FRAME_BP ? bp : at) + (__u64)(__s64)SITE_OFFSET(cookie);
	if (SITE_FRAME(cookie) == SITE_FRAME_UNKNOWN)
		sp = nearest_above(thread, hook->id, at);
	found = frame_at(thread, hook->id, sp);
	if (found < 0 && !is_enclosed(thread, hook, sp))
		count_loss(LOSS_EXIT_UNMATCHED);
	return found;
}

/* Calls that were opened inside the one that ends now, and have not ended: they left by no exit of theirs. */
SEPARATE int close_inner(struct thread *thread, __u64 sp, __u64 now)
{
	if (!thread)
		return 0;
	UNROLLED
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if ((thread->open & (1U << i)) && frame->sp < sp && same_stack(sp, frame->sp) == STACK_SAME)
			close_frame(thread, i, now, WIRE_UNWOUND | WIRE_LATE);
	}
	return 0;
}

SEC("uprobe")
int on_exit(struct pt_regs *regs)
{
	__u64 now = bpf_ktime_get_ns(), cookie = bpf_get_attach_cookie(regs);
	__u32 index = SITE_HOOK(cookie), tid = (__u32)bpf_get_current_pid_tgid();
	struct hook *hook = bpf_map_lookup_elem(&hooks, &index);
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	struct expr_state *state;
	struct frame *frame;
	bool announced;
	__u16 means;
	int slot;

	if (!hook || !hook->id) {
		count_loss(LOSS_SITE);
		return 0;
	}
	if (!thread) {
		if (is_wanted((__u32)(bpf_get_current_pid_tgid() >> 32)))
			count_loss(LOSS_EXIT_UNMATCHED);
		return 0;
	}
	slot = find_frame(thread, hook, regs->sp, regs->bp, cookie);
	if (slot < 0)
		return 0;
	frame = &thread->frames[slot & (FRAMES_MAX - 1)];
	thread->open &= ~(1U << (slot & (FRAMES_MAX - 1)));
	if (thread->open)
		close_inner(thread, frame->sp, now);
	means = hook->means;
	announced = frame->known & (1U << VALUE_HANDLE) && !(hook->flags & HOOK_NAME_AT_EXIT); /* at the entry */
	if (hook->exit.length || hook->flags & HOOK_NAME_AT_EXIT) {
		state = &thread->state;
		fill_result(state, regs);
		state->base = frame->base;
		state->known = frame->known;
		copy_values(state->values, frame->values);
		copy_values(state->saved, frame->saved);
		evaluate(state, hook, hook->exit.start, hook->exit.length);
		frame->known = (__u8)state->known;
		copy_values(frame->values, state->values);
		if ((means == HOOK_LOAD || means == HOOK_DERIVE) && !announced && frame->known & (1U << VALUE_HANDLE) &&
		    frame->values[VALUE_HANDLE])
			see_handle(thread, hook, true);
	}
	if (means == HOOK_CALL && !(frame->known & (1U << VALUE_HANDLE)))
		count_loss(LOSS_NO_HANDLE);
	if (means == HOOK_CALL || means == HOOK_LOAD)
		emit_call(thread, frame, now, 0);
	return 0;
}

/* The frame that the probed instruction belongs to, for probes that end it without an exit; -1: none. */
static __always_inline int frame_here(struct pt_regs *regs, struct thread **thread)
{
	__u64 cookie = bpf_get_attach_cookie(regs);
	__u32 index = SITE_HOOK(cookie), tid = (__u32)bpf_get_current_pid_tgid();
	struct hook *hook = bpf_map_lookup_elem(&hooks, &index);

	*thread = bpf_map_lookup_elem(&threads, &tid);
	if (!hook || !hook->id || !*thread)
		return -1;
	return find_frame(*thread, hook, regs->sp, regs->bp, cookie);
}

/* The function's own landing pad: an exception leaves it. */
SEC("uprobe")
int on_pad(struct pt_regs *regs)
{
	struct thread *thread;
	int slot = frame_here(regs, &thread);

	if (slot >= 0)
		close_frame(thread, slot, bpf_ktime_get_ns(), WIRE_UNWOUND);
	return 0;
}

/* A jump to another hook's function, on the same stack: that hook's entry opens the frame that counts. */
SEC("uprobe")
int on_handover(struct pt_regs *regs)
{
	struct thread *thread;
	int slot = frame_here(regs, &thread);

	if (slot < 0 || !thread)
		return 0;
	thread->open &= ~(1U << (slot & (FRAMES_MAX - 1)));
	return 0;
}

/*
 * __cxa_begin_catch: the landing pad that calls it stands in a frame above everything that the exception
 * left. A frame of ours whose sp is at or below the catcher's is gone; one above it holds the catcher.
 */
SEC("uprobe")
int on_caught(struct pt_regs *regs)
{
	__u64 cookie = bpf_get_attach_cookie(regs), sp = regs->sp + (__u64)(__s64)SITE_OFFSET(cookie);
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (!thread || !thread->open)
		return 0;
	UNROLLED
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if ((thread->open & (1U << i)) && sp >= frame->sp && same_stack(sp, frame->sp) != STACK_OTHER)
			close_frame(thread, i, bpf_ktime_get_ns(), WIRE_UNWOUND);
	}
	return 0;
}
