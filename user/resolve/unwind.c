/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/unwind.h"

#include "hook.h"
#include "resolve/dwarf.h"

#define RECORDS_MAX (1 << 22) /* FDEs of one file; the largest library known has 800,000 */
#define DEPTH_MAX   16	      /* of remembered states */
#define STEPS_MAX   100000    /* instructions of one FDE */

#define DWARF_RBP 6
#define DWARF_RSP 7

/* The record at vaddr: its body as a reader and the address behind it. false: the end of the table, or damage. */
static bool open_record(const struct elf_file *elf, uint64_t vaddr, struct dwarf_reader *body, uint64_t *id_at,
			uint64_t *next)
{
	struct dwarf_reader reader = dwarf__open(elf, vaddr, 0);
	uint64_t length = dwarf__unsigned(&reader, 4);

	if (length == 0xffffffff)
		length = dwarf__unsigned(&reader, 8);
	if (reader.bad || length < 4 || length > (uint64_t)(reader.end - reader.at))
		return false;
	reader.end = reader.at + length;
	*id_at = reader.vaddr;
	*next = reader.vaddr + length;
	*body = reader;
	return true;
}

struct cie {
	struct elf_table instructions;
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding, lsda_encoding;
	bool augmented;
};

static struct elf_table rest_of(const struct dwarf_reader *reader)
{
	return (struct elf_table) { .data = reader->at, .size = reader->end - reader->at };
}

static bool read_cie(const struct elf_file *elf, uint64_t vaddr, struct cie *cie)
{
	struct dwarf_reader reader, augmentation;
	uint64_t id_at, next, size;
	const char *letters;
	uint8_t version;

	memset(cie, 0, sizeof(*cie));
	cie->lsda_encoding = DWARF_OMITTED;
	if (!open_record(elf, vaddr, &reader, &id_at, &next) || dwarf__unsigned(&reader, 4) != 0)
		return false;
	version = dwarf__unsigned(&reader, 1);
	letters = (const char *)reader.at;
	if (reader.bad || (version != 1 && version != 3) || !memchr(letters, 0, reader.end - reader.at))
		return false;
	dwarf__skip(&reader, strlen(letters) + 1);
	cie->code_align = dwarf__uleb(&reader);
	cie->data_align = dwarf__sleb(&reader);
	if (version == 1)
		dwarf__skip(&reader, 1); /* the return address's column */
	else
		dwarf__uleb(&reader);
	if (*letters == 'z') {
		cie->augmented = true;
		size = dwarf__uleb(&reader);
		augmentation = reader;
		dwarf__skip(&reader, size);
		if (reader.bad)
			return false;
		augmentation.end = reader.at;
		for (letters++; *letters; letters++) {
			if (*letters == 'R')
				cie->encoding = dwarf__unsigned(&augmentation, 1);
			else if (*letters == 'L')
				cie->lsda_encoding = dwarf__unsigned(&augmentation, 1);
			else if (*letters == 'P')
				dwarf__pointer(&augmentation, dwarf__unsigned(&augmentation, 1), 0);
			/* 'S', 'B', 'G' carry no bytes */
		}
		if (augmentation.bad)
			return false;
	} else if (*letters) {
		return false;
	}
	cie->instructions = rest_of(&reader);
	return !reader.bad;
}

/* Reads the FDE at vaddr. 1: done, 0: it is no FDE or damaged, but *next is right, -1: no record here. */
static int read_fde(const struct elf_file *elf, uint64_t vaddr, struct fde *fde, uint64_t *next)
{
	struct dwarf_reader reader;
	uint64_t id_at, id, size;
	struct cie cie;

	if (!open_record(elf, vaddr, &reader, &id_at, next))
		return -1;
	id = dwarf__unsigned(&reader, 4);
	if (!id || !read_cie(elf, id_at - id, &cie))
		return 0;
	memset(fde, 0, sizeof(*fde));
	fde->at = vaddr;
	fde->start = dwarf__pointer(&reader, cie.encoding, 0);
	fde->size = dwarf__pointer(&reader, cie.encoding & 0x0f, 0);
	if (cie.augmented) {
		size = dwarf__uleb(&reader);
		if (size && cie.lsda_encoding != DWARF_OMITTED) {
			struct dwarf_reader augmentation = reader;

			fde->lsda = dwarf__pointer(&augmentation, cie.lsda_encoding, 0);
		}
		dwarf__skip(&reader, size);
	}
	fde->first = cie.instructions;
	fde->then = rest_of(&reader);
	fde->code_align = cie.code_align;
	fde->data_align = cie.data_align;
	fde->encoding = cie.encoding;
	return !reader.bad && fde->start && fde->size;
}

