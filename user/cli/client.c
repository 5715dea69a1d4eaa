/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "export/http.h"
#include "export/text.h"

/* An agent that serves every address is reached on this host's own. */
static void name_loopback(struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (address->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		v6->sin6_addr = in6addr_loopback;
}

static int send_all(int fd, const char *text)
{
	for (size_t left = strlen(text); left;) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

/* The body behind a good status line. We ask in HTTP/1.0, so it ends where the connection does. */
static char *body_of(const char *answer)
{
	const char *end = answer ? strstr(answer, "\r\n\r\n") : NULL;

	if (!end || strncmp(answer, "HTTP/1.", 7) != 0 || strncmp(answer + 8, " 200", 4) != 0) {
		errno = EPROTO;
		return NULL;
	}
	return strdup(end + 4);
}

char *client__get(const char *address, const char *path)
{
	const struct timeval patience = { .tv_sec = 2 };
	struct sockaddr_storage to;
	struct text answer = { 0 };
	char why[128], request[512], buffer[4096], *body = NULL;
	socklen_t length;
	ssize_t n;
	int fd, error;

	if (http__parse_address(address, &to, &length, why, sizeof(why))) {
		errno = EINVAL;
		return NULL;
	}
	name_loopback(&to);
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, address);
	if (connect(fd, (struct sockaddr *)&to, length) < 0 || send_all(fd, request) < 0)
		goto cleanup;
	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		text__add_bytes(&answer, buffer, (size_t)n);
	if (n == 0)
		body = body_of(answer.data);
cleanup:
	error = errno;
	text__free(&answer);
	close(fd);
	errno = error;
	return body;
}
