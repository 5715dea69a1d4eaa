/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* trace: one line a call. */
#include <stdio.h>
#include <unistd.h>

#include "cli/session.h"
#include "export/call_line.h"

struct trace {
	bool json;
	bool broken; /* nobody reads any more */
	struct session *session;
	struct text line;
};

static void print_call(void *context, const struct model_call *call)
{
	struct trace *trace = context;

	if (trace->json)
		call_line__json(call, &trace->line);
	else
		call_line__text(call, &trace->line);
	if (trace->line.data && !trace->broken && (fputs(trace->line.data, stdout) == EOF || fflush(stdout) == EOF)) {
		trace->broken = true;
		loop__stop(trace->session->loop);
	}
	text__free(&trace->line);
}

int cli__trace(const struct cli_options *options)
{
	struct session session;
	struct trace trace = { .json = options->json, .session = &session };
	const struct agent_options agent = { .call = print_call, .context = &trace };
	int code = session__open(&session, options, &agent);

	if (code)
		return code;
	if (!options->json) {
		call_line__heading(&trace.line);
		fputs(trace.line.data ? trace.line.data : "", stdout);
		fflush(stdout);
		text__free(&trace.line);
	}
	code = session__start(&session, 0);
	if (!code && !session.signal && loop__run(session.loop))
		code = EXIT_FAILED;
	session__close(&session);
	return code;
}
