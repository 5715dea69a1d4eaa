/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The event loop: one thread, epoll. Everything that happens to the agent (bytes in a pipe, a timer, a
 * signal, a process event, an HTTP request) is a file descriptor here with one function to call.
 */
#ifndef INFERMETER_LOOP_H
#define INFERMETER_LOOP_H

#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_source;

/* events: the EPOLL* bits that are set. May add and remove sources, its own too, and stop the loop. */
typedef void loop_fn(void *context, uint32_t events);

/* Returns a loop, or NULL with errno. The caller frees it. */
struct loop *loop__new(void);
void loop__free(struct loop *loop); /* NULL is fine; frees the sources too, never their descriptors but its own */

/* Calls fn when fd has one of events (EPOLLIN, EPOLLOUT). The descriptor stays the caller's: remove the
 * source before closing it. Returns the source, or NULL with errno. */
struct loop_source *loop__add(struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *context);

/* Calls fn every period_ns, first after first_ns (period 0: once, after which the source stays until
 * removed). Returns the source, or NULL with errno. */
struct loop_source *loop__add_timer(struct loop *loop, uint64_t first_ns, uint64_t period_ns, loop_fn *fn,
				    void *context);

/* Sets a timer source anew. first_ns 0 stops it. Returns 0 or -errno. */
int loop__set_timer(struct loop_source *timer, uint64_t first_ns, uint64_t period_ns);

/* Blocks the signals of the list (ends with 0) for the process and calls fn with the signal's number as
 * events when one arrives. Returns the source, or NULL with errno. */
struct loop_source *loop__add_signals(struct loop *loop, const int *signals, loop_fn *fn, void *context);

/* Forgets the source and frees it; closes the descriptor of timers and signals. NULL is fine. Safe inside a callback. */
void loop__remove(struct loop *loop, struct loop_source *source);

/* Runs until loop__stop. Returns 0 or -errno. */
int loop__run(struct loop *loop);

/* One round: waits at most timeout_ms (-1: for ever) and calls what is ready. Returns how many, or -errno. */
int loop__once(struct loop *loop, int timeout_ms);
void loop__stop(struct loop *loop);

/* CLOCK_MONOTONIC, nanoseconds: the clock of every wire record. */
uint64_t loop__now_ns(void);

#endif
