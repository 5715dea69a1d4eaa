/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The saved stream: what is written is read, a replay gives the same model, and damage costs what it must, no more. */
#include "decode/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "check.h"
#include "export/prometheus.h"
#include "records.h"

#define RUN_HOOK  1
#define LOAD_HOOK 2
#define FREE_HOOK 3
#define OFFSET_NS 1700000000123456789

static char path[64];
static char why[256];

static size_t find_name(void *context, const struct wire_handle *handle, char name[WIRE_NAME_MAX])
{
	return (size_t)snprintf(name, WIRE_NAME_MAX, "/maps/found-%llx.gguf", (unsigned long long)handle->handle);
}

static bool find_process(void *context, struct wire_fact_process *fact)
{
	snprintf(fact->command, sizeof(fact->command), "cmd-%u", fact->header.process.tgid);
	snprintf(fact->container, sizeof(fact->container), "box-%u", fact->header.process.tgid % 3);
	return fact->header.process.tgid % 4 != 0;
}

static void save_found(void *context, const struct record *record)
{
	struct feed *feed = context;

	stream_writer__write(feed->stream, record);
}

/* A day of a host, in 20000 records. */
static void live_a_little(struct feed *feed)
{
	struct wire_process life[20];
	struct wire_fact_loss loss;
	uint64_t seed = 11;

	feed__hook(feed, RUN_HOOK, HOOK_CALL, "llama.cpp", "b4000");
	feed__hook(feed, LOAD_HOOK, HOOK_LOAD, "llama.cpp", "b4000");
	feed__hook(feed, FREE_HOOK, HOOK_FREE, "llama.cpp", "b4000");
	for (uint32_t i = 0; i < 20; i++)
		life[i] = process_of(i + 1, 1, 1);
	for (int i = 0; i < 20000; i++) {
		const uint64_t r = random_next(&seed), handle = 0x1000 + (r >> 40) % 4;
		const unsigned int pid = (unsigned int)(r % 20), what = (unsigned int)(r >> 8) % 100;
		struct wire_call call = feed__call_of(feed, life[pid], handle, RUN_HOOK);

		call.duration_ns = r >> 34;
		call.values[VALUE_BATCH] = r >> 60;
		call.known |= (r >> 20 & 1) << VALUE_TOKENS | (r >> 21 & 1) << VALUE_FAILED;
		call.values[VALUE_TOKENS] = r >> 55;
		call.values[VALUE_FAILED] = !(r >> 22 & 7);
		call.flags = r >> 25 & 31 ? 0 : WIRE_UNWOUND;
		if (what < 85)
			feed__bytes(feed, &call, sizeof(call));
		else if (what < 92)
			feed__handle(feed, life[pid], handle, 0, LOAD_HOOK, NULL);
		else if (what < 96)
			feed__handle(feed, life[pid], handle, 0, LOAD_HOOK, what & 1 ? "/m/odd.gguf" : "/m/even.gguf");
		else if (what < 99)
			feed__free(feed, life[pid], handle, FREE_HOOK);
		else {
			feed__life(feed, what & 1 ? WIRE_EXIT : WIRE_EXEC, life[pid]);
			life[pid].start_ns++;
		}
	}
	memset(&loss, 0, sizeof(loss));
	loss.header = feed__header(feed, WIRE_FACT_LOSS, sizeof(loss), process_of(0, 0, 0));
	loss.counts[LOSS_RING_FULL] = 12;
	feed__bytes(feed, &loss, sizeof(loss));
}

static char *render(struct model *model, uint64_t now_ns)
{
	struct snapshot *snapshot = model__snapshot(model, now_ns);
	struct text text = { 0 };

	prometheus__render(snapshot, &text);
	snapshot__free(snapshot);
	return text__take(&text, NULL);
}

/* Reads path into a new model. Returns the metrics; stats and the records read are for the caller. */
static char *replay(uint64_t now_ns, struct stream_stats *stats)
{
	struct stream_reader *reader = stream_reader__open(path, why, sizeof(why));
	struct model_options options = { 0 };
	struct model *model;
	struct record record;
	char *text;
	int got;

	CHECK(reader != NULL);
	if (!reader)
		return NULL;
	options.realtime_offset_ns = stream_reader__realtime_offset_ns(reader);
	model = model__new(&options);
	while ((got = stream_reader__next(reader, &record)) > 0)
		model__apply(model, &record);
	CHECK_INT(got, 0);
	*stats = *stream_reader__stats(reader);
	stream_reader__close(reader);
	text = render(model, now_ns);
	model__free(model);
	return text;
}

