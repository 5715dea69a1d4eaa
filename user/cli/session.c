/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static void on_signal(void *context, uint32_t number)
{
	struct session *session = context;

	session->signal = (int)number;
	loop__stop(session->loop);
}

int session__open(struct session *session, const struct cli_options *options, const struct agent_options *more)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, 0 };
	struct agent_options agent = *more;
	struct agent_error error;

	memset(session, 0, sizeof(*session));
	agent.pids = options->pids;
	agent.n_pids = options->n_pids;
	agent.runtimes = options->runtimes;
	agent.config = options->config;
	agent.save = options->save;
	agent.ring_bytes = options->ring_bytes;
	agent.no_multi = options->single_probes;
	session->loop = loop__new();
	/* A command that is run handles the terminal's signals itself; run.c decides what to do with ours. */
	if (session->loop && !more->only_added)
		session->signals = loop__add_signals(session->loop, signals, on_signal, session);
	if (!session->loop || (!more->only_added && !session->signals)) {
		log_error("cannot start: %s", strerror(errno));
		return EXIT_FAILED;
	}
	session->agent = agent__new(session->loop, &agent, &error);
	if (!session->agent) {
		log_error("%s", error.text);
		session__close(session);
		return error.exit_code;
	}
	return EXIT_DONE;
}

int session__start(struct session *session, int timeout_ms)
{
	uint64_t end = loop__now_ns() + (uint64_t)timeout_ms * 1000000;
	int error = agent__start(session->agent);

	if (error) {
		log_error("cannot read /proc: %s", strerror(-error));
		return EXIT_FAILED;
	}
	while (!agent__ready(session->agent) && !session->signal && loop__now_ns() < end) {
		error = loop__once(session->loop, 100);
		if (error < 0)
			return EXIT_FAILED;
	}
	return EXIT_DONE;
}

void session__close(struct session *session)
{
	agent__free(session->agent);
	if (session->loop)
		loop__remove(session->loop, session->signals);
	loop__free(session->loop);
	memset(session, 0, sizeof(*session));
}
