/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Calls every shape of every library that it is given; or those that are linked in (SHAPES_STATIC). */
#include "shapes.h"

#include <dlfcn.h>
#include <stdarg.h>

#define ROUNDS 6

static const char *const names[SHAPES] = { "shape_rets",    "shape_tail_plain", "shape_tail_hooked", "shape_end",
					   "shape_cold",    "shape_dynamic",	"shape_recursive",   "shape_switch",
					   "shape_aligned", "shape_many_of",	"shape_loop",	     "shape_leaf" };

struct library {
	struct model model;
	shape_fn *shapes[SHAPES];
};

typedef int many_fn(struct model *model, int rows, int mode, long c, long d, long e, long f, long g, double h, long i);

static int call(struct library *library, int shape, int rows, int mode)
{
	if (shape == 9)
		return ((many_fn *)library->shapes[9])(&library->model, rows, mode, 1, 2, 3, 4, 5, 6.5, 7);
	return library->shapes[shape](&library->model, rows, mode);
}

/* Shape i has batches of 2^i rows, so that the histogram of batches tells them apart. */
static void use(struct library *library)
{
	struct tally tally = { .name = library->model.name };
	long ok[SHAPES] = { 0 };

	for (int round = 0; round < ROUNDS; round++) {
		for (int shape = 0; shape < SHAPES; shape++) {
			int rows = 1 << shape, mode = round, got = call(library, shape, rows, mode);

			if (shape == 1 || shape == 2) { /* they end in a jump: their status cannot be read */
				EXPECT(got == (shape == 1 ? (mode + 1) * 7 : mode == 3 ? -1 : 0));
				got = 0;
				if (shape == 2) { /* and a call of shape_end, with its status */
					tally.made++;
					tally.status += mode == 3;
					tally.ok += mode != 3;
					ok[3] += mode != 3;
					tally.rows += mode != 3 ? 2 * rows : 0;
				}
			}
			tally.made++;
			if (shape == 6) {
				tally.made += mode;
				tally.nested += mode;
			}
			tally.status += got != 0;
			tally.ok += got == 0;
			ok[shape] += got == 0;
			tally.rows += got == 0 ? rows : 0;
		}
	}
	printf("{\"shapes\": [");
	for (int shape = 0; shape < SHAPES; shape++)
		printf("%s%ld", shape ? ", " : "", ok[shape]);
	printf("]}\n");
	tally_print(&tally);
}

#ifdef SHAPES_STATIC
int main(void)
{
	static struct library library = { .shapes = { shape_rets, shape_tail_plain, shape_tail_hooked, shape_end,
						      shape_cold, shape_dynamic, shape_recursive, shape_switch,
						      shape_aligned, (shape_fn *)shape_many_of, shape_loop,
						      shape_leaf } };

	model_init(&library.model, SHAPES_STATIC);
	ready();
	use(&library);
	done();
	return 0;
}
#else
static void load(struct library *library, const char *path)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const char *base = strrchr(path, '/');
	char name[56];

	if (!handle) {
		fprintf(stderr, "%s\n", dlerror());
		exit(96);
	}
	snprintf(name, sizeof(name), "%s", base ? base + 1 : path);
	name[strcspn(name, ".")] = '\0';
	model_init(&library->model, name);
	for (int shape = 0; shape < SHAPES; shape++) {
		library->shapes[shape] = (shape_fn *)dlsym(handle, names[shape]);
		EXPECT(library->shapes[shape] != NULL);
	}
}

int main(int argc, char **argv)
{
	struct library *libraries = calloc((size_t)argc, sizeof(*libraries));

	for (int i = 1; i < argc; i++)
		load(&libraries[i], argv[i]);
	ready();
	for (int i = 1; i < argc; i++)
		use(&libraries[i]);
	done();
	free(libraries);
	return 0;
}
#endif
