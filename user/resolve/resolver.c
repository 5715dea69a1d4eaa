/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The queue in front of the child: what is known is answered at once, the rest one by one. */
#include "resolve/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"
#include "resolve/cache.h"
#include "resolve/child.h"
#include "resolve/codec.h"

#define TIMEOUT_NS 10000000000ull
#define IDLE_NS	   1000000000ull

struct question {
	int fd;
	char *name;
	struct stat status;
	bool identified; /* its build id was asked for, and told nothing */
	resolver_fn *fn;
	void *context;
	struct question *prev, *next;
};

struct resolver {
	struct loop *loop;
	struct cache *cache;
	struct child *child;
	const struct module_query *queries;
	size_t n_queries;
	struct question *questions; /* the first is under way if the child is busy */
	struct loop_source *later;  /* a timer for what must not happen inside resolver__ask */
	struct resolver_stats stats;
};

/* What is said where there is no memory left even to say why. */
static const struct answer no_memory = { .failed = true, .why = "out of memory" };

static void free_question(struct question *question)
{
	close(question->fd);
	free(question->name);
	free(question);
}

static void next_question(struct resolver *resolver);

/* Takes the first question from the queue and answers it. */
static void give(struct resolver *resolver, const struct answer *answer)
{
	struct question *question = resolver->questions;
	resolver_fn *fn = question->fn;
	void *context = question->context;

	DL_DELETE(resolver->questions, question);
	free_question(question);
	resolver->stats.answered++;
	fn(context, answer ? answer : &no_memory);
}

static void fail(struct resolver *resolver, const char *why)
{
	struct question *question = resolver->questions;
	struct answer *answer = answer__failed("%s", why);

	log_info("%s: %s; it is left alone", question->name, why);
	/* Not on disk: another day it may work. */
	give(resolver, answer ? cache__put(resolver->cache, &question->status, answer, false) : NULL);
}

static void on_outcome(void *context, enum child_outcome outcome, const uint8_t *data, size_t size, const char *text)
{
	struct resolver *resolver = context;
	struct question *question = resolver->questions;
	struct answer *answer = NULL;

	switch (outcome) {
	case CHILD_CRASHED:
		resolver->stats.crashed++;
		fail(resolver, text);
		break;
	case CHILD_TIMED_OUT:
		resolver->stats.timed_out++;
		fail(resolver, text);
		break;
	case CHILD_DONE:
		if (!question->identified) {
			question->identified = true;
			if (!cache__is_none(resolver->cache, data, size, question->status.st_size))
				break; /* asked again, for the whole answer */
			answer = calloc(1, sizeof(*answer));
			if (answer && size <= sizeof(answer->build_id)) {
				memcpy(answer->build_id, data, size);
				answer->build_id_length = size;
			}
			resolver->stats.from_memory++;
			give(resolver, answer ? cache__put(resolver->cache, &question->status, answer, false) : NULL);
			break;
		}
		answer = codec__unpack(data, size, resolver->queries, resolver->n_queries);
		if (!answer) {
			resolver->stats.crashed++;
			fail(resolver, "reading it went wrong, its reader answered nonsense");
			break;
		}
		if (answer->failed)
			resolver->stats.failed++;
		give(resolver, cache__put(resolver->cache, &question->status, answer, !answer->failed));
		break;
	}
	next_question(resolver);
}

/* Sends the first question to the child, unless an answer to it came in meanwhile. */
static void next_question(struct resolver *resolver)
{
	const struct answer *known;
	struct question *question;

	while ((question = resolver->questions) && !child__busy(resolver->child)) {
		int error;

		if (cache__find(resolver->cache, &question->status, &known) != CACHE_NOWHERE) {
			resolver->stats.from_memory++;
			give(resolver, known);
			continue;
		}
		if (!cache__knows_none(resolver->cache))
			question->identified = true;
		error = child__send(resolver->child, question->identified ? CHILD_RESOLVE : CHILD_IDENTIFY,
				    question->fd, question->name);
		if (error < 0) {
			resolver->stats.failed++;
			fail(resolver, strerror(-error));
		}
	}
}

static void on_later(void *context, uint32_t events)
{
	(void)events;
	next_question(context);
}

int resolver__ask(struct resolver *resolver, int fd, const char *name, resolver_fn *fn, void *context)
{
	struct question *question;
	const struct answer *answer;
	enum cache_source source;
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	source = cache__find(resolver->cache, &status, &answer);
	if (source != CACHE_NOWHERE) {
		if (source == CACHE_MEMORY)
			resolver->stats.from_memory++;
		else
			resolver->stats.from_disk++;
		resolver->stats.answered++;
		fn(context, answer);
		return 0;
	}
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	question->status = status;
	question->fn = fn;
	question->context = context;
	question->name = strdup(name ? name : "");
	question->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (!question->name || question->fd < 0) {
		int error = question->name ? -errno : -ENOMEM;

		free(question->name);
		if (question->fd >= 0)
			close(question->fd);
		free(question);
		return error;
	}
	DL_APPEND(resolver->questions, question);
	/* From the loop, so that a question that fails at once is not answered inside of this. */
	if (!child__busy(resolver->child))
		loop__set_timer(resolver->later, 1, 0);
	return 0;
}

size_t resolver__pending(const struct resolver *resolver)
{
	const struct question *question;
	size_t n = 0;

	DL_FOREACH (resolver->questions, question)
		n++;
	return n;
}

struct resolver_stats resolver__stats(const struct resolver *resolver)
{
	return resolver->stats;
}

struct resolver *resolver__new(struct loop *loop, const struct module_query *queries, size_t n_queries,
			       const char *cache_dir)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return NULL;
	resolver->loop = loop;
	resolver->queries = queries;
	resolver->n_queries = n_queries;
	resolver->cache = cache__new(queries, n_queries, cache_dir);
	resolver->child = child__new(loop, queries, n_queries, TIMEOUT_NS, IDLE_NS, on_outcome, resolver);
	resolver->later = loop__add_timer(loop, 0, 0, on_later, resolver);
	if (resolver->cache && resolver->child && resolver->later)
		return resolver;
	resolver__free(resolver);
	errno = ENOMEM;
	return NULL;
}

void resolver__free(struct resolver *resolver)
{
	struct question *question, *next;

	if (!resolver)
		return;
	child__free(resolver->child);
	loop__remove(resolver->loop, resolver->later);
	DL_FOREACH_SAFE (resolver->questions, question, next) {
		DL_DELETE(resolver->questions, question);
		free_question(question);
	}
	cache__free(resolver->cache);
	free(resolver);
}
