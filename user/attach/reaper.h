/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Links are closed here. The kernel waits for a grace period in each close, some 50 ms: one after the other, the agent
 * could not end within a second, and would hear nothing while it let go of a process. So each close waits in a thread of
 * its own, which shares nothing with the rest and ends when there is nothing left to close.
 */
#ifndef INFERMETER_REAPER_H
#define INFERMETER_REAPER_H

struct bpf_link;
struct reaper;

struct reaper *reaper__new(void);
void reaper__free(struct reaper *reaper); /* waits; NULL is fine */

/* Closes and frees the link, some time soon. */
void reaper__give(struct reaper *reaper, struct bpf_link *link);

/* Returns when all that were given are closed. */
void reaper__wait(struct reaper *reaper);

#endif
