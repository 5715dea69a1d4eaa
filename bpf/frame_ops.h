/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The open calls of a thread. They are told apart by the stack pointer at the function's first
 * instruction, which no two live calls of one stack share. A thread can have several stacks (coroutines),
 * so that "higher than" says that a deeper call has ended only on one and the same stack.
 */
#ifndef INFERMETER_FRAME_OPS_H
#define INFERMETER_FRAME_OPS_H

#include "emit.h"
#include "maps.h"

static struct thread zero_thread; /* too large for the stack; never written */

/* The thread's memory, made at its first call. NULL: the process is not watched, or no room, which is counted. */
static __always_inline struct thread *thread_get(void)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 tid = (__u32)pid_tgid;
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	struct wire_process process;

	if (thread)
		return thread;
	if (!is_wanted((__u32)(pid_tgid >> 32)))
		return NULL;
	bpf_map_update_elem(&threads, &tid, &zero_thread, BPF_NOEXIST);
	thread = bpf_map_lookup_elem(&threads, &tid);
	if (!thread) {
		count_loss(LOSS_FRAME_MEMORY);
		return NULL;
	}
	this_process(&process);
	thread->process = process;
	bpf_map_update_elem(&processes, &process.tgid, &process, BPF_ANY);
	return thread;
}

struct area {
	__u64 start, end;
};

static long note_area(struct task_struct *task, struct vm_area_struct *vma, void *context)
{
	struct area *area = context;

	area->start = vma->vm_start;
	area->end = vma->vm_end;
	return 0;
}

enum same_stack { STACK_OTHER, STACK_MAYBE, STACK_SAME };

#define COROUTINE_DEPTH (32 << 10) /* bytes between two calls on a small stack; stacks side by side are further apart */

/*
 * Are two stack pointers on one stack? Surely, if both lie in the mapping of the thread's own stack: the main
 * thread's, or below the thread's control block (fsbase), which tops the stack of every other thread, as C libraries
 * lay it out. (The main thread's lies in a mapping that can grow together with any other: malloc'd stacks of
 * coroutines.) Elsewhere one mapping can hold many stacks, and only distance tells.
 */
SEPARATE int same_stack(__u64 one, __u64 two)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct area area = {};
	__u64 fs = task->thread.fsbase, main_stack = 0;

	if (bpf_find_vma(task, one, note_area, &area, 0))
		return STACK_MAYBE; /* the mappings are being changed: not now */
	if (two < area.start || two >= area.end)
		return STACK_OTHER;
	if (task->mm)
		main_stack = task->mm->start_stack;
	if (main_stack >= area.start && main_stack < area.end)
		return STACK_SAME;
	if (task->pid != task->tgid && fs >= area.start && fs < area.end && one < fs && two < fs)
		return STACK_SAME;
	return (one < two ? two - one : one - two) <= COROUTINE_DEPTH ? STACK_MAYBE : STACK_OTHER;
}

/* Ends a frame that will see no exit of its own. */
SEPARATE int close_frame(struct thread *thread, __u32 index, __u64 now, __u32 flags)
{
	struct frame *frame;
	__u16 means;

	if (!thread)
		return 0;
	index &= FRAMES_MAX - 1;
	frame = &thread->frames[index];
	means = frame->means;
	thread->open &= ~(1U << index);
	count_loss(flags & WIRE_ABANDONED ? LOSS_ABANDONED : LOSS_UNWOUND);
	if (means == HOOK_CALL || means == HOOK_LOAD)
		emit_call(thread, frame, now, flags);
	return 0;
}

#endif