/* The header of .eh_frame_hdr: where .eh_frame is, and a table sorted by address in the one encoding that all linkers write. */
static bool open_header(const struct elf_file *elf, uint64_t *frames, struct elf_table *table)
{
	struct dwarf_reader reader;
	uint8_t frame_encoding, count_encoding, table_encoding;
	uint64_t count;

	if (!elf->eh_frame_hdr)
		return false;
	reader = dwarf__open(elf, elf->eh_frame_hdr, 0);
	if (dwarf__unsigned(&reader, 1) != 1)
		return false;
	frame_encoding = dwarf__unsigned(&reader, 1);
	count_encoding = dwarf__unsigned(&reader, 1);
	table_encoding = dwarf__unsigned(&reader, 1);
	*frames = dwarf__pointer(&reader, frame_encoding, elf->eh_frame_hdr);
	count = dwarf__pointer(&reader, count_encoding, elf->eh_frame_hdr);
	table->data = NULL;
	table->size = count;
	if (!reader.bad && table_encoding == 0x3b && count && count <= (uint64_t)(reader.end - reader.at) / 8)
		table->data = reader.at;
	return !reader.bad;
}

void unwind__each(const struct elf_file *elf, unwind_fn *fn, void *context)
{
	uint64_t vaddr = elf->eh_frame, next, end = 0;
	struct elf_table table;
	struct fde fde;

	if (vaddr)
		end = vaddr + elf->eh_frame_size;
	else if (!open_header(elf, &vaddr, &table))
		return;
	for (int i = 0; i < RECORDS_MAX && (!end || vaddr < end); i++) {
		int kind = read_fde(elf, vaddr, &fde, &next);
		uint32_t length;

		if (kind < 0) {
			/* Objects linked one after another may each end with an empty record. */
			if (!end || !elf_file__u32(elf, vaddr, &length) || length)
				return;
			next = vaddr + 4;
		}
		if (kind > 0 && !fn(context, &fde))
			return;
		vaddr = next;
	}
}

struct wanted {
	uint64_t vaddr;
	struct fde *fde;
	bool found;
};

static bool is_wanted(void *context, const struct fde *fde)
{
	struct wanted *wanted = context;

	if (wanted->vaddr < fde->start || wanted->vaddr - fde->start >= fde->size)
		return true;
	*wanted->fde = *fde;
	wanted->found = true;
	return false;
}

