/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

enum kind { KIND_FD, KIND_TIMER, KIND_SIGNALS };

struct loop_source {
	int fd;
	enum kind kind;
	loop_fn *fn;
	void *context;
	bool removed;
	struct loop_source *prev, *next;
};

struct loop {
	int epoll;
	bool stopped;
	struct loop_source *sources;
	struct loop_source *removed; /* freed after the round, since its events may still be in hand */
};

struct loop *loop__new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return NULL;
	}
	return loop;
}

static void free_removed(struct loop *loop)
{
	struct loop_source *source, *next;

	DL_FOREACH_SAFE (loop->removed, source, next) {
		DL_DELETE(loop->removed, source);
		free(source);
	}
}

void loop__free(struct loop *loop)
{
	struct loop_source *source, *next;

	if (!loop)
		return;
	DL_FOREACH_SAFE (loop->sources, source, next)
		loop__remove(loop, source);
	free_removed(loop);
	close(loop->epoll);
	free(loop);
}

static struct loop_source *add(struct loop *loop, int fd, enum kind kind, uint32_t events, loop_fn *fn, void *context)
{
	struct loop_source *source = calloc(1, sizeof(*source));
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (!source)
		return NULL;
	source->fd = fd;
	source->kind = kind;
	source->fn = fn;
	source->context = context;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(source);
		return NULL;
	}
	DL_APPEND(loop->sources, source);
	return source;
}

struct loop_source *loop__add(struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *context)
{
	return add(loop, fd, KIND_FD, events, fn, context);
}

static struct loop_source *add_own(struct loop *loop, int fd, enum kind kind, loop_fn *fn, void *context)
{
	struct loop_source *source = add(loop, fd, kind, EPOLLIN, fn, context);

	if (!source)
		close(fd);
	return source;
}

int loop__set_timer(struct loop_source *timer, uint64_t first_ns, uint64_t period_ns)
{
	struct itimerspec spec = {
		.it_value = { (time_t)(first_ns / 1000000000), (long)(first_ns % 1000000000) },
		.it_interval = { (time_t)(period_ns / 1000000000), (long)(period_ns % 1000000000) },
	};

	return timerfd_settime(timer->fd, 0, &spec, NULL) < 0 ? -errno : 0;
}

struct loop_source *loop__add_timer(struct loop *loop, uint64_t first_ns, uint64_t period_ns, loop_fn *fn,
				    void *context)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct loop_source *timer = fd < 0 ? NULL : add_own(loop, fd, KIND_TIMER, fn, context);
	int error = timer ? loop__set_timer(timer, first_ns, period_ns) : 0;

	if (error) {
		loop__remove(loop, timer);
		errno = -error;
		return NULL;
	}
	return timer;
}

struct loop_source *loop__add_signals(struct loop *loop, const int *signals, loop_fn *fn, void *context)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	while (*signals)
		sigaddset(&set, *signals++);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return NULL;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? NULL : add_own(loop, fd, KIND_SIGNALS, fn, context);
}

void loop__remove(struct loop *loop, struct loop_source *source)
{
	if (!source || source->removed)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	if (source->kind != KIND_FD)
		close(source->fd);
	source->removed = true;
	DL_DELETE(loop->sources, source);
	DL_APPEND(loop->removed, source);
}

static void dispatch(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;
	uint64_t expirations;

	switch (source->kind) {
	case KIND_FD:
		source->fn(source->context, events);
		break;
	case KIND_TIMER:
		if (read(source->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
			source->fn(source->context, events);
		break;
	case KIND_SIGNALS:
		while (!source->removed && read(source->fd, &info, sizeof(info)) == sizeof(info))
			source->fn(source->context, info.ssi_signo);
		break;
	}
}

int loop__once(struct loop *loop, int timeout_ms)
{
	struct epoll_event ready[32];
	int n = epoll_wait(loop->epoll, ready, sizeof(ready) / sizeof(*ready), timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct loop_source *source = ready[i].data.ptr;

		if (!source->removed)
			dispatch(source, ready[i].events);
	}
	free_removed(loop);
	return n;
}

int loop__run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int n = loop__once(loop, -1);

		if (n < 0)
			return n;
	}
	return 0;
}

void loop__stop(struct loop *loop)
{
	loop->stopped = true;
}

uint64_t loop__now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
