/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Bytes of one wire record → a record that the rest may trust: its tag is known, its length fits the tag, its
 * texts end within it. Hook ids, handles and values are free: who reads them must know or count them. Nothing is copied.
 */
#ifndef INFERMETER_DECODE_H
#define INFERMETER_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* One checked record: points at the caller's bytes. The tag says which member of the union to read. */
struct record {
	enum wire_tag tag;
	union {
		const struct wire_header *header;	 /* any tag */
		const struct wire_call *call;		 /* WIRE_CALL, WIRE_LOAD */
		const struct wire_handle *handle;	 /* WIRE_HANDLE: only name_length bytes of name[] may be read */
		const struct wire_free *freed;		 /* WIRE_FREE */
		const struct wire_life *life;		 /* WIRE_EXEC, WIRE_EXIT, WIRE_HELD */
		const struct wire_fact_hook *hook;	 /* WIRE_FACT_HOOK */
		const struct wire_fact_process *process; /* WIRE_FACT_PROCESS */
		const struct wire_fact_loss *loss;	 /* WIRE_FACT_LOSS */
	};
};

/* Why a record was refused. */
enum decode_error {
	DECODE_SIZE,   /* fewer bytes than its length says, not a multiple of 8, or not 8-byte aligned in memory */
	DECODE_TAG,    /* no such record */
	DECODE_LENGTH, /* a length that its tag cannot have */
	DECODE_TEXT,   /* a name longer than its room, or a text without its NUL */
	DECODE_ERRORS
};

struct decode_counts {
	uint64_t good, bad[DECODE_ERRORS];
};

/*
 * Checks the record at bytes, of which size can be read, and fills record. Bytes behind the record's own length are
 * not looked at. Returns true; or false after counting why in counts. counts may be NULL.
 */
bool decode__record(const void *bytes, size_t size, struct record *record, struct decode_counts *counts);

/* "decode_size", "decode_tag" …: the value of the stage label of events_invalid_total. */
const char *decode__error_stage(enum decode_error error);

#endif
