/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Symbols of a file, looked up where they lie: an export through the hash table, the rest by one walk. */
#ifndef INFERMETER_SYMBOL_H
#define INFERMETER_SYMBOL_H

#include "resolve/elf_file.h"

struct symbol {
	const char *name;
	uint64_t vaddr, size;
	uint8_t type; /* STT_* */
	bool local;   /* STB_LOCAL */
	bool defined;
};

/* A defined dynamic symbol: what dlsym would find. */
bool symbol__export(const struct elf_file *elf, const char *name, struct symbol *symbol);

/* The same, or else one of .symtab where the file still has it. Costs a walk over .symtab. */
bool symbol__find(const struct elf_file *elf, const char *name, struct symbol *symbol);

/* Does this name make the file a module of a runtime? An export; in a program, which exports little, .symtab counts too. */
bool symbol__marks(const struct elf_file *elf, const char *name);

enum symbol_table { SYMBOLS_DYNAMIC, SYMBOLS_STATIC };

/* Calls fn for each named symbol until it returns false. */
typedef bool symbol_fn(void *context, const struct symbol *symbol);
void symbol__each(const struct elf_file *elf, enum symbol_table table, symbol_fn *fn, void *context);

/* The function symbol that starts at vaddr, or with inside one that covers it. */
bool symbol__at(const struct elf_file *elf, uint64_t vaddr, bool inside, struct symbol *symbol);

/* The dynamic symbol of this index, as relocations name it. */
bool symbol__of_index(const struct elf_file *elf, uint64_t index, struct symbol *symbol);

#endif
