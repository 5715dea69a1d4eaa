/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* serve: the agent behind HTTP. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/processes.h"
#include "base/log.h"
#include "cli/session.h"
#include "export/http.h"
#include "export/json.h"
#include "export/prometheus.h"
#include "export/terminal.h"

#define RATE_NS 1000000000ULL
#define RATES	5

struct server {
	struct session session;
	struct http *http;
	struct terminal_rates *rates[RATES]; /* one a second, the oldest first: what /top counts calls since */
	size_t n_rates;
	struct loop_source *rate_timer;
	uint64_t top_asked_ns; /* when somebody last looked at /top: nobody pays for rates otherwise */
};

static void fail(struct http_response *response)
{
	response->status = 503;
	response->fixed_body = "no memory\n";
	response->length = strlen(response->fixed_body);
}

static void answer_text(struct http_response *response, struct text *text)
{
	response->body = text__take(text, &response->length);
	if (!response->body)
		fail(response);
}

static void answer_json(struct http_response *response, char *json)
{
	response->type = JSON_CONTENT_TYPE;
	response->body = json;
	if (json)
		response->length = strlen(json);
	else
		fail(response);
}

static void serve_metrics(void *context, const struct http_request *request, struct http_response *response)
{
	struct server *server = context;
	struct snapshot *snapshot = agent__snapshot(server->session.agent);
	struct text text = { 0 };

	if (!snapshot) {
		fail(response);
		return;
	}
	prometheus__render(snapshot, &text);
	snapshot__free(snapshot);
	agent__after_scrape(server->session.agent);
	response->type = PROMETHEUS_CONTENT_TYPE;
	answer_text(response, &text);
}

static void serve_models(void *context, const struct http_request *request, struct http_response *response)
{
	struct server *server = context;
	struct snapshot *snapshot = agent__snapshot(server->session.agent);

	answer_json(response, snapshot ? json__models(snapshot) : NULL);
	snapshot__free(snapshot);
}

static void serve_targets(void *context, const struct http_request *request, struct http_response *response)
{
	struct server *server = context;
	size_t n;
	struct target *targets = agent__targets(server->session.agent, &n);

	answer_json(response, targets ? json__targets(targets, n) : NULL);
	targets__free(targets, n);
}

static unsigned query_number(const struct http_request *request, const char *name)
{
	const char *value = http_request__query(request, name);
	long number = value ? strtol(value, NULL, 10) : 0;

	return number > 0 && number < 1000 ? (unsigned)number : 0;
}

static void serve_top(void *context, const struct http_request *request, struct http_response *response)
{
	struct server *server = context;
	struct snapshot *snapshot = agent__snapshot(server->session.agent);
	struct terminal_options options = { .width = query_number(request, "width"),
					    .color = query_number(request, "color") != 0 };
	const struct terminal_rates *since = server->n_rates ? server->rates[0] : NULL;
	struct text text = { 0 };

	server->top_asked_ns = loop__now_ns();
	if (!snapshot) {
		fail(response);
		return;
	}
	if (query_number(request, "rows"))
		terminal__page(snapshot, since, query_number(request, "rows"), &options, &text);
	else
		terminal__models(snapshot, since, &options, &text);
	snapshot__free(snapshot);
	answer_text(response, &text);
}

static void serve_list(void *context, const struct http_request *request, struct http_response *response)
{
	struct server *server = context;
	struct terminal_options options = { .verbose = query_number(request, "verbose") != 0 };
	struct text text = { 0 };
	size_t n;
	struct target *targets = agent__targets(server->session.agent, &n);

	if (!targets) {
		fail(response);
		return;
	}
	if (n)
		terminal__targets(targets, n, &options, &text);
	else
		text__add(&text, "No process maps a runtime that is known.\n");
	targets__free(targets, n);
	answer_text(response, &text);
}

static void serve_health(void *context, const struct http_request *request, struct http_response *response)
{
	response->fixed_body = "ok\n";
	response->length = 3;
}

static void serve_ready(void *context, const struct http_request *request, struct http_response *response)
{
	struct server *server = context;

	if (agent__ready(server->session.agent)) {
		serve_health(context, request, response);
		return;
	}
	response->status = 503;
	response->fixed_body = "not ready: files that run now are still being read\n";
	response->length = strlen(response->fixed_body);
}

static void serve_index(void *context, const struct http_request *request, struct http_response *response)
{
	response->fixed_body = "infermeter\n\n"
			       "/metrics          Prometheus\n"
			       "/top              the models as a table\n"
			       "/list             what is attached, and why not, as a table\n"
			       "/api/v1/models    the models as JSON\n"
			       "/api/v1/targets   the same as JSON\n"
			       "/healthz /readyz\n";
	response->length = strlen(response->fixed_body);
}

static const struct http_route routes[] = {
	{ "/metrics", serve_metrics },
	{ "/api/v1/models", serve_models },
	{ "/api/v1/targets", serve_targets },
	{ "/top", serve_top },
	{ "/list", serve_list },
	{ "/healthz", serve_health },
	{ "/readyz", serve_ready },
	{ "/", serve_index },
	{ NULL, NULL },
};

static void drop_rates(struct server *server, size_t n)
{
	for (size_t i = 0; i < n; i++)
		terminal_rates__free(server->rates[i]);
	memmove(server->rates, server->rates + n, (server->n_rates - n) * sizeof(*server->rates));
	server->n_rates -= n;
}

static void on_rate_timer(void *context, uint32_t events)
{
	struct server *server = context;
	struct snapshot *snapshot;

	if (!server->top_asked_ns || loop__now_ns() - server->top_asked_ns > 10 * RATE_NS) {
		drop_rates(server, server->n_rates);
		return;
	}
	snapshot = agent__snapshot(server->session.agent);
	if (!snapshot)
		return;
	if (server->n_rates == RATES)
		drop_rates(server, 1);
	server->rates[server->n_rates] = terminal_rates__note(snapshot);
	if (server->rates[server->n_rates])
		server->n_rates++;
	snapshot__free(snapshot);
}

int cli__serve(const struct cli_options *options)
{
	const struct agent_options agent = { 0 };
	struct server server = { 0 };
	char why[256] = "";
	int code = session__open(&server.session, options, &agent);

	if (code)
		return code;
	server.http = http__new(server.session.loop, options->listen, routes, &server, why, sizeof(why));
	if (!server.http) {
		log_error("%s", why);
		code = errno == EINVAL ? EXIT_USAGE : EXIT_FAILED;
		goto cleanup;
	}
	/* Said on standard output, since with port 0 somebody must read which it is. */
	printf("serving http://%s/metrics\n", http__address(server.http));
	fflush(stdout);
	server.rate_timer = loop__add_timer(server.session.loop, RATE_NS, RATE_NS, on_rate_timer, &server);
	code = session__start(&server.session, 0);
	if (!code && !server.session.signal && loop__run(server.session.loop))
		code = EXIT_FAILED;
cleanup:
	http__free(server.http);
	loop__remove(server.session.loop, server.rate_timer);
	drop_rates(&server, server.n_rates);
	session__close(&server.session);
	return code;
}
