/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The outside of the resolver: the queue, the child and its end, the two caches. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "check.h"
#include "fixture.h"
#include "resolve/child.h"

static const struct locator canary[] = { { .kind = LOCATE_EXPORT, .name = "canary" } };
static const struct function_query functions[] = { { "canary", canary, 1, ENDS_EXITS, ALL_ARGUMENTS, 0, false } };
static const char *exports[] = { "run_shape" };
static const struct match_alternative shapes[] = { { .exports = exports, .n_exports = 1 } };
static const struct module_query queries[] = { { "shapes", shapes, 1, functions, 1, NULL, 0, NULL } };

/* A query whose text is no memory: whoever looks for it dies. Only clang's library is looked at by it. */
static const char *const deadly_text = (const char *)16;
static const char *clang_soname = "clang-O2.so";
static struct locator deadly_locator[] = { { .kind = LOCATE_EXPORT } };
static const struct function_query deadly_functions[] = { { "deadly", deadly_locator, 1, ENDS_ENTRY, 0, 0, false } };
static struct match_alternative deadly_match[] = { { .soname = NULL } };
static const struct module_query deadly[] = {
	{ "deadly", deadly_match, 1, deadly_functions, 1, NULL, 0, NULL },
	{ "shapes", shapes, 1, functions, 1, NULL, 0, NULL },
};

struct got {
	int n;
	const struct answer *last;
};

static void note(void *context, const struct answer *answer)
{
	struct got *got = context;

	got->n++;
	got->last = answer;
}

static void wait_all(struct loop *loop, struct resolver *resolver)
{
	uint64_t until = loop__now_ns() + 20000000000ull;

	while (resolver__pending(resolver) && loop__now_ns() < until)
		loop__once(loop, 1000);
	CHECK_INT(resolver__pending(resolver), 0);
}

static int ask(struct resolver *resolver, const char *path, struct got *got)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = resolver__ask(resolver, fd, path, note, got);

	close(fd);
	return error;
}

static void answers_once(void)
{
	struct loop *loop = loop__new();
	struct resolver *resolver = resolver__new(loop, queries, 1, NULL);
	struct got got[4] = { { 0 } };

	CHECK_INT(ask(resolver, fixture__path("gcc-O2.so"), &got[0]), 0);
	CHECK_INT(ask(resolver, fixture__path("gcc-O2.so"), &got[1]), 0);
	CHECK_INT(ask(resolver, fixture__path("static.stripped"), &got[2]), 0);
	CHECK_INT(got[0].n, 0); /* from the loop only */
	CHECK_INT(resolver__pending(resolver), 3);
	wait_all(loop, resolver);
	for (int i = 0; i < 3; i++)
		CHECK_INT(got[i].n, 1);
	CHECK(got[0].last == got[1].last);
	CHECK(got[0].last->n_matches == 1 && got[0].last->matches[0].functions[0].exits_complete);
	CHECK(got[2].last->n_matches == 0 && !got[2].last->failed);
	CHECK_INT(ask(resolver, fixture__path("gcc-O2.so"), &got[3]), 0);
	CHECK_INT(got[3].n, 1); /* known: at once */
	CHECK_INT(resolver__stats(resolver).answered, 4);
	CHECK_INT(resolver__stats(resolver).from_memory, 2);
	CHECK(resolver__ask(resolver, -1, "nothing", note, &got[0]) == -EBADF);
	resolver__free(resolver);
	loop__free(loop);
}

static void same_as_in_process(void)
{
	struct loop *loop = loop__new();
	struct resolver *resolver = resolver__new(loop, queries, 1, NULL);
	struct answer *here = fixture__ask(fixture__path("gcc-O3.so"), queries);
	struct got got = { 0 };

	ask(resolver, fixture__path("gcc-O3.so"), &got);
	wait_all(loop, resolver);
	CHECK(got.n == 1 && here && got.last->n_matches == 1);
	if (!check_errors)
		CHECK(!memcmp(got.last->matches[0].functions, here->matches[0].functions,
			      sizeof(*here->matches[0].functions)));
	answer__free(here);
	resolver__free(resolver);
	loop__free(loop);
}

