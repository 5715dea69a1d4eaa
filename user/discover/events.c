// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * One perf event a CPU, of the software event that never counts: it exists for its side records. Each has a ring of
 * its own (64 KB), so records of several CPUs are put in order by their time while they are delivered.
 *
 * CPUs that go offline take their event with them; a slow timer looks for CPUs that came (back).
 */
#include "discover/events.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define RING_PAGES	 16
#define CPUS_MAX	 4096
#define RECORD_MAX	 65536
#define SELF_RECORD_MAX	 8192
#define ONLINE_PERIOD_NS (10ull * 1000 * 1000 * 1000)

struct ring {
	struct events *events;
	int fd; /* -1: no event */
	struct loop_source *source;
	struct perf_event_mmap_page *control;
	const uint8_t *data;
	uint64_t tail, head; /* of the drain that is under way */
};

/* A ring with less room than this may have refused a record. The kernel tells how many it refused with the next record
 * that finds room, which may be long after. */
#define FULL_MARGIN 4352

struct events {
	struct loop *loop;
	struct events_user user;
	size_t page;
	struct ring *rings; /* by CPU */
	size_t n_rings;
	struct ring self; /* mappings of this process only: events__identify */
	struct loop_source *online_timer;
	uint64_t count, time_ns; /* time_ns: of the record at hand */
	bool draining;
	/* The record at hand, in one piece and aligned; that of the ring "self" apart, since it is read while another is at hand. */
	_Alignas(8) uint8_t record[RECORD_MAX + 1], self_record[SELF_RECORD_MAX + 1];
};

/* The fields that every record ends with, for our sample_type. */
struct trailer {
	uint32_t pid, tid;
	uint64_t time;
	uint32_t cpu, spare;
};

struct mmap2_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t start, length, offset;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t protection, flags;
	char path[];
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	char comm[];
};

struct task_record {
	struct perf_event_header header;
	uint32_t pid, parent, tid, parent_tid;
	uint64_t time;
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

static int ring__open(struct ring *ring, struct events *events, pid_t pid, int cpu, bool mappings_only)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = !mappings_only,
		.comm_exec = !mappings_only,
		.task = !mappings_only,
		.watermark = 1,
		.wakeup_watermark = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	void *at;
	int err;

