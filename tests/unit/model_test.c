/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What records make of a model: calls and how they end, loads, names, facts, calls in flight, gauges. */
#include "model/model.h"

#include <math.h>

#include "check.h"
#include "records.h"

#define RUN_HOOK    1
#define LOAD_HOOK   2
#define FREE_HOOK   3
#define DERIVE_HOOK 4
#define OTHER_RUN   5
#define OTHER_LOAD  6

static const struct wire_process one = { 100, 1, 5000 };

static struct feed begin(const struct model_options *options)
{
	struct feed feed = { .model = model__new(options) };

	feed__hook(&feed, RUN_HOOK, HOOK_CALL, "onnxruntime", "1.17.0");
	feed__hook(&feed, LOAD_HOOK, HOOK_LOAD, "onnxruntime", "1.17.0");
	feed__hook(&feed, FREE_HOOK, HOOK_FREE, "onnxruntime", "1.17.0");
	feed__hook(&feed, DERIVE_HOOK, HOOK_DERIVE, "onnxruntime", "1.17.0");
	feed__hook(&feed, OTHER_RUN, HOOK_CALL, "llama.cpp", "b4000");
	feed__hook(&feed, OTHER_LOAD, HOOK_LOAD, "llama.cpp", "b4000");
	return feed;
}

static void calls_are_counted(void)
{
	struct feed feed = begin(NULL);
	struct snapshot *snapshot;
	const struct snapshot_model *row;

	feed__handle(&feed, one, 0x1000, 0, LOAD_HOOK, "/models/bert.onnx");
	for (int i = 1; i <= 23; i++) {
		struct wire_call call = feed__call_of(&feed, one, 0x1000, RUN_HOOK);

		call.duration_ns = (uint64_t)i * 1000000;
		call.values[VALUE_BATCH] = (uint64_t)i;
		feed__bytes(&feed, &call, sizeof(call));
	}
	snapshot = model__snapshot(feed.model, feed.time_ns);
	CHECK_INT(snapshot->n_models, 1);
	row = row_of(snapshot, "bert.onnx", NULL);
	CHECK_STR(row->labels.runtime, "onnxruntime");
	CHECK_INT(row->executions, 23);
	CHECK_INT(row->failures[FAILURE_STATUS] + row->failures[FAILURE_UNWOUND], 0);
	CHECK_INT(row->inferences, 23 * 24 / 2);
	CHECK_INT(row->batch_unknown, 0);
	CHECK_INT(row->duration->count, 23);
	CHECK(fabs(row->duration->sum - 0.276) < 1e-12);
	CHECK_INT(row->batch->count, 23);
	CHECK(row->batch->max == 23);
	CHECK(row->live && !row->has_tokens);
	CHECK_INT(row->last_execution_unix_ns, feed.time_ns);
	CHECK_INT(row->n_processes, 1);
	CHECK_INT(row->processes[0].tgid, 100);
	CHECK_INT(row->n_versions, 1);
	CHECK_STR(row->versions[0], "1.17.0");
	snapshot__free(snapshot);
	model__free(feed.model);
}

static void told(void *context, const struct model_call *call)
{
	struct model_call *last = context;

	*last = *call;
	CHECK_STR(call->labels->runtime, "onnxruntime");
}

