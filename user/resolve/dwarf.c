/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/dwarf.h"

struct dwarf_reader dwarf__open(const struct elf_file *elf, uint64_t vaddr, uint64_t size)
{
	struct dwarf_reader reader = { .vaddr = vaddr };
	uint64_t available = 0;

	reader.at = elf_file__rest(elf, vaddr, &available);
	if (!reader.at || size > available)
		return (struct dwarf_reader) { .bad = true };
	reader.end = reader.at + (size ? size : available);
	return reader;
}

void dwarf__skip(struct dwarf_reader *reader, uint64_t bytes)
{
	if (reader->bad || bytes > (uint64_t)(reader->end - reader->at)) {
		reader->bad = true;
		reader->at = reader->end;
		return;
	}
	reader->at += bytes;
	reader->vaddr += bytes;
}

uint64_t dwarf__unsigned(struct dwarf_reader *reader, int size)
{
	const uint8_t *at = reader->at;
	uint64_t value = 0;

	dwarf__skip(reader, size);
	if (!reader->bad)
		memcpy(&value, at, size);
	return value;
}

int64_t dwarf__signed(struct dwarf_reader *reader, int size)
{
	int unused = 64 - 8 * size;

	return (int64_t)(dwarf__unsigned(reader, size) << unused) >> unused;
}

uint64_t dwarf__uleb(struct dwarf_reader *reader)
{
	uint64_t value = 0;

	for (int shift = 0; !reader->bad; shift += 7) {
		uint64_t byte = dwarf__unsigned(reader, 1);

		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	return value;
}

int64_t dwarf__sleb(struct dwarf_reader *reader)
{
	uint64_t value = 0;

	for (int shift = 0; !reader->bad;) {
		uint64_t byte = dwarf__unsigned(reader, 1);

		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
		if (byte & 0x80)
			continue;
		if (byte & 0x40 && shift < 64)
			value |= UINT64_MAX << shift;
		break;
	}
	return value;
}

uint64_t dwarf__pointer(struct dwarf_reader *reader, uint8_t encoding, uint64_t data_base)
{
	uint64_t at = reader->vaddr, value;

	if (encoding == DWARF_OMITTED)
		return 0;
	switch (encoding & 0x0f) {
	case 0x00: /* absolute */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		value = dwarf__unsigned(reader, 8);
		break;
	case 0x01:
		value = dwarf__uleb(reader);
		break;
	case 0x02:
		value = dwarf__unsigned(reader, 2);
		break;
	case 0x03:
		value = dwarf__unsigned(reader, 4);
		break;
	case 0x09:
		value = dwarf__sleb(reader);
		break;
	case 0x0a:
		value = dwarf__signed(reader, 2);
		break;
	case 0x0b:
		value = dwarf__signed(reader, 4);
		break;
	default:
		reader->bad = true;
		return 0;
	}
	if (!value)
		return 0;
	switch (encoding & 0x70) {
	case 0x00:
		return value;
	case 0x10: /* relative to where it lies */
		return value + at;
	case 0x30:
		return value + data_base;
	default: /* relative to text or function: nobody writes these for x86-64 */
		reader->bad = true;
		return 0;
	}
}
