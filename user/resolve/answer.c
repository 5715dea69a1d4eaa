/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Packing and unpacking walk an answer by the same functions, so that the two cannot differ. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "expr.h"
#include "hook.h"
#include "resolve/codec.h"
#include "resolve/resolver.h"

struct codec {
	uint8_t *data; /* reading: never written */
	size_t at, size;
	bool writing, bad;
	int error;
};

static void bytes(struct codec *codec, void *value, size_t size)
{
	if (codec->bad)
		return;
	if (codec->writing && codec->at + size > codec->size) {
		size_t room = (codec->at + size) * 2;
		uint8_t *more = realloc(codec->data, room);

		if (!more) {
			codec->bad = true;
			return;
		}
		codec->data = more;
		codec->size = room;
	}
	if (size > codec->size - codec->at) {
		codec->bad = true;
		return;
	}
	if (codec->writing)
		memcpy(codec->data + codec->at, value, size);
	else
		memcpy(value, codec->data + codec->at, size);
	codec->at += size;
}

static void small(struct codec *codec, uint8_t *value, uint8_t most)
{
	bytes(codec, value, 1);
	if (*value > most)
		codec->bad = true;
}

static void flag(struct codec *codec, bool *value)
{
	uint8_t byte = *value;

	small(codec, &byte, 1);
	*value = byte & 1;
}

static void count(struct codec *codec, uint16_t *value, size_t most)
{
	bytes(codec, value, sizeof(*value));
	if (*value > most)
		codec->bad = true;
}

/* Texts go to terminals: what no one of ours would write is no answer of ours. */
static void text(struct codec *codec, char *value, size_t room)
{
	uint8_t length = strnlen(value, room - 1);

	small(codec, &length, room - 1);
	if (codec->bad)
		return;
	bytes(codec, value, length);
	value[codec->bad ? 0 : length] = 0;
	for (char *c = value; *c && !codec->writing; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

static void exit_site(struct codec *codec, struct answer_exit *exit)
{
	bytes(codec, &exit->offset, sizeof(exit->offset));
	bytes(codec, &exit->vaddr, sizeof(exit->vaddr));
	bytes(codec, &exit->frame_offset, sizeof(exit->frame_offset));
	small(codec, &exit->frame, SITE_FRAME_BP);
	small(codec, &exit->how, EXIT_TAIL);
	small(codec, &exit->cost, COST_STEPPED);
	small(codec, &exit->result, EXPR_ARGS);
	bytes(codec, exit->bytes, sizeof(exit->bytes));
}

static void pad(struct codec *codec, struct answer_pad *pad)
{
	bytes(codec, &pad->offset, sizeof(pad->offset));
	bytes(codec, &pad->frame_offset, sizeof(pad->frame_offset));
	small(codec, &pad->frame, SITE_FRAME_BP);
	small(codec, &pad->cost, COST_STEPPED);
	small(codec, &pad->catches, 1);
}

static void function(struct codec *codec, struct answer_function *function)
{
	flag(codec, &function->found);
	text(codec, function->why, sizeof(function->why));
	bytes(codec, &function->vaddr, sizeof(function->vaddr));
	bytes(codec, &function->offset, sizeof(function->offset));
	bytes(codec, &function->size, sizeof(function->size));
	bytes(codec, &function->entry_vaddr, sizeof(function->entry_vaddr));
	bytes(codec, &function->entry_offset, sizeof(function->entry_offset));
	bytes(codec, &function->entry_frame_offset, sizeof(function->entry_frame_offset));
	small(codec, &function->entry_cost, COST_STEPPED);
	bytes(codec, function->entry_bytes, sizeof(function->entry_bytes));
	flag(codec, &function->exits_complete);
	text(codec, function->exits_why, sizeof(function->exits_why));
	count(codec, &function->n_exits, ANSWER_EXITS_MAX);
	count(codec, &function->n_pads, ANSWER_PADS_MAX);
	for (int i = 0; i < function->n_exits && !codec->bad; i++)
		exit_site(codec, &function->exits[i]);
	for (int i = 0; i < function->n_pads && !codec->bad; i++)
		pad(codec, &function->pads[i]);
}

static void match(struct codec *codec, struct answer_match *match, const struct module_query *queries, size_t n_queries)
{
	const struct module_query *query;

	count(codec, &match->query, UINT16_MAX);
	text(codec, match->version, sizeof(match->version));
	count(codec, &match->n_functions, UINT16_MAX);
	count(codec, &match->n_constants, UINT16_MAX);
	if (codec->bad)
		return;
	if (!codec->writing) {
		if (match->query >= n_queries)
			goto bad;
		query = &queries[match->query];
		if (match->n_functions != query->n_functions || match->n_constants != query->n_constants)
			goto bad;
		match->functions = calloc(match->n_functions + 1, sizeof(*match->functions));
		match->constants = calloc(match->n_constants + 1, sizeof(*match->constants));
		if (!match->functions || !match->constants)
			goto bad;
	}
	for (int i = 0; i < match->n_functions && !codec->bad; i++)
		function(codec, &match->functions[i]);
	for (int i = 0; i < match->n_constants && !codec->bad; i++) {
		flag(codec, &match->constants[i].found);
		bytes(codec, &match->constants[i].value, sizeof(match->constants[i].value));
	}
	return;
bad:
	codec->bad = true;
}

static void whole(struct codec *codec, struct answer *answer, const struct module_query *queries, size_t n_queries)
{
	small(codec, &answer->build_id_length, ANSWER_BUILD_ID_MAX);
	bytes(codec, answer->build_id, sizeof(answer->build_id));
	flag(codec, &answer->failed);
	text(codec, answer->why, sizeof(answer->why));
	count(codec, &answer->n_matches, codec->writing ? UINT16_MAX : n_queries);
	if (!codec->writing && !codec->bad) {
		answer->matches = calloc(answer->n_matches + 1, sizeof(*answer->matches));
		if (!answer->matches)
			codec->bad = true;
	}
	for (int i = 0; i < answer->n_matches && !codec->bad; i++) {
		match(codec, &answer->matches[i], queries, n_queries);
		/* In the order of the queries, so none twice. */
		if (i && answer->matches[i].query <= answer->matches[i - 1].query)
			codec->bad = true;
	}
}

int codec__pack(const struct answer *answer, uint8_t **data, size_t *size)
{
	struct codec codec = { .writing = true };

	whole(&codec, (struct answer *)answer, NULL, 0);
	if (codec.bad) {
		free(codec.data);
		return -ENOMEM;
	}
	*data = codec.data;
	*size = codec.at;
	return 0;
}

struct answer *codec__unpack(const uint8_t *data, size_t size, const struct module_query *queries, size_t n_queries)
{
	struct codec codec = { .data = (uint8_t *)data, .size = size };
	struct answer *answer = calloc(1, sizeof(*answer));

	if (!answer)
		return NULL;
	whole(&codec, answer, queries, n_queries);
	if (!codec.bad && codec.at == size)
		return answer;
	answer__free(answer);
	errno = EBADMSG;
	return NULL;
}

void answer__free(struct answer *answer)
{
	if (!answer)
		return;
	for (int i = 0; answer->matches && i < answer->n_matches; i++) {
		free(answer->matches[i].functions);
		free(answer->matches[i].constants);
	}
	free(answer->matches);
	free(answer);
}

struct answer *answer__failed(const char *format, ...)
{
	struct answer *answer = calloc(1, sizeof(*answer));
	va_list arguments;

	if (!answer)
		return NULL;
	answer->failed = true;
	va_start(arguments, format);
	vsnprintf(answer->why, sizeof(answer->why), format, arguments);
	va_end(arguments);
	return answer;
}

/* FNV-1a twice, from two starts: no enemy chooses the queries. */
static void mix(struct queries_hash *hash, const void *data, size_t size)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < size; i++) {
		hash->low = (hash->low ^ at[i]) * 0x100000001b3ull;
		hash->high = (hash->high ^ (uint8_t)(at[i] + 0x5d)) * 0x10000000233ull;
	}
}