static void a_replay_is_the_same(void)
{
	struct feed feed = { 0 };
	const struct model_options options = { .realtime_offset_ns = OFFSET_NS,
					       .context = &feed,
					       .name = find_name,
					       .process = find_process,
					       .found = save_found };
	struct stream_stats stats;
	char *live, *again;
	struct stat file;

	feed.stream = stream_writer__open(path, OFFSET_NS);
	CHECK(feed.stream != NULL);
	feed.model = model__new(&options);
	live_a_little(&feed);
	CHECK_INT(feed.refused, 0);
	CHECK_INT(stream_writer__lost(feed.stream), 0);
	CHECK_INT(stream_writer__close(feed.stream), 0);
	CHECK_INT(stat(path, &file), 0);
	CHECK_INT(file.st_mode & 0777, 0600);
	CHECK_INT(file.st_size % 8, 0);
	live = render(feed.model, feed.time_ns);
	again = replay(feed.time_ns, &stats);
	CHECK(stats.records > 20000);
	CHECK_INT(stats.bytes_cut + stats.bytes_skipped, 0);
	CHECK(strstr(live, "found-1001.gguf") && strstr(live, "odd.gguf") && strstr(live, "box-2"));
	CHECK_STR(again, live);
	free(live);
	free(again);
	model__free(feed.model);
}

/* path with n records of 48 bytes, each EXIT with tgid 0, 1, … Returns its size. */
static off_t write_lives(uint32_t n)
{
	struct stream_writer *writer = stream_writer__open(path, 0);
	struct stat file;

	for (uint32_t i = 0; i < n; i++) {
		const struct wire_life life = { .header = {
							.tag = WIRE_EXIT, .length = sizeof(life), .process.tgid = i } };
		const struct record record = { .tag = WIRE_EXIT, .life = &life };

		CHECK_INT(stream_writer__write(writer, &record), 0);
	}
	CHECK_INT(stream_writer__close(writer), 0);
	stat(path, &file);
	return file.st_size;
}

static void read_all(struct stream_stats *stats, uint32_t *last)
{
	struct stream_reader *reader = stream_reader__open(path, why, sizeof(why));
	struct record record;

	memset(stats, 0, sizeof(*stats));
	CHECK(reader != NULL);
	while (reader && stream_reader__next(reader, &record) > 0)
		*last = record.life->header.process.tgid;
	if (reader)
		*stats = *stream_reader__stats(reader);
	stream_reader__close(reader);
}

static void a_killed_writer_leaves_what_it_wrote(void)
{
	struct stream_stats stats;
	uint32_t last = 0;
	off_t size = write_lives(100);

	for (off_t cut = 1; cut <= 80; cut++) {
		CHECK_INT(truncate(path, size - cut), 0);
		read_all(&stats, &last);
		CHECK_INT(stats.records, 100 - (cut + 39) / 40);
		CHECK_INT(stats.bytes_cut, cut % 40 ? 40 - cut % 40 : 0);
		CHECK_INT(stats.bytes_skipped, 0);
		CHECK_INT(last, stats.records - 1);
	}
	CHECK_INT(truncate(path, size - 100 * 40), 0);
	read_all(&stats, &last);
	CHECK_INT(stats.records, 0);
	/* Never closed: what was flushed is there. */
	{
		struct stream_writer *writer = stream_writer__open(path, 0);
		const struct wire_life life = { .header = { .tag = WIRE_EXIT, .length = sizeof(life) } };
		const struct record record = { .tag = WIRE_EXIT, .life = &life };

		stream_writer__write(writer, &record);
		read_all(&stats, &last);
		CHECK_INT(stats.records, 0);
		stream_writer__flush(writer);
		read_all(&stats, &last);
		CHECK_INT(stats.records, 1);
		CHECK_INT(stream_writer__close(writer), 0);
	}
}

