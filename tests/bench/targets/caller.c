/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * caller FUNCTION: says "ready", then for each line "N" on standard input calls the function N times and prints the
 * nanoseconds a call took. Ends at the end of its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct model {
	char name[16];
	unsigned long calls;
};

int bench_endbr(struct model *model, int rows);
int bench_nop5(struct model *model, int rows);
int bench_nop5s(struct model *model, int rows);

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "endbr";
	int (*function)(struct model *, int) = strcmp(name, "nop5") == 0    ? bench_nop5
					       : strcmp(name, "nop5s") == 0 ? bench_nop5s
									    : bench_endbr;
	struct model model = { .name = "bench-model" };
	char line[64];

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		long calls = strtol(line, NULL, 10);
		double start = now_ns();

		for (long i = 0; i < calls; i++)
			function(&model, 4);
		printf("%.1f\n", (now_ns() - start) / (double)(calls ? calls : 1));
		fflush(stdout);
	}
	return 0;
}