static void crash_costs_one_file(void)
{
	struct loop *loop = loop__new();
	struct resolver *resolver;
	struct got before = { 0 }, at = { 0 }, after = { 0 };

	deadly_locator[0].name = deadly_text;
	deadly_match[0].soname = clang_soname;
	/* The hash of the queries is made from their texts, so that the deadly one is put in after. */
	deadly_locator[0].name = "harmless";
	resolver = resolver__new(loop, deadly, 2, NULL);
	deadly_locator[0].name = deadly_text;
	ask(resolver, fixture__path("gcc-O2.so"), &before);
	ask(resolver, fixture__path("clang-O2.so"), &at);
	ask(resolver, fixture__path("gcc-O3.so"), &after);
	wait_all(loop, resolver);
	CHECK(before.n == 1 && !before.last->failed && before.last->n_matches == 1);
	CHECK(at.n == 1 && at.last->failed && strstr(at.last->why, "reading it"));
	CHECK(after.n == 1 && !after.last->failed && after.last->n_matches == 1);
	CHECK_INT(resolver__stats(resolver).crashed, 1);
	resolver__free(resolver);
	loop__free(loop);
}

static void outcome(void *context, enum child_outcome result, const uint8_t *data, size_t size, const char *text)
{
	(void)data;
	(void)size;
	(void)text;
	*(int *)context = result;
}

