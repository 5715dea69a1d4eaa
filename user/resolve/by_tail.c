/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include <stdio.h>

#include "resolve/exits.h"
#include "resolve/locate.h"

bool by_tail__find(struct module *module, const struct locator *locator, struct found *found)
{
	char why[ANSWER_TEXT_MAX] = "";
	struct found of;
	struct body body;
	bool read;

	if (!locator->of)
		return found__not(found, "a tail jump of no function");
	if (!locate__find(module, locator->of, &of))
		return found__not(found, "the function that jumps to it is not found: %.100s", of.text);
	read = body__read(&body, &module->elf, of.vaddr, of.size, &module->noreturn) == 0;
	if (read)
		found->vaddr = exits__tail(&body, why, sizeof(why));
	if (!found->vaddr)
		found__not(found, "%.60s: %.90s", of.text, read ? why : body.why);
	else
		snprintf(found->text, sizeof(found->text), "the end of %.80s jumps to it", of.text);
	body__free(&body);
	return found->vaddr;
}
