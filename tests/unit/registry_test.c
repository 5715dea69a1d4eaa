/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Who holds what: addresses, pids and programs are reused, and nothing is inherited. Seen through the model. */
#include "model/registry.h"

#include "check.h"
#include "records.h"

#define RUN_HOOK    1
#define LOAD_HOOK   2
#define FREE_HOOK   3
#define DERIVE_HOOK 4
#define OTHER_RUN   5
#define OTHER_LOAD  6

static struct feed begin(void)
{
	struct feed feed = { .model = model__new(NULL) };

	feed__hook(&feed, RUN_HOOK, HOOK_CALL, "onnxruntime", "1.17.0");
	feed__hook(&feed, LOAD_HOOK, HOOK_LOAD, "onnxruntime", "1.17.0");
	feed__hook(&feed, FREE_HOOK, HOOK_FREE, "onnxruntime", "1.17.0");
	feed__hook(&feed, DERIVE_HOOK, HOOK_DERIVE, "onnxruntime", "1.17.0");
	feed__hook(&feed, OTHER_RUN, HOOK_CALL, "llama.cpp", "b4000");
	feed__hook(&feed, OTHER_LOAD, HOOK_LOAD, "llama.cpp", "b4000");
	return feed;
}

static size_t processes(const struct feed *feed)
{
	return model__processes(feed->model, NULL, 0);
}

static void freed_address_is_another_model(void)
{
	struct feed feed = begin();
	const struct wire_process p = process_of(1, 1, 1);

	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, "old");
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	feed__free(&feed, p, 0x1000, FREE_HOOK);
	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, "new");
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "old"), 1);
	CHECK_INT(executions_of(feed.model, "new"), 2);
	/* Freed and called without a new announcement: nobody knows what it is now. */
	feed__free(&feed, p, 0x1000, FREE_HOOK);
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "old"), 1);
	CHECK_INT(executions_of(feed.model, "new"), 2);
	CHECK_INT(executions_of(feed.model, NAMES_UNKNOWN), 1);
	model__free(feed.model);
}

static void loaded_address_is_another_model_without_free(void)
{
	struct feed feed = begin();
	const struct wire_process p = process_of(1, 1, 1);

	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, "old");
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, NULL); /* its FREE was lost, and its name is not known */
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "old"), 1);
	CHECK_INT(executions_of(feed.model, NAMES_UNKNOWN), 1);
	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, "new");
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	feed__handle(&feed, p, 0x1000, 0, RUN_HOOK, NULL); /* the kernel forgot it: no new object */
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "new"), 2);
	feed__handle(&feed, p, 0x1000, 0, RUN_HOOK, "renamed");
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "new"), 2);
	CHECK_INT(executions_of(feed.model, "renamed"), 1);
	model__free(feed.model);
}

static void derived_handles_share_the_parents_model(void)
{
	struct feed feed = begin();
	const struct wire_process p = process_of(1, 1, 1), q = process_of(2, 1, 1);
	struct snapshot *snapshot;

	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, "weights");
	feed__handle(&feed, p, 0x2000, 0x1000, DERIVE_HOOK, NULL);
	feed__handle(&feed, p, 0x3000, 0x1000, DERIVE_HOOK, "context 2"); /* the parent's name holds */
	feed__handle(&feed, p, 0x4000, 0x2000, DERIVE_HOOK, NULL);	  /* from one that was derived */
	for (uint64_t handle = 0x1000; handle <= 0x4000; handle += 0x1000)
		feed__call(&feed, p, handle, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "weights"), 4);
	snapshot = model__snapshot(feed.model, 0);
	CHECK_INT(snapshot->n_models, 1);
	CHECK_INT(snapshot->models[0].n_processes, 1);
	CHECK_INT(snapshot->models[0].processes[0].handles, 4);
	snapshot__free(snapshot);

	/* The model may be freed before its contexts; then their address is derived from another. */
	feed__free(&feed, p, 0x1000, FREE_HOOK);
	feed__call(&feed, p, 0x2000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "weights"), 5);
	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, "other");
	feed__call(&feed, p, 0x2000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "weights"), 6);
	feed__handle(&feed, p, 0x2000, 0x1000, DERIVE_HOOK, NULL);
	feed__call(&feed, p, 0x2000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "weights"), 6);
	CHECK_INT(executions_of(feed.model, "other"), 1);

	/* The parent is not known (loaded before we attached), or another process's, or itself. */
	feed__handle(&feed, q, 0x5000, 0x1000, DERIVE_HOOK, "own name");
	feed__call(&feed, q, 0x5000, RUN_HOOK);
	feed__handle(&feed, q, 0x6000, 0x6000, DERIVE_HOOK, "own name");
	feed__call(&feed, q, 0x6000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "own name"), 2);
	model__free(feed.model);
}