static void damage_costs_the_frames_that_it_hits(void)
{
	struct stream_stats stats;
	const off_t size = write_lives(3000); /* more than one buffer */
	const off_t header = size - 3000 * 40;
	uint64_t seed = 17;
	uint32_t last = 0;

	for (int round = 0; round < 200; round++) {
		const off_t at = header + (off_t)(random_next(&seed) % (uint64_t)(size - header));
		const int fd = open(path, O_RDWR);
		char byte, flipped;

		CHECK_INT(pread(fd, &byte, 1, at), 1);
		flipped = (char)(byte ^ 1 << random_next(&seed) % 8);
		CHECK_INT(pwrite(fd, &flipped, 1, at), 1);
		read_all(&stats, &last);
		CHECK_INT(stats.records, 2999);
		CHECK_INT(stats.bytes_skipped + stats.bytes_cut, 40);
		CHECK(last == 2999 || (at >= size - 40 && last == 2998));
		CHECK_INT(pwrite(fd, &byte, 1, at), 1);
		close(fd);
	}
}

static void others_files_are_refused(void)
{
	off_t size = write_lives(1);
	struct stream_reader *reader;
	uint32_t number = 99;
	int fd;

	CHECK(!stream_reader__open("/nonexistent/stream", why, sizeof(why)) && errno == ENOENT);
	for (off_t length = 0; length < size - 40; length++) {
		CHECK_INT(truncate(path, length), 0);
		CHECK(!stream_reader__open(path, why, sizeof(why)) && errno == EINVAL);
	}
	write_lives(1);
	fd = open(path, O_RDWR);
	CHECK_INT(pwrite(fd, &number, 4, 8), 4); /* the version */
	CHECK(!stream_reader__open(path, why, sizeof(why)));
	CHECK(strstr(why, "another version") && strstr(why, "99"));
	number = STREAM_VERSION;
	CHECK_INT(pwrite(fd, &number, 4, 8), 4);
	number = 7;
	CHECK_INT(pwrite(fd, &number, 2, 18), 2); /* the size of a call */
	CHECK(!stream_reader__open(path, why, sizeof(why)) && strstr(why, "sizes"));
	close(fd);
	CHECK(!stream_writer__open("/nonexistent/stream", 0) && errno == ENOENT);
	reader = stream_reader__open("/dev/null", why, sizeof(why));
	CHECK(!reader && strstr(why, "not a stream"));
}

static void a_full_disk_is_said_once(void)
{
	struct stream_writer *writer;
	const struct wire_life life = { .header = { .tag = WIRE_EXIT, .length = sizeof(life) } };
	const struct record record = { .tag = WIRE_EXIT, .life = &life };
	int saved, log, error = 0;
	char said[4096] = "";
	ssize_t n;

	if (access("/dev/full", W_OK) != 0)
		SKIP("no /dev/full");
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	log = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(log, STDERR_FILENO);
	writer = stream_writer__open("/dev/full", 0); /* the header cannot be written */
	CHECK(!writer && errno == ENOSPC);
	/* A pipe whose reader goes away is the disk that fails later. */
	{
		int ends[2];
		char name[32];

		CHECK_INT(pipe(ends), 0);
		snprintf(name, sizeof(name), "/dev/fd/%d", ends[1]);
		signal(SIGPIPE, SIG_IGN);
		writer = stream_writer__open(name, 0);
		close(ends[1]);
		close(ends[0]);
	}
	CHECK(writer != NULL);
	for (int i = 0; writer && i < 5000; i++)
		error = stream_writer__write(writer, &record);
	CHECK_INT(error, -EPIPE);
	CHECK_INT(stream_writer__lost(writer), 5000);
	CHECK_INT(stream_writer__flush(writer), -EPIPE);
	CHECK_INT(stream_writer__close(writer), -EPIPE);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(log, said, sizeof(said) - 1, 0);
	close(log);
	said[n > 0 ? n : 0] = 0;
	CHECK(strstr(said, "Broken pipe") != NULL);
	CHECK(strstr(said, "Broken pipe") && !strstr(strstr(said, "Broken pipe") + 1, "Broken pipe"));
}

int main(void)
{
	snprintf(path, sizeof(path), "/tmp/infermeter-stream-test-%d", (int)getpid());
	RUN(a_replay_is_the_same);
	RUN(a_killed_writer_leaves_what_it_wrote);
	RUN(damage_costs_the_frames_that_it_hits);
	RUN(others_files_are_refused);
	RUN(a_full_disk_is_said_once);
	unlink(path);
	return check__report();
}
