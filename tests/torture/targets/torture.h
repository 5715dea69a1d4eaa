/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What the targets share. A target says "ready" when everything is loaded, waits for a line, makes its calls, prints for
 * each model what it made (one JSON object a line), says "done" and waits for another line, so that it can be looked at
 * while it lives. What it prints must not depend on whether somebody watches.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct model {
	const char *kind;
	char name[56]; /* at 8, inline */
};

typedef int step_fn(void *arg);

/* What was made of one model, and how it must be seen. */
struct tally {
	const char *name;
	long made;		  /* calls of hooked functions: the sum of the next six */
	long ok, status, unwound; /* executions, and how they ended */
	long abandoned;		  /* their thread or program ended inside */
	long nested;		  /* inside a call of the same kind on the same stack */
	long lost;		  /* cannot be counted, which must be said */
	long rows;		  /* of those that are ok */
};

static inline void model_init(struct model *model, const char *name)
{
	model->kind = "torture";
	snprintf(model->name, sizeof(model->name), "%s", name);
}

static inline void wait_line(void)
{
	char c;
	ssize_t n;

	fflush(stdout);
	do {
		n = read(STDIN_FILENO, &c, 1);
	} while (n == 1 && c != '\n');
	if (n != 1)
		_exit(99);
}

static inline void ready(void)
{
	puts("ready");
	wait_line();
}

static inline void done(void)
{
	puts("done");
	wait_line();
}

static inline void tally_print(const struct tally *t)
{
	printf("{\"name\": \"%s\", \"made\": %ld, \"ok\": %ld, \"status\": %ld, \"unwound\": %ld, \"abandoned\": %ld, "
	       "\"nested\": %ld, \"lost\": %ld, \"rows\": %ld}\n",
	       t->name, t->made, t->ok, t->status, t->unwound, t->abandoned, t->nested, t->lost, t->rows);
	if (t->made != t->ok + t->status + t->unwound + t->abandoned + t->nested + t->lost) {
		printf("the tally of %s does not add up\n", t->name);
		fflush(stdout);
		_exit(98);
	}
}

/* A wrong result must end the test. */
#define EXPECT(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                 \
			fflush(stdout);                                                                                \
			_exit(97);                                                                                     \
		}                                                                                                      \
	} while (0)

#endif
