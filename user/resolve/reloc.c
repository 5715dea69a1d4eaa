/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/reloc.h"
#include "resolve/symbol.h"

#define RELA_BYTES sizeof(Elf64_Rela)
#define RELR_BITS  63 /* slots that one bitmap word speaks of */

static Elf64_Rela rela_at(const struct elf_table *table, uint64_t index)
{
	Elf64_Rela rela;

	memcpy(&rela, table->data + index * RELA_BYTES, sizeof(rela));
	return rela;
}

/* What a relocation puts in its slot, if this file alone decides it. */
static bool value_of(const struct elf_file *elf, const Elf64_Rela *rela, uint64_t *value)
{
	struct symbol symbol;

	switch (ELF64_R_TYPE(rela->r_info)) {
	case R_X86_64_RELATIVE:
		*value = rela->r_addend;
		return true;
	case R_X86_64_64:
	case R_X86_64_GLOB_DAT:
	case R_X86_64_JUMP_SLOT:
		if (!symbol__of_index(elf, ELF64_R_SYM(rela->r_info), &symbol) || !symbol.defined)
			return false;
		*value = symbol.vaddr + rela->r_addend;
		return true;
	default: /* thread-local, IRELATIVE, COPY: no pointer that we follow */
		return false;
	}
}

/* The relocation of slot in a table. RELATIVE ones come first and are sorted by every linker we know, which is tried, then trusted only if it hits. */
static bool find_rela(const struct elf_table *table, uint64_t sorted, uint64_t slot, Elf64_Rela *found)
{
	uint64_t count = table->size / RELA_BYTES, low = 0, high;

	sorted = sorted < count ? sorted : count;
	for (high = sorted; low < high;) {
		uint64_t middle = low + (high - low) / 2;

		*found = rela_at(table, middle);
		if (found->r_offset == slot)
			return true;
		if (found->r_offset < slot)
			low = middle + 1;
		else
			high = middle;
	}
	for (uint64_t i = sorted; i < count; i++) {
		*found = rela_at(table, i);
		if (found->r_offset == slot)
			return true;
	}
	return false;
}

/* Unsorted RELATIVE relocations, the rare case that find_rela leaves. */
static bool find_unsorted(const struct elf_table *table, uint64_t sorted, uint64_t slot, Elf64_Rela *found)
{
	uint64_t count = table->size / RELA_BYTES, before = 0;
	bool in_order = true;

	for (uint64_t i = 0; i < sorted && i < count; i++) {
		*found = rela_at(table, i);
		if (found->r_offset == slot)
			return true;
		/* A sample is enough to see that the search before could not have missed it. */
		if (found->r_offset < before)
			in_order = false;
		before = found->r_offset;
		if (i == 4096 && in_order)
			return false;
	}
	return false;
}

/* Walks the packed relocations: an even word is the address of a slot, an odd one a map of the 63 slots behind it. */
typedef bool relr_fn(void *context, uint64_t slot);
static void each_relr(const struct elf_file *elf, relr_fn *fn, void *context)
{
	uint64_t base = 0;

	for (uint64_t at = 0; at + 8 <= elf->relr.size; at += 8) {
		uint64_t word = load_u64(elf->relr.data + at);

		if (!(word & 1)) {
			if (!fn(context, word))
				return;
			base = word + 8;
			continue;
		}
		for (uint64_t bits = word >> 1; bits; bits &= bits - 1)
			if (!fn(context, base + 8ull * __builtin_ctzll(bits)))
				return;
		base += 8ull * RELR_BITS;
	}
}

static bool in_relr(const struct elf_file *elf, uint64_t slot)
{
	uint64_t base = 0;

	for (uint64_t at = 0; at + 8 <= elf->relr.size; at += 8) {
		uint64_t word = load_u64(elf->relr.data + at);

		if (!(word & 1)) {
			if (word == slot)
				return true;
			base = word + 8;
			continue;
		}
		if (slot >= base && slot - base < 8 * RELR_BITS && !((slot - base) & 7))
			return word >> 1 >> (slot - base) / 8 & 1;
		base += 8ull * RELR_BITS;
	}
	return false;
}

bool reloc__value(const struct elf_file *elf, uint64_t slot, uint64_t *value)
{
	Elf64_Rela rela;

	if (elf->relr.data && in_relr(elf, slot))
		return elf_file__u64(elf, slot, value);
	if (find_rela(&elf->rela, elf->relative_count, slot, &rela) || find_rela(&elf->plt_rela, 0, slot, &rela) ||
	    find_unsorted(&elf->rela, elf->relative_count, slot, &rela))
		return value_of(elf, &rela, value);
	return elf->fixed && elf_file__u64(elf, slot, value);
}

const char *reloc__symbol(const struct elf_file *elf, uint64_t slot)
{
	struct symbol symbol;
	Elf64_Rela rela;

	if (!find_rela(&elf->plt_rela, 0, slot, &rela) && !find_rela(&elf->rela, elf->relative_count, slot, &rela))
		return NULL;
	if (!ELF64_R_SYM(rela.r_info) || !symbol__of_index(elf, ELF64_R_SYM(rela.r_info), &symbol))
		return NULL;
	return symbol.name;
}

struct search {
	const struct elf_file *elf;
	const uint64_t *values;
	uint64_t lowest, highest;
	int n;
	reloc_fn *fn;
	void *context;
	bool stopped;
};

static bool offer(struct search *search, uint64_t slot, uint64_t value)
{
	if (value < search->lowest || value > search->highest)
		return true;
	for (int i = 0; i < search->n; i++)
		if (value == search->values[i] && !search->fn(search->context, slot, value)) {
			search->stopped = true;
			return false;
		}
	return true;
}

static bool offer_packed(void *context, uint64_t slot)
{
	struct search *search = context;
	uint64_t value;

	return !elf_file__u64(search->elf, slot, &value) || offer(search, slot, value);
}

static void search_table(struct search *search, const struct elf_table *table)
{
	uint64_t value, count = table->size / RELA_BYTES;

	for (uint64_t i = 0; i < count && !search->stopped; i++) {
		Elf64_Rela rela = rela_at(table, i);

		if (value_of(search->elf, &rela, &value))
			offer(search, rela.r_offset, value);
	}
}

/* Fixed addresses: pointers lie in the data as they are. */
static void search_plain(struct search *search)
{
	for (int i = 0; i < search->elf->n_segments; i++) {
		const struct elf_segment *segment = &search->elf->segments[i];
		uint64_t first = -segment->vaddr & 7;

		for (uint64_t at = first; at + 8 <= segment->size && !search->stopped; at += 8)
			offer(search, segment->vaddr + at, load_u64(search->elf->data + segment->offset + at));
	}
}

void reloc__find(const struct elf_file *elf, const uint64_t *values, int n, reloc_fn *fn, void *context)
{
	struct search search = {
		.elf = elf,
		.values = values,
		.n = n,
		.lowest = UINT64_MAX,
		.fn = fn,
		.context = context,
	};

	for (int i = 0; i < n; i++) {
		search.lowest = values[i] < search.lowest ? values[i] : search.lowest;
		search.highest = values[i] > search.highest ? values[i] : search.highest;
	}
	if (elf->relr.data)
		each_relr(elf, offer_packed, &search);
	if (!search.stopped)
		search_table(&search, &elf->rela);
	if (elf->fixed && !search.stopped)
		search_plain(&search);
}
