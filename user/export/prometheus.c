/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The text exposition: one family after the other, each with its HELP and TYPE, in each a line a model. A family
 * that is a number of each model is a line of the table `families`: to add one, add a line there and to metrics.md.
 */
#include "export/prometheus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A value of a model. Returns false where it has none: the line is left out. */
typedef bool value_fn(const struct snapshot_model *model, struct text *text);

struct family {
	const char *name, *type, *help;
	value_fn *value;
};

static bool executions(const struct snapshot_model *model, struct text *text)
{
	text__add_unsigned(text, model->executions);
	return true;
}

static bool inferences(const struct snapshot_model *model, struct text *text)
{
	text__add_unsigned(text, model->inferences);
	return true;
}

static bool batch_unknown(const struct snapshot_model *model, struct text *text)
{
	text__add_unsigned(text, model->batch_unknown);
	return true;
}

static bool tokens(const struct snapshot_model *model, struct text *text)
{
	text__add_unsigned(text, model->tokens);
	return model->has_tokens;
}

static bool loads(const struct snapshot_model *model, struct text *text)
{
	text__add_unsigned(text, model->loads);
	return true;
}

static bool load_failures(const struct snapshot_model *model, struct text *text)
{
	text__add_unsigned(text, model->load_failures);
	return true;
}

static bool in_flight(const struct snapshot_model *model, struct text *text)
{
	text__add_unsigned(text, model->in_flight);
	return model->live;
}

static bool oldest_in_flight(const struct snapshot_model *model, struct text *text)
{
	text__add_double(text, (double)model->oldest_in_flight_ns / 1e9);
	return model->live;
}

static bool load_duration(const struct snapshot_model *model, struct text *text)
{
	text__add_double(text, (double)model->load_duration_ns / 1e9);
	return model->live && model->load_duration_ns;
}

static bool last_execution(const struct snapshot_model *model, struct text *text)
{
	text__add_double(text, (double)model->last_execution_unix_ns / 1e9);
	return model->live && model->last_execution_unix_ns;
}

static const struct family families[] = {
	{ "executions_total", "counter",
	  "Finished passes through the runtime's inference function, failed ones too. Calls that the runtime refused "
	  "before any work are none: see events_unmatched_total{stage=\"ignored\"}.",
	  executions },
	{ "inferences_total", "counter", "Rows that successful executions computed: the sum of their batch sizes.",
	  inferences },
	{ "execution_batch_unknown_total", "counter",
	  "Successful executions whose batch size could not be read: missing in execution_batch_size and "
	  "inferences_total.",
	  batch_unknown },
	{ "execution_tokens_total", "counter",
	  "Tokens that successful executions computed, prompt and generated together.", tokens },
	{ "executions_in_flight", "gauge", "Executions that have begun and not ended.", in_flight },
	{ "execution_oldest_in_flight_seconds", "gauge", "Age of the oldest execution in flight, 0 if there is none.",
	  oldest_in_flight },
	{ "model_loads_total", "counter", "Successful loads of the model.", loads },
	{ "model_load_failures_total", "counter",
	  "Failed loads. A load that failed before the runtime gave it a handle is counted for model=\"unknown\".",
	  load_failures },
	{ "model_load_duration_seconds", "gauge", "Duration of the model's last successful load.", load_duration },
	{ "model_last_execution_timestamp_seconds", "gauge", "When the model's last execution ended, Unix time.",
	  last_execution },
};

static const struct family counts[SNAPSHOT_COUNTS] = {
	[SNAPSHOT_LOST] = { "events_lost_total", "counter",
			    "Events that happened and are missing in the metrics, by where they were lost.", NULL },
	[SNAPSHOT_UNMATCHED] = { "events_unmatched_total", "counter",
				 "Events that are no execution, or had no matching other end: exit (the call began "
				 "before "
				 "the probes), unwound (left without a return), abandoned (the thread or program ended "
				 "inside "
				 "the call), nested (inner calls, part of the outer one), ignored (refused by the "
				 "runtime "
				 "before any work), free (of a handle never seen).",
				 NULL },
	[SNAPSHOT_INVALID] = { "events_invalid_total", "counter",
			       "Events or values of them that could not be read or made sense of, by stage.", NULL },
};

static void heading(struct text *text, const char *name, const char *type, const char *help)
{
	text__add(text, "# HELP infermeter_");
	text__add(text, name);
	text__add(text, " ");
	text__add(text, help); /* ours: no backslash, no newline */
	text__add(text, "\n# TYPE infermeter_");
	text__add(text, name);
	text__add(text, " ");
	text__add(text, type);
	text__add(text, "\n");
}

