/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/symbol.h"

#define CHAIN_MAX      (1 << 20) /* longer hash chains are a trick */
#define NAME_MAX_BYTES 65536

static bool symbol_at(const struct elf_table *symbols, const struct elf_table *strings, uint64_t index,
		      struct symbol *symbol)
{
	Elf64_Sym raw;

	if (index >= symbols->size / sizeof(raw))
		return false;
	memcpy(&raw, symbols->data + index * sizeof(raw), sizeof(raw));
	if (!strings->data || raw.st_name >= strings->size)
		return false;
	symbol->name = (const char *)strings->data + raw.st_name;
	symbol->vaddr = raw.st_value;
	symbol->size = raw.st_size;
	symbol->type = ELF64_ST_TYPE(raw.st_info);
	symbol->local = ELF64_ST_BIND(raw.st_info) == STB_LOCAL;
	symbol->defined = raw.st_shndx != SHN_UNDEF && raw.st_value && symbol->type != STT_TLS &&
			  symbol->type != STT_SECTION && symbol->type != STT_FILE;
	return true;
}

/* Names are compared within their table: the last one of a damaged file may lack its NUL. */
static bool same_name(const struct elf_table *strings, const struct symbol *symbol, const char *name, size_t length)
{
	size_t left = strings->data + strings->size - (const uint8_t *)symbol->name;

	return length < left && !memcmp(symbol->name, name, length + 1);
}

static bool whole_name(const struct elf_table *strings, const struct symbol *symbol)
{
	size_t left = strings->data + strings->size - (const uint8_t *)symbol->name;

	return memchr(symbol->name, 0, left < NAME_MAX_BYTES ? left : NAME_MAX_BYTES);
}

bool symbol__of_index(const struct elf_file *elf, uint64_t index, struct symbol *symbol)
{
	return symbol_at(&elf->dynsym, &elf->dynstr, index, symbol) && whole_name(&elf->dynstr, symbol);
}

static bool find_by_gnu_hash(const struct elf_file *elf, const char *name, struct symbol *symbol)
{
	const struct elf_table *table = &elf->gnu_hash;
	uint32_t hash = 5381, buckets, first, bloom_size, shift;
	uint64_t buckets_at, chains_at, word;
	size_t length = strlen(name);

	for (const char *c = name; *c; c++)
		hash = hash * 33 + (uint8_t)*c;
	if (table->size < 16)
		return false;
	buckets = load_u32(table->data);
	first = load_u32(table->data + 4);
	bloom_size = load_u32(table->data + 8);
	shift = load_u32(table->data + 12);
	buckets_at = 16 + (uint64_t)bloom_size * 8;
	chains_at = buckets_at + (uint64_t)buckets * 4;
	if (!buckets || !bloom_size || chains_at > table->size)
		return false;
	word = load_u64(table->data + 16 + (uint64_t)(hash / 64 % bloom_size) * 8);
	if (!(word >> (hash % 64) & 1) || !(word >> ((hash >> (shift & 31)) % 64) & 1))
		return false;
	for (uint64_t index = load_u32(table->data + buckets_at + hash % buckets * 4ull), i = 0; i < CHAIN_MAX;
	     index++, i++) {
		uint64_t at = chains_at + (index - first) * 4;
		uint32_t chained;

		if (index < first || at > table->size - 4)
			return false;
		chained = load_u32(table->data + at);
		if ((chained | 1) == (hash | 1) && symbol_at(&elf->dynsym, &elf->dynstr, index, symbol) &&
		    symbol->defined && same_name(&elf->dynstr, symbol, name, length))
			return true;
		if (chained & 1)
			return false;
	}
	return false;
}

