// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check.h"
#include "discover/procmaps.h"

static int text_fd(const char *text, size_t length)
{
	int fd = memfd_create("maps", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

static void begin(struct procmaps *maps, int *fd, const char *text)
{
	*fd = text_fd(text, strlen(text));
	procmaps__begin_fd(maps, *fd);
}

static void fields_of_a_line(void)
{
	struct procmaps *maps = procmaps__new();
	struct procmaps_entry entry;
	int fd;

	begin(maps, &fd,
	      "7f0123456000-7f0123466000 r-xp 0001a000 fd:10 131593                     /usr/lib/libc.so.6\n"
	      "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
	      "7f0000000000-7f0000001000 rw-s 00000000 00:01 2048                       /dev/zero (deleted)\n"
	      "7f0000002000-7f0000003000 ---p 00000000 00:00 0 \n");
	CHECK_INT(procmaps__next(maps, &entry), 1);
	CHECK_INT(entry.start, 0x7f0123456000);
	CHECK_INT(entry.end, 0x7f0123466000);
	CHECK_INT(entry.offset, 0x1a000);
	CHECK_INT(entry.permissions, PROCMAPS_READ | PROCMAPS_EXEC);
	CHECK_INT(entry.dev, makedev(0xfd, 0x10));
	CHECK_INT(entry.inode, 131593);
	CHECK_STR(entry.path, "/usr/lib/libc.so.6");
	CHECK(!entry.deleted);
	CHECK_INT(procmaps__next(maps, &entry), 1);
	CHECK_STR(entry.path, "[stack]");
	CHECK_INT(entry.inode, 0);
	CHECK_INT(procmaps__next(maps, &entry), 1);
	CHECK_INT(entry.permissions, PROCMAPS_READ | PROCMAPS_WRITE | PROCMAPS_SHARED);
	CHECK_STR(entry.path, "/dev/zero");
	CHECK(entry.deleted);
	CHECK_INT(procmaps__next(maps, &entry), 1);
	CHECK_STR(entry.path, "");
	CHECK_INT(entry.permissions, 0);
	CHECK_INT(procmaps__next(maps, &entry), 0);
	CHECK_INT(procmaps__next(maps, &entry), 0);
	procmaps__free(maps);
	close(fd);
}

static void strange_paths(void)
{
	struct procmaps *maps = procmaps__new();
	struct procmaps_entry entry;
	int fd;

	begin(maps, &fd,
	      "1000-2000 r-xp 00000000 08:01 7 /srv/my models/lib (copy) a.so\n"
	      "2000-3000 r-xp 00000000 08:01 8 /srv/two\\012lines/\\040back\\slash.so\n"
	      "3000-4000 r-xp 00000000 08:01 9 /srv/gone (deleted) (deleted)\n"
	      "4000-5000 r-xp 00000000 08:01 10 /no newline at the end");
	CHECK_INT(procmaps__next(maps, &entry), 1);
	CHECK_STR(entry.path, "/srv/my models/lib (copy) a.so");
	CHECK_INT(procmaps__next(maps, &entry), 1);
	CHECK_STR(entry.path, "/srv/two\nlines/\\040back\\slash.so");
	CHECK_INT(procmaps__next(maps, &entry), 1);
	CHECK_STR(entry.path, "/srv/gone (deleted)");
	CHECK(entry.deleted);
	CHECK_INT(procmaps__next(maps, &entry), 1);
	CHECK_STR(entry.path, "/no newline at the end");
	CHECK_INT(procmaps__next(maps, &entry), 0);
	procmaps__free(maps);
	close(fd);
}

static void many_lines_over_the_buffer(void)
{
	enum { LINES = 5000 };
	char *text = malloc(LINES * 200);
	struct procmaps *maps = procmaps__new();
	struct procmaps_entry entry;
	size_t length = 0;
	int fd, n = 0, wrong = 0;

	for (int i = 0; i < LINES; i++)
		length += (size_t)sprintf(text + length, "%x000-%x000 r-xp 00000000 08:01 %d   /lib/number %*d.so\n",
					  i + 1, i + 2, i + 1, i % 60 + 1, i);
	fd = text_fd(text, length);
	procmaps__begin_fd(maps, fd);
	while (procmaps__next(maps, &entry) == 1) {
		char want[160];

		snprintf(want, sizeof(want), "/lib/number %*d.so", n % 60 + 1, n);
		wrong += strcmp(entry.path, want) != 0 || entry.inode != (uint64_t)n + 1;
		n++;
	}
	CHECK_INT(n, LINES);
	CHECK_INT(wrong, 0);
	procmaps__free(maps);
	close(fd);
	free(text);
}

static void bad_lines(void)
{
	static const char *const lines[] = {
		"garbage\n",
		"1000-2000\n",
		"1000-2000 r-xp\n",
		"1000 2000 r-xp 00000000 08:01 7 /a\n",
		"1000-2000 r-xp 00000000 0801 7 /a\n",
		"1000-2000 r-xp 00000000 08:01 seven /a\n",
		"99999999999999999999-2000 r-xp 00000000 08:01 7 /a\n",
		"\n",
	};
	struct procmaps *maps = procmaps__new();
	struct procmaps_entry entry;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		int fd;

		begin(maps, &fd, lines[i]);
		CHECK_INT(procmaps__next(maps, &entry), -EBADMSG);
		close(fd);
	}
	procmaps__free(maps);
}

static void a_line_longer_than_the_buffer(void)
{
	size_t length = 100 * 1024;
	char *text = malloc(length);
	struct procmaps *maps = procmaps__new();
	struct procmaps_entry entry;
	int fd;

	memset(text, 'x', length);
	fd = text_fd(text, length);
	procmaps__begin_fd(maps, fd);
	CHECK_INT(procmaps__next(maps, &entry), -EBADMSG);
	procmaps__free(maps);
	close(fd);
	free(text);
}

static void own_process(void)
{
	struct procmaps *maps = procmaps__new();
	struct procmaps_entry entry;
	uint64_t here = (uint64_t)(uintptr_t)&own_process;
	struct stat st;
	bool found = false;

	if (stat("/proc/self/exe", &st) < 0)
		SKIP("no /proc");
	CHECK_INT(procmaps__begin(maps, getpid()), 0);
	while (procmaps__next(maps, &entry) == 1) {
		int fd;

		if (here < entry.start || here >= entry.end)
			continue;
		found = true;
		CHECK_INT(entry.inode, st.st_ino);
		CHECK(entry.permissions & PROCMAPS_EXEC);
		fd = procmaps__open(getpid(), &entry);
		CHECK(fd >= 0);
		if (fd >= 0) {
			struct stat opened;

			CHECK_INT(fstat(fd, &opened), 0);
			CHECK_INT(opened.st_ino, st.st_ino);
			close(fd);
		}
		/* The same path with another inode is another file. */
		entry.inode++;
		entry.start = entry.end = 1;
		CHECK_INT(procmaps__open(getpid(), &entry), -ESTALE);
		break;
	}
	CHECK(found);
	procmaps__free(maps);
}

static void no_such_process(void)
{
	struct procmaps *maps = procmaps__new();

	CHECK_INT(procmaps__begin(maps, 0x7ffffff0), -ENOENT);
	procmaps__free(maps);
	procmaps__free(NULL);
}

int main(void)
{
	RUN(fields_of_a_line);
	RUN(strange_paths);
	RUN(many_lines_over_the_buffer);
	RUN(bad_lines);
	RUN(a_line_longer_than_the_buffer);
	RUN(own_process);
	RUN(no_such_process);
	return check__report();
}
