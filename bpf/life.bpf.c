/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Threads and processes that called a hook: their end, and exec, which makes another program of them. */
#include "frame_ops.h"

/* Ends what the thread has open, and forgets the thread. */
SEPARATE int end_thread(__u32 tid)
{
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	__u64 now = bpf_ktime_get_ns();

	if (!thread)
		return 0;
	UNROLLED
	for (int i = 0; i < FRAMES_MAX; i++) {
		/* A suspect frame had vanished long before the thread did. */
		if (thread->open & (1U << i))
			close_frame(thread, i, now,
				    thread->frames[i].flags & FRAME_SUSPECT ? WIRE_UNWOUND | WIRE_LATE
									    : WIRE_ABANDONED);
	}
	bpf_map_delete_elem(&threads, &tid);
	return 0;
}

static __always_inline void end_process(__u32 tgid, __u16 tag)
{
	struct wire_process *known = bpf_map_lookup_elem(&processes, &tgid), process;
	struct wire_life *record;

	if (!known)
		return;
	process = *known;
	bpf_map_delete_elem(&processes, &tgid);
	record = reserve(sizeof(*record), LOSS_RING_FULL_OTHER);
	if (!record)
		return;
	fill_header(&record->header, tag, sizeof(*record), bpf_ktime_get_ns(), &process);
	submit(record);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_thread_exit, struct task_struct *task)
{
	end_thread((__u32)task->pid);
	/* signal->live was counted down before this tracepoint: 0 in the last thread. */
	if (task->signal->live.counter == 0) {
		__u32 tgid = (__u32)task->tgid;

		end_process(tgid, WIRE_EXIT);
		if (filtered)
			bpf_map_delete_elem(&wanted, &tgid);
	}
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_tid)
{
	/* A thread that is not the leader takes the leader's tid in exec. */
	end_thread((__u32)old_tid);
	if (old_tid != task->pid)
		end_thread((__u32)task->pid);
	end_process((__u32)task->tgid, WIRE_EXEC);
	return 0;
}

/* Loaded only with a filter: children of watched processes are watched. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = (__u32)child->tgid;
	__u8 one = 1;

	if (parent->tgid != child->tgid && is_wanted((__u32)parent->tgid))
		bpf_map_update_elem(&wanted, &tgid, &one, BPF_ANY);
	return 0;
}
