/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A stripped library that shows nothing of what it runs. */
#include "shapes.h"

shape_fn *hidden_get(void);

int main(int argc, char **argv)
{
	shape_fn *run = hidden_get();
	struct tally tally = { .name = argc > 1 ? argv[1] : "stripped" };
	static struct model model;

	model_init(&model, tally.name);
	ready();
	for (int i = 0; i < 30; i++) {
		int got = run(&model, 2, i % 3);

		tally.made++;
		tally.status += got != 0;
		tally.ok += got == 0;
		tally.rows += got == 0 ? 2 : 0;
	}
	tally_print(&tally);
	done();
	return 0;
}