bool unwind__find(const struct elf_file *elf, uint64_t vaddr, struct fde *fde)
{
	struct wanted wanted = { .vaddr = vaddr, .fde = fde };
	uint64_t frames, next, low = 0, high;
	struct elf_table table;

	if (!open_header(elf, &frames, &table) || !table.data) {
		unwind__each(elf, is_wanted, &wanted);
		return wanted.found;
	}
	for (high = table.size; low < high;) { /* the last row that starts at or before vaddr */
		uint64_t middle = low + (high - low) / 2;

		if (elf->eh_frame_hdr + (int64_t)load_s32(table.data + middle * 8) <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	return read_fde(elf, elf->eh_frame_hdr + (int64_t)load_s32(table.data + (low - 1) * 8 + 4), fde, &next) > 0 &&
	       vaddr >= fde->start && vaddr - fde->start < fde->size;
}

struct rule {
	uint64_t reg;
	int64_t offset;
	bool simple; /* register + offset; else an expression */
};

struct machine {
	struct rule rule, remembered[DEPTH_MAX];
	int depth;
	uint64_t location;
};

/* Runs call frame instructions up to pc. Only where the CFA is matters: rules for saved registers are read over. */
static bool run(const struct fde *fde, struct elf_table instructions, uint64_t pc, struct machine *machine)
{
	struct dwarf_reader reader = { .at = instructions.data, .end = instructions.data + instructions.size };

	for (int step = 0; reader.at < reader.end && step < STEPS_MAX; step++) {
		uint8_t code = dwarf__unsigned(&reader, 1);
		uint64_t advance = 0;

		switch (code & 0xc0) {
		case 0x40: /* advance_loc */
			advance = (code & 0x3f) * fde->code_align;
			code = 0;
			break;
		case 0x80: /* offset */
			dwarf__uleb(&reader);
			code = 0;
			break;
		case 0xc0: /* restore */
			code = 0;
			break;
		}
		switch (code) {
		case 0x00: /* nop, and the three above */
		case 0x2d: /* GNU_window_save */
			break;
		case 0x01:	      /* set_loc */
			return false; /* needs its own address to be decoded; unused on x86-64 */
		case 0x02:
		case 0x03:
		case 0x04: /* advance_loc1, 2, 4 */
			advance = dwarf__unsigned(&reader, 1 << (code - 2)) * fde->code_align;
			break;
		case 0x05: /* offset_extended */
		case 0x09: /* register */
		case 0x14: /* val_offset */
		case 0x2f: /* GNU_negative_offset_extended */
			dwarf__uleb(&reader);
			dwarf__uleb(&reader);
			break;
		case 0x06: /* restore_extended */
		case 0x07: /* undefined */
		case 0x08: /* same_value */
		case 0x2e: /* GNU_args_size */
			dwarf__uleb(&reader);
			break;
		case 0x0a: /* remember_state */
			if (machine->depth == DEPTH_MAX)
				return false;
			machine->remembered[machine->depth++] = machine->rule;
			break;
		case 0x0b: /* restore_state */
			if (!machine->depth)
				return false;
			machine->rule = machine->remembered[--machine->depth];
			break;
		case 0x0c: /* def_cfa */
			machine->rule.reg = dwarf__uleb(&reader);
			machine->rule.offset = dwarf__uleb(&reader);
			machine->rule.simple = true;
			break;
		case 0x0d: /* def_cfa_register */
			machine->rule.reg = dwarf__uleb(&reader);
			break;
		case 0x0e: /* def_cfa_offset */
			machine->rule.offset = dwarf__uleb(&reader);
			break;
		case 0x0f: /* def_cfa_expression */
			machine->rule.simple = false;
			dwarf__skip(&reader, dwarf__uleb(&reader));
			break;
		case 0x10: /* expression */
		case 0x16: /* val_expression */
			dwarf__uleb(&reader);
			dwarf__skip(&reader, dwarf__uleb(&reader));
			break;
		case 0x11: /* offset_extended_sf */
		case 0x15: /* val_offset_sf */
			dwarf__uleb(&reader);
			dwarf__sleb(&reader);
			break;
		case 0x12: /* def_cfa_sf */
			machine->rule.reg = dwarf__uleb(&reader);
			machine->rule.offset = (int64_t)((uint64_t)dwarf__sleb(&reader) * (uint64_t)fde->data_align);
			machine->rule.simple = true;
			break;
		case 0x13: /* def_cfa_offset_sf */
			machine->rule.offset = (int64_t)((uint64_t)dwarf__sleb(&reader) * (uint64_t)fde->data_align);
			break;
		default:
			return false;
		}
		if (reader.bad)
			return false;
		if (advance && pc - fde->start < machine->location + advance - fde->start)
			return true;
		machine->location += advance;
	}
	return true;
}

int unwind__frame(const struct elf_file *elf, const struct fde *fde, uint64_t pc, int32_t *offset)
{
	struct machine machine = { .location = fde->start };

	*offset = 0;
	/* The CIE's instructions have no location: they hold for the whole. */
	if (pc < fde->start || pc - fde->start >= fde->size || !run(fde, fde->first, UINT64_MAX, &machine))
		return SITE_FRAME_UNKNOWN;
	machine.location = fde->start;
	machine.depth = 0;
	if (!run(fde, fde->then, pc, &machine) || !machine.rule.simple || machine.rule.offset < -(1 << 30) ||
	    machine.rule.offset > 1 << 30)
		return SITE_FRAME_UNKNOWN;
	/* The CFA is the stack pointer before the call: the return address lies below it. */
	*offset = (int32_t)machine.rule.offset - 8;
	if (machine.rule.reg == DWARF_RSP)
		return SITE_FRAME_SP;
	if (machine.rule.reg == DWARF_RBP)
		return SITE_FRAME_BP;
	*offset = 0;
	return SITE_FRAME_UNKNOWN;
}

/* Does the chain of actions hold anything but cleanups? */
static bool chain_catches(const struct elf_file *elf, uint64_t table, uint64_t action)
{
	uint64_t at = table + action - 1;

	for (int i = 0; action && i < 64; i++) {
		struct dwarf_reader reader = dwarf__open(elf, at, 0);
		int64_t filter = dwarf__sleb(&reader);
		uint64_t next_from = reader.vaddr;
		int64_t next = dwarf__sleb(&reader);

		if (reader.bad)
			return true; /* the careful answer */
		if (filter)
			return true;
		if (!next)
			return false;
		at = next_from + next;
	}
	return action;
}

bool unwind__each_landing(const struct elf_file *elf, const struct fde *fde, landing_fn *fn, void *context)
{
	struct dwarf_reader reader;
	uint64_t pads_from, types, calls_size, actions;
	uint8_t encoding;

	if (!fde->lsda)
		return true;
	reader = dwarf__open(elf, fde->lsda, 0);
	encoding = dwarf__unsigned(&reader, 1);
	pads_from = encoding == DWARF_OMITTED ? fde->start : dwarf__pointer(&reader, encoding, 0);
	types = dwarf__unsigned(&reader, 1);
	if (types != DWARF_OMITTED)
		dwarf__uleb(&reader);
	encoding = dwarf__unsigned(&reader, 1);
	calls_size = dwarf__uleb(&reader);
	if (reader.bad || calls_size > (uint64_t)(reader.end - reader.at))
		return false;
	reader.end = reader.at + calls_size;
	actions = reader.vaddr + calls_size;
	while (reader.at < reader.end) {
		uint64_t start = dwarf__pointer(&reader, encoding & 0x0f, 0);
		uint64_t size = dwarf__pointer(&reader, encoding & 0x0f, 0);
		uint64_t pad = dwarf__pointer(&reader, encoding & 0x0f, 0);
		uint64_t action = dwarf__uleb(&reader);
		struct landing landing = {
			.start = fde->start + start,
			.end = fde->start + start + size,
			.pad = pad ? pads_from + pad : 0,
		};

		if (reader.bad)
			return false;
		landing.catches = pad && chain_catches(elf, actions, action);
		if (!fn(context, &landing))
			return true;
	}
	return true;
}
