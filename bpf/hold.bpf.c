/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * `infermeter run`: our own child, and its children, stop when they have mapped executable code from a file,
 * until user space has put its probes in; so that the first call of a program that lives a moment counts.
 * A process that we did not start is never stopped: it is not in `wanted`. Loaded only for `run`.
 */
#include "emit.h"
#include "maps.h"

#define SIGSTOP	      19
#define PROT_EXEC     4
#define MAP_ANONYMOUS 0x20
#define SYS_MMAP      9 /* x86-64; a 32-bit program's mmap is not held, nor any of its runtimes known */

/* Stops the current process on its way back to user space, and says so at once. */
static __always_inline void stop(void)
{
	struct wire_life *record = reserve(sizeof(*record), LOSS_RING_FULL_OTHER);
	struct wire_process process;

	if (!record) /* nobody would wake it */
		return;
	this_process(&process);
	fill_header(&record->header, WIRE_HELD, sizeof(*record), bpf_ktime_get_ns(), &process);
	bpf_send_signal(SIGSTOP);
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(hold_mmap, struct pt_regs *regs, long result)
{
	if (regs->orig_ax != SYS_MMAP || !is_wanted((__u32)(bpf_get_current_pid_tgid() >> 32)))
		return 0;
	if ((regs->dx & PROT_EXEC) && !(regs->r10 & MAP_ANONYMOUS) && (unsigned long)result < -4095UL)
		stop();
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(hold_exec, struct task_struct *task)
{
	if (is_wanted((__u32)task->tgid))
		stop();
	return 0;
}
