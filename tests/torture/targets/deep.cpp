/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "deep.h"

#include <atomic>
#include <stdexcept>
#include <string>

#define DEEP __attribute__((noinline))

static std::atomic<int> cleanups;

/* Something that each frame must clean up. */
struct guard {
	std::string text;
	explicit guard(const char *name) : text(std::string("a name that is too long for the object: ") + name) {}
	~guard() { cleanups += text.size() > 20; }
};

static int nothing(void *)
{
	return 0;
}

struct caller {
	struct model *model;
	~caller() { deep_run(model, 1, nothing, nullptr); }
};

extern "C" {

DEEP int deep_run(struct model *model, int rows, step_fn *step, void *arg)
{
	guard held(model->name);
	int got = step(arg);

	return held.text.empty() ? rows : got;
}

DEEP int deep_catch(struct model *model, int rows, step_fn *step, void *arg)
{
	guard held(model->name);

	try {
		return step(arg);
	} catch (const std::runtime_error &error) {
		return held.text.empty() ? rows : -5;
	}
}

DEEP int deep_throw(struct model *model, int rows, step_fn *step, void *arg)
{
	guard held(model->name);

	if (step(arg))
		throw std::runtime_error(held.text);
	return held.text.empty() ? rows : 0;
}

DEEP int deep_rethrow(struct model *model, int rows, step_fn *step, void *arg)
{
	guard held(model->name);

	try {
		return step(arg) + (int)held.text.empty() * rows;
	} catch (...) {
		cleanups++;
		throw;
	}
}

DEEP int deep_outer(struct model *model, int rows, step_fn *step, void *arg)
{
	try {
		return deep_run(model, rows, step, arg);
	} catch (const std::runtime_error &error) {
		return 0;
	}
}

DEEP int deep_guard(struct model *model, int rows, step_fn *step, void *arg)
{
	caller at_end{ model };

	return step(arg);
}

static int (*volatile self)(struct model *, int, step_fn *, void *) = deep_self;

DEEP int deep_self(struct model *model, int rows, step_fn *step, void *arg)
{
	int got = rows <= 1 ? step(arg) : self(model, rows - 1, step, arg);

	cleanups++; /* no jump into the other function */
	return got;
}

int deep_cleanups(void)
{
	return cleanups;
}

}
