/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* top: the table of models, of a running agent or of our own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/client.h"
#include "cli/session.h"
#include "export/terminal.h"

#define PERIOD_NS 1000000000ULL

struct top {
	struct session session;
	struct terminal_rates *rates;
};

static unsigned terminal_rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : 24;
}

static int show(const char *page)
{
	return fputs(page, stdout) == EOF || fflush(stdout) == EOF ? -1 : 0;
}

/* Paints what the agent at the address says. Returns -1 with errno when there is none. */
static int show_remote(const struct cli_options *options, bool once)
{
	bool terminal = isatty(STDOUT_FILENO);
	char path[128], *page;
	int error;

	if (once || !terminal)
		snprintf(path, sizeof(path), "/top?width=%u", terminal__width(STDOUT_FILENO));
	else
		snprintf(path, sizeof(path), "/top?width=%u&rows=%u&color=1", terminal__width(STDOUT_FILENO),
			 terminal_rows());
	page = client__get(options->listen, path);
	if (!page)
		return -1;
	error = show(page);
	free(page);
	return error;
}

static void show_local(struct top *top, bool page)
{
	struct terminal_options options = { .width = terminal__width(STDOUT_FILENO), .color = page };
	struct snapshot *snapshot = agent__snapshot(top->session.agent);
	struct text text = { 0 };

	if (!snapshot)
		return;
	if (page)
		terminal__page(snapshot, top->rates, terminal_rows(), &options, &text);
	else
		terminal__models(snapshot, top->rates, &options, &text);
	terminal_rates__free(top->rates);
	top->rates = terminal_rates__note(snapshot);
	snapshot__free(snapshot);
	if (text.data && show(text.data))
		loop__stop(top->session.loop);
	text__free(&text);
}

static void on_period(void *context, uint32_t events)
{
	show_local(context, isatty(STDOUT_FILENO));
}

static void stop(void *context, uint32_t events)
{
	loop__stop(context);
}

static int watch_local(const struct cli_options *options)
{
	const struct agent_options agent = { 0 };
	struct loop_source *timer;
	struct top top = { 0 };
	int code = session__open(&top.session, options, &agent);

	if (code)
		return code;
	code = session__start(&top.session, 10000);
	if (!code && !top.session.signal) {
		/* Once: two seconds of calls, else there would be nothing to show. */
		timer = options->once ? loop__add_timer(top.session.loop, 2 * PERIOD_NS, 0, stop, top.session.loop)
				      : loop__add_timer(top.session.loop, PERIOD_NS, PERIOD_NS, on_period, &top);
		if (!timer || loop__run(top.session.loop))
			code = EXIT_FAILED;
		if (options->once)
			show_local(&top, false);
		loop__remove(top.session.loop, timer);
	}
	terminal_rates__free(top.rates);
	session__close(&top.session);
	return code;
}

int cli__top(const struct cli_options *options)
{
	const struct timespec period = { .tv_sec = 1 };

	if (show_remote(options, options->once) == 0) {
		/* ctrl-C ends us the plain way: there is nothing of ours to undo. */
		while (!options->once && nanosleep(&period, NULL) == 0) {
			if (show_remote(options, false)) {
				log_error("the agent at %s is gone: %s", options->listen, strerror(errno));
				return EXIT_FAILED;
			}
		}
		return EXIT_DONE;
	}
	if (options->listen_given) {
		log_error("no agent answers at %s: %s", options->listen, strerror(errno));
		return EXIT_FAILED;
	}
	return watch_local(options);
}
