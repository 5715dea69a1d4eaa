/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "agent/facts.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "discover/owner.h"

static void set_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

void facts__hook(struct wire_fact_hook *fact, const char *path, const struct plan *plan, const struct plan_hook *hook)
{
	const char *slash = strrchr(path, '/');

	memset(fact, 0, sizeof(*fact));
	fact->header.tag = WIRE_FACT_HOOK;
	fact->header.length = sizeof(*fact);
	fact->header.time_ns = loop__now_ns();
	fact->hook = hook->code.id;
	fact->means = hook->code.means;
	set_text(fact->runtime, sizeof(fact->runtime), hook->runtime);
	set_text(fact->name, sizeof(fact->name), hook->name);
	set_text(fact->version, sizeof(fact->version), plan->version);
	set_text(fact->module, sizeof(fact->module), slash ? slash + 1 : path);
}

bool facts__process(struct wire_fact_process *fact)
{
	struct owner owner;

	owner__read((pid_t)fact->header.process.tgid, &owner);
	set_text(fact->command, sizeof(fact->command), owner.command);
	set_text(fact->container, sizeof(fact->container), owner.container);
	set_text(fact->pod, sizeof(fact->pod), owner.pod);
	set_text(fact->namespace_, sizeof(fact->namespace_), owner.namespace_);
	set_text(fact->unit, sizeof(fact->unit), owner.unit);
	return owner.command[0] != '\0';
}

void facts__loss(struct wire_fact_loss *fact, const uint64_t counts[LOSS_KINDS])
{
	memset(fact, 0, sizeof(*fact));
	fact->header.tag = WIRE_FACT_LOSS;
	fact->header.length = sizeof(*fact);
	fact->header.time_ns = loop__now_ns();
	for (int i = 0; i < LOSS_KINDS; i++)
		fact->counts[i] = counts[i];
}

size_t facts__name(const struct plan *plan, pid_t pid, char name[WIRE_NAME_MAX])
{
	char found[PATH_MAX];

	for (size_t i = 0; i < plan->n_fallbacks; i++) {
		const struct name_fallback *fallback = &plan->fallbacks[i];
		bool have = false;
		size_t length, cut = 0;

		switch (fallback->kind) {
		case NAME_MAPPED_FILE:
			have = owner__mapped_file(pid, fallback->pattern, found, sizeof(found));
			break;
		case NAME_COMMAND_LINE:
			have = owner__command_option(pid, fallback->pattern, found, sizeof(found));
			break;
		case NAME_NONE:
			break;
		}
		if (!have || !*found)
			continue;
		length = strlen(found);
		if (length > WIRE_NAME_MAX) /* the end of a path tells more than its beginning */
			cut = length - WIRE_NAME_MAX;
		memcpy(name, found + cut, length - cut);
		return length - cut;
	}
	return 0;
}
