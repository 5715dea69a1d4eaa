/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/elf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SECTIONS_MAX 65536

/* The bytes [offset, offset + size) of the file itself, or NULL. */
static const uint8_t *file_bytes(const struct elf_file *elf, uint64_t offset, uint64_t size)
{
	if (offset > elf->size || size > elf->size - offset)
		return NULL;
	return elf->data + offset;
}

static const struct elf_segment *segment_of(const struct elf_file *elf, uint64_t vaddr)
{
	for (int i = 0; i < elf->n_segments; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (vaddr >= segment->vaddr && vaddr - segment->vaddr < segment->size)
			return segment;
	}
	return NULL;
}

const uint8_t *elf_file__rest(const struct elf_file *elf, uint64_t vaddr, uint64_t *available)
{
	const struct elf_segment *segment = segment_of(elf, vaddr);

	if (!segment)
		return NULL;
	*available = segment->size - (vaddr - segment->vaddr);
	return elf->data + segment->offset + (vaddr - segment->vaddr);
}

const uint8_t *elf_file__at(const struct elf_file *elf, uint64_t vaddr, uint64_t size)
{
	uint64_t available;
	const uint8_t *bytes = elf_file__rest(elf, vaddr, &available);

	return bytes && size <= available ? bytes : NULL;
}

const char *elf_file__string(const struct elf_file *elf, uint64_t vaddr, size_t max)
{
	uint64_t available;
	const uint8_t *bytes = elf_file__rest(elf, vaddr, &available);

	if (!bytes || !memchr(bytes, 0, available < max ? available : max))
		return NULL;
	return (const char *)bytes;
}

const char *elf_file__table_string(const struct elf_table *table, uint64_t offset)
{
	if (!table->data || offset >= table->size || !memchr(table->data + offset, 0, table->size - offset))
		return NULL;
	return (const char *)table->data + offset;
}

bool elf_file__u32(const struct elf_file *elf, uint64_t vaddr, uint32_t *value)
{
	const uint8_t *bytes = elf_file__at(elf, vaddr, sizeof(*value));

	if (bytes)
		*value = load_u32(bytes);
	return bytes;
}

bool elf_file__u64(const struct elf_file *elf, uint64_t vaddr, uint64_t *value)
{
	const uint8_t *bytes = elf_file__at(elf, vaddr, sizeof(*value));

	if (bytes)
		*value = load_u64(bytes);
	return bytes;
}

bool elf_file__offset(const struct elf_file *elf, uint64_t vaddr, uint64_t *offset)
{
	const struct elf_segment *segment = segment_of(elf, vaddr);

	if (segment)
		*offset = vaddr - segment->vaddr + segment->offset;
	return segment;
}

bool elf_file__vaddr(const struct elf_file *elf, uint64_t offset, uint64_t *vaddr)
{
	for (int i = 0; i < elf->n_segments; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (offset >= segment->offset && offset - segment->offset < segment->size) {
			*vaddr = offset - segment->offset + segment->vaddr;
			return true;
		}
	}
	return false;
}

bool elf_file__is_code(const struct elf_file *elf, uint64_t vaddr)
{
	const struct elf_segment *segment = segment_of(elf, vaddr);

	return segment && segment->flags & PF_X;
}

static void read_note(struct elf_file *elf, uint64_t offset, uint64_t size)
{
	const uint8_t *notes = file_bytes(elf, offset, size);

	while (notes && size >= sizeof(Elf64_Nhdr) && !elf->build_id_length) {
		uint32_t name_size = load_u32(notes), desc_size = load_u32(notes + 4), type = load_u32(notes + 8);
		uint64_t desc = sizeof(Elf64_Nhdr) + (((uint64_t)name_size + 3) & ~3ull);
		uint64_t next = desc + (((uint64_t)desc_size + 3) & ~3ull);

		if (desc + desc_size > size)
			return;
		if (type == NT_GNU_BUILD_ID && name_size == 4 && !memcmp(notes + sizeof(Elf64_Nhdr), "GNU", 4)) {
			elf->build_id_length = desc_size < sizeof(elf->build_id) ? desc_size : sizeof(elf->build_id);
			memcpy(elf->build_id, notes + desc, elf->build_id_length);
		}
		if (next > size)
			return;
		notes += next;
		size -= next;
	}
}

static struct elf_table table_at(const struct elf_file *elf, uint64_t vaddr, uint64_t size)
{
	struct elf_table table = { .size = size };
	uint64_t available;

