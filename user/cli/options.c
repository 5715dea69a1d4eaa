/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The command line: options, help, and what is said of mistakes. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"

struct option_text {
	unsigned bit; /* 0: every verb */
	const char *name, *argument, *text;
	int letter;
};

static const struct option_text texts[] = {
	{ CLI_PID, "pid", "PID", "only this process and its children (repeatable)", 'p' },
	{ CLI_RUNTIMES, "runtimes", "DIR", "adapters (*.yaml) over the built-in ones", 'r' },
	{ CLI_CONFIG, "config", "FILE", "configuration (aliases of models)", 'c' },
	{ CLI_LISTEN_OPTION, "listen", "ADDR:PORT", "where the agent serves; default " CLI_LISTEN, 'l' },
	{ CLI_SAVE, "save", "FILE", "keep every record, for replay", 's' },
	{ CLI_MODULE, "module", "LIB", "the library (or executable) to check", 'm' },
	{ CLI_OUTPUT, "output", "FILE", "write the report there", 'o' },
	{ CLI_JSON, "json", NULL, "JSON instead of a table", 'j' },
	{ CLI_ONCE, "once", NULL, "print once and end", '1' },
	{ CLI_VERBOSE, "verbose", NULL, "more of everything", 'v' },
	{ CLI_RING, "ring-bytes", "N", "size of the kernel's ring buffer, a power of two; default 2097152", 'R' },
	{ CLI_RING, "single-probes", NULL, "one link a probe even where the kernel can do many at once", 'S' },
	{ 0, "log", "LEVEL", "error, warn (default), info or debug", 'L' },
	{ 0, "help", NULL, "this text", 'h' },
};
#define N_TEXTS (sizeof(texts) / sizeof(*texts))

static void print_options(FILE *to, const struct verb *verb)
{
	fprintf(to, "\nOptions:\n");
	for (size_t i = 0; i < N_TEXTS; i++) {
		char left[64];

		if (texts[i].bit && !(verb->options & texts[i].bit))
			continue;
		snprintf(left, sizeof(left), "--%s %s", texts[i].name, texts[i].argument ? texts[i].argument : "");
		fprintf(to, "  %-20s %s\n", left, texts[i].text);
	}
}

static void print_verb(FILE *to, const struct verb *verb)
{
	fprintf(to, "infermeter %s [OPTION...] %s\n%s.\n", verb->name, verb->arguments, verb->summary);
	if (verb->help)
		fprintf(to, "\n%s", verb->help);
	print_options(to, verb);
}

static void print_all(FILE *to, const struct verb *verbs)
{
	fprintf(to, "infermeter sees every machine-learning inference on this host.\n\nVerbs:\n");
	for (const struct verb *verb = verbs; verb->name; verb++)
		fprintf(to, "  %-8s %s\n", verb->name, verb->summary);
	fprintf(to, "\n`infermeter VERB --help` says more; `infermeter --version` which one this is.\n"
		    "Exit codes: 0 done, 1 failed, 2 usage, 3 the kernel or the rights do not allow it.\n");
}

static const struct verb *find_verb(const struct verb *verbs, const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++) {
		if (strcmp(verb->name, name) == 0)
			return verb;
	}
	return NULL;
}

static int wrong(const struct verb *verb, const char *format, const char *what)
{
	fprintf(stderr, "infermeter %s: ", verb->name);
	fprintf(stderr, format, what);
	fprintf(stderr, ". Try `infermeter %s --help`\n", verb->name);
	return EXIT_USAGE;
}

static int parse_number(const char *text, unsigned long long max, unsigned long long *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno || end == text || *end || *text == '-' || *number == 0 || *number > max ? -EINVAL : 0;
}

