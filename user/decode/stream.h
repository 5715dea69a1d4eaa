/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The saved stream (--save FILE): every record that the model was given, in order, so that `replay` gives the same
 * model back. A file header, then frames of {mark, length, CRC} and the record's own bytes, all 8-byte aligned. A file
 * that was cut off by a kill or damaged in the middle is read as far as it is whole: the reader skips to the next
 * frame whose check sum holds and says how many bytes it left out.
 */
#ifndef INFERMETER_STREAM_H
#define INFERMETER_STREAM_H

#include "decode/decode.h"

#define STREAM_VERSION 1

struct stream_writer;
struct stream_reader;

/*
 * Makes (or empties) the file, readable by its owner only, and writes the header at once. realtime_offset_ns: what to
 * add to a record's time to get Unix time. Returns a writer, or NULL with errno. The caller closes it.
 */
struct stream_writer *stream_writer__open(const char *path, int64_t realtime_offset_ns);

/*
 * Adds one record (its header's length counts). Kept in memory until 64 KiB are full or the caller flushes. The first
 * write error is logged; from then on records are only counted. Returns 0 or -errno (the first error's, again).
 */
int stream_writer__write(struct stream_writer *writer, const struct record *record);

/* Hands everything to the kernel. Call it from a timer. Returns 0 or -errno. */
int stream_writer__flush(struct stream_writer *writer);

/* Records that a write error or a full disk cost so far. */
uint64_t stream_writer__lost(const struct stream_writer *writer);

/* Flushes, closes, frees; NULL is fine. Returns 0 or the first -errno. */
int stream_writer__close(struct stream_writer *writer);

/* What reading found so far. */
struct stream_stats {
	uint64_t records;
	uint64_t bytes_skipped;	     /* damaged, in the middle */
	uint64_t bytes_cut;	     /* a last frame that is not whole: the writer was killed, or still writes */
	struct decode_counts decode; /* whole frames with a record that is none */
};

/*
 * Opens a stream ("-": standard input) and checks its header. Returns a reader, or NULL with errno and the reason in
 * why (size bytes, "not a stream of infermeter", "written by version 7 …"). The caller closes it.
 */
struct stream_reader *stream_reader__open(const char *path, char *why, size_t size);

/*
 * The next record, valid until the next call. Returns 1; 0 at the end (stats say whether something was missing);
 * or -errno when the file cannot be read.
 */
int stream_reader__next(struct stream_reader *reader, struct record *record);
int64_t stream_reader__realtime_offset_ns(const struct stream_reader *reader);
const struct stream_stats *stream_reader__stats(const struct stream_reader *reader);
void stream_reader__close(struct stream_reader *reader); /* NULL is fine */

#endif
