/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the verbs that watch by themselves have in common: a loop with an agent on it that ctrl-C ends. */
#ifndef INFERMETER_SESSION_H
#define INFERMETER_SESSION_H

#include "agent/agent.h"
#include "cli/cli.h"

struct session {
	struct loop *loop;
	struct agent *agent;
	struct loop_source *signals;
	int signal; /* that ended it, 0: none */
};

/* Opens a session: the loop, SIGINT, SIGTERM and SIGHUP, the agent. Returns 0; or the exit code, after saying why. */
int session__open(struct session *session, const struct cli_options *options, const struct agent_options *more);

/* Scans and waits until all that runs is attached, at most timeout_ms. Returns 0 or the exit code. */
int session__start(struct session *session, int timeout_ms);

/* Detaches and frees. */
void session__close(struct session *session);

#endif