/* The pid of the one child process that this one has; 0: none. */
static pid_t child_pid(void)
{
	char path[64], text[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	file = fopen(path, "r");
	if (file && !fgets(text, sizeof(text), file))
		text[0] = 0;
	if (file)
		fclose(file);
	return atoi(text);
}

static void slow_one_is_ended(void)
{
	struct loop *loop = loop__new();
	int result = -1, fd = open(fixture__path("gcc-O2.so"), O_RDONLY | O_CLOEXEC);
	struct child *child = child__new(loop, queries, 1, 300000000, 1000000000, outcome, &result);

	CHECK_INT(child__send(child, CHILD_IDENTIFY, fd, "x"), 0);
	while (result < 0)
		loop__once(loop, 1000);
	CHECK_INT(result, CHILD_DONE);
	if (!child_pid())
		SKIP("the kernel does not list children");
	kill(child_pid(), SIGSTOP);
	result = -1;
	CHECK_INT(child__send(child, CHILD_RESOLVE, fd, "x"), 0);
	while (result < 0)
		loop__once(loop, 1000);
	CHECK_INT(result, CHILD_TIMED_OUT);
	CHECK_INT(child_pid(), 0);
	/* And the next one is served by a new process. */
	result = -1;
	CHECK_INT(child__send(child, CHILD_RESOLVE, fd, "x"), 0);
	while (result < 0)
		loop__once(loop, 1000);
	CHECK_INT(result, CHILD_DONE);
	child__free(child);
	CHECK_INT(child_pid(), 0);
	loop__free(loop);
	close(fd);
}

static void idle_one_goes(void)
{
	struct loop *loop = loop__new();
	int result = -1, fd = open(fixture__path("gcc-O2.so"), O_RDONLY | O_CLOEXEC);
	struct child *child = child__new(loop, queries, 1, 1000000000, 50000000, outcome, &result);

	child__send(child, CHILD_RESOLVE, fd, "x");
	for (int i = 0; i < 20 && (result < 0 || waitpid(-1, NULL, WNOHANG) == 0); i++)
		loop__once(loop, 1000);
	CHECK_INT(result, CHILD_DONE);
	CHECK_INT(child_pid(), 0);
	child__free(child);
	loop__free(loop);
	close(fd);
}

static int count_files(const char *folder)
{
	char command[4200];
	FILE *list;
	int n = 0;

	snprintf(command, sizeof(command), "ls %s", folder);
	list = popen(command, "r");
	while (list && fgets(command, sizeof(command), list))
		n++;
	if (list)
		pclose(list);
	return n;
}

static void disk_keeps(void)
{
	char folder[] = "/tmp/infermeter-test-XXXXXX", deep[64], command[128];
	struct loop *loop = loop__new();
	struct module_query changed = queries[0];
	struct resolver *resolver;
	struct got got = { 0 };

	CHECK(mkdtemp(folder));
	snprintf(deep, sizeof(deep), "%s/a/b", folder);
	resolver = resolver__new(loop, queries, 1, deep);
	ask(resolver, fixture__path("gcc-O2.so"), &got);
	ask(resolver, "/proc/self/status", &got);
	wait_all(loop, resolver);
	resolver__free(resolver);
	CHECK_INT(count_files(deep), 1); /* what failed is not kept */

	resolver = resolver__new(loop, queries, 1, deep);
	got = (struct got) { 0 };
	ask(resolver, fixture__path("gcc-O2.so"), &got);
	CHECK_INT(got.n, 1); /* at once */
	CHECK(got.n == 1 && got.last->matches[0].functions[0].exits_complete);
	CHECK_INT(resolver__stats(resolver).from_disk, 1);
	resolver__free(resolver);

	/* Other queries never read these answers. */
	changed.runtime = "other";
	resolver = resolver__new(loop, &changed, 1, deep);
	got = (struct got) { 0 };
	ask(resolver, fixture__path("gcc-O2.so"), &got);
	CHECK_INT(got.n, 0);
	wait_all(loop, resolver);
	resolver__free(resolver);
	CHECK_INT(count_files(deep), 2);

	/* Damaged ones are as good as none. */
	snprintf(command, sizeof(command), "for f in %s/*; do truncate -s -3 $f; done", deep);
	CHECK_INT(system(command), 0);
	resolver = resolver__new(loop, queries, 1, deep);
	got = (struct got) { 0 };
	ask(resolver, fixture__path("gcc-O2.so"), &got);
	CHECK_INT(got.n, 0);
	wait_all(loop, resolver);
	CHECK(got.n == 1 && got.last->n_matches == 1);
	resolver__free(resolver);

	/* A folder that others may write to is not believed. */
	chmod(deep, 0777);
	resolver = resolver__new(loop, queries, 1, deep);
	got = (struct got) { 0 };
	ask(resolver, fixture__path("gcc-O2.so"), &got);
	CHECK_INT(got.n, 0);
	wait_all(loop, resolver);
	resolver__free(resolver);
	loop__free(loop);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	CHECK_INT(system(command), 0);
}

/* The same bytes in another file: those without a runtime are known by their build id, the others are read again. */
static void build_ids(void)
{
	char folder[] = "/tmp/infermeter-test-XXXXXX", command[8500], path[4096], copy[4200];
	struct loop *loop = loop__new();
	struct resolver *resolver = resolver__new(loop, queries, 1, NULL);
	struct got got[4] = { { 0 } };

	CHECK(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s", fixture__path("pie.stripped"));
	ask(resolver, path, &got[0]);
	ask(resolver, fixture__path("gcc-O2.so"), &got[1]);
	wait_all(loop, resolver);
	snprintf(command, sizeof(command), "cp %s %s/none && cp %s %s/some", path, folder, fixture__path("gcc-O2.so"),
		 folder);
	CHECK_INT(system(command), 0);
	snprintf(copy, sizeof(copy), "%s/none", folder);
	ask(resolver, copy, &got[2]);
	snprintf(copy, sizeof(copy), "%s/some", folder);
	ask(resolver, copy, &got[3]);
	wait_all(loop, resolver);
	CHECK(got[2].n == 1 && got[2].last->n_matches == 0 && !got[2].last->failed);
	CHECK(got[3].n == 1 && got[3].last->n_matches == 1);
	CHECK_INT(resolver__stats(resolver).from_memory, got[0].last->build_id_length ? 1 : 0);
	resolver__free(resolver);
	loop__free(loop);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	CHECK_INT(system(command), 0);
}

/* Freed with questions open: no callback, no process left. */
static void freed_early(void)
{
	struct loop *loop = loop__new();
	struct resolver *resolver = resolver__new(loop, queries, 1, NULL);
	struct got got = { 0 };

	ask(resolver, fixture__path("gcc-O2.so"), &got);
	ask(resolver, fixture__path("static"), &got);
	loop__once(loop, 1000);
	resolver__free(resolver);
	CHECK_INT(got.n, 0);
	CHECK_INT(child_pid(), 0);
	loop__free(loop);
}

int main(void)
{
	log__set_level(LOG_ERROR);
	RUN(answers_once);
	RUN(same_as_in_process);
	RUN(crash_costs_one_file);
	RUN(slow_one_is_ended);
	RUN(idle_one_goes);
	RUN(disk_keeps);
	RUN(build_ids);
	RUN(freed_early);
	return check__report();
}
