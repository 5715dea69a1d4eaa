/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/noreturn.h"

#include <fnmatch.h>

#include "resolve/code.h"
#include "resolve/reloc.h"
#include "resolve/unwind.h"

#define DEPTH_MAX	 4
#define INSTRUCTIONS_MAX 2000

/* Library functions that never come back, as patterns over symbols; one row an end. */
static const char *const aborting[] = {
	"__stack_chk_fail",
	"abort",
	"exit",
	"_exit",
	"_Exit",
	"quick_exit",
	"__assert_fail",
	"__assert",
	"__chk_fail",
	"__fortify_fail",
	"longjmp",
	"_longjmp",
	"siglongjmp",
	"__longjmp_chk",
	"err",
	"errx",
	"__clang_call_terminate",
	"__cxa_pure_virtual",
	"_ZSt9terminatev",
	"_ZSt21__glibcxx_assert_failPKciS0_S0_",
	"_Py_FatalErrorFunc",
	NULL,
};
static const char *const throwing[] = {
	"__cxa_throw",
	"__cxa_rethrow",
	"__cxa_bad_cast",
	"__cxa_bad_typeid",
	"__cxa_throw_bad_array_new_length",
	"__cxa_call_unexpected",
	"_Unwind_Resume",
	"_ZSt10unexpectedv",
	"_ZSt*__throw_*",
	"_ZNSt*__throw_*",
	"_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE",
	"_ZN3c106detail14torchCheckFail*",
	"pthread_exit",
	"rust_panic",
	NULL,
};

/* Those that end an object's life and nothing else: a function's work is as good as done before them. */
static const char *const freeing[] = {
	"free", "_ZdlPv", "_ZdlPvm", "_ZdaPv", "_ZdaPvm", "_ZdlPvSt11align_val_t", "_ZdlPvmSt11align_val_t", NULL,
};

static bool among(const char *const *patterns, const char *name)
{
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, name, 0))
			return true;
	return false;
}

static enum call_end end_by_name(const char *name)
{
	if (!name)
		return CALL_RETURNS;
	if (among(freeing, name))
		return CALL_FREES;
	if (among(aborting, name))
		return CALL_ABORTS;
	return among(throwing, name) ? CALL_THROWS : CALL_RETURNS;
}

static bool never(const char *name)
{
	return end_by_name(name) >= CALL_THROWS;
}

/* Reads the callee: code without a ret, an indirect jump, or a jump to something that returns cannot come back. */
static bool body_returns(const struct elf_file *elf, uint64_t vaddr, const uint64_t *above, int depth)
{
	uint64_t chain[DEPTH_MAX + 1];
	struct code code;
	struct fde fde;

	for (int i = 0; i < depth; i++)
		if (above[i] == vaddr)
			return false; /* being looked at already */
	if (depth == DEPTH_MAX || !unwind__find(elf, vaddr, &fde))
		return true;
	for (int i = 0; i < depth; i++)
		chain[i] = above[i];
	chain[depth] = fde.start;
	vaddr = fde.start;
	for (int i = 0; vaddr < fde.start + fde.size; i++, vaddr += code.length) {
		const char *import = NULL;
		uint64_t target;
		struct fde other;

		if (i == INSTRUCTIONS_MAX || !code__at(elf, vaddr, &code))
			return true;
		if (code.kind == CODE_RET)
			return true;
		if (code.kind == CODE_JMP_INDIRECT) {
			if (code.reference)
				import = reloc__symbol(elf, code.reference);
			if (!never(import))
				return true;
		}
		if ((code.kind != CODE_JMP && code.kind != CODE_JCC) || code.target - fde.start < fde.size)
			continue;
		target = code__follow_stub(elf, code.target, &import);
		if (never(import))
			continue;
		if (!target || !unwind__find(elf, target, &other) || body_returns(elf, other.start, chain, depth + 1))
			return true;
	}
	return false;
}

bool noreturn__code_returns(const struct elf_file *elf, uint64_t vaddr)
{
	return body_returns(elf, vaddr, NULL, 0);
}

enum call_end noreturn__call(struct noreturn *noreturn, uint64_t vaddr)
{
	int place = (vaddr ^ vaddr >> 8 ^ vaddr >> 16) % NORETURN_MEMO;
	const char *import = NULL;
	uint64_t target;

	if (noreturn->memo[place].vaddr != vaddr) {
		target = code__follow_stub(noreturn->elf, vaddr, &import);
		noreturn->memo[place].vaddr = vaddr;
		noreturn->memo[place].end = end_by_name(import);
		if (noreturn->memo[place].end == CALL_RETURNS && target &&
		    !body_returns(noreturn->elf, target, NULL, 0))
			noreturn->memo[place].end = CALL_THROWS;
	}
	return noreturn->memo[place].end;
}

enum call_end noreturn__call_slot(struct noreturn *noreturn, uint64_t slot)
{
	enum call_end end = end_by_name(reloc__symbol(noreturn->elf, slot));
	uint64_t target;

	if (end != CALL_RETURNS || !reloc__value(noreturn->elf, slot, &target) ||
	    !elf_file__is_code(noreturn->elf, target))
		return end;
	return noreturn__call(noreturn, target);
}
