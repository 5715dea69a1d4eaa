/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* list: targets, modules, hooks: attached, or why not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/processes.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/session.h"
#include "export/json.h"
#include "export/terminal.h"

static int print_own(struct session *session, const struct cli_options *options)
{
	struct terminal_options terminal = { .width = 0, .color = isatty(STDOUT_FILENO), .verbose = options->verbose };
	struct text text = { 0 };
	size_t n = 0;
	struct target *targets = agent__targets(session->agent, &n);
	char *json;

	if (!targets) {
		log_error("no list: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (options->json) {
		json = json__targets(targets, n);
		fputs(json ? json : "", stdout);
		free(json);
	} else if (!n) {
		puts("No process maps a runtime that is known. `infermeter doctor PID` says what one process maps.");
	} else {
		terminal__targets(targets, n, &terminal, &text);
		fputs(text.data ? text.data : "", stdout);
		text__free(&text);
	}
	targets__free(targets, n);
	return EXIT_DONE;
}

int cli__list(const struct cli_options *options)
{
	const struct agent_options agent = { 0 };
	struct session session;
	const char *path = options->json ? "/api/v1/targets" : options->verbose ? "/list?verbose=1" : "/list";
	char *text = options->n_pids ? NULL : client__get(options->listen, path);
	int code;

	if (text) {
		fputs(text, stdout);
		free(text);
		return EXIT_DONE;
	}
	if (options->listen_given) {
		log_error("no agent answers at %s: %s", options->listen, strerror(errno));
		return EXIT_FAILED;
	}
	code = session__open(&session, options, &agent);
	if (code)
		return code;
	code = session__start(&session, 30000);
	if (!code)
		code = print_own(&session, options);
	session__close(&session);
	return code;
}
