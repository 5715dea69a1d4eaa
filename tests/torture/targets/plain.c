/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "plain.h"

#ifndef PLAIN_VERSION
#define PLAIN_VERSION "1.0"
#endif

#define PLAIN __attribute__((noinline))

static struct model pool[8];

PLAIN struct model *torture_load(const char *name)
{
	if (!*name)
		return NULL;
	for (int i = 0; i < 8; i++) {
		if (pool[i].kind)
			continue;
		model_init(&pool[i], name);
		return &pool[i];
	}
	return NULL;
}

PLAIN void torture_free(struct model *model)
{
	if (model)
		memset(model, 0, sizeof(*model));
}

PLAIN int torture_run(struct model *model, int rows, step_fn *step, void *arg)
{
	int got;

#ifdef PLAIN_LONGER
	/* Another body: every offset is another one. */
	char copy[64];

	snprintf(copy, sizeof(copy), "%s %d", model->name, rows);
	if (copy[0] == '\0')
		return -100;
#endif
	got = step ? step(arg) : 0;
	return model->kind ? got : -1;
}

PLAIN int torture_return(struct model *model, int rows, step_fn *step, void *arg)
{
	int got = step ? step(arg) : 0;

	return model->kind ? got : -rows;
}

const char *torture_version(void)
{
	return PLAIN_VERSION;
}

typedef int nest_fn(struct model *model, int depth);
static nest_fn *const nest_levels[NEST_LEVELS];

#ifdef PLAIN_OTHER
#define LEVEL_NAME(n) other_nest_##n
#else
#define LEVEL_NAME(n) torture_nest_##n
#endif
#define LEVEL(n)                                                                                                       \
	PLAIN int LEVEL_NAME(n)(struct model * model, int depth);                                                      \
	PLAIN int LEVEL_NAME(n)(struct model * model, int depth)                                                       \
	{                                                                                                              \
		int got = depth > 1 ? nest_levels[(n) + 1](model, depth - 1) : 0;                                      \
                                                                                                                       \
		return model->kind ? got : -1;                                                                         \
	}

/* clang-format off: it takes these for types. */
LEVEL(0)
LEVEL(1)
LEVEL(2)
LEVEL(3)
LEVEL(4)
LEVEL(5)
LEVEL(6)
LEVEL(7)
LEVEL(8)
LEVEL(9)
LEVEL(10)
PLAIN int LEVEL_NAME(11)(struct model *model, int depth);
/* clang-format on */
PLAIN int LEVEL_NAME(11)(struct model *model, int depth)
{
	return model->kind ? 0 : -depth;
}

static nest_fn *const nest_levels[NEST_LEVELS] = { LEVEL_NAME(0), LEVEL_NAME(1), LEVEL_NAME(2),	 LEVEL_NAME(3),
						   LEVEL_NAME(4), LEVEL_NAME(5), LEVEL_NAME(6),	 LEVEL_NAME(7),
						   LEVEL_NAME(8), LEVEL_NAME(9), LEVEL_NAME(10), LEVEL_NAME(11) };

int torture_nest(struct model *model, int depth)
{
	return nest_levels[0](model, depth);
}
