/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <utarray.h>

#include "agent/facts.h"
#include "agent/internal.h"
#include "attach/features.h"
#include "base/log.h"

#define DRAIN_NS (100ULL * 1000 * 1000)
#define TIDY_NS	 (1000ULL * 1000 * 1000)
#define IDLE_NS	 (2ULL * 1000 * 1000 * 1000) /* a file that nobody maps any more keeps its probes so long */

static const UT_icd pid_icd = { sizeof(pid_t), NULL, NULL, NULL };
static const UT_icd in_flight_icd = { sizeof(struct model_in_flight), NULL, NULL, NULL };
static const UT_icd probe_icd = { sizeof(struct snapshot_probe), NULL, NULL, NULL };

static int64_t realtime_offset_ns(void)
{
	struct timespec now;
	uint64_t monotonic = loop__now_ns();

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)monotonic;
}

static void take(void *context, const void *data, size_t size)
{
	struct agent *agent = context;
	struct record record;

	if (!decode__record(data, size, &record, &agent->decoded))
		return;
	if (record.tag == WIRE_HELD) {
		pid_t pid = (pid_t)record.header->process.tgid;

		utarray_push_back(agent->held, &pid);
		return;
	}
	if (record.tag == WIRE_EXIT || record.tag == WIRE_EXEC)
		agent->processes_ended = true;
	agent__apply(agent, &record);
}

/* Lets held processes go on, once every file that they map has its answer. */
static void release_held(struct agent *agent)
{
	if (resolver__pending(agent->resolver))
		return;
	for (unsigned i = 0; i < utarray_len(agent->held); i++)
		kill(*(pid_t *)utarray_eltptr(agent->held, i), SIGCONT);
	utarray_clear(agent->held);
}

static void serve_held(struct agent *agent)
{
	for (unsigned i = 0; i < utarray_len(agent->held); i++)
		discover__rescan(agent->discover, *(pid_t *)utarray_eltptr(agent->held, i));
	release_held(agent);
}

void agent__drain(struct agent *agent)
{
	if (agent->programs)
		programs__drain(agent->programs, take, agent);
	if (agent->stream)
		stream_writer__flush(
			agent->stream); /* what was told to anybody is in the file, even if we are killed next */
}

static void on_ring(void *context, uint32_t events)
{
	struct agent *agent = context;

	agent__drain(agent);
	serve_held(agent);
}

static void on_drain_timer(void *context, uint32_t events)
{
	struct agent *agent = context;

	agent__drain(agent);
	if (utarray_len(agent->held))
		serve_held(agent);
}

static bool alive(void *context, const struct wire_process *process)
{
	struct agent *agent = context;

	return processes__has(agent->processes, (pid_t)process->tgid);
}

static void on_tidy_timer(void *context, uint32_t events)
{
	struct agent *agent = context;

	model__set_realtime_offset(agent->model, realtime_offset_ns());
	modules__sweep(agent->modules, loop__now_ns(), IDLE_NS);
	if (agent->processes_ended && agent->programs)
		programs__collect(agent->programs, alive, agent);
	agent->processes_ended = false;
	if (agent->stream) {
		agent__apply_losses(agent);
		stream_writer__flush(agent->stream);
	}
}

/* ---- discover → resolve → plan → attach ---- */

struct asked {
	struct agent *agent;
	struct module_key key;
	char *path;
};

static void check_ready(struct agent *agent)
{
	if (agent->started && !agent->ready && !resolver__pending(agent->resolver)) {
		agent->ready = true;
		log_info("ready: everything that runs is attached");
	}
}

static void on_answer(void *context, const struct answer *answer)
{
	struct asked *asked = context;
	struct agent *agent = asked->agent;
	struct module *module = NULL;

	if (answer->failed)
		log_info("%s: not read: %s", asked->path, answer->why);
	else if (answer->n_matches)
		module = modules__add(agent->modules, asked->key, asked->path, answer);
	discover__mark(agent->discover, asked->key, module != NULL);
	free(asked->path);
	free(asked);
	check_ready(agent);
	if (utarray_len(agent->held))
		release_held(agent);
}

static void on_module_seen(void *context, struct module_key key, const char *path, int fd, pid_t pid)
{
	struct agent *agent = context;
	struct asked *asked = calloc(1, sizeof(*asked));
	int error = -ENOMEM;

	if (asked) {
		asked->agent = agent;
		asked->key = key;
		asked->path = strdup(path);
		error = asked->path ? resolver__ask(agent->resolver, fd, path, on_answer, asked) : -ENOMEM;
	}
	if (error) {
		log_warn("%s (in process %d): not looked at: %s", path, (int)pid, strerror(-error));
		if (asked)
			free(asked->path);
		free(asked);
	}
}

