/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Calls libtoyml and counts: toy_calls LIBRARY MODEL CALLS. Says "before-load", "loaded" and "done", waits for a line after
 * each, then prints what it did as JSON. Every fifth call fails.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toy.h"

#define ROWS_MAX 8

static void step(const char *word)
{
	char line[16];

	printf("%s\n", word);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
}

int main(int argc, char **argv)
{
	void *library = argc == 4 ? dlopen(argv[1], RTLD_NOW) : NULL;
	struct toy_model *(*load)(const char *) = library ? dlsym(library, "toy_load") : NULL;
	int (*run)(struct toy_model *, int, int, const float *, float *) = library ? dlsym(library, "toy_run") : NULL;
	void (*free_)(struct toy_model *) = library ? dlsym(library, "toy_free") : NULL;
	int batches[ROWS_MAX + 1] = { 0 }, calls = 0, failures = 0, comma = 0;
	float data[ROWS_MAX * 4] = { 0 }, out[ROWS_MAX];
	struct toy_model *model;
	const char *name;

	if (!load || !run || !free_)
		return 2;
	step("before-load");
	if (load("/nonexistent"))
		return 1;
	model = load(argv[2]);
	if (!model)
		return 1;
	step("loaded");
	for (int i = 0; i < atoi(argv[3]); i++) {
		int rows = 1 + i % ROWS_MAX, bad = i % 5 == 4;

		if ((run(model, rows, bad ? 3 : 4, data, out) != 0) != bad)
			return 1;
		failures += bad;
		calls += !bad;
		batches[rows] += !bad;
	}
	step("done");
	free_(model);
	name = strrchr(argv[2], '/');
	printf("{\"models\": {\"%s\": {\"calls\": %d, \"failures\": %d, \"batches\": {", name ? name + 1 : argv[2],
	       calls, failures);
	for (int i = 1; i <= ROWS_MAX; i++)
		if (batches[i])
			printf("%s\"%d\": %d", comma++ ? ", " : "", i, batches[i]);
	printf("}}}}\n");
	return 0;
}
