/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A process that makes one call and is gone. */
#include "plain.h"

int main(void)
{
	static struct model model = { "torture", "short" };

	return torture_run(&model, 3, NULL, NULL);
}