	ring->events = events;
	ring->fd = (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring->fd < 0) {
		ring->fd = -1;
		return -errno;
	}
	at = mmap(NULL, (RING_PAGES + 1) * events->page, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (at == MAP_FAILED) {
		err = -errno;
		close(ring->fd);
		ring->fd = -1;
		return err;
	}
	ring->control = at;
	ring->data = (const uint8_t *)at + events->page;
	ring->tail = ring->head = 0;
	return 0;
}

static void ring__close(struct ring *ring, struct events *events)
{
	if (ring->fd < 0)
		return;
	loop__remove(events->loop, ring->source);
	munmap(ring->control, (RING_PAGES + 1) * events->page);
	close(ring->fd);
	ring->fd = -1;
	ring->source = NULL;
}

/* Copies length bytes at position (which grows for ever) out of the ring. */
static void ring__copy(const struct ring *ring, size_t ring_bytes, uint64_t position, void *to, size_t length)
{
	size_t at = position & (ring_bytes - 1), first = ring_bytes - at;

	if (first > length)
		first = length;
	memcpy(to, ring->data + at, first);
	memcpy((uint8_t *)to + first, ring->data, length - first);
}

static void ring__start_drain(struct ring *ring)
{
	ring->head = __atomic_load_n(&ring->control->data_head, __ATOMIC_ACQUIRE);
	ring->tail = ring->control->data_tail;
}

static void ring__end_drain(struct ring *ring)
{
	__atomic_store_n(&ring->control->data_tail, ring->tail, __ATOMIC_RELEASE);
}

/* The header of the next record; false at the end or where the ring makes no sense (it is skipped to its head then). */
static bool ring__peek(struct ring *ring, size_t ring_bytes, struct perf_event_header *header)
{
	if (ring->head - ring->tail < sizeof(*header))
		return false;
	ring__copy(ring, ring_bytes, ring->tail, header, sizeof(*header));
	if (header->size >= sizeof(*header) + sizeof(struct trailer) && header->size <= ring->head - ring->tail)
		return true;
	ring->tail = ring->head;
	return false;
}

static uint64_t ring__time(const struct ring *ring, size_t ring_bytes, const struct perf_event_header *header)
{
	struct trailer trailer;

	ring__copy(ring, ring_bytes, ring->tail + header->size - sizeof(trailer), &trailer, sizeof(trailer));
	return trailer.time;
}

/* Takes the record at the tail. Returns its length without the trailer; a NUL stands behind it. Longer than max: cut. */
static size_t ring__take(struct ring *ring, size_t ring_bytes, const struct perf_event_header *header, uint8_t *record,
			 size_t max)
{
	size_t length = header->size - sizeof(struct trailer);

	if (length > max)
		length = max;
	ring__copy(ring, ring_bytes, ring->tail, record, length);
	record[length] = 0;
	ring->tail += header->size;
	return length;
}

static bool fill_mapping(const uint8_t *record, size_t length, struct events_mapping *mapping)
{
	const struct mmap2_record *r = (const struct mmap2_record *)record;

	/* With a build id in place of the inode the record says nothing that we can use; we do not ask for them. */
	if (length < sizeof(*r) || r->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID)
		return false;
	*mapping = (struct events_mapping) {
		.pid = (pid_t)r->pid,
		.tid = (pid_t)r->tid,
		.start = r->start,
		.length = r->length,
		.offset = r->offset,
		.dev = makedev(r->major, r->minor),
		.inode = r->inode,
		.generation = r->generation,
		.path = r->path,
	};
	return true;
}

static void deliver(struct events *events, size_t length)
{
	const struct perf_event_header *header = (const struct perf_event_header *)events->record;
	const struct comm_record *comm = (const struct comm_record *)header;
	const struct task_record *task = (const struct task_record *)header;
	const struct lost_record *lost = (const struct lost_record *)header;
	const struct events_user *user = &events->user;
	struct events_mapping mapping;

	events->count++;
	switch (header->type) {
	case PERF_RECORD_MMAP2:
		/* pid 0 or -1: a process outside of our PID namespace */
		if (user->mapped && fill_mapping(events->record, length, &mapping) && mapping.pid > 0)
			user->mapped(user->context, &mapping);
		break;
	case PERF_RECORD_COMM:
		if (user->comm_exec && header->misc & PERF_RECORD_MISC_COMM_EXEC && length > sizeof(*comm) &&
		    (int)comm->pid > 0)
			user->comm_exec(user->context, (pid_t)comm->pid, comm->comm);
		break;
	case PERF_RECORD_FORK:
		if (user->forked && length >= sizeof(*task) && task->pid == task->tid && task->pid != task->parent &&
		    (int)task->pid > 0)
			user->forked(user->context, (pid_t)task->pid, (pid_t)task->parent);
		break;
	case PERF_RECORD_EXIT:
		if (user->exited && length >= sizeof(*task) && (int)task->pid > 0)
			user->exited(user->context, (pid_t)task->pid, (pid_t)task->tid);
		break;
	case PERF_RECORD_LOST:
		if (user->lost && length >= sizeof(*lost))
			user->lost(user->context, lost->lost);
		break;
	}
}

/* Delivers in order what was written until limit_ns. Returns whether later records are left. */
static bool drain_until(struct events *events, uint64_t limit_ns)
{
	size_t ring_bytes = RING_PAGES * events->page;
	bool later = false, full = false;

	for (size_t i = 0; i < events->n_rings; i++)
		if (events->rings[i].fd >= 0) {
			ring__start_drain(&events->rings[i]);
			full |= events->rings[i].head - events->rings[i].tail > ring_bytes - FULL_MARGIN;
		}
	for (;;) {
		struct perf_event_header header, earliest_header = { 0 };
		struct ring *earliest = NULL;
		uint64_t earliest_ns = 0;

		for (size_t i = 0; i < events->n_rings; i++) {
			struct ring *ring = &events->rings[i];
			uint64_t time_ns;

			if (ring->fd < 0 || !ring__peek(ring, ring_bytes, &header))
				continue;
			time_ns = ring__time(ring, ring_bytes, &header);
			if (time_ns > limit_ns) {
				later = true;
			} else if (!earliest || time_ns < earliest_ns) {
				earliest = ring;
				earliest_ns = time_ns;
				earliest_header = header;
			}
		}
		if (!earliest)
			break;
		events->time_ns = earliest_ns;
		deliver(events, ring__take(earliest, ring_bytes, &earliest_header, events->record, RECORD_MAX));
	}
	for (size_t i = 0; i < events->n_rings; i++)
		if (events->rings[i].fd >= 0)
			ring__end_drain(&events->rings[i]);
	if (full && events->user.lost)
		events->user.lost(events->user.context, 0);
	return later;
}

void events__drain(struct events *events)
{
	if (events->draining)
		return;
	events->draining = true;
	/* What a process wrote before a record of time t is in the rings at t: with the limit taken before the rings' heads
	 * are read, a cause never comes after its effect, even if the process changed its CPU between them. */
	for (int rounds = 0; rounds < 8 && drain_until(events, loop__now_ns()); rounds++)
		;
	events->draining = false;
}

uint64_t events__time_ns(const struct events *events)
{
	return events->time_ns;
}

static void on_ring(void *context, uint32_t bits)
{
	struct ring *ring = context;

	events__drain(ring->events);
	/* The CPU is gone and its event with it. */
	if (bits & (EPOLLHUP | EPOLLERR))
		ring__close(ring, ring->events);
}

/* Marks the CPUs of a list such as "0-3,8". Returns how many fit. */
static size_t parse_cpus(const char *list, bool *online, size_t max)
{
	size_t n = 0;

	while (*list >= '0' && *list <= '9') {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long cpu = first; cpu <= last && cpu < max; cpu++, n++)
			online[cpu] = true;
		list = *end == ',' ? end + 1 : end;
	}
	return n;
}