/* NAME="value", escaped. */
static void add_label(struct text *text, const char *name, const char *value)
{
	text__add(text, name);
	text__add(text, "=\"");
	while (*value) {
		const size_t plain = strcspn(value, "\\\"\n");

		text__add_bytes(text, value, plain);
		value += plain;
		if (*value) {
			text__add(text, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
			value++;
		}
	}
	text__add(text, "\"");
}

static void add_known_label(struct text *text, const char *name, const char *value)
{
	if (!*value)
		return;
	text__add(text, ",");
	add_label(text, name, value);
}

/* infermeter_NAME{the labels of the model: the brace stays open for more. */
static void begin(struct text *text, const char *name, const struct model_labels *labels)
{
	text__add(text, "infermeter_");
	text__add(text, name);
	text__add(text, "{");
	add_label(text, "model", labels->model);
	add_known_label(text, "runtime", labels->runtime);
	add_known_label(text, "container", labels->container);
	add_known_label(text, "pod", labels->pod);
	add_known_label(text, "namespace", labels->namespace_);
	add_known_label(text, "unit", labels->unit);
}

static void add_family(const struct snapshot *snapshot, const struct family *family, struct text *text)
{
	const bool is_counter = strcmp(family->type, "counter") == 0;

	heading(text, family->name, family->type, family->help);
	for (size_t i = 0; i < snapshot->n_models; i++) {
		const struct snapshot_model *model = snapshot->models + i;
		const size_t length = text->length;

		if (model->gauges_only && is_counter)
			continue;
		begin(text, family->name, &model->labels);
		text__add(text, "} ");
		if (family->value(model, text))
			text__add(text, "\n");
		else
			text->length = length;
	}
}

static void add_failures(const struct snapshot *snapshot, struct text *text)
{
	heading(text, "execution_failures_total", "counter",
		"Failed executions: the runtime's status said so (status), or an exception, longjmp or cancellation "
		"left the "
		"call (unwound).");
	for (size_t i = 0; i < snapshot->n_models; i++) {
		const struct snapshot_model *model = snapshot->models + i;

		for (int failure = 0; failure < FAILURES && !model->gauges_only; failure++) {
			begin(text, "execution_failures_total", &model->labels);
			add_known_label(text, "reason", snapshot__failure_reason(failure));
			text__add(text, "} ");
			text__add_unsigned(text, model->failures[failure]);
			text__add(text, "\n");
		}
	}
}

static void add_histogram(struct text *text, const char *name, const struct model_labels *labels,
			  const struct histogram *histogram)
{
	const struct histogram_bounds *bounds = histogram->bounds;
	char bucket[64], sum[64], count[64];
	uint64_t below = 0;

	stpcpy(stpcpy(bucket, name), "_bucket");
	stpcpy(stpcpy(sum, name), "_sum");
	stpcpy(stpcpy(count, name), "_count");
	for (size_t i = 0; i <= bounds->n; i++) {
		below += histogram->classic ? histogram->classic[i] : 0;
		begin(text, bucket, labels);
		text__add(text, ",le=\"");
		text__add_double(text, i < bounds->n ? bounds->upper[i] : INFINITY);
		text__add(text, "\"} ");
		text__add_unsigned(text, below);
		text__add(text, "\n");
	}
	begin(text, sum, labels);
	text__add(text, "} ");
	text__add_double(text, histogram->sum);
	text__add(text, "\n");
	begin(text, count, labels);
	text__add(text, "} ");
	text__add_unsigned(text, histogram->count);
	text__add(text, "\n");
}

static void add_histograms(const struct snapshot *snapshot, struct text *text)
{
	heading(text, "execution_duration_seconds", "histogram",
		"Wall-clock duration of successful executions, from the function's entry to its return.");
	for (size_t i = 0; i < snapshot->n_models; i++)
		if (!snapshot->models[i].gauges_only)
			add_histogram(text, "execution_duration_seconds", &snapshot->models[i].labels,
				      snapshot->models[i].duration);
	heading(text, "execution_batch_size", "histogram", "Rows of successful executions whose batch size is known.");
	for (size_t i = 0; i < snapshot->n_models; i++)
		if (!snapshot->models[i].gauges_only)
			add_histogram(text, "execution_batch_size", &snapshot->models[i].labels,
				      snapshot->models[i].batch);
}

static void add_info(const struct snapshot *snapshot, struct text *text)
{
	heading(text, "model_info", "gauge", "1 for each version of a runtime whose processes hold the model.");
	for (size_t i = 0; i < snapshot->n_models; i++) {
		const struct snapshot_model *model = snapshot->models + i;

		for (size_t j = 0; j < model->n_versions && model->live; j++) {
			begin(text, "model_info", &model->labels);
			add_known_label(text, "version", model->versions[j]);
			text__add(text, "} 1\n");
		}
	}
}

static int compare_probes(const void *left, const void *right)
{
	const struct snapshot_probe *one = *(const struct snapshot_probe *const *)left;
	const struct snapshot_probe *other = *(const struct snapshot_probe *const *)right;
	const int order = strcmp(one->runtime, other->runtime);

	return order ? order : strcmp(one->probe, other->probe);
}

/* A runtime may be there in several files: its probe is attached if it is in all of them. */
static void add_probes(const struct snapshot *snapshot, struct text *text)
{
	const size_t n = snapshot->n_probes;
	const struct snapshot_probe **sorted = calloc(n + 1, sizeof(*sorted));

	if (!sorted) {
		text->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		sorted[i] = snapshot->probes + i;
	qsort(sorted, n, sizeof(*sorted), compare_probes);
	heading(text, "probe_attached", "gauge",
		"1 if the runtime's probe is attached in every file of that runtime that was found, else 0.");
	for (size_t i = 0; i < n;) {
		const struct snapshot_probe *probe = sorted[i];
		bool attached = true;

		for (; i < n && compare_probes(&sorted[i], &probe) == 0; i++)
			attached &= sorted[i]->attached;
		text__add(text, "infermeter_probe_attached{");
		add_label(text, "runtime", probe->runtime);
		add_known_label(text, "probe", probe->probe);
		text__add(text, attached ? "} 1\n" : "} 0\n");
	}
	free(sorted);
}

static void add_counts(const struct snapshot *snapshot, enum snapshot_counts kind, struct text *text)
{
	heading(text, counts[kind].name, counts[kind].type, counts[kind].help);
	for (size_t i = 0; i < snapshot->n_counts[kind]; i++) {
		text__add(text, "infermeter_");
		text__add(text, counts[kind].name);
		text__add(text, "{");
		add_label(text, "stage", snapshot->counts[kind][i].stage);
		text__add(text, "} ");
		text__add_unsigned(text, snapshot->counts[kind][i].count);
		text__add(text, "\n");
	}
}

/* The names that every exporter's own process has in Prometheus. */
static void add_self(const struct snapshot_self *self, struct text *text)
{
	if (self->cpu_ns) {
		text__add(text, "# HELP process_cpu_seconds_total CPU time of the agent itself.\n"
				"# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total ");
		text__add_double(text, (double)self->cpu_ns / 1e9);
		text__add(text, "\n");
	}
	if (self->resident_bytes) {
		text__add(text, "# HELP process_resident_memory_bytes Resident memory of the agent itself.\n"
				"# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes ");
		text__add_unsigned(text, self->resident_bytes);
		text__add(text, "\n");
	}
	if (self->start_unix_ns) {
		text__add(text, "# HELP process_start_time_seconds When the agent started, Unix time.\n"
				"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds ");
		text__add_double(text, (double)self->start_unix_ns / 1e9);
		text__add(text, "\n");
	}
}

void prometheus__render(const struct snapshot *snapshot, struct text *text)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		add_family(snapshot, families + i, text);
	add_failures(snapshot, text);
	add_histograms(snapshot, text);
	add_info(snapshot, text);
	heading(text, "build_info", "gauge", "1, for the version of infermeter that runs.");
	text__add(text, "infermeter_build_info{");
	add_label(text, "version", snapshot->version);
	text__add(text, "} 1\n");
	add_probes(snapshot, text);
	for (int kind = 0; kind < SNAPSHOT_COUNTS; kind++)
		add_counts(snapshot, kind, text);
	heading(text, "series_dropped_total", "counter",
		"Times that a model found no series of its own (it is counted in model=\"_other\"), or took the place "
		"of one "
		"that no process held.");
	text__add(text, "infermeter_series_dropped_total ");
	text__add_unsigned(text, snapshot->series_dropped);
	text__add(text, "\n");
	add_self(&snapshot->self, text);
}
