/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "decode/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/log.h"

#define MAGIC	    "INFRMTR\n"
#define FRAME_MARK  0xf12eu
#define BUFFER_SIZE (64 * 1024)
#define RECORD_MAX  1024 /* longest record that a frame can hold */

/* The sizes are those of the writer: a reader compiled with others must not guess. */
struct file_header {
	char magic[8];
	uint32_t version, wire_version;
	uint16_t header_size, call_size, handle_size, free_size, life_size, hook_size, process_size, loss_size;
	int64_t realtime_offset_ns;
	uint64_t spare;
};
_Static_assert(sizeof(struct file_header) == 48, "file header");

struct frame {
	uint16_t mark, length; /* of the record behind it */
	uint32_t crc;	       /* of length and record */
};
_Static_assert(sizeof(struct frame) == 8, "frame");
_Static_assert(sizeof(struct wire_fact_hook) <= RECORD_MAX && sizeof(struct wire_handle) <= RECORD_MAX &&
		       sizeof(struct wire_fact_process) <= RECORD_MAX,
	       "records fit a frame");

static struct file_header this_header(int64_t realtime_offset_ns)
{
	struct file_header header = {
		.version = STREAM_VERSION,
		.wire_version = WIRE_VERSION,
		.header_size = sizeof(struct wire_header),
		.call_size = sizeof(struct wire_call),
		.handle_size = sizeof(struct wire_handle),
		.free_size = sizeof(struct wire_free),
		.life_size = sizeof(struct wire_life),
		.hook_size = sizeof(struct wire_fact_hook),
		.process_size = sizeof(struct wire_fact_process),
		.loss_size = sizeof(struct wire_fact_loss),
		.realtime_offset_ns = realtime_offset_ns,
	};

	memcpy(header.magic, MAGIC, sizeof(header.magic));
	return header;
}

static uint32_t checksum(const struct frame *frame, const void *record)
{
	uLong crc = crc32(0, (const Bytef *)&frame->length, sizeof(frame->length));

	return (uint32_t)crc32(crc, record, frame->length);
}

struct stream_writer {
	int fd;
	int error;	      /* the first one, -errno */
	size_t used, records; /* in buffer */
	uint64_t lost;
	char *path;
	_Alignas(8) char buffer[BUFFER_SIZE];
};

struct stream_writer *stream_writer__open(const char *path, int64_t realtime_offset_ns)
{
	const struct file_header header = this_header(realtime_offset_ns);
	struct stream_writer *writer = calloc(1, sizeof(*writer));
	int error;

	if (!writer)
		return NULL;
	writer->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	writer->path = strdup(path);
	if (writer->fd < 0 || !writer->path) {
		error = -errno;
		goto failed;
	}
	memcpy(writer->buffer, &header, sizeof(header));
	writer->used = sizeof(header);
	error = stream_writer__flush(writer);
	if (!error)
		return writer;
failed:
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->path);
	free(writer);
	errno = -error;
	return NULL;
}

int stream_writer__flush(struct stream_writer *writer)
{
	size_t done = 0;

	while (!writer->error && done < writer->used) {
		ssize_t n = write(writer->fd, writer->buffer + done, writer->used - done);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno != EINTR) {
			writer->error = -errno;
			log_error("%s: %s; nothing more is saved there", writer->path, strerror(errno));
		}
	}
	if (writer->error)
		writer->lost += writer->records; /* a few of them may have reached the file */
	writer->used = 0;
	writer->records = 0;
	return writer->error;
}

int stream_writer__write(struct stream_writer *writer, const struct record *record)
{
	struct frame frame = { .mark = FRAME_MARK, .length = record->header->length };

	if (writer->error) {
		writer->lost++;
		return writer->error;
	}
	if (frame.length > RECORD_MAX || frame.length < sizeof(struct wire_header) || frame.length % 8)
		return -EINVAL;
	if (writer->used + sizeof(frame) + frame.length > BUFFER_SIZE)
		stream_writer__flush(writer);
	frame.crc = checksum(&frame, record->header);
	memcpy(writer->buffer + writer->used, &frame, sizeof(frame));
	memcpy(writer->buffer + writer->used + sizeof(frame), record->header, frame.length);
	writer->used += sizeof(frame) + frame.length;
	writer->records++;
	if (writer->error) { /* the flush above */
		writer->lost++;
		writer->used = writer->records = 0;
	}
	return writer->error;
}

uint64_t stream_writer__lost(const struct stream_writer *writer)
{
	return writer->lost;
}

int stream_writer__close(struct stream_writer *writer)
{
	int error;

	if (!writer)
		return 0;
	error = stream_writer__flush(writer);
	if (close(writer->fd) < 0 && !error) {
		error = -errno;
		log_error("%s: %s", writer->path, strerror(errno));
	}
	free(writer->path);
	free(writer);
	return error;
}

