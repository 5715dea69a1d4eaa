/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Plans: an adapter and made-up answers → sites. */
#include "check.h"
#include "plan_fixture.h"

#include <unistd.h>

#include "plan/adapter_data.h"
#include "plan/plan.h"

static const char text[] = "runtime: toy\n"
			   "modules: [{exports: [f]}]\n"
			   "names: [{mapped_file: \"*.toy\"}]\n"
			   "hooks:\n"
			   "  run:\n"
			   "    means: call\n"
			   "    function: {export: run}\n"
			   "    entry: {handle: \"%di\", batch: +accessor(rows)(%di)}\n"
			   "    exit: {failed: \"%ax != 0\"}\n"
			   "  throwing:\n"
			   "    means: call\n"
			   "    optional: true\n"
			   "    exceptions: pads\n"
			   "    function: {export: throwing}\n"
			   "    entry: {handle: +accessor(rows)(%di)}\n"
			   "  old_run:\n"
			   "    means: call\n"
			   "    fallback_for: run\n"
			   "    ends: return\n"
			   "    function: {export: old_run}\n"
			   "    entry: {handle: \"%di\"}\n"
			   "  load:\n"
			   "    means: load\n"
			   "    ends: return\n"
			   "    function: {export: load}\n"
			   "    exit: {handle: \"%ax\", model: c_string(entry(%di))}\n"
			   "  free:\n"
			   "    means: free\n"
			   "    when: maps any\n"
			   "    function: {export: free}\n"
			   "    entry: {handle: \"%di\"}\n";

enum { F_RUN, F_THROWING, F_OLD_RUN, F_LOAD, F_FREE, FUNCTIONS };

struct case_ {
	struct adapter_set *set;
	struct answer_function *functions;
	struct answer_constant constants[1];
	struct answer_match match;
	struct plan *plan;
};

static void case__start(struct case_ *c)
{
	struct adapter_error error;
	char path[] = "/tmp/plan_test.XXXXXX";
	int fd = mkstemp(path);

	memset(c, 0, sizeof(*c));
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	c->set = adapter_set__from_file(path, &error);
	unlink(path);
	CHECK_STR(error.text, "");
	/* Everything is found, at addresses of its own, with one exit and two pads. */
	c->functions = calloc(FUNCTIONS, sizeof(*c->functions));
	for (size_t i = 0; i < FUNCTIONS; i++) {
		struct answer_function *function = &c->functions[i];

		function->found = true;
		function->entry_offset = 0x1000 * (i + 1) + 4;
		function->entry_vaddr = 0x401000 + function->entry_offset;
		function->entry_frame_offset = 8;
		function->entry_cost = COST_EMULATED;
		snprintf(function->why, sizeof(function->why), "found");
		function->exits_complete = true;
		function->n_exits = 1;
		function->exits[0] = (struct answer_exit) { .offset = 0x1000 * (i + 1) + 0x80,
							    .frame = SITE_FRAME_SP,
							    .frame_offset = 32,
							    .how = EXIT_STRAIGHT,
							    .cost = COST_EMULATED };
		function->n_pads = 2;
		function->pads[0] = (struct answer_pad) { .offset = 0x1000 * (i + 1) + 0x90,
							  .frame = SITE_FRAME_BP,
							  .frame_offset = 16 };
		function->pads[1] = (struct answer_pad) { .offset = 0x1000 * (i + 1) + 0xa0, .catches = true };
	}
	c->constants[0] = (struct answer_constant) { .found = true, .value = 24 };
	c->match = (struct answer_match) {
		.n_functions = FUNCTIONS, .n_constants = 1, .functions = c->functions, .constants = c->constants
	};
	snprintf(c->match.version, sizeof(c->match.version), "1.2");
}

static void case__end(struct case_ *c)
{
	plan__free(c->plan);
	adapter_set__free(c->set);
	free(c->functions);
}

static const struct plan_hook *hook_of(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_hooks; i++)
		if (strcmp(plan->hooks[i].name, name) == 0)
			return &plan->hooks[i];
	return NULL;
}

static const struct plan_site *site_of(const struct plan *plan, const struct plan_hook *hook, enum site_role role)
{
	for (size_t i = 0; i < hook->n_sites; i++)
		if (plan->sites[hook->first_site + i].role == role)
			return &plan->sites[hook->first_site + i];
	return NULL;
}

