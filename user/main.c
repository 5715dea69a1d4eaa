/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The table of verbs, and nothing else. */
#include <stdint.h>

#include "cli/cli.h"

static const struct verb verbs[] = {
	{ "serve", "", "watch the host, serve metrics over HTTP (the default verb)",
	  "Finds every process that runs inference, now and later, attaches, and serves\n"
	  "/metrics, /healthz, /readyz, /api/v1/models, /api/v1/targets and /top.\n"
	  "SIGTERM or ctrl-C detaches everything.\n",
	  CLI_AGENT | CLI_LISTEN_OPTION | CLI_SAVE, 0, 0, cli__serve },
	{ "run", "-- CMD [ARG...]",
	  "trace one command from its first call to its exit, then print a table of its models",
	  "The command's output, signals and exit status pass through. The table goes to\n"
	  "standard error, or to --output FILE.\n",
	  CLI_RUNTIMES | CLI_CONFIG | CLI_RING | CLI_SAVE | CLI_JSON | CLI_OUTPUT, 1, SIZE_MAX, cli__run },
	{ "top", "", "a table of the models of this host that repaints itself",
	  "Asks the agent at --listen; where none runs there, watches by itself.\n",
	  CLI_AGENT | CLI_LISTEN_OPTION | CLI_ONCE, 0, 0, cli__top },
	{ "trace", "", "one line for each call as it ends", NULL, CLI_AGENT | CLI_JSON | CLI_SAVE, 0, 0, cli__trace },
	{ "list", "", "what is found and attached, and why not",
	  "Asks the agent at --listen; where none runs there, attaches for a moment by itself.\n",
	  CLI_AGENT | CLI_LISTEN_OPTION | CLI_JSON | CLI_VERBOSE, 0, 0, cli__list },
	{ "check", "ADAPTER --module LIB", "what each hook of an adapter resolves to in a library",
	  "Prints for each hook the function's offset and first bytes, its entry and exits and what\n"
	  "probes there cost, or why it is refused. Needs no root. Exit code 1 if the adapter is\n"
	  "not usable on this library.\n",
	  CLI_MODULE | CLI_JSON | CLI_VERBOSE, 1, 1, cli__check },
	{ "doctor", "[PID]", "what the kernel, the rights and a process allow, and what to do about each no", NULL,
	  CLI_RUNTIMES | CLI_JSON, 0, 1, cli__doctor },
	{ "replay", "FILE", "a stream kept by --save, through the same model: the same numbers",
	  "FILE - is standard input.\n", CLI_CONFIG | CLI_JSON, 1, 1, cli__replay },
	{ NULL, NULL, NULL, NULL, 0, 0, 0, NULL },
};

int main(int argc, char **argv)
{
	return cli__main(verbs, argc, argv);
}
