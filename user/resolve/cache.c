/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "base/log.h"
#include "resolve/codec.h"
#include "resolve/resolver.h"

#define SUFFIX	      ".answer"
#define STALE_SECONDS (7 * 24 * 3600)	/* answers of other builds are swept after so long */
#define MAGIC	      0x31776e614d49ull /* "IManw1" */

/* A file as stat tells it. */
struct identity {
	uint64_t device, inode, size, modified_ns, changed_ns;
};

/* A file without a runtime, by its build id. */
struct none_key {
	uint64_t size;
	uint8_t build_id[ANSWER_BUILD_ID_MAX];
	uint8_t length;
};

struct entry {
	struct identity identity;
	struct answer *answer;
	UT_hash_handle hh;
};

struct none {
	struct none_key key;
	UT_hash_handle hh;
};

struct cache {
	const struct module_query *queries;
	size_t n_queries;
	struct queries_hash hash;
	struct entry *entries;
	struct none *nones;
	int folder; /* -1: memory only */
};

/* What a cached file begins with: its own account of what it answers. */
struct disk_header {
	uint64_t magic;
	struct queries_hash queries;
	struct identity identity;
	uint64_t size, checksum;
};

static uint64_t checksum(const void *data, size_t size)
{
	const uint8_t *at = data;
	uint64_t sum = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ at[i]) * 0x100000001b3ull;
	return sum;
}

static struct identity identity_of(const struct stat *status)
{
	struct identity identity;

	memset(&identity, 0, sizeof(identity));
	identity.device = status->st_dev;
	identity.inode = status->st_ino;
	identity.size = status->st_size;
	identity.modified_ns = status->st_mtim.tv_sec * 1000000000ull + status->st_mtim.tv_nsec;
	identity.changed_ns = status->st_ctim.tv_sec * 1000000000ull + status->st_ctim.tv_nsec;
	return identity;
}

static struct none_key none_key(const uint8_t *build_id, size_t length, uint64_t size)
{
	struct none_key key;

	memset(&key, 0, sizeof(key));
	key.size = size;
	key.length = length < sizeof(key.build_id) ? length : sizeof(key.build_id);
	memcpy(key.build_id, build_id, key.length);
	return key;
}

static void file_name(const struct cache *cache, const struct identity *identity, char *name, size_t size)
{
	snprintf(name, size, "%016llx-%016llx" SUFFIX, (unsigned long long)cache->hash.low,
		 (unsigned long long)checksum(identity, sizeof(*identity)));
}

/* Makes the folder and what is missing above it. Only one that nobody else can write to is used. */
static int open_folder(const char *path)
{
	char part[4096];
	struct stat status;
	int fd;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(part, 0755);
		*slash = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) == 0 && status.st_uid == geteuid() && !(status.st_mode & 022) &&
	    faccessat(fd, ".", W_OK, AT_EACCESS) == 0)
		return fd;
	close(fd);
	return -EPERM;
}