static void runtimes_do_not_share_addresses(void)
{
	struct feed feed = begin();
	const struct wire_process p = process_of(1, 1, 1);

	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, "a.onnx");
	feed__handle(&feed, p, 0x1000, 0, OTHER_LOAD, "b.gguf");
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	feed__call(&feed, p, 0x1000, OTHER_RUN);
	feed__call(&feed, p, 0x1000, RUN_HOOK);
	feed__free(&feed, p, 0x1000, FREE_HOOK);
	feed__call(&feed, p, 0x1000, OTHER_RUN);
	CHECK_INT(executions_of(feed.model, "a.onnx"), 2);
	CHECK_INT(executions_of(feed.model, "b.gguf"), 2);
	model__free(feed.model);
}

static void forked_children_are_their_own(void)
{
	struct feed feed = begin();
	const struct wire_process parent = process_of(1, 1, 1), child = process_of(2, 1, 2);
	struct snapshot *snapshot;

	feed__handle(&feed, parent, 0x1000, 0, LOAD_HOOK, "m");
	feed__handle(&feed, child, 0x1000, 0, RUN_HOOK, "m"); /* at the child's first call */
	feed__call(&feed, child, 0x1000, RUN_HOOK);
	feed__call(&feed, parent, 0x1000, RUN_HOOK);
	feed__free(&feed, child, 0x1000, FREE_HOOK); /* frees its copy alone */
	feed__call(&feed, parent, 0x1000, RUN_HOOK);
	feed__handle(&feed, child, 0x1000, 0, LOAD_HOOK, "n");
	feed__call(&feed, child, 0x1000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "m"), 3);
	CHECK_INT(executions_of(feed.model, "n"), 1);
	feed__life(&feed, WIRE_EXIT, parent);
	feed__call(&feed, child, 0x1000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "n"), 2);
	snapshot = model__snapshot(feed.model, 0);
	CHECK_INT(row_of(snapshot, "m", NULL)->n_processes, 0);
	CHECK_INT(row_of(snapshot, "n", NULL)->n_processes, 1);
	snapshot__free(snapshot);
	model__free(feed.model);
}

static void exec_ends_what_was_held(void)
{
	struct feed feed = begin();
	const struct wire_process before = process_of(1, 7, 1), after = process_of(1, 8, 1);

	/* As the kernel says it: with the life that ended. */
	feed__handle(&feed, before, 0x1000, 0, LOAD_HOOK, "m");
	feed__call(&feed, before, 0x1000, RUN_HOOK);
	feed__life(&feed, WIRE_EXEC, before);
	CHECK_INT(processes(&feed), 0);
	feed__handle(&feed, after, 0x1000, 0, RUN_HOOK, NULL);
	feed__call(&feed, after, 0x1000, RUN_HOOK);
	CHECK_INT(executions_of(feed.model, "m"), 1);
	CHECK_INT(executions_of(feed.model, NAMES_UNKNOWN), 1);
	/* With the life that began, which already holds something. */
	feed__life(&feed, WIRE_EXIT, after);
	feed__handle(&feed, process_of(5, 1, 9), 0x1000, 0, LOAD_HOOK, "m");
	feed__life(&feed, WIRE_EXEC, process_of(5, 2, 9));
	CHECK_INT(processes(&feed), 0);
	model__free(feed.model);
}

static void lost_ends_are_found_out(void)
{
	struct feed feed = begin();
	struct wire_process ids[4];

	feed__handle(&feed, process_of(1, 1, 1), 0x1000, 0, LOAD_HOOK, "first");
	feed__handle(&feed, process_of(2, 1, 1), 0x1000, 0, LOAD_HOOK, "neighbour");
	CHECK_INT(processes(&feed), 2);
	feed__call(&feed, process_of(1, 2, 1), 0x1000, RUN_HOOK); /* it called exec, and the record was lost */
	CHECK_INT(processes(&feed), 2);
	feed__call(&feed, process_of(1, 2, 900), 0x1000, RUN_HOOK); /* the pid belongs to another now */
	CHECK_INT(model__processes(feed.model, ids, 4), 2);
	CHECK(ids[0].tgid == 2 || ids[1].tgid == 2);
	CHECK_INT(executions_of(feed.model, "first"), 0);
	CHECK_INT(executions_of(feed.model, NAMES_UNKNOWN), 2);
	/* EXIT of a later life ends the earlier ones too. */
	feed__life(&feed, WIRE_EXIT, process_of(2, 5, 1));
	CHECK_INT(processes(&feed), 1);
	model__free(feed.model);
}

