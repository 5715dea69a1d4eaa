/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "attach/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach/features.h"
#include "attach/internal.h"
#include "base/log.h"

/* libbpf's own messages, one level down: what it warns of we say ourselves, with what to do. */
static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text;
	size_t length;

	if (level == LIBBPF_DEBUG || log__level() < LOG_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	length = strlen(text);
	if (length && text[length - 1] == '\n')
		text[length - 1] = '\0';
	log_debug("%s", text); /* whole: the verifier's log matters at its end */
	free(text);
	return 0;
}

static void set_multi(struct infermeter *skeleton)
{
	struct bpf_program *programs[] = { skeleton->progs.on_entry, skeleton->progs.on_exit, skeleton->progs.on_pad,
					   skeleton->progs.on_handover, skeleton->progs.on_caught };

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		bpf_program__set_expected_attach_type(programs[i], BPF_TRACE_UPROBE_MULTI);
}

static int take_record(void *context, void *data, size_t size)
{
	struct programs *programs = context;

	programs->fn(programs->context, data, size);
	return 0; /* anything else would stop the drain */
}

static struct bpf_program *hold_programs(struct infermeter *skeleton, size_t i)
{
	struct bpf_program *programs[] = { skeleton->progs.hold_mmap, skeleton->progs.hold_exec };

	return i < sizeof(programs) / sizeof(*programs) ? programs[i] : NULL;
}

struct programs *programs__new(const struct programs_options *options)
{
	struct programs *programs = calloc(1, sizeof(*programs));
	size_t ring_bytes = options->ring_bytes ? options->ring_bytes : 2 << 20;
	int error;

	if (!programs)
		return NULL;
	programs->next_hook_id = 1;
	libbpf_set_print(print_libbpf);
	programs->reaper = reaper__new();
	if (!programs->reaper) {
		error = -ENOMEM;
		goto failed;
	}
	programs->skeleton = infermeter__open();
	if (!programs->skeleton) {
		error = -errno;
		goto failed;
	}
	programs->multi = !options->no_multi && features__uprobe_multi();
	if (programs->multi)
		set_multi(programs->skeleton);
	bpf_map__set_max_entries(programs->skeleton->maps.ring, (uint32_t)ring_bytes);
	programs->skeleton->rodata->ring_fill_mark = ring_bytes / 2;
	programs->skeleton->rodata->filtered = options->filtered || options->hold;
	bpf_program__set_autoload(programs->skeleton->progs.on_fork, options->filtered || options->hold);
	for (size_t i = 0; hold_programs(programs->skeleton, i); i++)
		bpf_program__set_autoload(hold_programs(programs->skeleton, i), options->hold);
	error = infermeter__load(programs->skeleton);
	if (error)
		goto failed;
	/* The uprobe programs have no place of their own: only the tracepoints attach here. */
	error = infermeter__attach(programs->skeleton);
	if (error)
		goto failed;
	programs->ring = ring_buffer__new(bpf_map__fd(programs->skeleton->maps.ring), take_record, programs, NULL);
	if (!programs->ring) {
		error = -errno;
		goto failed;
	}
	return programs;
failed:
	programs__free(programs);
	errno = -error;
	return NULL;
}

void programs__free(struct programs *programs)
{
	if (!programs)
		return;
	reaper__free(programs->reaper);
	ring_buffer__free(programs->ring);
	infermeter__destroy(programs->skeleton);
	free(programs);
}

int programs__drain(struct programs *programs, record_fn *fn, void *context)
{
	programs->fn = fn;
	programs->context = context;
	return ring_buffer__consume(programs->ring);
}

int programs__ring_fd(const struct programs *programs)
{
	return ring_buffer__epoll_fd(programs->ring);
}

void programs__losses(const struct programs *programs, uint64_t counts[LOSS_KINDS])
{
	int cpus = libbpf_num_possible_cpus(), fd = bpf_map__fd(programs->skeleton->maps.losses);
	uint64_t *values = cpus > 0 ? calloc((size_t)cpus, sizeof(*values)) : NULL;

	memset(counts, 0, LOSS_KINDS * sizeof(*counts));
	for (uint32_t kind = 0; values && kind < LOSS_KINDS; kind++) {
		if (bpf_map_lookup_elem(fd, &kind, values))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			counts[kind] += values[cpu];
	}
	free(values);
}

void programs__each_frame(const struct programs *programs, frame_fn *fn, void *context)
{
	int fd = bpf_map__fd(programs->skeleton->maps.threads);
	uint32_t tid, next;
	struct thread thread;
	int error = bpf_map_get_next_key(fd, NULL, &next);

	/* A thread that goes while we walk makes the walk begin anew: bounded, since a scrape must end. */
	for (size_t steps = 0; !error && steps < 2 * THREADS_MAX; steps++) {
		tid = next;
		if (bpf_map_lookup_elem(fd, &tid, &thread) == 0) {
			for (int i = 0; i < FRAMES_MAX; i++) {
				if (thread.open & 1U << i && !(thread.frames[i].flags & FRAME_SUSPECT))
					fn(context, tid, &thread.process, &thread.frames[i]);
			}
		}
		error = bpf_map_get_next_key(fd, &tid, &next);
	}
}

size_t programs__collect(struct programs *programs, alive_fn *alive, void *context)
{
	int fd = bpf_map__fd(programs->skeleton->maps.handles);
	struct handle_key key, next;
	size_t dropped = 0;
	int error = bpf_map_get_next_key(fd, NULL, &next);

	for (size_t steps = 0; !error && steps < 2 * HANDLES_MAX; steps++) {
		key = next;
		error = bpf_map_get_next_key(fd, &key, &next);
		if (!alive(context, &key.process) && bpf_map_delete_elem(fd, &key) == 0)
			dropped++;
	}
	return dropped;
}

int programs__want(struct programs *programs, pid_t tgid)
{
	uint32_t key = (uint32_t)tgid;
	uint8_t one = 1;

	return bpf_map_update_elem(bpf_map__fd(programs->skeleton->maps.wanted), &key, &one, BPF_ANY);
}

void programs__reap(struct programs *programs)
{
	static const struct hook none;

	reaper__wait(programs->reaper);
	for (uint32_t slot = 0; slot < HOOKS_MAX; slot++) {
		if (!programs->limbo[slot])
			continue;
		bpf_map_update_elem(bpf_map__fd(programs->skeleton->maps.hooks), &slot, &none, BPF_ANY);
		programs->limbo[slot] = programs->used[slot] = false;
	}
}
