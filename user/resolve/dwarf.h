/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Reading the byte streams of .eh_frame and exception tables. A read past the end sets bad and gives 0, once and for all. */
#ifndef INFERMETER_DWARF_H
#define INFERMETER_DWARF_H

#include "resolve/elf_file.h"

struct dwarf_reader {
	const uint8_t *at, *end;
	uint64_t vaddr; /* of at */
	bool bad;
};

#define DWARF_OMITTED 0xff

/* A reader of the size bytes at vaddr (0: to the end of the segment). bad at once where the file has them not. */
struct dwarf_reader dwarf__open(const struct elf_file *elf, uint64_t vaddr, uint64_t size);

/* size is 1, 2, 4 or 8. */
uint64_t dwarf__unsigned(struct dwarf_reader *reader, int size);
int64_t dwarf__signed(struct dwarf_reader *reader, int size);
uint64_t dwarf__uleb(struct dwarf_reader *reader);
int64_t dwarf__sleb(struct dwarf_reader *reader);
void dwarf__skip(struct dwarf_reader *reader, uint64_t bytes);

/* A pointer in one of the DW_EH_PE encodings; data_base is what "datarel" counts from. Indirect ones give the address of the pointer. */
uint64_t dwarf__pointer(struct dwarf_reader *reader, uint8_t encoding, uint64_t data_base);

#endif
