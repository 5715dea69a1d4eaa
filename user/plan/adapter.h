/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Adapters: the YAML file of a runtime, read into plain structs. docs/runtime-author.md teaches the format. Errors
 * carry file, line and column and say what was expected.
 */
#ifndef INFERMETER_ADAPTER_H
#define INFERMETER_ADAPTER_H

#include <stddef.h>

#include "hook.h"
#include "resolve/query.h"

struct adapter; /* one file */
struct adapter_set;

struct adapter_error {
	char text[512]; /* "runtimes/toy.yaml:12:5: unknown register '%foo'; registers are %di, %si …" */
};

/*
 * Reads the adapters that are embedded in the binary and, over them, *.yaml of folder (NULL: none): a file there with
 * the `runtime:` of an embedded one takes its place. Returns NULL and fills error. The caller frees the set.
 */
struct adapter_set *adapter_set__new(const char *folder, struct adapter_error *error);

/* Reads just this one file (for `check`). */
struct adapter_set *adapter_set__from_file(const char *path, struct adapter_error *error);
void adapter_set__free(struct adapter_set *set);

size_t adapter_set__count(const struct adapter_set *set);
/* One query an adapter, in the order of the set: what the resolver is asked. Owned by the set. */
const struct module_query *adapter_set__queries(const struct adapter_set *set);
const struct adapter *adapter_set__at(const struct adapter_set *set, size_t i);
const char *adapter__runtime(const struct adapter *adapter);
const char *adapter__path(const struct adapter *adapter); /* for messages; "<embedded>/toy.yaml" */

#endif