static bool find_by_hash(const struct elf_file *elf, const char *name, struct symbol *symbol)
{
	const struct elf_table *table = &elf->hash;
	uint32_t hash = 0, buckets, chains, index;
	size_t length = strlen(name);

	for (const char *c = name; *c; c++) {
		hash = (hash << 4) + (uint8_t)*c;
		hash ^= (hash & 0xf0000000) >> 24;
		hash &= 0x0fffffff;
	}
	if (table->size < 8)
		return false;
	buckets = load_u32(table->data);
	chains = load_u32(table->data + 4);
	if (!buckets || ((uint64_t)buckets + chains + 2) * 4 > table->size)
		return false;
	index = load_u32(table->data + 8 + hash % buckets * 4ull);
	for (uint32_t i = 0; index && index < chains && i < CHAIN_MAX; i++) {
		if (symbol_at(&elf->dynsym, &elf->dynstr, index, symbol) && symbol->defined &&
		    same_name(&elf->dynstr, symbol, name, length))
			return true;
		index = load_u32(table->data + 8 + ((uint64_t)buckets + index) * 4);
	}
	return false;
}

bool symbol__export(const struct elf_file *elf, const char *name, struct symbol *symbol)
{
	if (elf->gnu_hash.data)
		return find_by_gnu_hash(elf, name, symbol);
	return elf->hash.data && find_by_hash(elf, name, symbol);
}

static bool find_static(const struct elf_file *elf, const char *name, struct symbol *symbol)
{
	size_t length = strlen(name);

	for (uint64_t i = 0; i < elf->symtab.size / sizeof(Elf64_Sym); i++)
		if (symbol_at(&elf->symtab, &elf->strtab, i, symbol) && symbol->defined &&
		    same_name(&elf->strtab, symbol, name, length))
			return true;
	return false;
}

bool symbol__find(const struct elf_file *elf, const char *name, struct symbol *symbol)
{
	memset(symbol, 0, sizeof(*symbol));
	return symbol__export(elf, name, symbol) || find_static(elf, name, symbol);
}

bool symbol__marks(const struct elf_file *elf, const char *name)
{
	struct symbol symbol;

	return elf->program ? symbol__find(elf, name, &symbol) : symbol__export(elf, name, &symbol);
}

/* How many dynamic symbols there are, which without section headers only the hash tables tell. */
static uint64_t count_dynamic(const struct elf_file *elf)
{
	uint64_t most = elf->dynsym.size / sizeof(Elf64_Sym), count = 0;

	/* The string table usually follows at once. */
	if (elf->dynstr.data > elf->dynsym.data &&
	    (uint64_t)(elf->dynstr.data - elf->dynsym.data) / sizeof(Elf64_Sym) < most)
		most = (elf->dynstr.data - elf->dynsym.data) / sizeof(Elf64_Sym);
	if (elf->hash.size >= 8)
		count = load_u32(elf->hash.data + 4);
	return count && count < most ? count : most;
}

void symbol__each(const struct elf_file *elf, enum symbol_table table, symbol_fn *fn, void *context)
{
	const struct elf_table *symbols = table == SYMBOLS_DYNAMIC ? &elf->dynsym : &elf->symtab;
	const struct elf_table *strings = table == SYMBOLS_DYNAMIC ? &elf->dynstr : &elf->strtab;
	uint64_t count = table == SYMBOLS_DYNAMIC ? count_dynamic(elf) : symbols->size / sizeof(Elf64_Sym);
	struct symbol symbol;

	for (uint64_t i = 0; symbols->data && i < count; i++)
		if (symbol_at(symbols, strings, i, &symbol) && whole_name(strings, &symbol) && *symbol.name &&
		    !fn(context, &symbol))
			return;
}

struct cover {
	uint64_t vaddr;
	bool inside, found;
	struct symbol *symbol;
};

static bool covers(void *context, const struct symbol *symbol)
{
	struct cover *cover = context;
	uint64_t into = cover->vaddr - symbol->vaddr;

	if (!symbol->defined || (symbol->type != STT_FUNC && symbol->type != STT_NOTYPE))
		return true;
	if (into && (!cover->inside || into >= symbol->size))
		return true;
	*cover->symbol = *symbol;
	cover->found = true;
	return symbol->type != STT_FUNC; /* a bare label is the second best */
}

bool symbol__at(const struct elf_file *elf, uint64_t vaddr, bool inside, struct symbol *symbol)
{
	struct cover cover = { .vaddr = vaddr, .inside = inside, .symbol = symbol };

	symbol__each(elf, SYMBOLS_STATIC, covers, &cover);
	if (!cover.found)
		symbol__each(elf, SYMBOLS_DYNAMIC, covers, &cover);
	return cover.found;
}
