/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Calls models of libtoyml and of a library that throws, and counts: caller LIBRARY MODEL MODEL THROWING MODEL.
 * Without more it runs through; with a further argument it says "mapped" (before it loads) and "done" and waits for a
 * line after each. Then it prints what it did as JSON, as tests/live/agent.py compares it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toy.h"

#define CALLS	 60
#define ROWS_MAX 8

struct library {
	struct toy_model *(*load)(const char *);
	int (*run)(struct toy_model *, int, int, const float *, float *);
	int (*try)(struct toy_model *, int, int, const float *, float *); /* 1: it threw */
	void (*free)(struct toy_model *);
};

struct tally {
	const char *name;
	int calls, failures, thrown, batches[ROWS_MAX + 1];
};

static void open_library(const char *path, struct library *library)
{
	void *handle = dlopen(path, RTLD_NOW);

	if (!handle) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	library->load = dlsym(handle, "toy_load");
	library->run = dlsym(handle, "toy_run");
	library->try = dlsym(handle, "toy_try");
	library->free = dlsym(handle, "toy_free");
}

static void step(int wanted, const char *word)
{
	char line[16];

	if (!wanted)
		return;
	printf("%s\n", word);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
}

static struct toy_model *load(const struct library *library, const char *path, struct tally *tally)
{
	struct toy_model *model = library->load(path);

	if (!model) {
		fprintf(stderr, "%s: not loaded\n", path);
		exit(2);
	}
	tally->name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	return model;
}

/* One call. bad: it is made to fail. */
static void call(const struct library *library, struct toy_model *model, struct tally *tally, int rows, int bad)
{
	float data[ROWS_MAX * 4] = { 0 }, out[ROWS_MAX];
	int result = (library->try ? library->try : library->run)(model, rows, bad ? 3 : 4, data, out);

	if (result == 0) {
		tally->calls++;
		tally->batches[rows]++;
	} else if (result == 1) {
		tally->thrown++;
	} else {
		tally->failures++;
	}
}

static void print(const struct tally *tally, const char *before)
{
	int comma = 0;

	printf("%s\"%s\": {\"calls\": %d, \"failures\": %d, \"unwound\": %d, \"batches\": {", before, tally->name,
	       tally->calls, tally->failures, tally->thrown);
	for (int i = 1; i <= ROWS_MAX; i++) {
		if (tally->batches[i])
			printf("%s\"%d\": %d", comma++ ? ", " : "", i, tally->batches[i]);
	}
	printf("}}");
}

int main(int argc, char **argv)
{
	struct library toy, throwing;
	struct toy_model *models[3];
	struct tally tallies[3] = { { 0 } };
	int wait = argc == 7;

	if (argc < 6)
		return 2;
	open_library(argv[1], &toy);
	open_library(argv[4], &throwing);
	step(wait, "mapped");
	models[0] = load(&toy, argv[2], &tallies[0]);
	models[1] = load(&toy, argv[3], &tallies[1]);
	models[2] = load(&throwing, argv[5], &tallies[2]);
	for (int i = 0; i < CALLS; i++) {
		call(&toy, models[0], &tallies[0], 1 + i % ROWS_MAX, i % 5 == 4);
		if (i % 2)
			call(&toy, models[1], &tallies[1], 3, 0);
		if (i % 3 == 0)
			call(&throwing, models[2], &tallies[2], 2, i % 12 == 0);
	}
	step(wait, "done");
	for (int i = 0; i < 3; i++) {
		print(&tallies[i], i ? ", " : "{\"models\": {");
		(i < 2 ? toy : throwing).free(models[i]);
	}
	printf("}}\n");
	return 0;
}
