/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * run: one command, traced from its first call to its exit. The child waits in a pipe until the agent
 * holds it; from then on it and its children stop for a moment whenever they have mapped new code.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/session.h"
#include "export/json.h"
#include "export/terminal.h"

struct run {
	struct session session;
	pid_t child;
	int child_fd;
	struct loop_source *ended, *signals;
};

static void on_child_end(void *context, uint32_t events)
{
	struct run *run = context;

	loop__stop(run->session.loop);
}

/* Signals sent to us are meant for the command. SIGINT and SIGQUIT come from the terminal to both of us. */
static void on_signal(void *context, uint32_t number)
{
	struct run *run = context;

	if (number != SIGINT && number != SIGQUIT)
		kill(run->child, (int)number);
}

/* In the child: waits for the go, then becomes the command. */
static void become(const struct cli_options *options, int go, const sigset_t *mask)
{
	char byte;
	ssize_t n = read(go, &byte, 1);

	if (n != 1) /* the agent could not start and has said so */
		_exit(EXIT_FAILED);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(options->arguments[0], options->arguments);
	fprintf(stderr, "infermeter run: %s: %s\n", options->arguments[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* started: whether the command ran at all. */
static int report(struct run *run, const struct cli_options *options, bool started)
{
	struct snapshot *snapshot = agent__snapshot(run->session.agent);
	struct terminal_options terminal = { .width = terminal__width(STDERR_FILENO) };
	struct text text = { 0 };
	FILE *to = options->output ? fopen(options->output, "we") : stderr;
	char *json;

	if (!snapshot || !to) {
		log_error("%s: %s", options->output ? options->output : "no report", strerror(errno));
		snapshot__free(snapshot);
		return -1;
	}
	if (options->json) {
		json = json__models(snapshot);
		fputs(json ? json : "{}\n", to);
		free(json);
	} else if (snapshot->n_models == 0) {
		if (started)
			fputs("infermeter: no inference call was seen. `infermeter doctor` says what can be seen "
			      "here\n",
			      to);
	} else {
		terminal__models(snapshot, NULL, &terminal, &text);
		terminal__losses(snapshot, &text);
		fputs(text.data ? text.data : "", to);
		text__free(&text);
	}
	snapshot__free(snapshot);
	if (options->output)
		fclose(to);
	return 0;
}

/* Ends as the command ended: same code, or the same signal. */
static int end_like(int status)
{
	static const struct rlimit no_core;

	if (WIFSIGNALED(status)) {
		sigset_t set;

		setrlimit(RLIMIT_CORE, &no_core); /* the command's own dump is the one of interest */
		signal(WTERMSIG(status), SIG_DFL);
		sigemptyset(&set);
		sigaddset(&set, WTERMSIG(status));
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		raise(WTERMSIG(status));
		return 128 + WTERMSIG(status);
	}
	return WEXITSTATUS(status);
}

static int watch(struct run *run, int go)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, 0 };
	int error = agent__add_pid(run->session.agent, run->child);

	run->child_fd = (int)syscall(SYS_pidfd_open, run->child, 0);
	if (!error && run->child_fd < 0)
		error = -errno;
	if (!error) {
		run->ended = loop__add(run->session.loop, run->child_fd, EPOLLIN, on_child_end, run);
		run->signals = loop__add_signals(run->session.loop, signals, on_signal, run);
		error = run->ended && run->signals ? agent__start(run->session.agent) : -errno;
	}
	if (error) {
		log_error("cannot watch the command: %s", strerror(-error));
		return error;
	}
	if (write(go, "", 1) != 1)
		return -errno;
	return loop__run(run->session.loop);
}

int cli__run(const struct cli_options *options)
{
	const struct agent_options agent = { .only_added = true, .hold = true };
	struct run run = { .child_fd = -1 };
	sigset_t mask;
	int go[2], code, status = 0;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	if (pipe2(go, O_CLOEXEC) < 0) {
		log_error("cannot start: %s", strerror(errno));
		return EXIT_FAILED;
	}
	/* Forked first, so that the child has nothing of the agent. */
	run.child = fork();
	if (run.child == 0) {
		close(go[1]);
		become(options, go[0], &mask);
	}
	close(go[0]);
	if (run.child < 0) {
		log_error("cannot start: %s", strerror(errno));
		return EXIT_FAILED;
	}
	code = session__open(&run.session, options, &agent);
	if (!code && watch(&run, go[1]))
		code = EXIT_FAILED;
	close(go[1]); /* a child that was not let go ends now */
	if (code)
		kill(run.child, SIGCONT);
	while (waitpid(run.child, &status, 0) < 0 && errno == EINTR)
		;
	if (!code) {
		agent__drain(run.session.agent);
		report(&run, options, !WIFEXITED(status) || (WEXITSTATUS(status) != 126 && WEXITSTATUS(status) != 127));
	}
	if (run.session.loop) {
		loop__remove(run.session.loop, run.ended);
		loop__remove(run.session.loop, run.signals);
	}
	session__close(&run.session);
	if (run.child_fd >= 0)
		close(run.child_fd);
	return code ? code : end_like(status);
}
