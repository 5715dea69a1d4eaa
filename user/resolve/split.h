/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Compilers move unlikely code of a function elsewhere (.cold), under an unwind entry of its own. Seen from
 * its start alone such a part looks like a function; this tells the two apart, and finds the owner of a part.
 */
#ifndef INFERMETER_SPLIT_H
#define INFERMETER_SPLIT_H

#include "resolve/unwind.h"

enum split { SPLIT_PART, SPLIT_OTHER, SPLIT_NOWHERE, SPLIT_UNCLEAR };

/*
 * The function at owner, in its part from, jumps at vaddr to target, outside of it. clean: its frame is gone there, as it
 * is before a tail call. SPLIT_PART: the target is another part of it, *part; SPLIT_OTHER: another function;
 * SPLIT_NOWHERE: the end of the code, where compilers without optimization send what is never reached.
 */
enum split split__is_part(const struct elf_file *elf, uint64_t owner, const struct fde *from, uint64_t vaddr,
			  bool clean, uint64_t target, struct fde *part);

#endif
