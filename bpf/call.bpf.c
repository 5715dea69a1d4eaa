/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Calls: a probe at a function's entry opens a frame, a probe at one of its exits closes it and sends one
 * record. What is read on the way is the hook's compiled expressions; nothing here knows any runtime.
 */
#include "evaluate.h"
#include "frame_ops.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 ring_fill_mark = 1 << 20;

/* Announces a handle, with the name that the state's string holds. Remembers it only if the record found room: else it is announced again. */
static __always_inline void announce(struct thread *thread, const struct hook *hook, struct expr_state *state,
				     const struct handle_key *key, __u64 parent)
{
	struct wire_handle *record = reserve(sizeof(*record), LOSS_RING_FULL_OTHER);
	__u64 *to, *from;
	__u8 one = 1;

	if (!record)
		return;
	fill_header(&record->header, WIRE_HANDLE, sizeof(*record), bpf_ktime_get_ns(), &thread->process);
	record->handle = key->handle;
	record->parent = parent;
	record->hook = hook->id;
	record->flags = state->has_string ? WIRE_NAME_KNOWN : 0;
	if (state->string_truncated)
		record->flags |= WIRE_NAME_TRUNCATED;
	record->name_length = state->has_string ? state->string_length : 0;
	to = (__u64 *)record->name;
	from = (__u64 *)state->string;
	for (int i = 0; i < WIRE_NAME_MAX / 8; i++)
		to[i] = state->has_string ? from[i] : 0;
	submit(record);
	if (bpf_map_update_elem(&handles, key, &one, BPF_ANY))
		count_loss(LOSS_HANDLE_MEMORY);
}

/* Makes sure that the handle is known to user space. fresh: it was made just now, whatever stood at this address before. */
SEPARATE int see_handle(struct thread *thread, struct hook *hook, __u64 handle, __u64 parent, bool fresh)
{
	struct handle_key key = { .handle = handle };
	struct expr_state *state;

	if (!thread || !hook)
		return 0;
	state = &thread->state;
	key.process = thread->process;
	key.group = hook->group;
	if (!fresh && bpf_map_lookup_elem(&handles, &key))
		return 0;
	if (hook->name.length)
		evaluate(state, hook, hook->name.start, hook->name.length);
	else
		state->has_string = 0;
	announce(thread, hook, state, &key, parent);
	return 0;
}

/* Closes what has vanished and looks whether an open call of the same kind encloses the new one. Returns -1: no room, -2: nested, else a free slot. */
SEPARATE int find_slot(struct thread *thread, struct hook *hook, __u64 sp, __u64 now)
{
	int free_slot = -1, nested = 0;

	if (!thread || !hook)
		return -1;
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if (!(frame->flags & FRAME_OPEN)) {
			free_slot = i;
			continue;
		}
		if (frame->sp == sp) {
			close_frame(&thread->process, frame, now, WIRE_UNWOUND | WIRE_LATE);
			free_slot = i;
		} else if (frame->sp < sp) {
			if (same_stack(sp, frame->sp) == STACK_SAME) {
				close_frame(&thread->process, frame, now, WIRE_UNWOUND | WIRE_LATE);
				free_slot = i;
			} else {
				frame->flags |= FRAME_SUSPECT;
			}
		} else if (frame->group == hook->group && frame->means == hook->means && !(frame->flags & FRAME_SUSPECT)) {
			nested |= same_stack(sp, frame->sp) != STACK_OTHER;
		}
	}
	if (nested) {
		count_loss(LOSS_NESTED);
		return -2;
	}
	if (free_slot < 0)
		count_loss(LOSS_FRAME_DEPTH);
	return free_slot;
}

static __always_inline void take_values(struct frame *frame, const struct expr_state *state)
{
	for (int i = 0; i < VALUES; i++) {
		if (state->known & (1U << i))
			frame->values[i] = state->values[i];
	}
	frame->known |= (__u8)state->known;
}

static __always_inline int released(struct pt_regs *regs, struct hook *hook, struct thread *thread, __u64 sp)
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