static void all_found(void)
{
	struct case_ c;
	const struct plan_hook *run, *throwing, *load, *free_hook, *old_run;

	case__start(&c);
	c.plan = plan__new(c.set, &c.match, false);
	CHECK(c.plan->usable);
	CHECK_STR(c.plan->why, "");
	CHECK_STR(c.plan->version, "1.2");
	CHECK_INT(c.plan->n_fallbacks, 1);
	/* Handles before calls. */
	CHECK_STR(c.plan->hooks[0].name, "load");
	CHECK_STR(c.plan->hooks[1].name, "free");
	run = hook_of(c.plan, "run");
	CHECK_INT(run->n_sites, 2);
	CHECK_INT(run->code.means, HOOK_CALL);
	CHECK_INT(run->code.entry_vaddr, 0x402004);
	CHECK_STR(run->why, "found; ends at 1 exit");
	CHECK_STR(run->unknown, "");
	CHECK_INT(site_of(c.plan, run, SITE_ENTRY)->offset, 0x1004);
	CHECK_INT(site_of(c.plan, run, SITE_ENTRY)->frame_offset, 8);
	CHECK_INT(site_of(c.plan, run, SITE_EXIT)->offset, 0x1080);
	CHECK_INT(site_of(c.plan, run, SITE_EXIT)->frame, SITE_FRAME_SP);
	CHECK_INT(site_of(c.plan, run, SITE_EXIT)->frame_offset, 32);
	CHECK(!site_of(c.plan, run, SITE_PAD));
	/* Pads only where the adapter wants them, and only those that cannot catch. */
	throwing = hook_of(c.plan, "throwing");
	CHECK_INT(throwing->n_sites, 3);
	CHECK_INT(site_of(c.plan, throwing, SITE_PAD)->offset, 0x2090);
	CHECK_INT(run->code.group, throwing->code.group);
	old_run = hook_of(c.plan, "old_run");
	CHECK(old_run->refused);
	CHECK_INT(old_run->n_sites, 0);
	CHECK_STR(old_run->why, "not needed: 'run' is there");
	load = hook_of(c.plan, "load");
	CHECK_INT(load->n_sites, 2);
	CHECK_INT(site_of(c.plan, load, SITE_RETURN)->offset, 0x4004);
	CHECK_INT(load->code.flags, HOOK_NAME_AT_EXIT);
	CHECK_INT(load->code.group, run->code.group); /* handles are one per group */
	free_hook = hook_of(c.plan, "free");
	CHECK_INT(free_hook->n_sites, 1);
	CHECK_STR(free_hook->when_maps, "any");
	/* Sites lie without gaps, each with its hook. */
	CHECK_INT(c.plan->n_sites, 2 + 3 + 2 + 1);
	for (size_t i = 0; i < c.plan->n_hooks; i++)
		for (size_t j = 0; j < c.plan->hooks[i].n_sites; j++)
			CHECK_INT(c.plan->sites[c.plan->hooks[i].first_site + j].hook, i);
	case__end(&c);
}

static void no_return_probes(void)
{
	struct case_ c;
	const struct plan_hook *load;

	case__start(&c);
	c.plan = plan__new(c.set, &c.match, true);
	load = hook_of(c.plan, "load");
	CHECK(c.plan->usable);
	CHECK(!site_of(c.plan, load, SITE_RETURN));
	CHECK_INT(site_of(c.plan, load, SITE_EXIT)->offset, 0x4080);
	plan__free(c.plan);
	/* Neither way. */
	c.functions[F_LOAD].exits_complete = false;
	snprintf(c.functions[F_LOAD].exits_why, sizeof(c.functions[F_LOAD].exits_why), "an indirect jump");
	c.plan = plan__new(c.set, &c.match, true);
	load = hook_of(c.plan, "load");
	CHECK(load->refused && !c.plan->usable);
	CHECK_STR(load->why, "found, but not every way out of it is known: an indirect jump (a return probe is not "
			     "safe in this process)");
	CHECK_INT(load->n_sites, 0);
	CHECK(strstr(c.plan->why, "load: found, but not every way"));
	case__end(&c);
}

