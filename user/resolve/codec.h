/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Answers as bytes, for the pipe and the disk. Both may lie (a child under a hostile file's control, a damaged disk): unpacking
 * checks every count and range against the queries, and gives nothing rather than something odd.
 */
#ifndef INFERMETER_CODEC_H
#define INFERMETER_CODEC_H

#include "resolve/answer.h"
#include "resolve/query.h"

#define CODEC_FORMAT 2		 /* of the bytes: raise it with each change of answer.h */
#define CODEC_MAX    (32u << 20) /* bytes of the largest answer that is read */

/* The caller frees *data. Returns 0 or -errno. */
int codec__pack(const struct answer *answer, uint8_t **data, size_t *size);

/* Returns an answer for these queries (answer__free), or NULL with errno: EBADMSG for bytes that are none. */
struct answer *codec__unpack(const uint8_t *data, size_t size, const struct module_query *queries, size_t n_queries);

/* An answer that says why there is none. NULL: out of memory. */
struct answer *answer__failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number for the queries, their order and this program's build: equal only for equal ones. */
struct queries_hash {
	uint64_t low, high;
};
struct queries_hash codec__hash(const struct module_query *queries, size_t n_queries);

#endif
