/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Adapter files: what is read, and what each mistake says, with its place. */
#include "check.h"
#include "plan_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

static const char good[] = "runtime: toy\n"
			   "modules:\n"
			   "  - exports: [toy_run]\n"
			   "    strings: \"toy \"\n"
			   "  - {soname: \"libtoy*\", absent_exports: [toy_old]}\n"
			   "version: {export: toy_version}\n"
			   "names:\n"
			   "  - mapped_file: \"*.toy\"\n"
			   "  - command_line: --model\n"
			   "hooks:\n"
			   "  run:\n"
			   "    means: call\n"
			   "    exceptions: pads\n"
			   "    function:\n"
			   "      - {export: toy_run, called_by: {vtable: N3toy3RunE, slot: 2}}\n"
			   "      - {refers_to: \"toy: \"}\n"
			   "      - {table: toy_api, steps: [lea, {slot: 0}, lea, {slot: 9}]}\n"
			   "      - {tail_jump_of: {pattern: \"toy::run(*)\"}}\n"
			   "    entry:\n"
			   "      handle: \"%di\"\n"
			   "      batch: +8(%sp):s32\n"
			   "      tokens: +accessor(toy_tokens)(%si)\n"
			   "      model: cxx_string(+accessor(toy_name)(%di))\n"
			   "    exit: {failed: \"%ax:s32 != 0\"}\n"
			   "  c_run:\n"
			   "    means: call\n"
			   "    ends: return\n"
			   "    optional: true\n"
			   "    fallback_for: run\n"
			   "    group: other\n"
			   "    when: maps any\n"
			   "    function: {export: toy_c_run}\n"
			   "    entry: {handle: \"%di\"}\n"
			   "  free:\n"
			   "    means: free\n"
			   "    function: {export: toy_free}\n"
			   "    entry: {handle: \"%di\"}\n";

static void reads_all_parts(void)
{
	struct adapter_error error;
	struct adapter *adapter = adapter__read("toy.yaml", good, strlen(good), &error);
	const struct module_query *query;
	const struct locator *locators;

	CHECK_STR(error.text, "");
	if (!adapter)
		return;
	query = &adapter->query;
	CHECK_STR(adapter__runtime(adapter), "toy");
	CHECK_STR(adapter__path(adapter), "toy.yaml");
	CHECK_STR(query->runtime, "toy");
	CHECK_INT(query->n_matches, 2);
	CHECK_STR(query->matches[0].exports[0], "toy_run");
	CHECK_STR(query->matches[0].strings[0], "toy ");
	CHECK_STR(query->matches[1].soname, "libtoy*");
	CHECK_STR(query->matches[1].absent_exports[0], "toy_old");
	CHECK_INT(query->version->kind, LOCATE_EXPORT);
	CHECK_INT(query->n_functions, 3);
	CHECK_STR(query->functions[0].name, "run");
	CHECK_INT(query->functions[0].ends, ENDS_EXITS);
	CHECK_INT(query->functions[0].needs, 1 << EXPR_DI | 1 << EXPR_SI | 1 << EXPR_SP);
	CHECK_INT(query->functions[0].exit_needs, 1 << EXPR_AX);
	CHECK_INT(query->functions[0].n_locators, 4);
	locators = query->functions[0].locators;
	CHECK_INT(locators[0].called_by->kind, LOCATE_VTABLE);
	CHECK_INT(locators[0].called_by->slot, 2);
	CHECK_INT(locators[1].kind, LOCATE_STRING_REFERENCE);
	CHECK_INT(locators[2].kind, LOCATE_TABLE);
	CHECK_INT(locators[2].n_steps, 4);
	CHECK_INT(locators[2].steps[3].kind, STEP_SLOT);
	CHECK_INT(locators[2].steps[3].slot, 9);
	CHECK_INT(locators[3].of->kind, LOCATE_PATTERN);
	CHECK_INT(query->functions[1].ends, ENDS_RETURN);
	CHECK(query->functions[1].optional);
	CHECK_INT(query->functions[2].ends, ENDS_ENTRY);
	CHECK_INT(query->n_constants, 3); /* two accessors, the layout of strings */
	CHECK(adapter->hooks[0].pads);
	CHECK_STR(adapter->hooks[1].when_maps, "any");
	CHECK_STR(adapter->hooks[1].fallback_for, "run");
	CHECK(adapter->hooks[0].group != adapter->hooks[1].group);
	CHECK_INT(adapter->hooks[0].group, adapter->hooks[2].group); /* what is freed is what was called */
	CHECK_INT(adapter->n_fallbacks, 2);
	CHECK_INT(adapter->fallbacks[0].kind, NAME_MAPPED_FILE);
	CHECK_STR(adapter->fallbacks[1].pattern, "--model");
	adapter__free(adapter);
}