struct stream_reader {
	int fd;
	bool at_end;
	struct file_header header;
	struct stream_stats stats;
	size_t begin, end; /* what is in buffer and not used; begin is a multiple of 8 */
	_Alignas(8) char buffer[BUFFER_SIZE];
};

/* Reads until size bytes stand at begin, or the file ends. Returns 0 or -errno. */
static int fill(struct stream_reader *reader, size_t size)
{
	while (reader->end - reader->begin < size && !reader->at_end) {
		ssize_t n;

		if (reader->begin) {
			memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
			reader->end -= reader->begin;
			reader->begin = 0;
		}
		n = read(reader->fd, reader->buffer + reader->end, BUFFER_SIZE - reader->end);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			reader->at_end = true;
		else if (n > 0)
			reader->end += (size_t)n;
	}
	return 0;
}

/* NULL if we can read what a program with this header wrote; else why not. */
static const char *check_header(const struct file_header *header, size_t got, char *why, size_t size)
{
	const struct file_header ours = this_header(0);

	if (got < sizeof(*header) || memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0)
		snprintf(why, size, "not a stream that --save wrote");
	else if (header->version != ours.version || header->wire_version != ours.wire_version)
		snprintf(why, size,
			 "written by another version of infermeter (stream %u, records %u; this one reads %u, %u)",
			 header->version, header->wire_version, ours.version, ours.wire_version);
	else if (memcmp(&header->header_size, &ours.header_size,
			offsetof(struct file_header, realtime_offset_ns) - offsetof(struct file_header, header_size)) !=
		 0)
		snprintf(why, size, "its records have other sizes than this infermeter's: written by another build");
	else
		return NULL;
	return why;
}

struct stream_reader *stream_reader__open(const char *path, char *why, size_t size)
{
	struct stream_reader *reader = calloc(1, sizeof(*reader));
	size_t got;
	int error;

	if (!reader) {
		snprintf(why, size, "out of memory");
		return NULL;
	}
	reader->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	error = reader->fd < 0 ? -errno : fill(reader, sizeof(reader->header));
	if (error) {
		snprintf(why, size, "%s", strerror(-error));
		goto failed;
	}
	got = reader->end < sizeof(reader->header) ? reader->end : sizeof(reader->header);
	memcpy(&reader->header, reader->buffer, got);
	reader->begin = got;
	if (!check_header(&reader->header, got, why, size))
		return reader;
	error = -EINVAL;
failed:
	stream_reader__close(reader);
	errno = -error;
	return NULL;
}

/* Whether a whole frame stands at begin. cut: it would need bytes that the file does not have. */
static bool frame_holds(const struct stream_reader *reader, struct frame *frame, bool *cut)
{
	const size_t have = reader->end - reader->begin;
	const char *at = reader->buffer + reader->begin;

	*cut = have < sizeof(*frame);
	if (*cut)
		return false;
	memcpy(frame, at, sizeof(*frame));
	if (frame->mark != FRAME_MARK || frame->length > RECORD_MAX || frame->length % 8 ||
	    frame->length < sizeof(struct wire_header))
		return false;
	*cut = have < sizeof(*frame) + frame->length;
	return !*cut && checksum(frame, at + sizeof(*frame)) == frame->crc;
}

int stream_reader__next(struct stream_reader *reader, struct record *record)
{
	struct stream_stats *stats = &reader->stats;
	struct frame frame;

	for (;;) {
		int error = fill(reader, sizeof(frame) + RECORD_MAX);
		const void *bytes;
		bool cut;

		if (error)
			return error;
		if (reader->begin == reader->end)
			return 0;
		if (!frame_holds(reader, &frame, &cut)) {
			/* Frames are aligned, so the next one stands some multiple of 8 further. A cut frame may be
			 * a damaged length with good frames behind it: look there too, and call it cut if there
			 * are none. */
			const size_t step = reader->end - reader->begin < 8 ? reader->end - reader->begin : 8;

			reader->begin += step;
			if (cut || stats->bytes_cut)
				stats->bytes_cut += step;
			else
				stats->bytes_skipped += step;
			continue;
		}
		bytes = reader->buffer + reader->begin + sizeof(frame);
		reader->begin += sizeof(frame) + frame.length;
		stats->bytes_skipped += stats->bytes_cut; /* it was not the end after all */
		stats->bytes_cut = 0;
		if (decode__record(bytes, frame.length, record, &stats->decode)) {
			stats->records++;
			return 1;
		}
	}
}

int64_t stream_reader__realtime_offset_ns(const struct stream_reader *reader)
{
	return reader->header.realtime_offset_ns;
}

const struct stream_stats *stream_reader__stats(const struct stream_reader *reader)
{
	return &reader->stats;
}

void stream_reader__close(struct stream_reader *reader)
{
	if (!reader)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader);
}