	table.data = vaddr ? elf_file__rest(elf, vaddr, &available) : NULL;
	if (!table.data)
		table.size = 0;
	else if (!size || size > available) /* of a file cut short: what is there */
		table.size = available;
	return table;
}

static void read_dynamic(struct elf_file *elf, uint64_t offset, uint64_t size)
{
	const uint8_t *dynamic = file_bytes(elf, offset, size);
	uint64_t values[64] = { 0 }, gnu_hash = 0, relative_count = 0, flags_1 = 0;
	bool has_soname = false;

	for (; dynamic && size >= sizeof(Elf64_Dyn); dynamic += sizeof(Elf64_Dyn), size -= sizeof(Elf64_Dyn)) {
		uint64_t tag = load_u64(dynamic), value = load_u64(dynamic + 8);

		if (tag == DT_NULL)
			break;
		if (tag < 64)
			values[tag] = value;
		if (tag == DT_SONAME)
			has_soname = true;
		if (tag == DT_GNU_HASH)
			gnu_hash = value;
		if (tag == DT_RELACOUNT)
			relative_count = value;
		if (tag == DT_FLAGS_1)
			flags_1 = value;
	}
	elf->dynamic = dynamic;
	elf->dynsym = table_at(elf, values[DT_SYMTAB], 0);
	elf->dynstr = table_at(elf, values[DT_STRTAB], values[DT_STRSZ]);
	elf->gnu_hash = table_at(elf, gnu_hash, 0);
	elf->hash = table_at(elf, values[DT_HASH], 0);
	if (values[DT_RELASZ])
		elf->rela = table_at(elf, values[DT_RELA], values[DT_RELASZ]);
	if (values[DT_PLTRELSZ] && values[DT_PLTREL] == DT_RELA)
		elf->plt_rela = table_at(elf, values[DT_JMPREL], values[DT_PLTRELSZ]);
	if (values[35]) /* DT_RELRSZ, younger than some elf.h */
		elf->relr = table_at(elf, values[36], values[35]);
	elf->relative_count = relative_count;
	if (has_soname)
		elf->soname = elf_file__table_string(&elf->dynstr, values[DT_SONAME]);
	if (flags_1 & DF_1_PIE)
		elf->program = true;
}

static void add_readonly(struct elf_file *elf, uint64_t vaddr, uint64_t size)
{
	uint64_t available;

	if (elf->n_readonly == ELF_RANGES_MAX || !elf_file__rest(elf, vaddr, &available) || !size)
		return;
	elf->readonly[elf->n_readonly].vaddr = vaddr;
	elf->readonly[elf->n_readonly++].size = size < available ? size : available;
}

static bool starts(const char *text, const char *with)
{
	return text && !strncmp(text, with, strlen(with));
}

/* Section headers are a comfort that a file may lack or lie about: they only narrow what the segments allow. */
static void read_sections(struct elf_file *elf, const Elf64_Ehdr *header)
{
	const uint8_t *sections = file_bytes(elf, header->e_shoff, sizeof(Elf64_Shdr));
	uint64_t count = header->e_shnum, total = 0;
	struct elf_table names = { 0 };
	Elf64_Shdr section;

	if (!header->e_shoff || !sections || header->e_shentsize != sizeof(Elf64_Shdr))
		return;
	if (!count) { /* too many for the header's field */
		memcpy(&section, sections, sizeof(section));
		count = section.sh_size;
	}
	if (count > SECTIONS_MAX || !file_bytes(elf, header->e_shoff, count * sizeof(section)))
		return;
	if (header->e_shstrndx < count) {
		memcpy(&section, sections + header->e_shstrndx * sizeof(section), sizeof(section));
		names.data = file_bytes(elf, section.sh_offset, section.sh_size);
		names.size = section.sh_size;
	}
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *bytes;
		const char *name;

		memcpy(&section, sections + i * sizeof(section), sizeof(section));
		bytes = file_bytes(elf, section.sh_offset, section.sh_size);
		name = elf_file__table_string(&names, section.sh_name);
		if (section.sh_type == SHT_NOBITS || !bytes)
			continue;
		if (section.sh_type == SHT_SYMTAB && section.sh_link < count) {
			Elf64_Shdr strings;

			memcpy(&strings, sections + section.sh_link * sizeof(strings), sizeof(strings));
			elf->strtab.data = file_bytes(elf, strings.sh_offset, strings.sh_size);
			elf->strtab.size = elf->strtab.data ? strings.sh_size : 0;
			elf->symtab.data = bytes;
			elf->symtab.size = section.sh_size;
		} else if (section.sh_type == SHT_DYNSYM && bytes == elf->dynsym.data) {
			elf->dynsym.size = section.sh_size < elf->dynsym.size ? section.sh_size : elf->dynsym.size;
		} else if (name && !strcmp(name, ".eh_frame")) {
			elf->eh_frame = section.sh_addr;
			elf->eh_frame_size = section.sh_size;
		} else if (section.sh_type == SHT_PROGBITS && section.sh_flags & SHF_ALLOC &&
			   !(section.sh_flags & (SHF_WRITE | SHF_EXECINSTR)) && !starts(name, ".eh_frame") &&
			   !starts(name, ".gcc_except_table") && total < elf->size) {
			add_readonly(elf, section.sh_addr, section.sh_size);
			total += section.sh_size;
		}
	}
}