/* The good file with one line replaced, and what that says. */
static void mistakes_have_a_place(void)
{
	static const struct {
		const char *line, *instead, *want;
	} rows[] = {
		{ "runtime: toy\n", "", "toy.yaml:1:1: an adapter needs 'runtime:'" },
		{ "runtime: toy\n", "runtime: t o y\n", "toy.yaml:1:10: expected a runtime's name: letters" },
		{ "runtime: toy\n", "runtimes: toy\n",
		  "toy.yaml:1:1: unknown key 'runtimes' in an adapter; did you mean 'runtime'?" },
		{ "runtime: toy\n", "runtime: toy\nruntime: toy\n", "toy.yaml:2:1: 'runtime' is given twice" },
		{ "runtime: toy\n", "runtime: [toy]\n", "toy.yaml:1:10: expected a runtime's name, not a list" },
		{ "runtime: toy\n", "runtime: %toy\n",
		  "toy.yaml:1:10: found character that cannot start any token (what begins with %" },
		{ "runtime: toy\n", "runtime: toy\nzzzzzz: 1\n",
		  "toy.yaml:2:1: unknown key 'zzzzzz' in an adapter; expected runtime, modules, version, names or "
		  "hooks" },
		{ "  - exports: [toy_run]\n    strings: \"toy \"\n", "  - absent_exports: [a]\n",
		  "toy.yaml:3:5: a module needs 'exports:', 'strings:' or 'soname:'" },
		{ "  - mapped_file: \"*.toy\"\n", "  - {mapped_file: a, command_line: b}\n",
		  "toy.yaml:8:5: expected 'mapped_file:' or 'command_line:', one of them" },
		{ "    means: call\n    exceptions", "    exceptions", "toy.yaml:12:5: a hook needs 'means:'" },
		{ "    means: call\n", "    means: calls\n",
		  "toy.yaml:12:12: expected a meaning: call, load, derive, free or caught; not 'calls'" },
		{ "    exceptions: pads\n", "    exception: pads\n",
		  "toy.yaml:13:5: unknown key 'exception' in a hook; did you mean 'exceptions'?" },
		{ "    exceptions: pads\n", "    exceptions: pads\n    ends: return\n",
		  "landing pads are for hooks that end by exits" },
		{ "      - {refers_to: \"toy: \"}\n", "      - {refers_to: \"toy: \", export: x}\n",
		  "toy.yaml:16:9: a function is found in one way: 'export:' or 'refers_to:'" },
		{ "      - {refers_to: \"toy: \"}\n", "      - {slot: 1}\n",
		  "toy.yaml:16:9: a function needs 'export:'" },
		{ "      - {refers_to: \"toy: \"}\n", "      - {refers_to: x, slot: 1}\n",
		  "toy.yaml:16:30: 'slot:' belongs to 'vtable:'" },
		{ "      - {refers_to: \"toy: \"}\n", "      - {vtable: x}\n",
		  "toy.yaml:16:9: a function of a vtable needs 'slot:'" },
		{ "      - {refers_to: \"toy: \"}\n", "      - {vtable: x, slot: -1}\n",
		  "expected a slot, a number from 0 to 4095, not '-1'" },
		{ "steps: [lea, {slot: 0}, lea, {slot: 9}]", "steps: [lae]",
		  "expected a step: lea or {slot: N}; not 'lae'" },
		{ ", steps: [lea, {slot: 0}, lea, {slot: 9}]", "", "toy.yaml:17:9: 'table:' needs 'steps:'" },
		{ "      handle: \"%di\"\n", "",
		  "toy.yaml:12:5: a hook that means call needs 'handle:' in 'entry:' or 'exit:'" },
		{ "      batch: +8(%sp):s32\n", "      batches: 1\n",
		  "toy.yaml:21:7: unknown key 'batches' in entry; did you mean 'batch'?" },
		{ "      batch: +8(%sp):s32\n", "      batch:\n",
		  "toy.yaml:21:13: expected an expression for the value, not nothing" },
		{ "      batch: +8(%sp):s32\n", "      parent: 1\n",
		  "toy.yaml:21:15: 'parent' says nothing in a hook that means call" },
		{ "      batch: +8(%sp):s32\n", "      batch: []\n",
		  "toy.yaml:21:14: expected an expression, or a list of 1 to 16 alternatives" },
		{ "      batch: +8(%sp):s32\n", "      batch: {when: 1}\n", "needs 'value:'" },
		{ "      batch: +8(%sp):s32\n", "      batch: {value: 1, least: 1}\n",
		  "'least:' chooses among the rounds of 'each:'" },
		{ "      batch: +8(%sp):s32\n", "      batch: {value: 1, each: {index: k}}\n", "needs 'limit:'" },
		{ "      batch: +8(%sp):s32\n", "      batch: {value: 1, each: {index: k, limit: 1000}}\n",
		  "from 1 to 512, not '1000'" },
		{ "      batch: +8(%sp):s32\n", "      batch: {value: 1, let: {length: 1}}\n",
		  "'length' has a meaning of its own" },
		{ "      batch: +8(%sp):s32\n", "      let: {a: b, b: a}\n      batch: a\n", "'a' needs itself" },
		{ "      batch: +8(%sp):s32\n", "      let: {a: 1}\n      batch: {let: {a: 2}, value: a}\n",
		  "'a' is a name of the whole section already" },
		{ "    exit: {failed: \"%ax:s32 != 0\"}\n", "    exit: {failed: \"%di != 0\"}\n",
		  "toy.yaml:24:21: %di holds nothing of the call at its exit; write entry(%di)" },
		{ "    exit: {failed: \"%ax:s32 != 0\"}\n", "    exit: {batch: \"%ax\"}\n",
		  "toy.yaml:24:19: 'batch' is given at entry and at exit" },
		{ "    exit: {failed: \"%ax:s32 != 0\"}\n", "    exit: {failed: handle}\n",
		  "toy.yaml:24:20: unknown name 'handle'" },
		{ "    ends: return\n", "    ends: returns\n",
		  "expected how its calls end: exits, return or entry; not 'returns'" },
		{ "    optional: true\n", "    optional: yes\n", "toy.yaml:28:15: expected true or false" },
		{ "    fallback_for: run\n", "    fallback_for: runn\n", "is no other hook; did you mean 'run'?" },
		{ "    fallback_for: run\n", "    fallback_for: c_run\n", "is no other hook" },
		{ "    when: maps any\n", "    when: any\n", "expected 'maps RUNTIME' or 'maps any', not 'any'" },
		{ "    means: free\n", "    means: free\n    ends: exits\n",
		  "a hook that means free acts at the entry; leave 'ends:' out" },
		{ "    means: free\n", "    means: free\n    exit: {status: 1}\n",
		  "nothing is read at exit in a hook that acts at the entry" },
		{ "    means: free\n", "    means: derive\n", "a hook that means derive needs 'parent:'" },
		{ "    means: free\n", "    means: caught\n", "'handle' says nothing in a hook that means caught" },
		{ "  free:\n", "  run:\n", "'run' is given twice" },
		{ "hooks:\n", "---\nhooks:\n", "a second document" },
		{ "hooks:\n", "hooks: {}\nx:\n", "unknown key 'x'" },
		{ "toy_free}", "toy_free", "toy.yaml:" },
	};
	char text[4096];
	struct adapter_error error;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *place = strstr(good, rows[i].line);
		struct adapter *adapter;

		CHECK(place != NULL);
		if (!place)
			continue;
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(place - good), good, rows[i].instead,
			 place + strlen(rows[i].line));
		adapter = adapter__read("toy.yaml", text, strlen(text), &error);
		CHECK(adapter == NULL);
		if (!strstr(error.text, rows[i].want)) {
			printf("  %s  → %s\n  not %s\n", rows[i].instead, error.text, rows[i].want);
			check_errors++;
		}
		adapter__free(adapter);
	}
}

