/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/split.h"

#include "hook.h"
#include "resolve/body.h"
#include "resolve/code.h"
#include "resolve/noreturn.h"
#include "resolve/symbol.h"

#define INSTRUCTIONS_MAX 8192
#define OWNERS_MAX	 8

static bool at_entry_state(const struct elf_file *elf, const struct fde *fde, uint64_t vaddr)
{
	int32_t offset;

	return unwind__frame(elf, fde, vaddr, &offset) == SITE_FRAME_SP && offset == 0;
}

static bool named_cold(const struct elf_file *elf, uint64_t vaddr)
{
	struct symbol symbol;

	return elf->symtab.data && symbol__at(elf, vaddr, false, &symbol) && strstr(symbol.name, ".cold");
}

/* The function into whose inside this piece of code jumps first (or wanted, if it does so anywhere): parts jump back, functions do not. */
static uint64_t jumps_inside(const struct elf_file *elf, const struct fde *fde, const struct fde *wanted)
{
	uint64_t at = fde->start, end = fde->start + fde->size;
	struct fde other;
	struct code code;

	for (int i = 0; i < INSTRUCTIONS_MAX && at < end && code__at(elf, at, &code); i++, at += code.length) {
		if ((code.kind != CODE_JMP && code.kind != CODE_JCC) || code.target - fde->start < fde->size)
			continue;
		if (wanted) {
			if (code.target > wanted->start && code.target - wanted->start < wanted->size)
				return wanted->start;
			continue;
		}
		/* Into the middle, with the same frame as here: not a stub, which has an unwind entry for the lot of them. */
		if (code__follow_stub(elf, code.target, NULL) != code.target ||
		    !unwind__find(elf, code.target, &other) || other.start == code.target)
			continue;
		return other.start;
	}
	return 0;
}

enum split split__is_part(const struct elf_file *elf, uint64_t owner, const struct fde *from, uint64_t vaddr,
			  bool clean, uint64_t target, struct fde *part)
{
	int32_t here, there;
	struct fde main;
	int frame;

	if (!clean && target == from->start + from->size)
		return SPLIT_NOWHERE;
	if (code__follow_stub(elf, target, NULL) != target)
		return clean || !from->then.data ? SPLIT_OTHER : SPLIT_UNCLEAR;
	if (!unwind__find(elf, target, part))
		return clean || !from->then.data ? SPLIT_OTHER : SPLIT_UNCLEAR;
	if (!clean) {
		/* Whoever goes on there must find the frame where it is here. */
		frame = unwind__frame(elf, from, vaddr, &here);
		if (from->then.data && (frame != unwind__frame(elf, part, target, &there) || here != there))
			return SPLIT_UNCLEAR;
		return from->then.data || target != part->start ? SPLIT_PART : SPLIT_OTHER;
	}
	if (!at_entry_state(elf, part, target))
		return SPLIT_UNCLEAR; /* the frame is gone here, but expected there */
	/* Functions are not entered in the middle; and of what never comes back it makes no difference whose it is. */
	if (target != part->start || named_cold(elf, target) || !noreturn__code_returns(elf, target))
		return SPLIT_PART;
	if (unwind__find(elf, owner, &main) && jumps_inside(elf, part, &main))
		return SPLIT_PART;
	return SPLIT_OTHER;
}

struct jumpers {
	const struct elf_file *elf;
	uint64_t low, high, owner;
};

static bool note_jumper(void *context, uint64_t vaddr, uint64_t target)
{
	struct jumpers *jumpers = context;
	struct fde fde;

	(void)target;
	if (!unwind__find(jumpers->elf, vaddr, &fde) || (vaddr >= jumpers->low && vaddr < jumpers->high))
		return true;
	jumpers->owner = fde.start;
	return false;
}

struct pads {
	uint64_t low, high, owner;
	const struct elf_file *elf;
	uint64_t looking_at;
};

static bool pad_inside(void *context, const struct landing *landing)
{
	struct pads *pads = context;

	if (landing->pad < pads->low || landing->pad >= pads->high)
		return true;
	pads->owner = pads->looking_at;
	return false;
}

static bool has_pad_inside(void *context, const struct fde *fde)
{
	struct pads *pads = context;

	pads->looking_at = fde->start;
	if (fde->start != pads->low)
		unwind__each_landing(pads->elf, fde, pad_inside, pads);
	return !pads->owner;
}

static bool jumps_to(const struct elf_file *elf, const struct fde *fde, uint64_t target)
{
	uint64_t at = fde->start, end = fde->start + fde->size;
	struct code code;

	for (int i = 0; i < INSTRUCTIONS_MAX && at < end && code__at(elf, at, &code); i++, at += code.length)
		if ((code.kind == CODE_JMP || code.kind == CODE_JCC) && code.target == target)
			return true;
	return false;
}

/*
 * A function starts with the return address on top. What begins with a frame is a part; so is what is named so, or what another
 * function jumps to whose inside it jumps back to.
 */
static bool looks_split(const struct elf_file *elf, const struct fde *fde)
{
	struct fde other;
	uint64_t back;

	if (!at_entry_state(elf, fde, fde->start) || named_cold(elf, fde->start))
		return true;
	back = jumps_inside(elf, fde, NULL);
	return back && unwind__find(elf, back, &other) && jumps_to(elf, &other, fde->start);
}

static uint64_t owner_of_part(const struct elf_file *elf, const struct fde *fde)
{
	struct jumpers jumpers = { .elf = elf, .low = fde->start, .high = fde->start + fde->size };
	struct pads pads = { .elf = elf, .low = jumpers.low, .high = jumpers.high };
	uint64_t owner = jumps_inside(elf, fde, NULL);

	if (owner)
		return owner;
	code__find_jumps(elf, jumpers.low, jumpers.high, note_jumper, &jumpers);
	if (jumpers.owner)
		return jumpers.owner;
	unwind__each(elf, has_pad_inside, &pads);
	return pads.owner;
}

uint64_t body__owner(const struct elf_file *elf, uint64_t vaddr)
{
	struct fde fde;

	if (!unwind__find(elf, vaddr, &fde))
		return 0;
	for (int i = 0; i < OWNERS_MAX; i++) {
		uint64_t owner;

		if (!looks_split(elf, &fde))
			return fde.start;
		owner = owner_of_part(elf, &fde);
		if (!owner || owner == fde.start || !unwind__find(elf, owner, &fde))
			return fde.start;
	}
	return fde.start;
}
