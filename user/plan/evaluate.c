/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plan/evaluate.h"

#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

struct reader {
	evaluate_read_fn *read;
	void *context;
};

static int read_bytes(struct reader *reader, void *to, size_t n, uint64_t address)
{
	/* What would wrap round the end of the address space is nothing. */
	return address + n < address ? -1 : reader->read(reader->context, to, n, address);
}

/* Like the kernel's bpf_probe_read_user_str, by pieces that cannot cross into an unmapped page before the NUL. */
static long read_string(struct reader *reader, char *to, size_t size, uint64_t address)
{
	size_t n = 0;

	while (n < size) {
		size_t piece = 64 - (address + n) % 64;
		char *end;

		if (piece > size - n)
			piece = size - n;
		if (read_bytes(reader, to + n, piece, address + n))
			return -1;
		end = memchr(to + n, '\0', piece);
		if (end)
			return end - to + 1;
		n += piece;
	}
	to[size - 1] = '\0';
	return (long)size;
}

#define EXPR_READ(context, dst, size, address)	      read_bytes(context, dst, size, address)
#define EXPR_READ_STRING(context, dst, size, address) read_string(context, dst, size, address)
#include "expr_eval.h"

unsigned int evaluate__run(struct expr_state *state, const struct hook *hook, const struct hook_program *program,
			   evaluate_read_fn *read, void *context)
{
	struct reader reader = { .read = read, .context = context };
	unsigned int steps = 0;

	state->known = 0;
	expr__begin(state, program->start);
	while (steps < EXPR_STEPS_MAX) {
		steps++;
		if (expr__step(state, &reader, hook->ops, (uint32_t)program->start + program->length))
			break;
	}
	return steps;
}

int evaluate__read_process(void *context, void *to, size_t n, uint64_t address)
{
	struct iovec here = { .iov_base = to, .iov_len = n },
		     there = { .iov_base = (void *)(uintptr_t)address, .iov_len = n };

	return process_vm_readv(*(const pid_t *)context, &here, 1, &there, 1, 0) == (ssize_t)n ? 0 : -1;
}
