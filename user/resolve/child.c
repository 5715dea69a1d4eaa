/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolve/codec.h"
#include "resolve/elf_file.h"
#include "resolve/resolver.h"
#include "resolve/sandbox.h"

#define NO_SANDBOX 2 /* exit code */

/* What goes to the child, with the file's descriptor; what comes back, followed by size bytes. */
struct request {
	uint32_t kind;
	char name[252];
};

struct reply {
	uint64_t size;
};

struct child {
	struct loop *loop;
	const struct module_query *queries;
	size_t n_queries;
	uint64_t timeout_ns, idle_ns;
	child_fn *fn;
	void *context;

	pid_t pid; /* 0: no process */
	int socket;
	struct loop_source *readable, *timer;
	bool busy;
	uint8_t *data; /* of the reply, so far */
	size_t size, room;
};

/* --- the child's own side --- */

static int receive_request(int socket, struct request *request, int *fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec vector = { .iov_base = request, .iov_len = sizeof(*request) };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	ssize_t got;

	do
		got = recvmsg(socket, &message, MSG_WAITALL);
	while (got < 0 && errno == EINTR);
	header = CMSG_FIRSTHDR(&message);
	if (got != sizeof(*request) || !header || header->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	request->name[sizeof(request->name) - 1] = 0;
	return 0;
}

static int send_all(int socket, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size) {
		ssize_t put = write(socket, at, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		at += put;
		size -= put;
	}
	return 0;
}

static int identify(int fd, const char *name, uint8_t **data, size_t *size)
{
	struct elf_file elf;
	const char *why;

	*data = calloc(1, ANSWER_BUILD_ID_MAX);
	if (!*data)
		return -1;
	*size = 0;
	if (elf_file__open(&elf, fd, name, &why) == 0) {
		*size = elf.build_id_length;
		memcpy(*data, elf.build_id, *size);
	}
	elf_file__close(&elf);
	return 0;
}

static int resolve(int fd, const char *name, const struct module_query *queries, size_t n_queries, uint8_t **data,
		   size_t *size)
{
	struct answer *answer = resolve__file(fd, name, queries, n_queries);
	int error = answer ? codec__pack(answer, data, size) : -ENOMEM;

	answer__free(answer);
	return error;
}

static void serve(int socket, const struct module_query *queries, size_t n_queries)
{
	struct request request;
	int fd;

	while (receive_request(socket, &request, &fd) == 0) {
		struct reply reply;
		uint8_t *data = NULL;
		size_t size = 0;

		if ((request.kind == CHILD_IDENTIFY ? identify(fd, request.name, &data, &size)
						    : resolve(fd, request.name, queries, n_queries, &data, &size)) < 0)
			return;
		close(fd);
		reply.size = size;
		if (send_all(socket, &reply, sizeof(reply)) < 0 || send_all(socket, data, size) < 0)
			return;
		free(data);
	}
}

/* --- the agent's side --- */

/* Ends the process. Returns its wait status, -1 if there was none. */
static int end_process(struct child *child)
{
	int status = -1;

	if (!child->pid)
		return -1;
	loop__remove(child->loop, child->readable);
	child->readable = NULL;
	close(child->socket);
	/* One that died already keeps the status that it died with. */
	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR) {
			status = -1;
			break;
		}
	child->pid = 0;
	return status;
}

static void finish(struct child *child, enum child_outcome outcome, const uint8_t *data, size_t size, const char *text)
{
	child->busy = false;
	loop__set_timer(child->timer, child->idle_ns, 0);
	child->fn(child->context, outcome, data, size, text);
}

static void crashed(struct child *child)
{
	char text[128];
	int status = end_process(child);

	if (status != -1 && WIFSIGNALED(status))
		snprintf(text, sizeof(text), "reading it crashed (%s)%s", strsignal(WTERMSIG(status)),
			 WTERMSIG(status) == SIGBUS ? ": was it cut short meanwhile?" : "");
	else if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == NO_SANDBOX)
		snprintf(text, sizeof(text), "the kernel gives no sandbox to read it in (seccomp, close_range)");
	else
		snprintf(text, sizeof(text), "reading it failed, the reader left without an answer");
	child->size = 0;
	finish(child, CHILD_CRASHED, NULL, 0, text);
}