/* Removes answers of other builds that nobody has needed for long, and what an interrupted write left. */
static void sweep(struct cache *cache)
{
	int copy = openat(cache->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = copy < 0 ? NULL : fdopendir(copy);
	time_t now = time(NULL);
	struct dirent *file;
	struct stat status;
	char ours[20];

	if (!folder) {
		if (copy >= 0)
			close(copy);
		return;
	}
	snprintf(ours, sizeof(ours), "%016llx-", (unsigned long long)cache->hash.low);
	while ((file = readdir(folder))) {
		const char *dot = strchr(file->d_name, '.');

		if (!dot || dot == file->d_name || strncmp(dot, SUFFIX, strlen(SUFFIX)) != 0)
			continue;
		if (!strncmp(file->d_name, ours, strlen(ours)) && !dot[strlen(SUFFIX)])
			continue;
		if (fstatat(cache->folder, file->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    now - status.st_mtime > STALE_SECONDS)
			unlinkat(cache->folder, file->d_name, 0);
	}
	closedir(folder);
}

struct cache *cache__new(const struct module_query *queries, size_t n_queries, const char *folder)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->queries = queries;
	cache->n_queries = n_queries;
	cache->hash = codec__hash(queries, n_queries);
	cache->folder = folder ? open_folder(folder) : -1;
	if (folder && cache->folder < 0)
		log_info("answers about files are kept in memory only: %s cannot be used (%s)", folder,
			 cache->folder == -EPERM ? "it must be ours alone to write" : strerror(-cache->folder));
	if (cache->folder >= 0)
		sweep(cache);
	return cache;
}

void cache__free(struct cache *cache)
{
	struct entry *entry, *next_entry;
	struct none *none, *next_none;

	if (!cache)
		return;
	HASH_ITER (hh, cache->entries, entry, next_entry) {
		HASH_DEL(cache->entries, entry);
		answer__free(entry->answer);
		free(entry);
	}
	HASH_ITER (hh, cache->nones, none, next_none) {
		HASH_DEL(cache->nones, none);
		free(none);
	}
	if (cache->folder >= 0)
		close(cache->folder);
	free(cache);
}

static const struct answer *remember(struct cache *cache, const struct identity *identity, struct answer *answer)
{
	struct entry *entry;

	HASH_FIND(hh, cache->entries, identity, sizeof(*identity), entry);
	if (entry) {
		/* Two requests for one file crossed. The first answer may be in use already. */
		answer__free(answer);
		return entry->answer;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry) {
		answer__free(answer);
		errno = ENOMEM;
		return NULL;
	}
	entry->identity = *identity;
	entry->answer = answer;
	HASH_ADD(hh, cache->entries, identity, sizeof(entry->identity), entry);
	return answer;
}

static void remember_none(struct cache *cache, const struct identity *identity, const struct answer *answer)
{
	struct none_key key = none_key(answer->build_id, answer->build_id_length, identity->size);
	struct none *none;

	if (!answer->build_id_length || answer->failed || answer->n_matches)
		return;
	HASH_FIND(hh, cache->nones, &key, sizeof(key), none);
	if (none)
		return;
	none = calloc(1, sizeof(*none));
	if (!none)
		return; /* it only saves time */
	none->key = key;
	HASH_ADD(hh, cache->nones, key, sizeof(none->key), none);
}

bool cache__is_none(const struct cache *cache, const uint8_t *build_id, size_t length, uint64_t size)
{
	struct none_key key = none_key(build_id, length, size);
	struct none *none;

	if (!length)
		return false;
	HASH_FIND(hh, cache->nones, &key, sizeof(key), none);
	return none;
}

bool cache__knows_none(const struct cache *cache)
{
	return cache->nones;
}

/* Reads all of a cached file that nobody but us could have written. */
static uint8_t *read_whole(int fd, size_t *size)
{
	struct stat status;
	uint8_t *data;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_mode & 022 ||
	    status.st_size < (off_t)sizeof(struct disk_header) || status.st_size > CODEC_MAX)
		return NULL;
	*size = status.st_size;
	data = malloc(*size);
	for (size_t at = 0; data && at < *size;) {
		ssize_t got = read(fd, data + at, *size - at);

		if (got <= 0) {
			free(data);
			return NULL;
		}
		at += got;
	}
	return data;
}

static struct answer *load(const struct cache *cache, const struct identity *identity)
{
	struct answer *answer = NULL;
	struct disk_header header;
	uint8_t *data;
	char name[64];
	size_t size;
	int fd;

	file_name(cache, identity, name, sizeof(name));
	fd = openat(cache->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	data = read_whole(fd, &size);
	close(fd);
	if (!data)
		return NULL;
	memcpy(&header, data, sizeof(header));
	size -= sizeof(header);
	if (header.magic == MAGIC && !memcmp(&header.queries, &cache->hash, sizeof(cache->hash)) &&
	    !memcmp(&header.identity, identity, sizeof(*identity)) && header.size == size &&
	    header.checksum == checksum(data + sizeof(header), size))
		answer = codec__unpack(data + sizeof(header), size, cache->queries, cache->n_queries);
	free(data);
	return answer;
}

/* Under another name first: a reader sees all of it or nothing. */
static void store(const struct cache *cache, const struct identity *identity, const struct answer *answer)
{
	struct disk_header header = { .magic = MAGIC, .queries = cache->hash, .identity = *identity };
	char name[64], part[96];
	uint8_t *data;
	size_t size;
	bool whole;
	int fd;

	if (codec__pack(answer, &data, &size) < 0)
		return;
	header.size = size;
	header.checksum = checksum(data, size);
	file_name(cache, identity, name, sizeof(name));
	snprintf(part, sizeof(part), "%s.%d", name, (int)getpid());
	fd = openat(cache->folder, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		whole = write(fd, &header, sizeof(header)) == sizeof(header) && write(fd, data, size) == (ssize_t)size;
		if (close(fd) < 0 || !whole || renameat(cache->folder, part, cache->folder, name) < 0)
			unlinkat(cache->folder, part, 0);
	}
	free(data);
}

enum cache_source cache__find(struct cache *cache, const struct stat *status, const struct answer **answer)
{
	struct identity identity = identity_of(status);
	struct answer *loaded;
	struct entry *entry;

	HASH_FIND(hh, cache->entries, &identity, sizeof(identity), entry);
	if (entry) {
		*answer = entry->answer;
		return CACHE_MEMORY;
	}
	loaded = cache->folder >= 0 ? load(cache, &identity) : NULL;
	if (!loaded)
		return CACHE_NOWHERE;
	remember_none(cache, &identity, loaded);
	*answer = remember(cache, &identity, loaded);
	return *answer ? CACHE_DISK : CACHE_NOWHERE;
}

const struct answer *cache__put(struct cache *cache, const struct stat *status, struct answer *answer, bool keep)
{
	struct identity identity = identity_of(status);

	remember_none(cache, &identity, answer);
	if (keep && cache->folder >= 0)
		store(cache, &identity, answer);
	return remember(cache, &identity, answer);
}
