/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The kernel's evaluator, run over one state on request: evaluator_live.c holds it against user space's. */
#include "evaluate.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct vector {
	struct hook hook;
	struct expr_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vector);
} vectors SEC(".maps");

SEC("syscall")
int run_vector(void *context)
{
	__u32 zero = 0;
	struct vector *vector = bpf_map_lookup_elem(&vectors, &zero);

	if (vector)
		evaluate(&vector->state, &vector->hook, vector->hook.entry.start, vector->hook.entry.length);
	return 0;
}