/* Opens the event of every CPU that is online and has none. Returns how many were opened, or -errno if none is open. */
static int open_rings(struct events *events)
{
	static const char path[] = "/sys/devices/system/cpu/online";
	bool online[CPUS_MAX] = { false };
	char list[1024] = "";
	FILE *file = fopen(path, "re");
	int opened = 0, open_already = 0, err = -ENODEV;

	if (!file || !fgets(list, sizeof(list), file) || !parse_cpus(list, online, events->n_rings))
		for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN) && cpu < (long)events->n_rings; cpu++)
			online[cpu] = true;
	if (file)
		fclose(file);
	for (size_t cpu = 0; cpu < events->n_rings; cpu++) {
		struct ring *ring = &events->rings[cpu];
		int result;

		if (ring->fd >= 0 && !online[cpu])
			ring__close(ring, events);
		open_already += ring->fd >= 0;
		if (ring->fd >= 0 || !online[cpu])
			continue;
		result = ring__open(ring, events, -1, (int)cpu, false);
		if (result == 0) {
			ring->source = loop__add(events->loop, ring->fd, EPOLLIN, on_ring, ring);
			if (!ring->source) {
				result = -errno;
				ring__close(ring, events);
			}
		}
		if (result == 0)
			opened++;
		else if (result != -ENODEV) /* went offline a moment ago */
			err = result;
	}
	return opened || open_already ? opened : err;
}

static void on_online_timer(void *context, uint32_t bits)
{
	struct events *events = context;

	(void)bits;
	/* What a CPU did before its event was open was not recorded. */
	if (open_rings(events) > 0 && events->user.lost)
		events->user.lost(events->user.context, 0);
}

struct events *events__new(struct loop *loop, const struct events_user *user)
{
	struct events *events = calloc(1, sizeof(*events));
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int err;

	if (!events)
		return NULL;
	events->loop = loop;
	events->user = *user;
	events->page = (size_t)sysconf(_SC_PAGESIZE);
	events->self.fd = -1;
	events->n_rings = cpus > 0 && cpus < CPUS_MAX ? (size_t)cpus : CPUS_MAX;
	events->rings = calloc(events->n_rings, sizeof(*events->rings));
	if (!events->rings) {
		err = -ENOMEM;
		goto fail;
	}
	for (size_t i = 0; i < events->n_rings; i++)
		events->rings[i].fd = -1;
	err = open_rings(events);
	if (err < 0)
		goto fail;
	/* Without this one files are told apart by what /proc says of them: wrong only under overlay file systems. */
	ring__open(&events->self, events, 0, -1, true);
	events->online_timer = loop__add_timer(loop, ONLINE_PERIOD_NS, ONLINE_PERIOD_NS, on_online_timer, events);
	if (!events->online_timer) {
		err = -errno;
		goto fail;
	}
	return events;
fail:
	events__free(events);
	errno = -err;
	return NULL;
}

void events__free(struct events *events)
{
	if (!events)
		return;
	loop__remove(events->loop, events->online_timer);
	for (size_t i = 0; events->rings && i < events->n_rings; i++)
		ring__close(&events->rings[i], events);
	ring__close(&events->self, events);
	free(events->rings);
	free(events);
}

uint64_t events__count(const struct events *events)
{
	return events->count;
}

int events__identify(struct events *events, int fd, struct events_mapping *mapping)
{
	size_t ring_bytes = RING_PAGES * events->page;
	struct perf_event_header header;
	struct events_mapping seen;
	int err = -ENOENT;
	void *at;

	if (events->self.fd < 0)
		return -ENOTSUP;
	ring__start_drain(&events->self);
	events->self.tail = events->self.head; /* older mappings of ours: room for the one that matters */
	ring__end_drain(&events->self);
	at = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, EVENTS_IDENTIFY_OFFSET);
	if (at == MAP_FAILED && errno == EOVERFLOW) /* a file system of small files */
		at = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	munmap(at, 1);
	ring__start_drain(&events->self);
	while (ring__peek(&events->self, ring_bytes, &header)) {
		size_t length = ring__take(&events->self, ring_bytes, &header, events->self_record, SELF_RECORD_MAX);

		if (header.type == PERF_RECORD_MMAP2 && fill_mapping(events->self_record, length, &seen) &&
		    seen.start == (uint64_t)(uintptr_t)at && seen.inode) {
			*mapping = seen;
			err = 0;
		}
	}
	ring__end_drain(&events->self);
	return err;
}
