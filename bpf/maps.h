/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The maps, shared by all programs (weak: the linker makes one of each). Sizes that user space sets at open are marked. */
#ifndef INFERMETER_MAPS_H
#define INFERMETER_MAPS_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "frame.h"
#include "wire.h"

/* Records to user space. User space sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 << 20);
} ring SEC(".maps") __weak;

/* What sites mean; user space fills an entry before it attaches the hook's sites. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HOOKS_MAX);
	__type(key, __u32);
	__type(value, struct hook);
} hooks SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, THREADS_MAX);
	__type(key, __u32); /* tid */
	__type(value, struct thread);
} threads SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HANDLES_MAX);
	__type(key, struct handle_key);
	__type(value, __u8);
} handles SEC(".maps") __weak;

/* Processes that called a hook: whose exec and exit are worth a record. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, THREADS_MAX);
	__type(key, __u32); /* tgid */
	__type(value, struct wire_process);
} processes SEC(".maps") __weak;

/* With a filter (--pid, run): the processes that are watched. A probe stands in the file, so others fire it too. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, THREADS_MAX);
	__type(key, __u32); /* tgid */
	__type(value, __u8);
} wanted SEC(".maps") __weak;

extern const volatile bool filtered;

/* enum wire_loss, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_KINDS);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps") __weak;

/*
 * A function that the verifier checks once, by itself, and not at every call with every state: what keeps the
 * programs' load time low. Its pointers can be NULL as far as the verifier knows. Weak: the linker keeps one.
 */
#define SEPARATE __weak __noinline

/* A loop that calls such a function. Verifiers before 6.9 take what follows the call for a back edge where a branch skips it. */
#define UNROLLED _Pragma("unroll")

static __always_inline void count_loss(__u32 kind)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &kind);

	/* Programs of uprobes can be preempted by others on the same CPU: a plain ++ could lose one. */
	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline bool is_wanted(__u32 tgid)
{
	return !filtered || bpf_map_lookup_elem(&wanted, &tgid);
}

/* The current process's instance. */
static __always_inline void this_process(struct wire_process *process)
{
	struct task_struct *leader = bpf_get_current_task_btf()->group_leader;

	process->tgid = leader->tgid;
	process->exec_id = (__u32)leader->self_exec_id;
	process->start_ns = leader->start_boottime;
}

#endif
