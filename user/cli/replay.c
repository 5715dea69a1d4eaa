/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* replay: a saved stream through the model, without kernel or processes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/log.h"
#include "cli/cli.h"
#include "decode/stream.h"
#include "export/json.h"
#include "export/terminal.h"
#include "model/model.h"

static bool alias_of(void *context, const char *name, const char *runtime, char alias[NAMES_LABEL_MAX + 1])
{
	const char *found = config__alias(context, name);

	if (!found)
		return false;
	snprintf(alias, NAMES_LABEL_MAX + 1, "%s", found);
	return true;
}

static int print_model(struct model *model, uint64_t end_ns, bool json)
{
	struct snapshot *snapshot = model__snapshot(model, end_ns);
	struct terminal_options options = { .width = terminal__width(STDOUT_FILENO) };
	struct text text = { 0 };
	char *out;

	if (!snapshot) {
		log_error("no memory");
		return EXIT_FAILED;
	}
	if (json) {
		out = json__models(snapshot);
		fputs(out ? out : "", stdout);
		free(out);
	} else {
		terminal__models(snapshot, NULL, &options, &text);
		terminal__losses(snapshot, &text);
		fputs(text.data ? text.data : "", stdout);
		text__free(&text);
	}
	snapshot__free(snapshot);
	return EXIT_DONE;
}

int cli__replay(const struct cli_options *options)
{
	char why[256] = "";
	struct config *config = config__read(options->config, why, sizeof(why));
	struct stream_reader *reader = config ? stream_reader__open(options->arguments[0], why, sizeof(why)) : NULL;
	struct model_options model_options = { .version = INFERMETER_VERSION, .context = config, .alias = alias_of };
	struct model *model = NULL;
	const struct stream_stats *stats;
	struct record record;
	uint64_t end_ns = 0;
	int code = EXIT_FAILED, more;

	if (!reader) {
		if (config)
			log_error("%s: %s", options->arguments[0], why);
		else
			log_error("%s", why);
		code = config ? EXIT_FAILED : EXIT_USAGE;
		goto cleanup;
	}
	model_options.realtime_offset_ns = stream_reader__realtime_offset_ns(reader);
	model = model__new(&model_options);
	if (!model) {
		log_error("no memory");
		goto cleanup;
	}
	while ((more = stream_reader__next(reader, &record)) > 0) {
		model__apply(model, &record);
		end_ns = record.header->time_ns;
	}
	if (more < 0) {
		log_error("%s: %s", options->arguments[0], strerror(-more));
		goto cleanup;
	}
	stats = stream_reader__stats(reader);
	if (stats->bytes_cut)
		log_warn("%s: its end is cut off (%llu bytes of an unfinished record): the agent was killed, or still "
			 "writes",
			 options->arguments[0], (unsigned long long)stats->bytes_cut);
	if (stats->bytes_skipped)
		log_warn("%s: %llu damaged bytes were left out", options->arguments[0],
			 (unsigned long long)stats->bytes_skipped);
	code = print_model(model, end_ns, options->json);
cleanup:
	model__free(model);
	stream_reader__close(reader);
	config__free(config);
	return code;
}