SEC("uprobe")
int on_entry(struct pt_regs *regs)
{
	__u64 cookie = bpf_get_attach_cookie(regs), sp = regs->sp + (__u64)(__s64)SITE_OFFSET(cookie);
	__u32 index = SITE_HOOK(cookie);
	struct hook *hook = bpf_map_lookup_elem(&hooks, &index);
	struct expr_state *state;
	struct thread *thread;
	struct frame *frame;
	int slot = 0;

	if (!hook || !hook->id) {
		count_loss(LOSS_SITE);
		return 0;
	}
	thread = thread_get();
	if (!thread)
		return 0;
	state = &thread->state;
	if (hook->means != HOOK_FREE) {
		slot = find_slot(thread, hook, sp, bpf_ktime_get_ns());
		if (slot < 0)
			return 0;
	}
	fill_args(state, regs, sp);
	state->base = regs->ip - hook->entry_vaddr;
	if (hook->means == HOOK_FREE)
		return released(regs, hook, thread, sp);

	frame = &thread->frames[slot & (FRAMES_MAX - 1)];
	frame->sp = sp;
	frame->base = state->base;
	frame->hook_index = index;
	frame->hook = hook->id;
	frame->group = hook->group;
	frame->means = hook->means;
	frame->known = 0;
	for (int i = 0; i < VALUES; i++)
		frame->values[i] = 0;
	evaluate(state, hook, hook->entry.start, hook->entry.length);
	take_values(frame, state);
	for (int i = 0; i < EXPR_SAVED_MAX; i++)
		frame->saved[i] = state->saved[i];
	if (!(hook->flags & HOOK_NAME_AT_EXIT) && (frame->known & (1U << VALUE_HANDLE)))
		see_handle(thread, hook, frame->values[VALUE_HANDLE],
			   frame->known & (1U << VALUE_PARENT) ? frame->values[VALUE_PARENT] : 0,
			   hook->means != HOOK_CALL);
	frame->flags = FRAME_OPEN;
	frame->start_ns = bpf_ktime_get_ns(); /* last: our own work is not the call's */
	return 0;
}

/* The frame of this hook at sp; -1: none. */
static __always_inline int frame_at(struct thread *thread, __u32 hook, __u64 sp)
{
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if ((frame->flags & FRAME_OPEN) && frame->hook == hook && frame->sp == sp)
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

		if ((frame->flags & FRAME_OPEN) && frame->hook == hook && frame->sp >= sp && frame->sp < nearest)
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

		if ((frame->flags & FRAME_OPEN) && frame->group == hook->group && frame->means == hook->means &&
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
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if ((frame->flags & FRAME_OPEN) && frame->sp < sp && same_stack(sp, frame->sp) == STACK_SAME)
			close_frame(&thread->process, frame, now, WIRE_UNWOUND | WIRE_LATE);
	}
	return 0;
}

SEC("uprobe")
int on_exit(struct pt_regs *regs)
{
	__u64 now = bpf_ktime_get_ns(), cookie = bpf_get_attach_cookie(regs), sp;
	__u32 index = SITE_HOOK(cookie), tid = (__u32)bpf_get_current_pid_tgid();
	struct hook *hook = bpf_map_lookup_elem(&hooks, &index);
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	struct expr_state *state;
	struct frame *frame;
	__u16 means;
	int slot;

	if (!hook || !hook->id) {
		count_loss(LOSS_SITE);
		return 0;
	}
	if (!thread) {
		count_loss(LOSS_EXIT_UNMATCHED);
		return 0;
	}
	slot = find_frame(thread, hook, regs->sp, regs->bp, cookie);
	if (slot < 0)
		return 0;
	frame = &thread->frames[slot & (FRAMES_MAX - 1)];
	sp = frame->sp;
	frame->flags = 0;
	close_inner(thread, sp, now);

	state = &thread->state;
	fill_args(state, regs, sp);
	state->base = frame->base;
	for (int i = 0; i < EXPR_SAVED_MAX; i++)
		state->saved[i] = frame->saved[i];
	if (hook->exit.length) {
		evaluate(state, hook, hook->exit.start, hook->exit.length);
		take_values(frame, state);
	}
	means = hook->means;
	if ((means == HOOK_LOAD || means == HOOK_DERIVE) && hook->flags & HOOK_NAME_AT_EXIT &&
	    frame->known & (1U << VALUE_HANDLE) && frame->values[VALUE_HANDLE])
		see_handle(thread, hook, frame->values[VALUE_HANDLE],
			   frame->known & (1U << VALUE_PARENT) ? frame->values[VALUE_PARENT] : 0, true);
	if (means == HOOK_CALL && !(frame->known & (1U << VALUE_HANDLE)))
		count_loss(LOSS_NO_HANDLE);
	if (means == HOOK_CALL || means == HOOK_LOAD)
		emit_call(&thread->process, frame, now, 0);
	return 0;
}

/* The function's own landing pad: an exception leaves it. */
SEC("uprobe")
int on_pad(struct pt_regs *regs)
{
	__u64 cookie = bpf_get_attach_cookie(regs);
	__u32 index = SITE_HOOK(cookie), tid = (__u32)bpf_get_current_pid_tgid();
	struct hook *hook = bpf_map_lookup_elem(&hooks, &index);
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	int slot;

	if (!hook || !hook->id || !thread)
		return 0;
	slot = find_frame(thread, hook, regs->sp, regs->bp, cookie);
	if (slot >= 0)
		close_frame(&thread->process, &thread->frames[slot & (FRAMES_MAX - 1)], bpf_ktime_get_ns(), WIRE_UNWOUND);
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

	if (!thread)
		return 0;
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct frame *frame = &thread->frames[i];

		if ((frame->flags & FRAME_OPEN) && sp >= frame->sp && same_stack(sp, frame->sp) != STACK_OTHER)
			close_frame(&thread->process, frame, bpf_ktime_get_ns(), WIRE_UNWOUND);
	}
	return 0;
}
