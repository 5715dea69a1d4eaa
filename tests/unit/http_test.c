/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The server and its clients on one loop, in one thread: what blocked would never end. */
#include "export/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

static struct loop *loop;
static struct http *http;
static int calls;
static char why[256];

static void hello(void *context, const struct http_request *request, struct http_response *response)
{
	const char *name = http_request__query(request, "name"), *accept = http_request__header(request, "accept");

	calls++;
	response->length = (size_t)asprintf(&response->body, "%s %s %s %s\n", (const char *)context, request->path,
					    name ? name : "-", accept ? accept : "-");
}

static void large(void *context, const struct http_request *request, struct http_response *response)
{
	response->length = 8 << 20; /* more than socket buffers hold */
	response->body = malloc(response->length);
	memset(response->body, 'x', response->length);
	response->type = "application/octet-stream";
}

static void not_ready(void *context, const struct http_request *request, struct http_response *response)
{
	response->status = 503;
	response->fixed_body = "not yet\n";
	response->length = 8;
}

static const struct http_route routes[] = {
	{ "/hello", hello },
	{ "/large", large },
	{ "/readyz", not_ready },
	{ NULL, NULL },
};

static void start(const char *address)
{
	loop = loop__new();
	http = http__new(loop, address, routes, (void *)"context", why, sizeof(why));
	if (!http)
		printf("  %s\n", why);
}

static void stop(void)
{
	http__free(http);
	loop__free(loop);
	http = NULL;
	loop = NULL;
}

static int client(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(http__port(http)) };
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) { /* the kernel answers it */
		close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Reads until the server closes, or `until` bytes are there, or nothing comes for a second. Returns how many. */
static size_t receive(int fd, char *answer, size_t room, size_t until)
{
	const uint64_t limit_ns = loop__now_ns() + 5000000000;
	size_t used = 0;

	while (used < until && loop__now_ns() < limit_ns) {
		ssize_t n;

		loop__once(loop, 10);
		n = read(fd, answer + used, room - used - 1);
		if (n == 0)
			break;
		if (n > 0)
			used += (size_t)n;
	}
	answer[used] = 0;
	return used;
}

/* One request on a connection of its own. Static text. */
static const char *ask(const char *request)
{
	static char answer[16384];
	const int fd = client();

	CHECK(fd >= 0);
	CHECK_INT(write(fd, request, strlen(request)), strlen(request));
	receive(fd, answer, sizeof(answer), sizeof(answer) - 1);
	close(fd);
	return answer;
}

#define ASK(method, path, headers) ask(method " " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" headers "\r\n")

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void answers(void)
{
	const char *answer;

	start("127.0.0.1:0");
	CHECK(http != NULL);
	CHECK(http__port(http) != 0);
	CHECK(strncmp(http__address(http), "127.0.0.1:", 10) == 0);
	calls = 0;
	answer = ASK("GET", "/hello", "");
	CHECK(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0);
	CHECK(strstr(answer, "Content-Type: text/plain; charset=utf-8\r\n") != NULL);
	CHECK(strstr(answer, "Cache-Control: no-store\r\n") != NULL);
	CHECK(ends_with(answer, "\r\n\r\ncontext /hello - -\n"));
	answer = ASK("GET", "/hello?name=a%20b&x", "Accept: text/html\r\n");
	CHECK(ends_with(answer, "context /hello a b text/html\n"));
	answer = ASK("HEAD", "/hello", "");
	CHECK(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0);
	CHECK(ends_with(answer, "\r\n\r\n") && strstr(answer, "Content-Length: 19\r\n"));
	CHECK_INT(calls, 3);
	answer = ASK("GET", "/readyz", "");
	CHECK(strstr(answer, " 503 ") && ends_with(answer, "not yet\n"));
	stop();
}

static void refuses(void)
{
	const char *answer;

	start("127.0.0.1:0");
	calls = 0;
	CHECK(strstr(ASK("GET", "/", ""), "HTTP/1.1 404 Not Found\r\n") != NULL);
	CHECK(strstr(ASK("GET", "/hello/", ""), "HTTP/1.1 404 ") != NULL);
	CHECK(strstr(ASK("GET", "/hell", ""), "HTTP/1.1 404 ") != NULL);
	answer = ASK("POST", "/hello", "Content-Length: 3\r\n");
	CHECK(strstr(answer, "HTTP/1.1 405 Method Not Allowed\r\n") && strstr(answer, "Allow: GET, HEAD\r\n"));
	CHECK(strstr(ASK("DELETE", "/hello", ""), " 405 ") != NULL);
	CHECK(strstr(ASK("PUT", "/nothing", ""), " 405 ") != NULL);
	CHECK_INT(calls, 0);
	ask("this is no HTTP\r\n\r\n");
	ask("GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n");	    /* no Host */
	CHECK(ends_with(ASK("GET", "/hello", ""), "context /hello - -\n")); /* it lives */
	stop();
}

static void several_requests_on_one_connection(void)
{
	static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[4096];
	int fd;

	start("127.0.0.1:0");
	fd = client();
	for (int i = 0; i < 3; i++) {
		CHECK_INT(write(fd, request, strlen(request)), strlen(request));
		receive(fd, answer, sizeof(answer), 1);
		CHECK(ends_with(answer, "context /hello - -\n"));
	}
	close(fd);
	stop();
}

static void a_slow_reader_blocks_nobody(void)
{
	static const char request[] = "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	static char answer[(8 << 20) + 4096];
	const char *body;
	int slow;
	size_t n;

	start("127.0.0.1:0");
	slow = client();
	CHECK_INT(write(slow, request, strlen(request)), strlen(request));
	for (int i = 0; i < 20; i++)
		loop__once(loop, 1); /* fills the socket; nobody reads */
	CHECK(ends_with(ASK("GET", "/hello", ""), "context /hello - -\n"));
	n = receive(slow, answer, sizeof(answer), sizeof(answer) - 1);
	body = strstr(answer, "\r\n\r\n");
	CHECK(body && n - (size_t)(body + 4 - answer) == 8 << 20);
	close(slow);
	stop();
}

static void connections_are_bounded(void)
{
	int fds[HTTP_CONNECTIONS_MAX + 20];
	char answer[4096];

	start("127.0.0.1:0");
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) { /* say nothing */
		fds[i] = client();
		loop__once(loop, 1);
	}
	for (int i = 0; i < 100; i++)
		loop__once(loop, 0);
	/* One more waits in the kernel's queue until one of them is gone. */
	fds[HTTP_CONNECTIONS_MAX] = client();
	CHECK(write(fds[HTTP_CONNECTIONS_MAX], "GET /hello HTTP/1.0\r\n\r\n", 23) == 23);
	for (int i = 0; i < 20; i++)
		loop__once(loop, 1);
	CHECK(read(fds[HTTP_CONNECTIONS_MAX], answer, sizeof(answer)) <= 0);
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		close(fds[i]);
	for (int i = 0; i < 200; i++)
		loop__once(loop, 1);
	close(fds[HTTP_CONNECTIONS_MAX]);
	CHECK(ends_with(ASK("GET", "/hello", ""), "context /hello - -\n"));
	stop();
}

