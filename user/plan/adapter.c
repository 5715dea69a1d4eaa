/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Sets of adapters: those in the binary, those of a folder over them. */
#include "plan/adapter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters.h"
#include "base/log.h"
#include "plan/adapter_data.h"
#include "plan/yaml_tree.h"

#define ADAPTERS_MAX 256

struct adapter_set {
	struct adapter **adapters;
	struct module_query *queries;
	size_t n;
};

/* A new runtime joins the set; a known one's place is taken. Returns 0 or -ENOMEM (the adapter stays the caller's). */
static int put(struct adapter_set *set, struct adapter *adapter)
{
	struct adapter **adapters;

	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(set->adapters[i]->runtime, adapter->runtime) != 0)
			continue;
		log_info("%s takes the place of %s", adapter->path, set->adapters[i]->path);
		adapter__free(set->adapters[i]);
		set->adapters[i] = adapter;
		return 0;
	}
	adapters = realloc(set->adapters, (set->n + 1) * sizeof(struct adapter *));
	if (!adapters)
		return -ENOMEM;
	set->adapters = adapters;
	set->adapters[set->n++] = adapter;
	return 0;
}

static int fail(struct adapter_error *error, const char *path, const char *what, int err)
{
	snprintf(error->text, sizeof(error->text), "%.300s: %s: %s", path, what, strerror(-err));
	return err;
}

/* Reads at most one byte more than an adapter may have. Returns the text, or NULL with the error set. */
static char *read_file(const char *path, size_t *size, struct adapter_error *error)
{
	/* A folder of adapters may hold anything: a FIFO must not stop the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = malloc(YAML_SIZE_MAX + 2);
	ssize_t n = 1;

	*size = 0;
	if (fd < 0 || !text) {
		fail(error, path, "cannot be read", fd < 0 ? -errno : -ENOMEM);
		goto cleanup;
	}
	while (n > 0 && *size <= YAML_SIZE_MAX) {
		n = read(fd, text + *size, YAML_SIZE_MAX + 1 - *size);
		if (n > 0)
			*size += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0) {
		fail(error, path, "cannot be read", -errno);
		goto cleanup;
	}
	text[*size] = '\0';
	close(fd);
	return text;
cleanup:
	if (fd >= 0)
		close(fd);
	free(text);
	return NULL;
}

static int add_text(struct adapter_set *set, const char *path, const char *text, size_t size,
		    struct adapter_error *error)
{
	struct adapter *adapter = adapter__read(path, text, size, error);
	int err;

	if (!adapter)
		return -EINVAL;
	err = put(set, adapter);
	if (err) {
		adapter__free(adapter);
		return fail(error, path, "cannot be kept", err);
	}
	return 0;
}

static int add_file(struct adapter_set *set, const char *path, struct adapter_error *error)
{
	size_t size;
	char *text = read_file(path, &size, error);
	int err = text ? add_text(set, path, text, size, error) : -EINVAL;

	free(text);
	return err;
}

static int is_yaml(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && ((n > 5 && strcmp(entry->d_name + n - 5, ".yaml") == 0) ||
					   (n > 4 && strcmp(entry->d_name + n - 4, ".yml") == 0));
}

static int add_folder(struct adapter_set *set, const char *folder, struct adapter_error *error)
{
	struct dirent **entries = NULL;
	char path[4096];
	int n = scandir(folder, &entries, is_yaml, alphasort), err = 0;

	if (n < 0)
		return fail(error, folder, "cannot be listed", -errno);
	for (int i = 0; i < n; i++) {
		if (!err && i >= ADAPTERS_MAX)
			err = fail(error, folder, "holds too many adapters", -E2BIG);
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (!err)
			err = add_file(set, path, error);
		free(entries[i]);
	}
	free(entries);
	return err;
}

/* The queries lie in one array, because that is what the resolver takes. */
static int finish(struct adapter_set *set, struct adapter_error *error)
{
	set->queries = calloc(set->n + 1, sizeof(*set->queries));
	if (!set->queries)
		return fail(error, "adapters", "cannot be kept", -ENOMEM);
	for (size_t i = 0; i < set->n; i++)
		set->queries[i] = set->adapters[i]->query;
	return 0;
}

struct adapter_set *adapter_set__new(const char *folder, struct adapter_error *error)
{
	struct adapter_set *set = calloc(1, sizeof(*set));
	int err = set ? 0 : fail(error, "adapters", "cannot be kept", -ENOMEM);
	char path[300];

	for (size_t i = 0; !err && embedded_adapters[i].name; i++) {
		snprintf(path, sizeof(path), "<embedded>/%s", embedded_adapters[i].name);
		err = add_text(set, path, embedded_adapters[i].text, strlen(embedded_adapters[i].text), error);
	}
	if (!err && folder)
		err = add_folder(set, folder, error);
	if (!err)
		err = finish(set, error);
	if (!err)
		return set;
	adapter_set__free(set);
	return NULL;
}

struct adapter_set *adapter_set__from_file(const char *path, struct adapter_error *error)
{
	struct adapter_set *set = calloc(1, sizeof(*set));
	int err = set ? add_file(set, path, error) : fail(error, path, "cannot be kept", -ENOMEM);

	if (!err)
		err = finish(set, error);
	if (!err)
		return set;
	adapter_set__free(set);
	return NULL;
}

void adapter_set__free(struct adapter_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++)
		adapter__free(set->adapters[i]);
	free(set->adapters);
	free(set->queries);
	free(set);
}

size_t adapter_set__count(const struct adapter_set *set)
{
	return set->n;
}

const struct module_query *adapter_set__queries(const struct adapter_set *set)
{
	return set->queries;
}

const struct adapter *adapter_set__at(const struct adapter_set *set, size_t i)
{
	return i < set->n ? set->adapters[i] : NULL;
}
