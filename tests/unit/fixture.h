/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Where the compiled fixtures are, and shorthands for queries. */
#ifndef INFERMETER_TEST_FIXTURE_H
#define INFERMETER_TEST_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expr.h"
#include "resolve/resolver.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define ALL_ARGUMENTS                                                                                                  \
	(1u << EXPR_DI | 1u << EXPR_SI | 1u << EXPR_DX | 1u << EXPR_CX | 1u << EXPR_R8 | 1u << EXPR_R9 | 1u << EXPR_SP)

/* The fixtures lie beside the test program. */
static inline const char *fixture__path(const char *name)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 100);
	char *slash;

	path[n > 0 ? n : 0] = 0;
	slash = strrchr(path, '/');
	snprintf(slash ? slash : path, 100, "/fixtures/%s", name);
	return path;
}

/* One module query whose single alternative holds always. */
static inline struct answer *fixture__ask(const char *path, const struct module_query *query)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct answer *answer;

	if (fd < 0) {
		printf("  %s: %s\n", path, strerror(errno));
		return NULL;
	}
	answer = resolve__file(fd, path, query, 1);
	close(fd);
	return answer;
}

#endif
