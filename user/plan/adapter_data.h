/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What an adapter file was read into. Only user/plan sees the inside. Everything lies in the adapter's arena. */
#ifndef INFERMETER_ADAPTER_DATA_H
#define INFERMETER_ADAPTER_DATA_H

#include "plan/adapter.h"
#include "plan/arena.h"
#include "plan/expression.h"
#include "plan/plan.h"

struct value;

/* let: a name for a value. */
struct binding {
	const char *name;
	struct value *value;
	uint32_t line, column;
};

/* One way to get a value. Its guards must hold, and everything in it must be readable. */
struct alternative {
	uint32_t line, column;
	struct binding *lets;
	size_t n_lets;
	struct node **guards;
	size_t n_guards;
	/* each: count rounds, at most limit, index = start, start + step … Lets and guards are evaluated for each. NULL: no loop */
	const char *index;
	struct node *count; /* NULL: limit */
	uint64_t limit, start, step;
	struct node *least; /* among those whose guards hold, the one with the least; NULL: the first */
	/* The value itself: one of the two. */
	struct node *node;
	struct value *nested;
};

/* The first alternative that can be had is the value. */
struct value {
	struct alternative *alternatives;
	size_t n_alternatives;
	uint32_t line, column;
};

/* What is read at one point of a call. */
struct section {
	struct binding *lets;
	size_t n_lets;
	struct value *values[VALUES]; /* enum hook_value; NULL: not given */
	struct value *model;	      /* the name: a string */
};

#define SAVES_MAX EXPR_SAVED_MAX

struct adapter_hook {
	const char *name;
	uint32_t line, column;
	enum hook_means means;
	enum ends ends;
	bool pads; /* exceptions: pads */
	bool optional;
	uint32_t group;		  /* calls of one group nest; its hooks know the same handles */
	const char *when_maps;	  /* NULL: everywhere */
	const char *fallback_for; /* the hook that this one replaces where that one is refused; NULL: none */
	const char *continues_in; /* the hook whose call it is after a jump out of this one's function; NULL: none */
	struct section entry, exit;
	struct node *saves[SAVES_MAX]; /* what entry(…) in the exit section names, each once */
	size_t n_saves;
};

struct adapter {
	struct arena arena;
	char *path;
	const char *runtime;
	struct adapter_hook *hooks; /* as many as query.functions, same order */
	size_t n_hooks;
	struct constant_list constants;
	struct name_fallback *fallbacks;
	size_t n_fallbacks;
	struct module_query query;
};

/* Reads text (of size bytes, NUL-terminated) as an adapter. Returns NULL and fills error. path is copied. */
struct adapter *adapter__read(const char *path, const char *text, size_t size, struct adapter_error *error);
void adapter__free(struct adapter *adapter);

#endif
