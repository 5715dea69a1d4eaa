/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "export/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct http {
	struct loop *loop;
	struct loop_source *source, *timer;
	struct MHD_Daemon *daemon;
	const struct http_route *routes;
	void *context;
	uint16_t port;
	char address[INET6_ADDRSTRLEN + 10]; /* [ADDR]:PORT */
};

static bool parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long number;

	if (*text < '0' || *text > '9')
		return false;
	number = strtoul(text, &end, 10);
	*port = htons((uint16_t)number);
	return !*end && end - text <= 5 && number <= 65535;
}

int http__parse_address(const char *text, struct sockaddr_storage *address, socklen_t *length, char *why, size_t size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	const char *colon = strrchr(text, ':'), *host_end = colon;
	char host[INET6_ADDRSTRLEN];
	uint16_t port;

	memset(address, 0, sizeof(*address));
	if (!colon || !parse_port(colon + 1, &port)) {
		snprintf(why, size, "'%s' is not ADDR:PORT with a port from 0 to 65535, such as 127.0.0.1:9464", text);
		return -EINVAL;
	}
	if (*text == '[') {
		text++;
		host_end = colon - 1;
		if (host_end < text || *host_end != ']') {
			snprintf(why, size, "'%s' lacks the ']' before the port; write [::1]:9464", text - 1);
			return -EINVAL;
		}
	}
	if ((size_t)(host_end - text) >= sizeof(host)) {
		snprintf(why, size, "'%s' is no address", text);
		return -EINVAL;
	}
	memcpy(host, text, (size_t)(host_end - text));
	host[host_end - text] = 0;

	if (host_end != colon) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		*length = sizeof(*v6);
		if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
			return 0;
	} else {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		*length = sizeof(*v4);
		if (!*host)
			return 0;
		if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &v4->sin_addr) == 1)
			return 0;
		if (strchr(host, ':')) {
			snprintf(why, size, "an IPv6 address stands in brackets: [%s]%s", host, colon);
			return -EINVAL;
		}
	}
	snprintf(why, size, "'%s' is not an IPv4 or IPv6 address in numbers, nor localhost", host);
	return -EINVAL;
}

/* Requests. */

const char *http_request__query(const struct http_request *request, const char *name)
{
	const char *value = NULL;

	if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value,
					  NULL) == MHD_NO)
		return NULL;
	return value ? value : "";
}

const char *http_request__header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* Hands the answer over; takes response->body. */
static enum MHD_Result answer(struct MHD_Connection *connection, const struct http_response *response, bool allow)
{
	const void *bytes = response->body ? response->body : response->fixed_body;
	struct MHD_Response *made =
		MHD_create_response_from_buffer(response->length, (void *)(bytes ? bytes : ""),
						response->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!made) {
		free(response->body);
		return MHD_NO; /* closes the connection */
	}
	MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_TYPE,
				response->type ? response->type : "text/plain; charset=utf-8");
	MHD_add_response_header(made, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(made, "X-Content-Type-Options", "nosniff");
	if (response->encoding)
		MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_ENCODING, response->encoding);
	if (allow)
		MHD_add_response_header(made, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, response->status ? response->status : MHD_HTTP_OK, made);
	MHD_destroy_response(made);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned int status, const char *text)
{
	const struct http_response response = { .status = status, .fixed_body = text, .length = strlen(text) };

	return answer(connection, &response, status == MHD_HTTP_METHOD_NOT_ALLOWED);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *upload, size_t *upload_size, void **state)
{
	static int seen;
	struct http *http = context;
	const struct http_request request = { .path = url, .connection = connection };
	struct http_response response = { 0 };

	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.\n");
	if (!*state) { /* the headers are read, a body may follow: only the next call may answer and keep alive */
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_size) { /* nothing here takes one */
		*upload_size = 0;
		return MHD_YES;
	}
	for (const struct http_route *route = http->routes; route->path; route++) {
		if (strcmp(route->path, url) != 0)
			continue;
		route->fn(http->context, &request, &response);
		return answer(connection, &response, false);
	}
	return refuse(connection, MHD_HTTP_NOT_FOUND, "There is no such page.\n");
}