static void ends_of_calls(void)
{
	struct model_call last = { 0 };
	const struct model_options options = { .call = told, .context = &last, .realtime_offset_ns = 1000000000000 };
	struct feed feed = begin(&options);
	struct snapshot *snapshot;
	const struct snapshot_model *row;
	struct wire_call call;

	feed__process(&feed, one, "python3", "", "");
	feed__handle(&feed, one, 0x1000, 0, RUN_HOOK, "m");
	feed__call(&feed, one, 0x1000, RUN_HOOK);
	CHECK_INT(last.outcome, CALL_OK);
	CHECK_STR(last.command, "python3");
	CHECK_STR(last.hook, "hook1");
	CHECK_INT(last.end_unix_ns, (long long)feed.time_ns + 1000000000000);
	CHECK(last.has_batch && last.batch == 1 && !last.has_tokens && !last.has_status && !last.load);

	call = feed__call_of(&feed, one, 0x1000, RUN_HOOK); /* failed by status */
	call.known |= 1 << VALUE_FAILED | 1 << VALUE_STATUS;
	call.values[VALUE_FAILED] = 1;
	call.values[VALUE_STATUS] = (uint64_t)-7;
	feed__bytes(&feed, &call, sizeof(call));
	CHECK_INT(last.outcome, CALL_STATUS);
	CHECK(last.has_status && last.status == -7);

	call = feed__call_of(&feed, one, 0x1000, RUN_HOOK); /* said not to have failed */
	call.known |= 1 << VALUE_FAILED;
	feed__bytes(&feed, &call, sizeof(call));
	CHECK_INT(last.outcome, CALL_OK);

	call = feed__call_of(&feed, one, 0x1000, RUN_HOOK); /* not known: the value means nothing */
	call.values[VALUE_FAILED] = 1;
	feed__bytes(&feed, &call, sizeof(call));
	CHECK_INT(last.outcome, CALL_OK);

	call = feed__call_of(&feed, one, 0x1000, RUN_HOOK); /* an exception */
	call.flags = WIRE_UNWOUND | WIRE_LATE;
	feed__bytes(&feed, &call, sizeof(call));
	CHECK_INT(last.outcome, CALL_UNWOUND);
	CHECK(last.late);

	call = feed__call_of(&feed, one, 0x1000, RUN_HOOK); /* refused: also counts as no failure */
	call.known |= 1 << VALUE_IGNORED | 1 << VALUE_FAILED;
	call.values[VALUE_IGNORED] = call.values[VALUE_FAILED] = 1;
	feed__bytes(&feed, &call, sizeof(call));
	CHECK_INT(last.outcome, CALL_IGNORED);

	call = feed__call_of(&feed, one, 0x1000, RUN_HOOK);
	call.flags = WIRE_ABANDONED;
	feed__bytes(&feed, &call, sizeof(call));
	CHECK_INT(last.outcome, CALL_ABANDONED);

	call = feed__call_of(&feed, one, 0x1000, RUN_HOOK); /* a batch of no row, and tokens */
	call.known |= 1 << VALUE_TOKENS;
	call.values[VALUE_BATCH] = 0;
	call.values[VALUE_TOKENS] = 512;
	feed__bytes(&feed, &call, sizeof(call));
	CHECK(last.has_tokens && last.tokens == 512);

	call = feed__call_of(&feed, one, 0x1000, RUN_HOOK); /* batch unknown */
	call.known &= (uint16_t) ~(1 << VALUE_BATCH);
	feed__bytes(&feed, &call, sizeof(call));

	call = feed__call_of(&feed, one, 0x1000, RUN_HOOK); /* batch impossible: unknown, and counted */
	call.values[VALUE_BATCH] = (uint64_t)-1;
	feed__bytes(&feed, &call, sizeof(call));
	CHECK(!last.has_batch);

	snapshot = model__snapshot(feed.model, feed.time_ns);
	row = row_of(snapshot, "m", NULL);
	CHECK_INT(row->executions, 8);
	CHECK_INT(row->failures[FAILURE_STATUS], 1);
	CHECK_INT(row->failures[FAILURE_UNWOUND], 1);
	CHECK_INT(row->duration->count, 6);
	CHECK_INT(row->batch->count, 4);
	CHECK_INT(row->batch->zero, 1);
	CHECK_INT(row->inferences, 3);
	CHECK_INT(row->batch_unknown, 2);
	CHECK_INT(row->tokens, 512);
	CHECK_INT(count_of(snapshot, SNAPSHOT_UNMATCHED, "ignored"), 1);
	CHECK_INT(count_of(snapshot, SNAPSHOT_UNMATCHED, "abandoned"), 1);
	CHECK_INT(count_of(snapshot, SNAPSHOT_UNMATCHED, "unwound"), 1);
	CHECK_INT(count_of(snapshot, SNAPSHOT_INVALID, "value"), 1);
	snapshot__free(snapshot);
	model__free(feed.model);
}