static void on_process_maps(void *context, pid_t pid, struct module_key key)
{
	struct agent *agent = context;
	struct module *module = modules__find(agent->modules, key);
	int fd;

	if (!module)
		return;
	/* Those that it forked before we came: the kernel adds only what is forked from now on. */
	if (agent->programs && agent->options.n_pids)
		programs__want(agent->programs, pid);
	fd = discover__open(agent->discover, key);
	processes__maps(agent->processes, pid, module, fd);
	if (fd >= 0)
		close(fd);
}

static void on_process_end(void *context, pid_t pid)
{
	struct agent *agent = context;

	/* What it did before is in the ring: its names must be asked for while its entry stands. */
	agent__drain(agent);
	processes__forget(agent->processes, pid, loop__now_ns());
	agent->processes_ended = true;
}

static void on_hook(void *context, const struct module *module, const struct module_part *part,
		    const struct plan_hook *hook)
{
	struct agent *agent = context;
	struct wire_fact_hook fact;
	struct record record = { .tag = WIRE_FACT_HOOK, .hook = &fact };

	facts__hook(&fact, module->path, part->plan, hook);
	agent__apply(agent, &record);
}

/* ---- what the model asks ---- */

static size_t name_of(void *context, const struct wire_handle *handle, char name[WIRE_NAME_MAX])
{
	struct agent *agent = context;
	const struct module_part *part;

	if (!modules__hook(agent->modules, handle->hook, &part))
		return 0;
	return facts__name(part->plan, (pid_t)handle->header.process.tgid, name);
}

static bool process_of(void *context, struct wire_fact_process *fact)
{
	return facts__process(fact);
}

static bool alias_of(void *context, const char *name, const char *runtime, char alias[NAMES_LABEL_MAX + 1])
{
	struct agent *agent = context;
	const char *found = config__alias(agent->config, name);

	if (!found)
		return false;
	snprintf(alias, NAMES_LABEL_MAX + 1, "%s", found);
	return true;
}

static void on_found(void *context, const struct record *record)
{
	struct agent *agent = context;

	if (agent->stream)
		stream_writer__write(agent->stream, record);
}

static void on_call(void *context, const struct model_call *call)
{
	struct agent *agent = context;

	if (agent->options.call)
		agent->options.call(agent->options.context, call);
}

/* ---- life ---- */

static int fail(struct agent_error *error, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct agent_error *error, int exit_code, const char *format, ...)
{
	va_list args;

	error->exit_code = exit_code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

static int load_programs(struct agent *agent, struct agent_error *error)
{
	struct programs_options options = {
		.ring_bytes = agent->options.ring_bytes,
		.filtered = agent->options.n_pids || agent->options.only_added,
		.hold = agent->options.hold,
		.no_multi = agent->options.no_multi,
	};
	struct feature_state states[FEATURES];
	const struct feature_state *missing;
	int code;

	agent->programs = programs__new(&options);
	if (agent->programs)
		return 0;
	code = errno;
	/* Only now, since trying every feature takes its time: which one is it? */
	features__probe(states);
	missing = features__missing(states);
	if (missing)
		return fail(error, 3, "%s is missing (%s): %s. `infermeter doctor` says more", missing->name,
			    missing->why, missing->remedy);
	return fail(error, 3, "the kernel refused our programs: %s. Run with --log debug and see CONTRIBUTING.md",
		    strerror(code));
}

static const char *cache_dir(char *buffer, size_t size)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (xdg && *xdg)
		snprintf(buffer, size, "%s/infermeter/resolved", xdg);
	else if (geteuid() == 0)
		snprintf(buffer, size, "/var/cache/infermeter");
	else if (home && *home)
		snprintf(buffer, size, "%s/.cache/infermeter/resolved", home);
	else
		return NULL;
	return buffer;
}