static void a_fallback_takes_over(void)
{
	struct case_ c;

	case__start(&c);
	c.functions[F_RUN].exits_complete = false;
	c.plan = plan__new(c.set, &c.match, false);
	CHECK(c.plan->usable);
	CHECK(hook_of(c.plan, "run")->refused);
	CHECK_STR(hook_of(c.plan, "run")->why, "found, but not every way out of it is known: no exits were found");
	CHECK(!hook_of(c.plan, "old_run")->refused);
	CHECK_INT(hook_of(c.plan, "old_run")->n_sites, 2);
	plan__free(c.plan);
	c.functions[F_OLD_RUN].found = false;
	snprintf(c.functions[F_OLD_RUN].why, sizeof(c.functions[F_OLD_RUN].why), "not exported");
	c.plan = plan__new(c.set, &c.match, false);
	CHECK(!c.plan->usable);
	CHECK(strncmp(c.plan->why, "run: ", 5) == 0);
	CHECK_STR(hook_of(c.plan, "old_run")->why, "not exported");
	case__end(&c);
}

static void missing_values(void)
{
	struct case_ c;

	case__start(&c);
	c.constants[0].found = false;
	c.plan = plan__new(c.set, &c.match, false);
	/* run does without its batch; the other cannot do without its handle, but is optional. */
	CHECK(c.plan->usable);
	CHECK(!hook_of(c.plan, "run")->refused);
	CHECK_STR(hook_of(c.plan, "run")->unknown, "no batch: accessor(rows) is not known in this file");
	CHECK(hook_of(c.plan, "throwing")->refused);
	CHECK_STR(hook_of(c.plan, "throwing")->why, "no handle: accessor(rows) is not known in this file");
	plan__free(c.plan);
	/* A result that another function gives cannot be read at the jump to it. */
	c.functions[F_RUN].exits[0].how = EXIT_TAIL;
	c.functions[F_THROWING].exits[0].how = EXIT_TAIL;
	c.constants[0].found = true;
	c.plan = plan__new(c.set, &c.match, false);
	CHECK(hook_of(c.plan, "run")->refused);
	CHECK(strstr(hook_of(c.plan, "run")->why, "ends in a jump to another function"));
	CHECK(!hook_of(c.plan, "throwing")->refused);
	plan__free(c.plan);
	/* Unless it is said whose call it is then. */
	adapter_set__at(c.set, 0)->hooks[F_RUN].continues_in = "throwing";
	c.plan = plan__new(c.set, &c.match, false);
	CHECK(!hook_of(c.plan, "run")->refused);
	CHECK(site_of(c.plan, hook_of(c.plan, "run"), SITE_HANDOVER));
	plan__free(c.plan);
	c.functions[F_THROWING].found = false;
	c.plan = plan__new(c.set, &c.match, false);
	CHECK_STR(hook_of(c.plan, "run")->why, "it goes on in 'throwing', which cannot be used");
	CHECK(!site_of(c.plan, hook_of(c.plan, "run"), SITE_ENTRY));
	plan__free(c.plan);
	/* Nothing that counts calls. */
	snprintf(c.functions[F_RUN].why, sizeof(c.functions[F_RUN].why), "gone");
	c.functions[F_RUN].found = c.functions[F_THROWING].found = c.functions[F_OLD_RUN].found = false;
	c.plan = plan__new(c.set, &c.match, false);
	CHECK(!c.plan->usable);
	CHECK_STR(c.plan->why, "run: gone");
	case__end(&c);
}

static void strange_answers(void)
{
	struct case_ c;

	case__start(&c);
	c.match.n_functions--;
	c.plan = plan__new(c.set, &c.match, false);
	CHECK(!c.plan->usable);
	CHECK_STR(c.plan->why, "this answer belongs to other adapters");
	CHECK_INT(c.plan->n_hooks, 0);
	plan__free(c.plan);
	c.match.n_functions++;
	c.match.query = 7;
	c.plan = plan__new(c.set, &c.match, false);
	CHECK(!c.plan->usable);
	plan__free(NULL);
	case__end(&c);
}

int main(void)
{
	RUN(all_found);
	RUN(no_return_probes);
	RUN(a_fallback_takes_over);
	RUN(missing_values);
	RUN(strange_answers);
	return check__report();
}
