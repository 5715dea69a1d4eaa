/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What can be asked of an ELF file. A query comes from one adapter (user/plan/adapter builds it from
 * YAML) and is put to every file that a target maps as code. Strings belong to whoever built the query.
 */
#ifndef INFERMETER_QUERY_H
#define INFERMETER_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is the file a module of this runtime? All the conditions of one alternative must hold, and one alternative is enough. */
struct match_alternative {
	const char **exports; /* each is a defined dynamic symbol */
	size_t n_exports;
	const char **strings; /* each occurs, NUL-terminated or as a prefix of a string, in a read-only segment */
	size_t n_strings;
	const char *soname; /* glob over DT_SONAME, or over the file's base name where it has none; NULL: any */
	const char **absent_exports; /* none of these is a defined dynamic symbol */
	size_t n_absent_exports;
};

/* One way to find a function. */
enum locator_kind {
	LOCATE_EXPORT, /* name: a defined dynamic symbol (or .symtab, where the file has one) */
	LOCATE_PATTERN, /* name: glob over demangled symbols, "torch::jit::GraphExecutor::run(*)"; exactly one must match */
	LOCATE_STRING_REFERENCE, /* name: the one function whose code refers (rip-relative lea) to a string that begins so */
	LOCATE_TABLE,		 /* name: exported function; then steps (below) */
	LOCATE_VTABLE, /* name: mangled RTTI name ("N11onnxruntime16InferenceSessionE"), slot: from the vptr, 0-based */
	LOCATE_TAIL_JUMP, /* of: the function that this locator finds ends in a jump to the wanted one */
	LOCATE_KINDS
};

/* LOCATE_TABLE walks from the export's first instruction. LEA: the target of the first rip-relative lea in the function at
 * hand that holds a relocated pointer into code. SLOT n: the pointer at target + 8 n. So {LEA, SLOT 0, LEA, SLOT 9} is
 * GetApiBase → struct → its first function → the table that this one refers to → its tenth function. */
enum table_step_kind { STEP_LEA, STEP_SLOT };
struct table_step {
	enum table_step_kind kind;
	int slot;
};

struct locator {
	enum locator_kind kind;
	const char *name;
	int slot;
	const struct table_step *steps;
	size_t n_steps;
	const struct locator *of;
	/* Cross-check, NULL: none. The function that this locator finds must contain a direct call to ours, or to
	 * a small function that does (overloads that only add arguments). */
	const struct locator *called_by;
};

/* How a call of this function ends: what the resolver looks for beside the entry. */
enum ends { ENDS_EXITS, ENDS_RETURN, ENDS_ENTRY };

struct function_query {
	const char *name;		/* the hook's name, for messages */
	const struct locator *locators; /* tried in order, the first that finds exactly one function wins */
	size_t n_locators;
	enum ends ends;
	uint32_t needs; /* bit (1 << enum expr_arg): registers that the entry expressions read; SP: stack arguments */
	uint32_t
		exit_needs; /* the same for the exit expressions (EXPR_AX: the result): an exit site must stand behind the last
				 * instruction that writes one of them, if need be on the ret itself */
	bool optional; /* not found is no failure of the adapter */
};

/* A number that expressions need from the file. */
enum constant_kind {
	CONSTANT_VTABLE, /* name: RTTI name; the value of the object's vptr as a virtual address of the file */
	CONSTANT_ACCESSOR, /* name: export whose body is `[endbr64] lea/mov disp(%rdi), %rax; ret` (jumps through the PLT followed): disp */
	CONSTANT_CXX11_STRINGS, /* 1: std::string is {pointer, length, 16 bytes}; 0: the old copy-on-write pointer (undefined _ZNSs* in
				 * .dynsym and no __cxx11) */
	CONSTANT_SYMBOL, /* name: export; its virtual address */
	CONSTANT_KINDS
};
struct constant_query {
	enum constant_kind kind;
	const char *name;
};

struct module_query {
	const char *runtime;
	const struct match_alternative *matches;
	size_t n_matches;
	const struct function_query *functions;
	size_t n_functions;
	const struct constant_query *constants;
	size_t n_constants;
	/* Version: the C string that this exported function returns (lea; ret), or NULL. With steps as LOCATE_TABLE. */
	const struct locator *version;
};

#endif
