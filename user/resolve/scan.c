/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Searches over all code of a file, by byte patterns and not by decoding: some tens of megabytes must take
 * milliseconds. A hit is a candidate; that its displacement meets a wanted address by chance is one in billions.
 */
#include "resolve/code.h"

struct references {
	const uint64_t *targets;
	uint64_t lowest, highest;
	int n;
	code_fn *fn;
	void *context;
};

static bool wanted(const struct references *references, uint64_t target)
{
	if (target < references->lowest || target > references->highest)
		return false;
	for (int i = 0; i < references->n; i++)
		if (references->targets[i] == target)
			return true;
	return false;
}

/* lea disp(%rip), %reg: 48|4c 8d, then a byte with mod 00 and r/m 101, then the displacement. */
static bool scan_lea(const struct elf_file *elf, const struct elf_segment *segment, const struct references *references)
{
	const uint8_t *bytes = elf->data + segment->offset, *end = bytes + segment->size, *at;

	for (at = bytes + 1; end - at >= 6 && (at = memchr(at, 0x8d, end - at - 5)); at++) {
		uint64_t vaddr, target;

		if ((at[-1] & 0xfb) != 0x48 || (at[1] & 0xc7) != 0x05)
			continue;
		vaddr = segment->vaddr + (at - 1 - bytes);
		target = vaddr + 7 + (int64_t)load_s32(at + 2);
		if (wanted(references, target) && !references->fn(references->context, vaddr, target))
			return false;
	}
	return true;
}

/* mov $imm32, %reg: b8..bf (with 41 for the upper registers, which need not be looked at), imm32. */
static bool scan_mov(const struct elf_file *elf, const struct elf_segment *segment, const struct references *references)
{
	const uint8_t *bytes = elf->data + segment->offset, *end = bytes + segment->size;

	for (const uint8_t *at = bytes; end - at >= 5; at++) {
		uint64_t target;

		if ((*at & 0xf8) != 0xb8)
			continue;
		target = load_u32(at + 1);
		if (wanted(references, target) &&
		    !references->fn(references->context, segment->vaddr + (at - bytes), target))
			return false;
	}
	return true;
}

void code__find_references(const struct elf_file *elf, const uint64_t *targets, int n, code_fn *fn, void *context)
{
	struct references references = {
		.targets = targets,
		.n = n,
		.lowest = UINT64_MAX,
		.fn = fn,
		.context = context,
	};

	for (int i = 0; i < n; i++) {
		references.lowest = targets[i] < references.lowest ? targets[i] : references.lowest;
		references.highest = targets[i] > references.highest ? targets[i] : references.highest;
	}
	for (int i = 0; i < elf->n_segments; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (!(segment->flags & PF_X))
			continue;
		if (!scan_lea(elf, segment, &references))
			return;
		if (elf->fixed && !scan_mov(elf, segment, &references))
			return;
	}
}

void code__find_jumps(const struct elf_file *elf, uint64_t low, uint64_t high, code_fn *fn, void *context)
{
	for (int i = 0; i < elf->n_segments; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		const uint8_t *bytes = elf->data + segment->offset;

		if (!(segment->flags & PF_X))
			continue;
		for (uint64_t at = 0; at + 6 <= segment->size; at++) {
			int opcode = bytes[at] == 0xe9					   ? 1
				     : bytes[at] == 0x0f && (bytes[at + 1] & 0xf0) == 0x80 ? 2
											   : 0;
			uint64_t target;

			if (!opcode)
				continue;
			target = segment->vaddr + at + opcode + 4 + (int64_t)load_s32(bytes + at + opcode);
			if (target >= low && target < high && !fn(context, segment->vaddr + at, target))
				return;
		}
	}
}
