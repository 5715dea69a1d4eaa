/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Is a file a module of one of our runtimes? Nearly all files are not: what a hash table or one string says is asked first, and
 * only if that fits, the read-only data is searched, once for the strings of all queries together.
 */
#ifndef INFERMETER_MATCH_H
#define INFERMETER_MATCH_H

#include "resolve/elf_file.h"
#include "resolve/query.h"

/* Sets matched[i] for each query that the file fits. */
void match__queries(const struct elf_file *elf, const struct module_query *queries, size_t n, bool *matched);

#endif