static void loads(void)
{
	struct feed feed = begin(NULL);
	struct snapshot *snapshot;
	const struct snapshot_model *row;
	struct wire_call load;

	/* Loaded, not called yet: it shows. */
	feed__handle(&feed, one, 0x1000, 0, LOAD_HOOK, "/m/a.onnx");
	load = feed__call_of(&feed, one, 0x1000, LOAD_HOOK);
	load.header.tag = WIRE_LOAD;
	load.duration_ns = 2500000000;
	feed__bytes(&feed, &load, sizeof(load));
	load.duration_ns = 1500000000; /* the same file again, at another address */
	feed__handle(&feed, one, 0x2000, 0, LOAD_HOOK, "/m/a.onnx");
	load.values[VALUE_HANDLE] = 0x2000;
	feed__bytes(&feed, &load, sizeof(load));
	/* Failed without a handle, with handle 0, by exception, and by a status with a name known. */
	load.known = 0;
	feed__bytes(&feed, &load, sizeof(load));
	load.known = 1 << VALUE_HANDLE;
	load.values[VALUE_HANDLE] = 0;
	feed__bytes(&feed, &load, sizeof(load));
	load.flags = WIRE_UNWOUND;
	feed__bytes(&feed, &load, sizeof(load));
	load.flags = WIRE_ABANDONED; /* neither loaded nor failed */
	feed__bytes(&feed, &load, sizeof(load));
	load.flags = 0;
	feed__handle(&feed, one, 0x3000, 0, LOAD_HOOK, "/m/broken.onnx");
	load.values[VALUE_HANDLE] = 0x3000;
	load.values[VALUE_FAILED] = 1;
	load.known |= 1 << VALUE_FAILED;
	feed__bytes(&feed, &load, sizeof(load));

	snapshot = model__snapshot(feed.model, feed.time_ns);
	CHECK_INT(snapshot->n_models, 3);
	row = row_of(snapshot, "a.onnx", NULL);
	CHECK_INT(row->loads, 2);
	CHECK_INT(row->load_failures, 0);
	CHECK_INT(row->executions, 0);
	CHECK_INT(row->load_duration_ns, 1500000000);
	CHECK_INT(row->last_execution_unix_ns, 0);
	CHECK_INT(row->n_processes, 1);
	CHECK_INT(row->processes[0].handles, 2); /* one model */
	CHECK_INT(row->duration->count, 0);
	row = row_of(snapshot, NAMES_UNKNOWN, NULL);
	CHECK_INT(row->load_failures, 3);
	CHECK_INT(row->loads, 0);
	CHECK(!row->live);
	row = row_of(snapshot, "broken.onnx", NULL);
	CHECK_INT(row->load_failures, 1);
	CHECK_INT(row->n_processes, 0); /* a failed load holds nothing */
	snapshot__free(snapshot);
	model__free(feed.model);
}

struct agent {
	const char *name; /* what the callback finds, NULL: nothing */
	int asked_names, asked_processes, told_names, told_processes;
};

static size_t find_name(void *context, const struct wire_handle *handle, char name[WIRE_NAME_MAX])
{
	struct agent *agent = context;

	agent->asked_names++;
	CHECK(handle->handle);
	if (!agent->name)
		return 0;
	memcpy(name, agent->name, strlen(agent->name));
	return strlen(agent->name);
}