/* The loop's side: run what is ready, then ask when it wants to be run without being asked. */

static bool is_full(const struct http *http)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info && info->num_connections >= HTTP_CONNECTIONS_MAX;
}

static void run(struct http *http)
{
	const bool was_full = is_full(http);
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	MHD_run(http->daemon);
	/* While it is full the listening socket is not watched, and only the start of a run looks whether it still is:
	 * the run that closed the connections has looked before. */
	if (was_full)
		MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &timeout_ms) != MHD_YES)
		loop__set_timer(http->timer, 0, 0);
	else
		loop__set_timer(http->timer, timeout_ms ? timeout_ms * 1000000 : 1, 0);
}

static void on_ready(void *context, uint32_t events)
{
	run(context);
}

/* Starting. */

static int listen_on(const struct sockaddr_storage *address, socklen_t length)
{
	const int on = 1, off = 0;
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const struct sockaddr *)address, length) == 0 && listen(fd, HTTP_CONNECTIONS_MAX) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static void note_address(struct http *http, int fd)
{
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	char host[INET6_ADDRSTRLEN];

	if (getsockname(fd, (struct sockaddr *)&bound, &length) < 0)
		return;
	if (bound.ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&bound;

		http->port = ntohs(v6->sin6_port);
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(http->address, sizeof(http->address), "[%s]:%u", host, http->port);
	} else {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&bound;

		http->port = ntohs(v4->sin_port);
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(http->address, sizeof(http->address), "%s:%u", host, http->port);
	}
}

static void say_why(int error, const char *address, char *why, size_t size)
{
	if (error == -EADDRINUSE)
		snprintf(why, size, "%s is in use by another program; choose another with --listen ADDR:PORT", address);
	else if (error == -EACCES)
		snprintf(why, size, "no right to listen on %s: ports below 1024 need CAP_NET_BIND_SERVICE", address);
	else if (error == -EADDRNOTAVAIL)
		snprintf(why, size, "cannot listen on %s: this host has no such address", address);
	else
		snprintf(why, size, "cannot listen on %s: %s", address, strerror(-error));
}

struct http *http__new(struct loop *loop, const char *address, const struct http_route *routes, void *context,
		       char *why, size_t size)
{
	const union MHD_DaemonInfo *info;
	struct sockaddr_storage where;
	struct http *http = NULL;
	socklen_t length;
	int fd = -1, error = http__parse_address(address, &where, &length, why, size);

	if (error)
		goto failed;
	http = calloc(1, sizeof(*http));
	fd = http ? listen_on(&where, length) : -ENOMEM;
	if (fd < 0) {
		error = fd;
		say_why(error, address, why, size);
		goto failed;
	}
	http->loop = loop;
	http->routes = routes;
	http->context = context;
	note_address(http, fd);
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, fd,
					MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_CONNECTIONS_MAX,
					MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)HTTP_TIMEOUT_SECONDS,
					MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16 * 1024, MHD_OPTION_END);
	if (!http->daemon) {
		close(fd);
		error = -ENOMEM;
		snprintf(why, size, "cannot start the HTTP server on %s", address);
		goto failed;
	}
	info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	http->timer = loop__add_timer(loop, 0, 0, on_ready, http);
	http->source = info ? loop__add(loop, info->epoll_fd, EPOLLIN, on_ready, http) : NULL;
	if (http->timer && http->source)
		return http;
	error = -errno;
	snprintf(why, size, "cannot watch the HTTP server's sockets: %s", strerror(-error));
failed:
	http__free(http);
	errno = -error;
	return NULL;
}

void http__free(struct http *http)
{
	if (!http)
		return;
	loop__remove(http->loop, http->source);
	loop__remove(http->loop, http->timer);
	if (http->daemon)
		MHD_stop_daemon(http->daemon); /* closes the listening socket */
	free(http);
}

uint16_t http__port(const struct http *http)
{
	return http->port;
}

const char *http__address(const struct http *http)
{
	return http->address;
}