static void mix_number(struct queries_hash *hash, uint64_t number)
{
	mix(hash, &number, sizeof(number));
}

static void mix_text(struct queries_hash *hash, const char *string)
{
	mix_number(hash, string ? strlen(string) : UINT64_MAX);
	if (string)
		mix(hash, string, strlen(string));
}

static void mix_locator(struct queries_hash *hash, const struct locator *locator, int depth)
{
	mix_number(hash, locator != NULL);
	if (!locator || depth > 16)
		return;
	mix_number(hash, locator->kind);
	mix_text(hash, locator->name);
	mix_number(hash, locator->slot);
	mix_number(hash, locator->n_steps);
	for (size_t i = 0; i < locator->n_steps; i++) {
		mix_number(hash, locator->steps[i].kind);
		mix_number(hash, locator->steps[i].slot);
	}
	mix_locator(hash, locator->of, depth + 1);
	mix_locator(hash, locator->called_by, depth + 1);
}

static void mix_texts(struct queries_hash *hash, const char **texts, size_t n)
{
	mix_number(hash, n);
	for (size_t i = 0; i < n; i++)
		mix_text(hash, texts[i]);
}

/* This very program: another build may answer otherwise, also where its version has not changed. */
static void mix_program(struct queries_hash *hash)
{
	struct stat stat_;

	mix_text(hash, INFERMETER_VERSION);
	if (stat("/proc/self/exe", &stat_) == 0) {
		mix_number(hash, (uint64_t)stat_.st_size);
		mix_number(hash, (uint64_t)stat_.st_mtim.tv_sec);
		mix_number(hash, (uint64_t)stat_.st_mtim.tv_nsec);
	}
}

struct queries_hash codec__hash(const struct module_query *queries, size_t n_queries)
{
	struct queries_hash hash = { 0xcbf29ce484222325ull, 0x84222325cbf29ce4ull };

	mix_number(&hash, CODEC_FORMAT);
	mix_program(&hash);
	for (const struct module_query *query = queries; query < queries + n_queries; query++) {
		mix_text(&hash, query->runtime);
		mix_number(&hash, query->n_matches);
		for (const struct match_alternative *a = query->matches; a < query->matches + query->n_matches; a++) {
			mix_texts(&hash, a->exports, a->n_exports);
			mix_texts(&hash, a->strings, a->n_strings);
			mix_text(&hash, a->soname);
			mix_texts(&hash, a->absent_exports, a->n_absent_exports);
		}
		mix_number(&hash, query->n_functions);
		for (const struct function_query *f = query->functions; f < query->functions + query->n_functions;
		     f++) {
			mix_text(&hash, f->name);
			mix_number(&hash, f->n_locators);
			for (size_t i = 0; i < f->n_locators; i++)
				mix_locator(&hash, &f->locators[i], 0);
			mix_number(&hash, f->ends);
			mix_number(&hash, f->needs);
			mix_number(&hash, f->exit_needs);
		}
		mix_number(&hash, query->n_constants);
		for (const struct constant_query *c = query->constants; c < query->constants + query->n_constants;
		     c++) {
			mix_number(&hash, c->kind);
			mix_text(&hash, c->name);
		}
		mix_locator(&hash, query->version, 0);
	}
	return hash;
}
