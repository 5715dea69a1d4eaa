/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Records into the ring, without waking the reader: it drains on a timer, unless the ring is half full. */
#ifndef INFERMETER_EMIT_H
#define INFERMETER_EMIT_H

#include "maps.h"

extern const volatile __u64 ring_fill_mark; /* bytes of unread data at which the reader is woken */

static __always_inline void *reserve(__u32 size, __u32 loss)
{
	void *record = bpf_ringbuf_reserve(&ring, size, 0);

	if (!record)
		count_loss(loss);
	return record;
}

static __always_inline void fill_header(struct wire_header *header, __u16 tag, __u16 length, __u64 now,
					const struct wire_process *process)
{
	header->tag = tag;
	header->length = length;
	header->tid = (__u32)bpf_get_current_pid_tgid();
	header->time_ns = now;
	header->process = *process;
}

static __always_inline void submit(void *record)
{
	__u64 unread = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_submit(record, unread >= ring_fill_mark ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

/* The end of a call. */
SEPARATE int emit_call(struct thread *thread, struct frame *frame, __u64 now, __u32 flags)
{
	struct wire_call *call;

	if (!thread || !frame)
		return 0;
	call = reserve(sizeof(*call), LOSS_RING_FULL);
	if (!call)
		return 0;
	fill_header(&call->header, frame->means == HOOK_LOAD ? WIRE_LOAD : WIRE_CALL, sizeof(*call), now,
		    &thread->process);
	call->duration_ns = now - frame->start_ns;
	call->hook = frame->hook;
	call->flags = (__u16)flags;
	call->known = frame->known;
	for (int i = 0; i < VALUES; i++)
		call->values[i] = frame->values[i];
	submit(call);
	return 0;
}

#endif