static void dead_processes_stay_dead(void)
{
	struct feed feed = begin();
	const struct wire_process p = process_of(1, 1, 1);
	struct snapshot *snapshot;
	struct wire_call call;

	feed__handle(&feed, p, 0x1000, 0, LOAD_HOOK, "m");
	feed__life(&feed, WIRE_EXIT, p);
	CHECK_INT(processes(&feed), 0);
	call = feed__call_of(&feed, p, 0x1000, RUN_HOOK); /* cut off by the exit, seen after it */
	call.flags = WIRE_ABANDONED;
	feed__bytes(&feed, &call, sizeof(call));
	call.flags = WIRE_UNWOUND | WIRE_LATE;
	feed__bytes(&feed, &call, sizeof(call));
	feed__process(&feed, p, "late", "", "");
	CHECK_INT(processes(&feed), 0);
	snapshot = model__snapshot(feed.model, 0);
	CHECK_INT(count_of(snapshot, SNAPSHOT_INVALID, "after_exit"), 2);
	CHECK_INT(count_of(snapshot, SNAPSHOT_UNMATCHED, "abandoned"), 1);
	CHECK_INT(snapshot->n_models, 1);
	snapshot__free(snapshot);
	feed__handle(&feed, process_of(1, 1, 2), 0x1000, 0, LOAD_HOOK, "m"); /* the same pid, another life */
	CHECK_INT(processes(&feed), 1);
	model__free(feed.model);
}

static void handles_are_bounded(void)
{
	struct feed feed = begin();
	const struct wire_process p = process_of(1, 1, 1);
	struct snapshot *snapshot;

	feed__handle(&feed, p, 1, 0, LOAD_HOOK, "kept");
	for (uint64_t handle = 2; handle <= REGISTRY_HANDLES_MAX + 100; handle++) {
		feed__handle(&feed, p, handle, 0, LOAD_HOOK, "churn");
		feed__call(&feed, p, 1, RUN_HOOK); /* in use all the time */
	}
	snapshot = model__snapshot(feed.model, 0);
	CHECK_INT(count_of(snapshot, SNAPSHOT_LOST, "handles"), 100);
	CHECK_INT(row_of(snapshot, "kept", NULL)->processes[0].handles, 1);
	CHECK_INT(row_of(snapshot, "churn", NULL)->processes[0].handles, REGISTRY_HANDLES_MAX - 1);
	snapshot__free(snapshot);
	CHECK_INT(executions_of(feed.model, "kept"), REGISTRY_HANDLES_MAX + 99);
	model__free(feed.model);
}

/* Many processes, addresses and lives, against a plain table of what must be known. */
static void agrees_with_brute_force(void)
{
	enum { PIDS = 8, ADDRESSES = 8, NAMES = 5, STEPS = 100000 };
	struct feed feed = begin();
	struct wire_process life[PIDS];
	int holds[PIDS][ADDRESSES];
	uint64_t calls[NAMES + 1] = { 0 }, seed = 99;

	memset(holds, -1, sizeof(holds));
	for (uint32_t i = 0; i < PIDS; i++)
		life[i] = process_of(i + 1, 1, 1);
	for (int step = 0; step < STEPS; step++) {
		const uint64_t r = random_next(&seed);
		const int pid = (int)(r % PIDS), slot = (int)(r >> 8) & (ADDRESSES - 1),
			  name = (int)((r >> 16) % NAMES);
		const uint64_t address = 0x1000 + (uint64_t)slot * 16;
		const char text[2] = { (char)('a' + name), 0 };
		const unsigned int what = (unsigned int)(r >> 32) % 100;

		if (what < 70) {
			feed__call(&feed, life[pid], address, RUN_HOOK);
			if (holds[pid][slot] < 0)
				holds[pid][slot] = NAMES; /* unknown from now on */
			calls[holds[pid][slot]]++;
		} else if (what < 85) {
			feed__handle(&feed, life[pid], address, 0, LOAD_HOOK, text);
			holds[pid][slot] = name;
		} else if (what < 96) {
			feed__free(&feed, life[pid], address, FREE_HOOK);
			holds[pid][slot] = -1;
		} else {
			memset(holds[pid], -1, sizeof(holds[pid]));
			if (what < 98) {
				feed__life(&feed, WIRE_EXEC, life[pid]);
				life[pid].exec_id++;
			} else {
				feed__life(&feed, WIRE_EXIT, life[pid]);
				life[pid].start_ns++;
			}
		}
	}
	for (int name = 0; name < NAMES; name++) {
		const char text[2] = { (char)('a' + name), 0 };

		CHECK_INT(executions_of(feed.model, text), calls[name]);
	}
	CHECK_INT(executions_of(feed.model, NAMES_UNKNOWN), calls[NAMES]);
	CHECK(processes(&feed) <= PIDS);
	model__free(feed.model);
}

int main(void)
{
	RUN(freed_address_is_another_model);
	RUN(loaded_address_is_another_model_without_free);
	RUN(derived_handles_share_the_parents_model);
	RUN(runtimes_do_not_share_addresses);
	RUN(forked_children_are_their_own);
	RUN(exec_ends_what_was_held);
	RUN(lost_ends_are_found_out);
	RUN(dead_processes_stay_dead);
	RUN(handles_are_bounded);
	RUN(agrees_with_brute_force);
	return check__report();
}