static void an_idle_server_sleeps(void)
{
	int woken = 0;

	start("127.0.0.1:0");
	ASK("GET", "/hello", "");
	loop__once(loop, 50);
	for (int i = 0; i < 5; i++)
		woken += loop__once(loop, 20) > 0;
	CHECK(woken <= 1);
	stop();
}

static void ports_in_use(void)
{
	char address[64];
	struct http *second;

	start("127.0.0.1:0");
	snprintf(address, sizeof(address), "127.0.0.1:%u", http__port(http));
	errno = 0;
	second = http__new(loop, address, routes, NULL, why, sizeof(why));
	CHECK(!second);
	CHECK_INT(errno, EADDRINUSE);
	CHECK(strstr(why, "in use") && strstr(why, "--listen"));
	CHECK(!http__new(loop, "192.0.2.1:0", routes, NULL, why, sizeof(why)));
	CHECK_INT(errno, EADDRNOTAVAIL);
	CHECK(!http__new(loop, "nonsense", routes, NULL, why, sizeof(why)));
	CHECK_INT(errno, EINVAL);
	stop();
	http__free(NULL);
}

static int parse(const char *text)
{
	struct sockaddr_storage address;
	socklen_t length;

	why[0] = 0;
	return http__parse_address(text, &address, &length, why, sizeof(why));
}

static void addresses(void)
{
	static const char *const good[] = { "127.0.0.1:9464",  "0.0.0.0:0",  ":80",
					    "localhost:65535", "[::1]:9999", "[::]:0" };
	static const char *const bad[] = {
		"",
		"9464",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"127.0.0.1:+1",
		"127.0.0.1:1x",
		"127.0.0.1: 1",
		"1.2.3:4",
		"::1:80",
		"[::1]",
		"[::1:80",
		"[127.0.0.1]:80",
		"[]:80",
		"example.org:80",
		"127.0.0.1:000080",
		"]:1",
		"[:1",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80"
	};
	struct sockaddr_storage address;
	socklen_t length;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK_INT(parse(good[i]), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_INT(parse(bad[i]), -EINVAL);
		CHECK(*why);
	}
	CHECK_INT(http__parse_address("[::1]:9999", &address, &length, why, sizeof(why)), 0);
	CHECK_INT(address.ss_family, AF_INET6);
	CHECK_INT(length, sizeof(struct sockaddr_in6));
	CHECK_INT(ntohs(((struct sockaddr_in6 *)&address)->sin6_port), 9999);
	CHECK(IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&address)->sin6_addr));
	CHECK_INT(http__parse_address("localhost:1", &address, &length, why, sizeof(why)), 0);
	CHECK_INT(((struct sockaddr_in *)&address)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
}

static void ipv6(void)
{
	loop = loop__new();
	http = http__new(loop, "[::1]:0", routes, (void *)"six", why, sizeof(why));
	if (!http) {
		loop__free(loop);
		SKIP("no IPv6 loopback here");
	}
	CHECK(strncmp(http__address(http), "[::1]:", 6) == 0);
	stop();
}

int main(void)
{
	RUN(answers);
	RUN(refuses);
	RUN(several_requests_on_one_connection);
	RUN(a_slow_reader_blocks_nobody);
	RUN(connections_are_bounded);
	RUN(an_idle_server_sleeps);
	RUN(ports_in_use);
	RUN(addresses);
	RUN(ipv6);
	return check__report();
}
