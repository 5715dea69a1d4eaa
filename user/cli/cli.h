/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The verbs. Each is one file with one function; main.c is their table. */
#ifndef INFERMETER_CLI_H
#define INFERMETER_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CLI_PIDS_MAX 256
#define CLI_LISTEN   "127.0.0.1:9464"

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_ALLOWED = 3 };

struct cli_options {
	pid_t pids[CLI_PIDS_MAX];
	size_t n_pids;
	const char *runtimes, *config, *save, *module, *output;
	const char *listen; /* CLI_LISTEN unless given */
	bool listen_given;
	bool json, once, verbose, single_probes;
	size_t ring_bytes;
	char **arguments; /* what stands after the options */
	size_t n_arguments;
};

/* Which options a verb takes: bits. --log and --help go with all. */
enum cli_option {
	CLI_PID = 1 << 0,
	CLI_RUNTIMES = 1 << 1,
	CLI_CONFIG = 1 << 2,
	CLI_LISTEN_OPTION = 1 << 3,
	CLI_SAVE = 1 << 4,
	CLI_JSON = 1 << 5,
	CLI_ONCE = 1 << 6,
	CLI_MODULE = 1 << 7,
	CLI_VERBOSE = 1 << 8,
	CLI_RING = 1 << 9,
	CLI_OUTPUT = 1 << 10,
};
#define CLI_AGENT (CLI_PID | CLI_RUNTIMES | CLI_CONFIG | CLI_RING)

struct verb {
	const char *name, *arguments; /* "[PID]", "-- CMD [ARG...]", "" */
	const char *summary;	      /* one line */
	const char *help;	      /* more, or NULL */
	unsigned options;	      /* enum cli_option */
	size_t min_arguments, max_arguments;
	int (*run)(const struct cli_options *options);
};

int cli__serve(const struct cli_options *options);
int cli__run(const struct cli_options *options);
int cli__list(const struct cli_options *options);
int cli__trace(const struct cli_options *options);
int cli__top(const struct cli_options *options);
int cli__check(const struct cli_options *options);
int cli__doctor(const struct cli_options *options);
int cli__replay(const struct cli_options *options);

/* Reads the command line, prints help or what is wrong with it, runs the verb (the first of the table if none is named).
 * verbs ends with a NULL name. Returns the exit code. */
int cli__main(const struct verb *verbs, int argc, char **argv);

#endif