static void hostile_files(void)
{
	static char text[300 * 1024];
	struct adapter_error error;
	size_t n;

	CHECK(!adapter__read("x", "", 0, &error));
	CHECK(strstr(error.text, "x:1:1: the file is empty"));
	CHECK(!adapter__read("x", "- a\n", 4, &error));
	CHECK(strstr(error.text, "expected a mapping"));
	CHECK(!adapter__read("x", "a\0b", 3, &error));
	CHECK(strstr(error.text, "NUL"));
	CHECK(!adapter__read("x", "\xff\xfe\xff", 3, &error));
	CHECK(error.text[0]);
	memset(text, ' ', sizeof(text));
	CHECK(!adapter__read("x", text, sizeof(text), &error));
	CHECK(strstr(error.text, "larger than"));
	memset(text, '[', 200000);
	CHECK(!adapter__read("x", text, 200000, &error));
	CHECK(strstr(error.text, "nested more than"));
	/* Each level names the one before it eight times. */
	n = (size_t)snprintf(text, sizeof(text),
			     "runtime: x\nmodules: [{exports: [f]}]\nhooks: {h: {means: free, function: {export: f}, "
			     "entry: {handle: &a0 [1, 1, 1, 1, 1, 1, 1, 1]");
	for (int i = 1; i < 7; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      ", %s: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]",
				      i == 1   ? "batch"
				      : i == 2 ? "tokens"
				      : i == 3 ? "status"
				      : i == 4 ? "failed"
				      : i == 5 ? "ignored"
					       : "model",
				      i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	snprintf(text + n, sizeof(text) - n, "}}}\n");
	CHECK(!adapter__read("x", text, strlen(text), &error));
	CHECK(error.text[0]);
	/* An anchor inside itself. */
	snprintf(text, sizeof(text),
		 "runtime: x\nmodules: [{exports: [f]}]\nhooks: {h: {means: call, function: {export: f}, entry: "
		 "{handle: &a "
		 "[{value: *a}]}}}\n");
	CHECK(!adapter__read("x", text, strlen(text), &error));
	CHECK(strstr(error.text, "deep"));
	snprintf(text, sizeof(text),
		 "runtime: x\nmodules: [{exports: [f]}]\nhooks: {h: {means: free, entry: {handle: 1}, function: &a "
		 "{tail_jump_of: *a}}}\n");
	CHECK(!adapter__read("x", text, strlen(text), &error));
	CHECK(strstr(error.text, "deep"));
}

static void put_file(const char *folder, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	CHECK(file != NULL);
	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

static void remove_file(const char *folder, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

static const struct adapter *find(const struct adapter_set *set, const char *runtime)
{
	for (size_t i = 0; i < adapter_set__count(set); i++)
		if (strcmp(adapter__runtime(adapter_set__at(set, i)), runtime) == 0)
			return adapter_set__at(set, i);
	return NULL;
}

/* The embedded ones are good, and a folder adds to them and takes their places. */
static void sets(void)
{
	struct adapter_error error;
	struct adapter_set *set = adapter_set__new(NULL, &error);
	char folder[] = "/tmp/adapter_test.XXXXXX", path[512], text[4096];
	size_t n;

	if (!set) {
		CHECK_STR(error.text, "");
		return;
	}
	n = adapter_set__count(set);
	CHECK(n >= 1);
	for (size_t i = 0; i < n; i++)
		CHECK_STR(adapter_set__queries(set)[i].runtime, adapter__runtime(adapter_set__at(set, i)));
	CHECK(find(set, "c++"));
	CHECK(strncmp(adapter__path(find(set, "c++")), "<embedded>/", 11) == 0);
	CHECK(!find(set, "toy"));
	CHECK(!adapter_set__at(set, n));
	adapter_set__free(set);

	CHECK(mkdtemp(folder) != NULL);
	snprintf(text, sizeof(text), "%s", good);
	put_file(folder, "a.yaml", text);
	memcpy(strstr(text, "toy\n"), "c++\n", 4);
	put_file(folder, "b.yml", text);
	put_file(folder, "not_an_adapter.txt", "hello");
	set = adapter_set__new(folder, &error);
	CHECK(set != NULL);
	if (set) {
		CHECK_INT(adapter_set__count(set), n + 1);
		CHECK(find(set, "toy"));
		CHECK_INT(find(set, "c++")->n_hooks, 3);
		adapter_set__free(set);
	}
	put_file(folder, "c.yaml", "runtime: 5\nhoks: 1\n");
	CHECK(!adapter_set__new(folder, &error));
	CHECK(strstr(error.text, "/c.yaml:2:1: unknown key 'hoks'"));
	snprintf(path, sizeof(path), "%s/a.yaml", folder);
	set = adapter_set__from_file(path, &error);
	CHECK(set && adapter_set__count(set) == 1);
	adapter_set__free(set);
	CHECK(!adapter_set__from_file(folder, &error));
	CHECK(strstr(error.text, "cannot be read"));
	remove_file(folder, "a.yaml");
	remove_file(folder, "b.yml");
	remove_file(folder, "c.yaml");
	remove_file(folder, "not_an_adapter.txt");
	rmdir(folder);
	CHECK(!adapter_set__new(folder, &error));
	CHECK(strstr(error.text, "cannot be listed: No such file"));
	adapter_set__free(NULL);
}

int main(void)
{
	RUN(reads_all_parts);
	RUN(mistakes_have_a_place);
	RUN(hostile_files);
	RUN(sets);
	return check__report();
}