static void read_segments(struct elf_file *elf, const uint8_t *headers, int count)
{
	Elf64_Phdr program;

	for (int i = 0; i < count; i++) {
		memcpy(&program, headers + i * sizeof(program), sizeof(program));
		if (program.p_type == PT_INTERP)
			elf->program = true;
		if (program.p_type == PT_GNU_EH_FRAME)
			elf->eh_frame_hdr = program.p_vaddr;
		if (program.p_type == PT_NOTE)
			read_note(elf, program.p_offset, program.p_filesz);
		if (program.p_type != PT_LOAD || elf->n_segments == ELF_SEGMENTS_MAX || program.p_offset >= elf->size ||
		    program.p_vaddr + program.p_filesz < program.p_vaddr)
			continue;
		if (program.p_filesz > elf->size - program.p_offset) /* cut short */
			program.p_filesz = elf->size - program.p_offset;
		elf->segments[elf->n_segments++] = (struct elf_segment) {
			.vaddr = program.p_vaddr,
			.offset = program.p_offset,
			.size = program.p_filesz,
			.flags = program.p_flags,
		};
	}
	/* Only now, since it needs the map of addresses. */
	for (int i = 0; i < count; i++) {
		memcpy(&program, headers + i * sizeof(program), sizeof(program));
		if (program.p_type == PT_DYNAMIC)
			read_dynamic(elf, program.p_offset, program.p_filesz);
	}
}

int elf_file__open(struct elf_file *elf, int fd, const char *name, const char **why)
{
	const uint8_t *headers;
	Elf64_Ehdr header;
	struct stat stat;
	void *data;
	int error;

	memset(elf, 0, sizeof(*elf));
	elf->name = name;
	if (fstat(fd, &stat) < 0) {
		error = -errno;
		*why = "cannot be examined";
		return error;
	}
	*why = "not an ELF file";
	if (!S_ISREG(stat.st_mode) || stat.st_size < (off_t)sizeof(header))
		return -ENOEXEC;
	/* Shared: in a private mapping we would see the breakpoints of uprobes that stand in the file, ours too. */
	data = mmap(NULL, stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		error = -errno;
		*why = "cannot be mapped into memory";
		return error;
	}
	elf->data = data;
	elf->size = stat.st_size;
	memcpy(&header, data, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG))
		return -ENOEXEC;
	*why = "an ELF file for another machine than x86-64";
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64)
		return -ENOEXEC;
	*why = "an ELF file, but neither a library nor a program";
	if (header.e_type != ET_DYN && header.e_type != ET_EXEC)
		return -ENOEXEC;
	*why = "its program headers are damaged";
	if (header.e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	headers = file_bytes(elf, header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr));
	if (!headers)
		return -ENOEXEC;
	elf->fixed = header.e_type == ET_EXEC;
	elf->program = elf->fixed;
	read_segments(elf, headers, header.e_phnum);
	*why = "it has no segment that would be loaded";
	if (!elf->n_segments)
		return -ENOEXEC;
	read_sections(elf, &header);
	for (int i = 0; i < elf->n_segments && !elf->n_readonly; i++)
		if (!(elf->segments[i].flags & PF_W))
			add_readonly(elf, elf->segments[i].vaddr, elf->segments[i].size);
	*why = NULL;
	return 0;
}

void elf_file__close(struct elf_file *elf)
{
	if (elf->data)
		munmap((void *)elf->data, elf->size);
	elf->data = NULL;
}
