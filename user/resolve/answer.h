/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What the resolver says of one file: plain data without pointers between parts, so that it can cross a
 * pipe and lie in the cache. All offsets are file offsets (what uprobes take), all vaddrs are virtual
 * addresses of the file (before its load base is added).
 */
#ifndef INFERMETER_ANSWER_H
#define INFERMETER_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_EXITS_MAX    24
#define ANSWER_PADS_MAX	    192
#define ANSWER_TEXT_MAX	    160
#define ANSWER_BUILD_ID_MAX 20

/* What the kernel does with a probed instruction, and so what it costs (runtimes.md §1.2). */
enum site_cost {
	COST_NOP5,     /* nop of five bytes: cheapest where the kernel optimises it */
	COST_EMULATED, /* push, jcc, jmp, call, nop: emulated, about a microsecond */
	COST_STEPPED,  /* anything else: single-stepped out of line, tens of microseconds */
};

enum exit_how {
	EXIT_STRAIGHT, /* the emulable instruction before a ret, in a straight line */
	EXIT_DOMINANT, /* an emulable instruction that every path to the ret crosses, once, after the work */
	EXIT_RET,      /* the ret itself */
	EXIT_TAIL,     /* a jump out of the function: the call ends in the function jumped to; the site is the jump */
};

struct answer_exit {
	uint64_t offset;
	uint64_t vaddr;
	int32_t frame_offset; /* entry stack pointer = frame register + this, from the unwind table */
	uint8_t frame;	      /* enum site_frame (include/hook.h): 0 unknown, 1 sp, 2 bp */
	uint8_t how;	      /* enum exit_how */
	uint8_t cost;	      /* enum site_cost */
	uint8_t result;	      /* enum expr_arg: the register that holds the return value here; EXPR_ARGS: none (yet) */
	uint8_t bytes[8];     /* the first bytes there */
};

struct answer_pad {
	uint64_t offset;
	int32_t frame_offset;
	uint8_t frame;
	uint8_t cost;
	uint8_t catches; /* the action record is not a cleanup only: the exception may end here, inside the function */
};

struct answer_function {
	bool found;
	char why[ANSWER_TEXT_MAX]; /* not found: why. found: how, "refers to \"Running with tag: \", called by vtable slot 2" */
	uint64_t vaddr, offset, size;	    /* the function; size from FDE or symbol */
	uint64_t entry_vaddr, entry_offset; /* the entry site: cheapest equivalent of the first instruction */
	int32_t entry_frame_offset; /* stack pointer at the function's first instruction = sp at the entry site + this */
	uint8_t entry_cost;
	uint8_t entry_bytes[16]; /* first bytes of the function */
	bool exits_complete; /* every way to return is among exits[]; else exits must not be used, and exits_why says why */
	char exits_why[ANSWER_TEXT_MAX];
	uint16_t n_exits, n_pads;
	struct answer_exit exits[ANSWER_EXITS_MAX];
	struct answer_pad pads[ANSWER_PADS_MAX];
};

struct answer_constant {
	bool found;
	uint64_t value;
};

/* The part of an answer that belongs to one query. */
struct answer_match {
	uint16_t query;			   /* index of the module_query */
	uint16_t n_functions, n_constants; /* as many as the query has, same order */
	char version[32];		   /* "" where unknown */
	struct answer_function *functions;
	struct answer_constant *constants;
};

/* Everything about one file. Owned by the cache; valid until the cache is freed. */
struct answer {
	uint8_t build_id[ANSWER_BUILD_ID_MAX];
	uint8_t build_id_length; /* 0: the file has none */
	bool failed;		 /* not an ELF file that we can read, a crash or a time-out in the child: why[] */
	char why[ANSWER_TEXT_MAX];
	uint16_t n_matches; /* 0: no runtime of ours */
	struct answer_match *matches;
};

#endif