static bool make_room(struct child *child)
{
	size_t room = child->room ? child->room * 2 : 65536;
	uint8_t *more;

	if (child->size < child->room)
		return true;
	if (room > 2 * (size_t)CODEC_MAX)
		return false;
	more = realloc(child->data, room);
	if (!more)
		return false;
	child->data = more;
	child->room = room;
	return true;
}

static void on_readable(void *context, uint32_t events)
{
	struct child *child = context;
	struct reply reply;
	ssize_t got;

	(void)events;
	got = make_room(child) ? recv(child->socket, child->data + child->size, child->room - child->size, MSG_DONTWAIT)
			       : 0;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		if (child->busy)
			crashed(child);
		else
			end_process(child);
		return;
	}
	child->size += got;
	if (child->size < sizeof(reply))
		return;
	memcpy(&reply, child->data, sizeof(reply));
	if (!child->busy || reply.size > CODEC_MAX || child->size > sizeof(reply) + reply.size) {
		/* No child of ours says this: something took it over. */
		end_process(child);
		child->size = 0;
		if (child->busy)
			finish(child, CHILD_CRASHED, NULL, 0, "reading it went wrong, its reader answered nonsense");
		return;
	}
	if (child->size == sizeof(reply) + reply.size) {
		child->size = 0;
		finish(child, CHILD_DONE, child->data + sizeof(reply), reply.size, NULL);
	}
}

static void on_timer(void *context, uint32_t events)
{
	struct child *child = context;
	char text[64];

	(void)events;
	end_process(child);
	child->size = 0;
	free(child->data);
	child->data = NULL;
	child->room = 0;
	if (!child->busy)
		return;
	snprintf(text, sizeof(text), "reading it took longer than %.3g s", (double)child->timeout_ns / 1e9);
	finish(child, CHILD_TIMED_OUT, NULL, 0, text);
}

static int start_process(struct child *child)
{
	int sockets[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	child->pid = fork();
	if (child->pid < 0) {
		error = -errno;
		child->pid = 0;
		goto cleanup;
	}
	if (!child->pid) {
		if (sandbox__enter(sockets[1]) < 0)
			_exit(NO_SANDBOX);
		serve(sockets[1], child->queries, child->n_queries);
		_exit(1);
	}
	close(sockets[1]);
	sockets[1] = -1;
	child->socket = sockets[0];
	child->size = 0;
	child->readable = loop__add(child->loop, child->socket, EPOLLIN, on_readable, child);
	if (child->readable)
		return 0;
	error = -errno;
	end_process(child);
	return error;
cleanup:
	close(sockets[0]);
	close(sockets[1]);
	return error;
}

static int send_request(struct child *child, enum child_request kind, int fd, const char *name)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct request request = { .kind = kind };
	struct iovec vector = { .iov_base = &request, .iov_len = sizeof(request) };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	const char *slash = strrchr(name, '/');

	/* The last part of a long name is what matters. */
	snprintf(request.name, sizeof(request.name), "%s", slash ? slash + 1 : name);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	/* Nothing else is in the socket, so that it takes these few bytes at once. */
	return sendmsg(child->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(request) ? 0 : -errno;
}

int child__send(struct child *child, enum child_request request, int fd, const char *name)
{
	int error = child->pid ? 0 : start_process(child);

	if (error < 0)
		return error;
	error = send_request(child, request, fd, name);
	if (error == -EPIPE || error == -ECONNRESET) { /* it died while idle */
		end_process(child);
		error = start_process(child);
		if (error == 0)
			error = send_request(child, request, fd, name);
	}
	if (error < 0)
		return error;
	child->busy = true;
	loop__set_timer(child->timer, child->timeout_ns, 0);
	return 0;
}

bool child__busy(const struct child *child)
{
	return child->busy;
}

struct child *child__new(struct loop *loop, const struct module_query *queries, size_t n_queries, uint64_t timeout_ns,
			 uint64_t idle_ns, child_fn *fn, void *context)
{
	struct child *child = calloc(1, sizeof(*child));

	if (!child)
		return NULL;
	child->loop = loop;
	child->queries = queries;
	child->n_queries = n_queries;
	child->timeout_ns = timeout_ns;
	child->idle_ns = idle_ns;
	child->fn = fn;
	child->context = context;
	child->timer = loop__add_timer(loop, 0, 0, on_timer, child);
	if (!child->timer) {
		free(child);
		return NULL;
	}
	return child;
}

void child__free(struct child *child)
{
	if (!child)
		return;
	end_process(child);
	loop__remove(child->loop, child->timer);
	free(child->data);
	free(child);
}