static int take_option(const struct verb *verb, struct cli_options *options, int letter, const char *argument)
{
	unsigned long long number;
	enum log_level level;

	switch (letter) {
	case 'p':
		if (parse_number(argument, INT_MAX, &number))
			return wrong(verb, "--pid %s: not a process id", argument);
		if (options->n_pids == CLI_PIDS_MAX)
			return wrong(verb, "--pid %s: too many", argument);
		if (kill((pid_t)number, 0) && errno == ESRCH) {
			fprintf(stderr, "infermeter %s: there is no process %s\n", verb->name, argument);
			return EXIT_FAILED;
		}
		options->pids[options->n_pids++] = (pid_t)number;
		return 0;
	case 'r':
		options->runtimes = argument;
		return 0;
	case 'c':
		options->config = argument;
		return 0;
	case 'l':
		options->listen = argument;
		options->listen_given = true;
		return 0;
	case 's':
		options->save = argument;
		return 0;
	case 'm':
		options->module = argument;
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	case 'j':
		options->json = true;
		return 0;
	case '1':
		options->once = true;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case 'S':
		options->single_probes = true;
		return 0;
	case 'R':
		if (parse_number(argument, 1ULL << 30, &number) || number < 4096 || (number & (number - 1)))
			return wrong(verb, "--ring-bytes %s: a power of two from 4096 to 1073741824 is needed",
				     argument);
		options->ring_bytes = (size_t)number;
		return 0;
	case 'L':
		if (log__parse_level(argument, &level))
			return wrong(verb, "--log %s: the levels are error, warn, info, debug", argument);
		log__set_level(level);
		return 0;
	case ':':
		return wrong(verb, "%s needs a value", argument);
	default:
		return wrong(verb, "there is no option `%s`", argument);
	}
}

/* Fills getopt's table with what the verb takes. */
static void allowed(const struct verb *verb, struct option *table)
{
	size_t n = 0;

	for (size_t i = 0; i < N_TEXTS; i++) {
		if (texts[i].bit && !(verb->options & texts[i].bit))
			continue;
		table[n++] = (struct option) { texts[i].name, texts[i].argument ? required_argument : no_argument, NULL,
					       texts[i].letter };
	}
	table[n] = (struct option) { NULL, 0, NULL, 0 };
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
	struct cli_options options = { .listen = CLI_LISTEN };
	struct option table[N_TEXTS + 1];
	/* A command to run has options of its own: nothing behind the first word is ours. */
	const char *letters = verb->max_arguments == SIZE_MAX ? "+:h" : ":h";
	int letter;

	allowed(verb, table);
	while ((letter = getopt_long(argc, argv, letters, table, NULL)) != -1) {
		int error;

		if (letter == 'h') {
			print_verb(stdout, verb);
			return EXIT_DONE;
		}
		/* One that getopt does not take is the last that it has read. */
		error = take_option(verb, &options, letter, letter == ':' || letter == '?' ? argv[optind - 1] : optarg);
		if (error)
			return error;
	}
	options.arguments = argv + optind;
	options.n_arguments = (size_t)(argc - optind);
	if (options.n_arguments < verb->min_arguments)
		return wrong(verb, "%s is missing", verb->arguments);
	if (options.n_arguments > verb->max_arguments)
		return wrong(verb, "`%s` is one argument too many", options.arguments[verb->max_arguments]);
	return verb->run(&options);
}

int cli__main(const struct verb *verbs, int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : "";
	const struct verb *verb;

	if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
		print_all(stdout, verbs);
		return EXIT_DONE;
	}
	if (strcmp(first, "--version") == 0) {
		printf("infermeter %s\n", INFERMETER_VERSION);
		return EXIT_DONE;
	}
	if (!*first || *first == '-')
		return run_verb(verbs, argc, argv);
	verb = find_verb(verbs, first);
	if (!verb) {
		fprintf(stderr, "infermeter: there is no verb `%s`. Try `infermeter --help`\n", first);
		return EXIT_USAGE;
	}
	return run_verb(verb, argc - 1, argv + 1);
}
