/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "attach/reaper.h"

#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdlib.h>
#include <utarray.h>

#define CLOSERS_MAX 64
#define STACK_BYTES (256 << 10)

struct reaper {
	pthread_mutex_t lock;
	pthread_cond_t idle; /* no thread is left */
	UT_array *links;
	unsigned threads;
};

struct reaper *reaper__new(void)
{
	struct reaper *reaper = calloc(1, sizeof(*reaper));

	if (!reaper)
		return NULL;
	pthread_mutex_init(&reaper->lock, NULL);
	pthread_cond_init(&reaper->idle, NULL);
	utarray_new(reaper->links, &ut_ptr_icd);
	return reaper;
}

void reaper__wait(struct reaper *reaper)
{
	pthread_mutex_lock(&reaper->lock);
	while (reaper->threads)
		pthread_cond_wait(&reaper->idle, &reaper->lock);
	pthread_mutex_unlock(&reaper->lock);
}

void reaper__free(struct reaper *reaper)
{
	if (!reaper)
		return;
	reaper__wait(reaper);
	utarray_free(reaper->links);
	pthread_cond_destroy(&reaper->idle);
	pthread_mutex_destroy(&reaper->lock);
	free(reaper);
}

static void *close_links(void *context)
{
	struct reaper *reaper = context;

	pthread_mutex_lock(&reaper->lock);
	while (utarray_len(reaper->links)) {
		struct bpf_link *link = *(struct bpf_link **)utarray_back(reaper->links);

		utarray_pop_back(reaper->links);
		pthread_mutex_unlock(&reaper->lock);
		bpf_link__destroy(link);
		pthread_mutex_lock(&reaper->lock);
	}
	if (--reaper->threads == 0)
		pthread_cond_broadcast(&reaper->idle);
	pthread_mutex_unlock(&reaper->lock);
	return NULL;
}

void reaper__give(struct reaper *reaper, struct bpf_link *link)
{
	pthread_attr_t attributes;
	pthread_t thread;
	bool mine = false;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_mutex_lock(&reaper->lock);
	utarray_push_back(reaper->links, &link);
	if (reaper->threads < CLOSERS_MAX && pthread_create(&thread, &attributes, close_links, reaper) == 0)
		reaper->threads++;
	else if (!reaper->threads) { /* no thread can be had: then here */
		utarray_pop_back(reaper->links);
		mine = true;
	}
	pthread_mutex_unlock(&reaper->lock);
	pthread_attr_destroy(&attributes);
	if (mine)
		bpf_link__destroy(link);
}
