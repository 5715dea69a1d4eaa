// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * llama.cpp's library, opened as it is, without its headers:
 *
 *   llama_c FOLDER MODEL DECODES THREADS [wait]
 *
 * FOLDER holds libllama*.so and the CPU backends. MODEL may be several paths with commas between: the threads take them in
 * turn. Each of THREADS threads has a context of its own; it decodes DECODES batches
 * of 1, 2 and 4 sequences in turn, 3 tokens a sequence, then provokes 2 refused batches (an invalid token) and fills the
 * context until one finds no room. The last line of the output is JSON, as that of ort_calls.py; a batch is its tokens.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONTEXT 256
#define ROWS	3
#define CHUNK	200

/* Passed by value in memory: the library reads as much of it as it knows, so that too large does no harm. */
struct params {
	union {
		uint32_t u32[256];
		char bytes[1024];
	};
};

struct batch {
	int32_t n_tokens;
	int32_t *token;
	float *embd;
	int32_t *pos, *n_seq_id, **seq_id;
	int8_t *logits;
};

static struct {
	void (*backend_init)(void);
	void (*log_set)(void (*)(int, const char *, void *), void *);
	struct params (*model_default_params)(void);
	struct params (*context_default_params)(void);
	void *(*model_load_from_file)(const char *, struct params);
	void *(*init_from_model)(void *, struct params);
	int32_t (*decode)(void *, struct batch);
	struct batch (*batch_init)(int32_t, int32_t, int32_t);
	void (*batch_free)(struct batch);
	float *(*get_logits_ith)(void *, int32_t);
	void *(*get_memory)(void *);
	void (*memory_clear)(void *, _Bool);
	void (*free)(void *);
	void (*model_free)(void *);
} llama;

static int n_decodes;
struct counts {
	void *model;
	int calls, tokens, failures, ignored, rows[CONTEXT + 1];
	double seconds;
};

static void quiet(int level, const char *text, void *user)
{
	(void)level, (void)text, (void)user;
}

static void *need(void *library, const char *name)
{
	void *at = dlsym(library, name);

	if (!at) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return at;
}

static void open_library(const char *folder)
{
	void (*load_all)(const char *), *library = NULL;
	struct dirent *entry;
	char path[4096];
	DIR *dir = opendir(folder);

	while (dir && !library && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "libllama.", 9) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
		if (!library)
			fprintf(stderr, "%s\n", dlerror());
	}
	if (!library) {
		fprintf(stderr, "no libllama in %s\n", folder);
		exit(1);
	}
	closedir(dir);
#define NEED(name) *(void **)&llama.name = need(library, "llama_" #name)
	NEED(backend_init);
	NEED(log_set);
	NEED(model_default_params);
	NEED(context_default_params);
	NEED(model_load_from_file);
	NEED(init_from_model);
	NEED(decode);
	NEED(batch_init);
	NEED(batch_free);
	NEED(get_logits_ith);
	NEED(get_memory);
	NEED(memory_clear);
	NEED(free);
	NEED(model_free);
	llama.log_set(quiet, NULL);
	*(void **)&load_all = dlsym(RTLD_DEFAULT, "ggml_backend_load_all_from_path");
	if (load_all)
		load_all(folder);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void fill(struct batch *batch, int sequences, int rows, int position, int token)
{
	batch->n_tokens = 0;
	for (int s = 0; s < sequences; s++)
		for (int r = 0; r < rows; r++) {
			int i = batch->n_tokens++;

			batch->token[i] = token >= 0 ? token + r : token;
			batch->pos[i] = position + r;
			batch->n_seq_id[i] = 1;
			batch->seq_id[i][0] = s;
			batch->logits[i] = r == rows - 1;
		}
}

