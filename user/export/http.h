/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The agent's HTTP server: GET and HEAD, no thread of its own. Its epoll descriptor is a source of our loop, its
 * time-outs a timer. A handler makes its whole answer at once; sending it never blocks.
 */
#ifndef INFERMETER_HTTP_H
#define INFERMETER_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/loop.h"

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_TIMEOUT_SECONDS 10

struct http;

struct http_request {
	const char *path;
	void *connection; /* for http_request__query and __header */
};

/* Zero at first (status 200, no body). */
struct http_response {
	unsigned int status;	/* 0: 200 */
	const char *type;	/* Content-Type; static text. NULL: text/plain; charset=utf-8 */
	const char *encoding;	/* Content-Encoding; static text. NULL: none */
	char *body;		/* malloc'd: taken over and freed. NULL with length 0: empty */
	const char *fixed_body; /* instead of body: bytes that outlive the server, not copied */
	size_t length;
};

typedef void http_fn(void *context, const struct http_request *request, struct http_response *response);

struct http_route {
	const char *path; /* all of it: "/metrics" */
	http_fn *fn;
};

/*
 * Reads "127.0.0.1:9464", "[::1]:9464", ":9464" (every IPv4 address; "[::]:9464": IPv6 ones too) or "localhost:0". No
 * names but localhost: nothing is looked up. Returns 0; or -EINVAL with the reason in why.
 */
int http__parse_address(const char *text, struct sockaddr_storage *address, socklen_t *length, char *why, size_t size);

/*
 * Serves routes (ends with a NULL path; must live as long as the server) on address ("ADDR:PORT") from loop. context is
 * handed to each handler. Returns a server, or NULL with errno (EADDRINUSE, EACCES, EADDRNOTAVAIL, EINVAL …) and a
 * sentence for the user in why. The caller frees it, before the loop.
 */
struct http *http__new(struct loop *loop, const char *address, const struct http_route *routes, void *context,
		       char *why, size_t size);
void http__free(struct http *http); /* NULL is fine; ends open connections */

/* The port that it is bound to (asked for port 0: the one that was given). */
uint16_t http__port(const struct http *http);

/* "127.0.0.1:9464", "[::1]:9464": for messages. Owned by the server. */
const char *http__address(const struct http *http);

/* A parameter of the query string ("" for one without value) or a header of the request, NULL: none. Valid in the handler. */
const char *http_request__query(const struct http_request *request, const char *name);
const char *http_request__header(const struct http_request *request, const char *name);

#endif
