/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * An ELF64 x86-64 file, mapped read-only. Everything in it is a stranger's word: each address and count is
 * checked against the file before it is used, and nothing is copied into tables of our own.
 */
#ifndef INFERMETER_ELF_FILE_H
#define INFERMETER_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ELF_SEGMENTS_MAX 32
#define ELF_RANGES_MAX	 32

/* A PT_LOAD: size counts the bytes that the file holds (the rest of the memory is zeroes). */
struct elf_segment {
	uint64_t vaddr, offset, size;
	uint32_t flags; /* PF_R, PF_W, PF_X */
};

/* A table in the file: where its bytes are and how many. data NULL: the file has none. */
struct elf_table {
	const uint8_t *data;
	uint64_t size;
};

struct elf_range {
	uint64_t vaddr, size;
};

struct elf_file {
	const uint8_t *data;
	size_t size;
	const char *name; /* of the caller, for messages and sonames */
	bool fixed;	  /* ET_EXEC: addresses are final, pointers in data need no relocation */
	bool program;	  /* something that is started, not only loaded: a static or dynamic executable */
	bool dynamic;	  /* has a dynamic section */
	struct elf_segment segments[ELF_SEGMENTS_MAX];
	int n_segments;
	const char *soname; /* NULL: none */
	uint8_t build_id[20];
	uint8_t build_id_length;
	uint64_t eh_frame_hdr, eh_frame; /* virtual addresses, 0: none */
	uint64_t eh_frame_size;		 /* 0: not known */

	struct elf_table dynsym, dynstr; /* dynsym.size: to the end of its segment where no section says it */
	struct elf_table gnu_hash, hash;
	struct elf_table rela, plt_rela, relr;
	uint64_t relative_count;		   /* DT_RELACOUNT: this many RELATIVE relocations come first */
	struct elf_table symtab, strtab;	   /* of .symtab, if it was not stripped */
	struct elf_range readonly[ELF_RANGES_MAX]; /* where string constants are */
	int n_readonly;
};

/*
 * Maps the file and reads its headers. name stays the caller's. Returns 0, or -errno with *why set to a
 * text of unlimited life: -ENOEXEC for a file that is no ELF64 x86-64 executable or library. The caller closes it then too.
 */
int elf_file__open(struct elf_file *elf, int fd, const char *name, const char **why);
void elf_file__close(struct elf_file *elf);

/* The size bytes at a virtual address, or NULL where the file does not hold all of them in one segment. */
const uint8_t *elf_file__at(const struct elf_file *elf, uint64_t vaddr, uint64_t size);

/* The bytes from vaddr to the end of its segment; *available says how many. NULL: not in the file. */
const uint8_t *elf_file__rest(const struct elf_file *elf, uint64_t vaddr, uint64_t *available);

/* A NUL-terminated string of at most max bytes (its NUL included) at vaddr, or NULL. */
const char *elf_file__string(const struct elf_file *elf, uint64_t vaddr, size_t max);

/* The string at an offset of a string table, or NULL where it does not end in the table. */
const char *elf_file__table_string(const struct elf_table *table, uint64_t offset);

bool elf_file__u32(const struct elf_file *elf, uint64_t vaddr, uint32_t *value);
bool elf_file__u64(const struct elf_file *elf, uint64_t vaddr, uint64_t *value);

/* Virtual address to file offset and back. false: not in the file. */
bool elf_file__offset(const struct elf_file *elf, uint64_t vaddr, uint64_t *offset);
bool elf_file__vaddr(const struct elf_file *elf, uint64_t offset, uint64_t *vaddr);

/* Is there code in the file at this address? */
bool elf_file__is_code(const struct elf_file *elf, uint64_t vaddr);

/* Unaligned loads: nothing in a stranger's file is where alignment says. */
static inline uint32_t load_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline int32_t load_s32(const uint8_t *at)
{
	return (int32_t)load_u32(at);
}

static inline uint64_t load_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

#endif