static void *work(void *arg)
{
	struct counts *counts = arg;
	struct params params = llama.context_default_params();
	struct batch batch = llama.batch_init(CONTEXT, 0, 4);
	void *context;
	int result;

	/* n_ctx, n_batch, n_ubatch, n_seq_max, some that versions differ in, n_threads, n_threads_batch */
	params.u32[0] = CONTEXT;
	params.u32[1] = params.u32[2] = CONTEXT;
	params.u32[3] = 4;
	for (int i = 4; i < 10; i++)
		if (params.u32[i] == 4 && params.u32[i + 1] == 4) { /* the default */
			params.u32[i] = params.u32[i + 1] = 1;
			break;
		}
	context = llama.init_from_model(counts->model, params);
	if (!context) {
		fprintf(stderr, "no context\n");
		exit(1);
	}
	for (int i = 0; i < n_decodes; i++) {
		int sequences = 1 << (i % 3);
		double began;

		llama.memory_clear(llama.get_memory(context), 1);
		fill(&batch, sequences, ROWS, 0, 5 + i % 50);
		began = now();
		result = llama.decode(context, batch);
		counts->seconds += now() - began;
		if (result != 0 || !llama.get_logits_ith(context, -1)) {
			fprintf(stderr, "llama_decode: %d\n", result);
			exit(1);
		}
		counts->calls++;
		counts->tokens += batch.n_tokens;
		counts->rows[batch.n_tokens]++;
	}
	for (int i = 0; i < 2; i++) {
		fill(&batch, 1, 1, 0, -7);
		result = llama.decode(context, batch);
		if (result != -1) {
			fprintf(stderr, "an invalid token gave %d\n", result);
			exit(1);
		}
		counts->failures++;
	}
	llama.memory_clear(llama.get_memory(context), 1);
	for (int i = 0;; i++) {
		fill(&batch, 1, CHUNK, i * CHUNK, 3);
		for (int t = 0; t < CHUNK; t++)
			batch.token[t] = 3;
		result = llama.decode(context, batch);
		if (result)
			break;
		counts->calls++;
		counts->tokens += CHUNK;
		counts->rows[CHUNK]++;
		if (i > 100) {
			fprintf(stderr, "the context never fills\n");
			exit(1);
		}
	}
	if (result != 1) {
		fprintf(stderr, "a batch without room gave %d\n", result);
		exit(1);
	}
	counts->ignored++;
	llama.batch_free(batch);
	llama.free(context);
	return NULL;
}

static void say_and_wait(const char *word, int wait)
{
	char line[64];

	if (!wait)
		return;
	puts(word);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
}

static void print_counts(const char *path, const struct counts *sum)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	int first = 1;

	printf("\"%s\": {\"calls\": %d, \"failures\": %d, \"ignored\": %d, \"tokens\": %d, \"seconds\": %.9f, "
	       "\"batches\": {",
	       name, sum->calls, sum->failures, sum->ignored, sum->tokens, sum->seconds);
	for (int rows = 0; rows <= CONTEXT; rows++)
		if (sum->rows[rows]) {
			printf("%s\"%d\": %d", first ? "" : ", ", rows, sum->rows[rows]);
			first = 0;
		}
	printf("}}");
}

int main(int argc, char **argv)
{
	static struct counts counts[16], sums[4];
	pthread_t threads[16];
	void *models[4];
	char *paths[4];
	int n_threads, n_models = 0, wait;

	if (argc < 5) {
		fprintf(stderr, "usage: llama_c FOLDER MODEL[,MODEL...] DECODES THREADS [wait]\n");
		return 2;
	}
	n_decodes = atoi(argv[3]);
	n_threads = atoi(argv[4]) > 16 ? 16 : atoi(argv[4]);
	wait = argc > 5;
	open_library(argv[1]);
	say_and_wait("before-load", wait);
	llama.backend_init();
	if (llama.model_load_from_file("/nonexistent.gguf", llama.model_default_params())) {
		fprintf(stderr, "a missing file was loaded\n");
		return 1;
	}
	for (char *path = strtok(argv[2], ","); path && n_models < 4; path = strtok(NULL, ",")) {
		paths[n_models] = path;
		models[n_models] = llama.model_load_from_file(path, llama.model_default_params());
		if (!models[n_models++]) {
			fprintf(stderr, "cannot load %s\n", path);
			return 1;
		}
	}
	say_and_wait("loaded", wait);
	for (int i = 0; i < n_threads; i++) {
		counts[i].model = models[i % n_models];
		if (pthread_create(&threads[i], NULL, work, &counts[i]) != 0)
			return 1;
	}
	for (int i = 0; i < n_threads; i++) {
		struct counts *sum = &sums[i % n_models];

		pthread_join(threads[i], NULL);
		sum->calls += counts[i].calls;
		sum->tokens += counts[i].tokens;
		sum->ignored += counts[i].ignored;
		sum->seconds += counts[i].seconds;
		sum->failures += counts[i].failures;
		for (int rows = 0; rows <= CONTEXT; rows++)
			sum->rows[rows] += counts[i].rows[rows];
	}
	say_and_wait("done", wait);
	printf("{\"models\": {");
	for (int m = 0; m < n_models; m++) {
		llama.model_free(models[m]);
		printf("%s", m ? ", " : "");
		print_counts(paths[m], &sums[m]);
	}
	printf("}}\n");
	return 0;
}
