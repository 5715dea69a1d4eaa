/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "agent/config.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utarray.h>
#include <yaml.h>

struct alias {
	char *pattern, *name;
};

struct config {
	UT_array *aliases;
};

static void free_alias(void *element)
{
	struct alias *alias = element;

	free(alias->pattern);
	free(alias->name);
}

static const UT_icd alias_icd = { sizeof(struct alias), NULL, NULL, free_alias };

static int complain(char *why, size_t size, const char *path, const yaml_node_t *node, const char *what)
{
	snprintf(why, size, "%s:%zu:%zu: %s", path, node->start_mark.line + 1, node->start_mark.column + 1, what);
	return -EINVAL;
}

static const char *scalar(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static int read_aliases(struct config *config, yaml_document_t *document, const yaml_node_t *node, const char *path,
			char *why, size_t size)
{
	if (node->type != YAML_MAPPING_NODE)
		return complain(why, size, path, node, "aliases: expected a mapping of name pattern to alias");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(document, pair->value);
		struct alias alias;

		if (!scalar(key) || !scalar(value) || !*scalar(value))
			return complain(why, size, path, key, "an alias is `pattern: name`, both words");
		alias.pattern = strdup(scalar(key));
		alias.name = strdup(scalar(value));
		utarray_push_back(config->aliases, &alias);
	}
	return 0;
}

static int read_document(struct config *config, yaml_document_t *document, const char *path, char *why, size_t size)
{
	const yaml_node_t *root = yaml_document_get_root_node(document);

	if (!root)
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return complain(why, size, path, root, "expected a mapping; the one key is `aliases`");
	for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(document, pair->key);
		int error;

		if (!scalar(key) || strcmp(scalar(key), "aliases") != 0)
			return complain(why, size, path, key, "unknown key; the one key is `aliases`");
		error = read_aliases(config, document, yaml_document_get_node(document, pair->value), path, why, size);
		if (error)
			return error;
	}
	return 0;
}

struct config *config__read(const char *path, char *why, size_t size)
{
	struct config *config = calloc(1, sizeof(*config));
	yaml_document_t document;
	yaml_parser_t parser;
	FILE *file;
	int error;

	if (!config)
		return NULL;
	utarray_new(config->aliases, &alias_icd);
	if (!path)
		return config;
	file = fopen(path, "re");
	if (!file) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		config__free(config);
		return NULL;
	}
	yaml_parser_initialize(&parser);
	yaml_parser_set_input_file(&parser, file);
	if (yaml_parser_load(&parser, &document)) {
		error = read_document(config, &document, path, why, size);
		yaml_document_delete(&document);
	} else {
		snprintf(why, size, "%s:%zu:%zu: %s", path, parser.problem_mark.line + 1,
			 parser.problem_mark.column + 1, parser.problem ? parser.problem : "not YAML");
		error = -EINVAL;
	}
	yaml_parser_delete(&parser);
	fclose(file);
	if (error) {
		config__free(config);
		return NULL;
	}
	return config;
}

void config__free(struct config *config)
{
	if (!config)
		return;
	utarray_free(config->aliases);
	free(config);
}

const char *config__alias(const struct config *config, const char *name)
{
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;

	for (unsigned i = 0; i < utarray_len(config->aliases); i++) {
		const struct alias *alias = (const struct alias *)utarray_eltptr(config->aliases, i);

		if (fnmatch(alias->pattern, base, 0) == 0 || fnmatch(alias->pattern, name, 0) == 0)
			return alias->name;
	}
	return NULL;
}