/* A host's files wait for their answers with a descriptor each. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_rooms(struct agent *agent, struct agent_error *error)
{
	const struct discover_user user = {
		.context = agent,
		.module_seen = on_module_seen,
		.process_maps = on_process_maps,
		.process_exec = on_process_end,
		.process_gone = on_process_end,
	};
	const struct model_options model = {
		.realtime_offset_ns = realtime_offset_ns(),
		.version = INFERMETER_VERSION,
		.context = agent,
		.name = name_of,
		.process = process_of,
		.alias = alias_of,
		.found = on_found,
		.call = on_call,
	};
	const pid_t nobody = -1; /* a filter that lets only agent__add_pid in */
	struct adapter_error adapter_error;
	char path[4096];

	allow_many_files();
	agent->config = config__read(agent->options.config, error->text, sizeof(error->text));
	if (!agent->config)
		return fail(error, 2, "%s", strdupa(error->text));
	agent->adapters = adapter_set__new(agent->options.runtimes, &adapter_error);
	if (!agent->adapters)
		return fail(error, 2, "%s", adapter_error.text);
	if (!agent->options.dry && load_programs(agent, error))
		return -1;
	agent->model = model__new(&model);
	agent->resolver = resolver__new(agent->loop, adapter_set__queries(agent->adapters),
					adapter_set__count(agent->adapters), cache_dir(path, sizeof(path)));
	agent->modules = modules__new(agent->adapters, agent->programs, on_hook, agent);
	agent->processes = agent->modules ? processes__new(agent->modules) : NULL;
	if (!agent->model || !agent->resolver || !agent->processes)
		return fail(error, 1, "cannot start: %s", strerror(errno));
	agent->discover = discover__new(agent->loop, &user, agent->options.only_added ? &nobody : agent->options.pids,
					agent->options.only_added ? 1 : agent->options.n_pids);
	if (!agent->discover)
		return fail(error, errno == EACCES || errno == EPERM ? 3 : 1,
			    "cannot watch for new processes: %s. Run as root; `infermeter doctor` says more",
			    strerror(errno));
	if (agent->options.save) {
		agent->stream = stream_writer__open(agent->options.save, realtime_offset_ns());
		if (!agent->stream)
			return fail(error, 1, "%s: %s", agent->options.save, strerror(errno));
	}
	agent->drain_timer = loop__add_timer(agent->loop, DRAIN_NS, DRAIN_NS, on_drain_timer, agent);
	agent->tidy_timer = loop__add_timer(agent->loop, TIDY_NS, TIDY_NS, on_tidy_timer, agent);
	if (agent->programs)
		agent->ring = loop__add(agent->loop, programs__ring_fd(agent->programs), EPOLLIN, on_ring, agent);
	if (!agent->drain_timer || !agent->tidy_timer || (agent->programs && !agent->ring))
		return fail(error, 1, "cannot start: %s", strerror(errno));
	return 0;
}

struct agent *agent__new(struct loop *loop, const struct agent_options *options, struct agent_error *error)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent) {
		fail(error, 1, "no memory");
		return NULL;
	}
	agent->loop = loop;
	agent->options = *options;
	agent->start_unix_ns = realtime_offset_ns() + (int64_t)loop__now_ns();
	utarray_new(agent->held, &pid_icd);
	utarray_new(agent->in_flight, &in_flight_icd);
	utarray_new(agent->probes, &probe_icd);
	if (open_rooms(agent, error)) {
		agent__free(agent);
		return NULL;
	}
	return agent;
}

void agent__free(struct agent *agent)
{
	if (!agent)
		return;
	if (agent->model)
		agent__drain(agent);
	if (agent->stream) {
		agent__apply_losses(agent);
		stream_writer__close(agent->stream);
	}
	if (agent->resolver && agent->held) { /* a child of ours must not stay stopped */
		for (unsigned i = 0; i < utarray_len(agent->held); i++)
			kill(*(pid_t *)utarray_eltptr(agent->held, i), SIGCONT);
	}
	loop__remove(agent->loop, agent->ring);
	loop__remove(agent->loop, agent->drain_timer);
	loop__remove(agent->loop, agent->tidy_timer);
	discover__free(agent->discover);
	processes__free(agent->processes);
	modules__free(agent->modules);
	resolver__free(agent->resolver);
	programs__free(agent->programs);
	model__free(agent->model);
	adapter_set__free(agent->adapters);
	config__free(agent->config);
	utarray_free(agent->held);
	utarray_free(agent->in_flight);
	utarray_free(agent->probes);
	free(agent);
}

int agent__start(struct agent *agent)
{
	int error;

	for (size_t i = 0; agent->programs && i < agent->options.n_pids; i++)
		programs__want(agent->programs, agent->options.pids[i]);
	error = discover__start(agent->discover);
	agent->started = true;
	check_ready(agent);
	return error;
}

bool agent__ready(const struct agent *agent)
{
	return agent->ready;
}

int agent__add_pid(struct agent *agent, pid_t pid)
{
	int error = agent->programs ? programs__want(agent->programs, pid) : 0;

	return error ? error : discover__add_pid(agent->discover, pid);
}