static bool find_process(void *context, struct wire_fact_process *fact)
{
	struct agent *agent = context;

	agent->asked_processes++;
	snprintf(fact->command, sizeof(fact->command), "server");
	snprintf(fact->pod, sizeof(fact->pod), "pod-%u", fact->header.process.tgid);
	return true;
}

static void found(void *context, const struct record *record)
{
	struct agent *agent = context;

	agent->told_names += record->tag == WIRE_HANDLE;
	agent->told_processes += record->tag == WIRE_FACT_PROCESS;
}

static bool alias_of(void *context, const char *name, const char *runtime, char alias[NAMES_LABEL_MAX + 1])
{
	if (strcmp(name, "/models/1/model.onnx") != 0 || strcmp(runtime, "onnxruntime") != 0)
		return false;
	strcpy(alias, "fraud");
	return true;
}

static void names_come_from_somewhere(void)
{
	struct agent agent = { .name = "/srv/weights.gguf" };
	const struct model_options options = {
		.context = &agent, .name = find_name, .process = find_process, .found = found, .alias = alias_of
	};
	struct feed feed = begin(&options);
	struct snapshot *snapshot;

	feed__handle(&feed, one, 0x1000, 0, RUN_HOOK, NULL); /* without a name: the agent knows */
	CHECK_INT(agent.asked_names, 1);
	CHECK_INT(agent.told_names, 1);
	CHECK_INT(agent.asked_processes, 1);
	CHECK_INT(agent.told_processes, 1);
	feed__call(&feed, one, 0x1000, RUN_HOOK);
	feed__handle(&feed, one, 0x1000, 0, RUN_HOOK, NULL); /* the kernel forgot and announces again */
	CHECK_INT(agent.asked_names, 1);
	feed__call(&feed, one, 0x2000, RUN_HOOK); /* the announcement was lost */
	CHECK_INT(agent.asked_names, 2);
	feed__handle(&feed, one, 0x3000, 0, LOAD_HOOK, "/models/1/model.onnx");
	CHECK_INT(agent.asked_names, 2);
	agent.name = NULL;
	feed__handle(&feed, one, 0x4000, 0, LOAD_HOOK, NULL);
	feed__call(&feed, one, 0x4000, RUN_HOOK);
	CHECK_INT(agent.asked_names, 3);
	CHECK_INT(agent.asked_processes, 1);

	snapshot = model__snapshot(feed.model, feed.time_ns);
	CHECK_INT(row_of(snapshot, "weights.gguf", NULL)->executions, 2);
	CHECK_STR(row_of(snapshot, "weights.gguf", NULL)->labels.pod, "pod-100");
	CHECK_STR(row_of(snapshot, "weights.gguf", NULL)->processes[0].command, "server");
	CHECK(row_of(snapshot, "fraud", NULL) != NULL);
	CHECK_INT(row_of(snapshot, NAMES_UNKNOWN, NULL)->executions, 1);
	CHECK_INT(count_of(snapshot, SNAPSHOT_INVALID, "name"), 1);
	snapshot__free(snapshot);
	CHECK_STR(model__find_name(feed.model, 100, 0x3000), "/models/1/model.onnx");
	CHECK(!model__find_name(feed.model, 100, 0x4000));
	CHECK(!model__find_name(feed.model, 101, 0x3000));
	/* A name that comes later holds from then on. */
	feed__handle(&feed, one, 0x4000, 0, RUN_HOOK, "late.onnx");
	feed__call(&feed, one, 0x4000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "late.onnx"), 1);
	CHECK_INT(executions_of(feed.model, NAMES_UNKNOWN), 1);
	model__free(feed.model);
}

