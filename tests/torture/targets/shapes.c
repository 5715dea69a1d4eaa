/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "shapes.h"

#include <alloca.h>

#ifdef __clang__
#define SHAPE __attribute__((noinline))
#else
#define SHAPE __attribute__((noinline, noclone))
#endif

#ifdef SHAPES_HIDDEN
#pragma GCC visibility push(hidden)
#endif

static volatile int sink;

/* A call that the compiler must not look through. */
static SHAPE int work(int a, int b)
{
	sink += a;
	return a * 3 + b;
}

/* Several rets: each early return is one of its own where the compiler likes it. */
SHAPE int shape_rets(struct model *model, int rows, int mode)
{
	if (!model->kind)
		return -9;
	if (mode == 1)
		return -1;
	if (mode == 2) {
		work(rows, mode);
		return -2;
	}
	for (int i = 0; i < rows; i++) {
		if (work(i, mode) < -1000)
			return -3;
	}
	return work(rows, 1) & 0;
}

static SHAPE int plain_end(struct model *model, int rows, int mode)
{
	sink += rows;
	return model->kind ? mode * 7 : -1;
}

/* A sibling call into a function that nobody watches. */
SHAPE int shape_tail_plain(struct model *model, int rows, int mode)
{
	sink += mode;
	return plain_end(model, rows, mode + 1);
}

SHAPE int shape_end(struct model *model, int rows, int mode)
{
	sink -= rows;
	return model->kind && mode != 3 ? 0 : -1;
}

/* A sibling call into a function that is watched too: two calls, one after the other or one in the other. */
SHAPE int shape_tail_hooked(struct model *model, int rows, int mode)
{
	sink += mode;
	return shape_end(model, rows * 2, mode);
}

static SHAPE __attribute__((cold)) int complain(const char *name, int mode)
{
	sink += name[0] + mode;
	return -mode;
}

/* A part that is moved far away, with returns of its own. */
SHAPE int shape_cold(struct model *model, int rows, int mode)
{
	int sum = 0;

	for (int i = 0; i < rows; i++)
		sum += work(i, mode);
	if (__builtin_expect(mode == 1, 0)) {
		if (complain(model->name, 11) < 0) {
			sink = complain(model->name, 12);
			return -12;
		}
		sum += complain(model->name, 13);
	}
	if (__builtin_expect(mode == 2, 0)) {
		sum = complain(model->name, sum);
		return -22;
	}
	sink += sum;
	return 0;
}

/* The frame's size is known only as it runs; with arrays, so that the stack protector looks at it. */
SHAPE int shape_dynamic(struct model *model, int rows, int mode)
{
	volatile char *buffer = alloca((size_t)rows * 16 + 1);
	char fixed[64];

	snprintf(fixed, sizeof(fixed), "%s", model->name);
	for (int i = 0; i < rows * 16; i++)
		buffer[i] = (char)i;
	sink += buffer[rows * 8] + fixed[mode];
	return mode == 1 ? -4 : 0;
}

static shape_fn *volatile self = shape_recursive;

/* Only the outermost is an execution. */
SHAPE int shape_recursive(struct model *model, int rows, int mode)
{
	int got;

	if (mode == 0)
		return 0;
	got = self(model, rows, mode - 1);
	return work(got, 0) == got * 3 ? got : -1;
}

/* A jump table, and a ret in each case. */
SHAPE int shape_switch(struct model *model, int rows, int mode)
{
	switch (mode) {
	case 0:
		sink = work(rows, 3);
		return 0;
	case 1:
		sink = 4;
		return work(1, -4) - 5;
	case 2:
		return -7;
	case 3:
		sink = work(2, 2);
		return 0;
	case 4:
		work(3, 3);
		sink = model->name[0];
		return -8;
	case 5:
		return -9;
	case 6:
		sink ^= 1;
		break;
	case 7:
		sink ^= 2;
		return -10;
	}
	return 0;
}

/* The frame is aligned further than the ABI does: the stack pointer is found through another register. */
SHAPE int shape_aligned(struct model *model, int rows, int mode)
{
	_Alignas(64) volatile int cells[32];

	for (int i = 0; i < 32; i++)
		cells[i] = work(i, rows);
	if (((unsigned long)cells & 63) != 0)
		return -99;
	sink += cells[mode];
	return mode == 2 ? -6 : 0;
}

/* Arguments on the stack, which the function may overwrite. */
SHAPE int shape_many_of(struct model *model, int rows, int mode, long c, long d, long e, long f, long g, double h,
			long i)
{
	c += work((int)d, (int)e);
	f += g;
	g = c ^ i;
	sink += (int)(c + f + g + (long)h);
	if (mode == 4)
		return work((int)f, (int)g) == 12345 ? 1 : -4;
	return c + d + e + f + i == -1 ? -1 : 0;
}

SHAPE int shape_many(struct model *model, int rows, int mode)
{
	return shape_many_of(model, rows, mode, 1, 2, 3, 4, 5, 6.5, 7);
}

/* Loops back over its own beginning, saves many registers, and can end in a function that does not return. */
SHAPE int shape_loop(struct model *model, int rows, int mode)
{
	long a = rows, b = mode, c = 1, d = 2, e = 3;

again:
	a = work((int)b, (int)c);
	b = work((int)c, (int)d);
	c = work((int)d, (int)e);
	d = work((int)e, (int)a) & 255;
	e++;
	if (mode > 1000)
		abort();
	if (e < 10)
		goto again;
	return model->kind && a + b + c == 12345678 ? -1 : 0;
}

/* As short as a function can be. */
SHAPE int shape_leaf(struct model *model, int rows, int mode)
{
	return mode;
}

#ifdef SHAPES_HIDDEN
#pragma GCC visibility pop

/* The only names that this file shows. The strings in the functions below are how they are found. */
SHAPE int hidden_impl(struct model *model, int rows, int mode) __attribute__((visibility("hidden")));
SHAPE int hidden_impl(struct model *model, int rows, int mode)
{
	if (mode == 1) {
		printf("torture hidden: %s failed\n", model->name);
		return -1;
	}
	return work(rows, mode) & 0;
}

shape_fn *hidden_get(void);
shape_fn *hidden_get(void)
{
	return hidden_impl;
}
#endif
