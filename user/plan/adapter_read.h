/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The parts of reading an adapter: modules and locators; hooks; sections and values. All report through the tree. */
#ifndef INFERMETER_ADAPTER_READ_H
#define INFERMETER_ADAPTER_READ_H

#include "plan/adapter_data.h"
#include "plan/yaml_tree.h"

void adapter_read__modules(struct tree *tree, struct adapter *adapter, tree_node *modules);
/* A list of locators. Returns how many, 0 with the error set. */
size_t adapter_read__locators(struct tree *tree, tree_node *node, const struct locator **locators);

void adapter_read__hook(struct tree *tree, struct adapter *adapter, struct adapter_hook *hook,
			struct function_query *query, tree_node *name, tree_node *node);
void adapter_read__section(struct tree *tree, struct adapter *adapter, struct section *section, tree_node *node,
			   const char *what);
/* Finds entry(…) in the hook's exit section and lists what must be saved. */
void adapter_read__saves(struct tree *tree, struct adapter_hook *hook);

/* A name that others refer to: letters, digits and _, for runtimes . + - too. */
const char *adapter_read__name(struct tree *tree, tree_node *node, const char *what, const char *more);

#endif