static void facts_of_processes(void)
{
	struct feed feed = begin(NULL);
	const struct wire_process two = process_of(200, 1, 6000);
	struct snapshot *snapshot;

	feed__process(&feed, one, "python3", "web", "");
	feed__handle(&feed, one, 0x1000, 0, LOAD_HOOK, "m");
	feed__call(&feed, one, 0x1000, RUN_HOOK);
	feed__handle(&feed, two, 0x1000, 0, LOAD_HOOK, "m");
	feed__call(&feed, two, 0x1000, RUN_HOOK);
	feed__process(&feed, two,
		      "serv\xff"
		      "er",
		      "batch", "ml.service"); /* too late for the first call */
	feed__call(&feed, two, 0x1000, RUN_HOOK);
	feed__call(&feed, two, 0x1000, RUN_HOOK);
	snapshot = model__snapshot(feed.model, feed.time_ns);
	CHECK_INT(row_of(snapshot, "m", "web")->executions, 1);
	CHECK_INT(row_of(snapshot, "m", "")->executions, 1);
	CHECK_INT(row_of(snapshot, "m", "")->n_processes, 0);
	CHECK_INT(row_of(snapshot, "m", "batch")->executions, 2);
	CHECK_STR(row_of(snapshot, "m", "batch")->labels.unit, "ml.service");
	CHECK_STR(row_of(snapshot, "m", "batch")->processes[0].command, "serv_er");
	snapshot__free(snapshot);
	model__free(feed.model);
}

static void calls_in_flight(void)
{
	struct feed feed = begin(NULL);
	struct model_in_flight calls[] = {
		{ one, 0x1000, 10000000, RUN_HOOK, 1 },		{ one, 0x1000, 8000000, RUN_HOOK, 2 },
		{ one, 0x2000, 9000000, RUN_HOOK, 3 },		{ one, 0x9999, 7000000, RUN_HOOK, 4 },
		{ one, 0x9999, 7500000, OTHER_RUN, 5 },		{ one, 0x9998, 6500000, OTHER_RUN, 6 },
		{ process_of(300, 1, 1), 0x1, 1, RUN_HOOK, 6 },
	};
	struct snapshot *snapshot;
	const struct snapshot_model *row;

	feed__handle(&feed, one, 0x1000, 0, LOAD_HOOK, "a");
	feed__handle(&feed, one, 0x2000, 0, LOAD_HOOK, "b");
	feed__handle(&feed, process_of(300, 1, 1), 0x1, 0, LOAD_HOOK, "gone");
	feed__life(&feed, WIRE_EXIT, process_of(300, 1, 1));
	model__set_in_flight(feed.model, calls, sizeof(calls) / sizeof(*calls));
	snapshot = model__snapshot(feed.model, 20000000);
	CHECK_INT(row_of(snapshot, "a", NULL)->in_flight, 2);
	CHECK_INT(row_of(snapshot, "a", NULL)->oldest_in_flight_ns, 12000000);
	CHECK_INT(row_of(snapshot, "b", NULL)->in_flight, 1);
	CHECK_INT(row_of(snapshot, "b", NULL)->oldest_in_flight_ns, 11000000);
	CHECK_INT(row_of(snapshot, "gone", NULL)->in_flight, 0); /* ended meanwhile */
	CHECK_INT(snapshot->n_models, 5);			 /* and two unknown ones, by runtime */
	for (size_t i = 0; i < snapshot->n_models; i++) {
		row = snapshot->models + i;
		if (!row->gauges_only)
			continue;
		CHECK_STR(row->labels.model, NAMES_UNKNOWN);
		if (strcmp(row->labels.runtime, "llama.cpp") == 0) {
			CHECK_INT(row->in_flight, 2);
			CHECK_INT(row->oldest_in_flight_ns, 13500000);
		} else {
			CHECK_STR(row->labels.runtime, "onnxruntime");
			CHECK_INT(row->in_flight, 1);
		}
	}
	snapshot__free(snapshot);
	model__set_in_flight(feed.model, NULL, 0);
	snapshot = model__snapshot(feed.model, 20000000);
	CHECK_INT(snapshot->n_models, 3);
	CHECK_INT(row_of(snapshot, "a", NULL)->in_flight, 0);
	CHECK_INT(row_of(snapshot, "a", NULL)->oldest_in_flight_ns, 0);
	snapshot__free(snapshot);
	model__free(feed.model);
}

