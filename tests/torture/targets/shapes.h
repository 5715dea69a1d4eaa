/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Functions whose bodies are hard to leave by a probe. Built by two compilers with many options. */
#ifndef SHAPES_H
#define SHAPES_H

#include "torture.h"

typedef int shape_fn(struct model *model, int rows, int mode);

#define SHAPES 12

shape_fn shape_rets, shape_tail_plain, shape_tail_hooked, shape_end, shape_cold, shape_dynamic, shape_recursive,
	shape_switch, shape_aligned, shape_many, shape_loop, shape_leaf;
int shape_many_of(struct model *model, int rows, int mode, long c, long d, long e, long f, long g, double h, long i);

#endif