static bool live(struct feed *feed, const char *name)
{
	struct snapshot *snapshot = model__snapshot(feed->model, feed->time_ns);
	const struct snapshot_model *row = row_of(snapshot, name, NULL);
	const bool is_live = row && row->live;

	if (is_live)
		CHECK_INT(row->n_versions, 1);
	snapshot__free(snapshot);
	return is_live;
}

static void gauges_go_after_one_more_scrape(void)
{
	struct feed feed = begin(NULL);
	const struct wire_process two = process_of(200, 1, 6000);

	feed__handle(&feed, one, 0x1000, 0, LOAD_HOOK, "m");
	feed__handle(&feed, two, 0x1000, 0, LOAD_HOOK, "m");
	model__after_scrape(feed.model);
	feed__life(&feed, WIRE_EXIT, one);
	CHECK(live(&feed, "m"));
	model__after_scrape(feed.model);
	CHECK(live(&feed, "m")); /* the other one holds it */
	feed__free(&feed, two, 0x1000, FREE_HOOK);
	CHECK(live(&feed, "m"));
	model__after_scrape(feed.model);
	CHECK(!live(&feed, "m"));
	CHECK_INT(executions_of(feed.model, "m"), 0); /* counters stay */
	feed__handle(&feed, two, 0x1000, 0, LOAD_HOOK, "m");
	CHECK(live(&feed, "m"));
	model__free(feed.model);
}

static void losses_never_go_back(void)
{
	struct feed feed = begin(NULL);
	struct wire_fact_loss loss = { .header =
					       feed__header(&feed, WIRE_FACT_LOSS, sizeof(loss), process_of(0, 0, 0)) };
	struct snapshot *snapshot;

	for (int i = 0; i < 16; i++)
		loss.counts[i] = 100 + (uint64_t)i;
	feed__bytes(&feed, &loss, sizeof(loss));
	memset(loss.counts, 0, sizeof(loss.counts));
	loss.counts[LOSS_RING_FULL] = 500;
	feed__bytes(&feed, &loss, sizeof(loss));
	snapshot = model__snapshot(feed.model, 0);
	CHECK_INT(count_of(snapshot, SNAPSHOT_LOST, "ring_full"), 500);
	CHECK_INT(count_of(snapshot, SNAPSHOT_LOST, "frame_depth"), 100 + LOSS_FRAME_DEPTH);
	CHECK_INT(count_of(snapshot, SNAPSHOT_UNMATCHED, "exit"), 100 + LOSS_EXIT_UNMATCHED);
	CHECK_INT(count_of(snapshot, SNAPSHOT_UNMATCHED, "abandoned"), 100 + LOSS_ABANDONED);
	CHECK_INT(count_of(snapshot, SNAPSHOT_INVALID, "guard"), 100 + LOSS_GUARD);
	CHECK_INT(count_of(snapshot, SNAPSHOT_INVALID, "decode_tag"), 0);
	snapshot__add_count(snapshot, SNAPSHOT_INVALID, "decode_tag", 3);
	snapshot__add_count(snapshot, SNAPSHOT_LOST, "save", 4);
	CHECK_INT(count_of(snapshot, SNAPSHOT_INVALID, "decode_tag"), 3);
	CHECK_INT(count_of(snapshot, SNAPSHOT_LOST, "save"), 4);
	snapshot__free(snapshot);
	model__free(feed.model);
}

int main(void)
{
	RUN(calls_are_counted);
	RUN(ends_of_calls);
	RUN(loads);
	RUN(names_come_from_somewhere);
	RUN(facts_of_processes);
	RUN(calls_in_flight);
	RUN(gauges_go_after_one_more_scrape);
	RUN(losses_never_go_back);
	return check__report();
}
