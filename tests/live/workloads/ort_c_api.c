// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * ONNX Runtime's C API, called by index into its table (the table only grows, so that an index is a promise):
 *
 *   ort_c_api LIBRARY MODEL CALLS FAILURES [wait]
 *
 * calls Run CALLS times with batches 1, 2, 4, 8 in turn and as often with an IoBinding, then FAILURES times with a wrong
 * rank. The last line of the output is JSON, as that of ort_calls.py. Inputs are named x, outputs y.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	GetErrorMessage = 2,
	CreateEnv = 3,
	CreateSession = 7,
	Run = 9,
	CreateSessionOptions = 10,
	SetIntraOpNumThreads = 24,
	CreateTensorWithDataAsOrtValue = 49,
	CreateCpuMemoryInfo = 69,
	ReleaseStatus = 93,
	ReleaseEnv = 92,
	ReleaseMemoryInfo = 94,
	ReleaseSession = 95,
	ReleaseValue = 96,
	ReleaseSessionOptions = 100,
	RunWithBinding = 133,
	CreateIoBinding = 134,
	ReleaseIoBinding = 135,
	BindInput = 136,
	BindOutputToDevice = 138,
};

struct api_base {
	const void *const *(*get_api)(uint32_t version);
	const char *(*get_version)(void);
};

typedef void *(*fn)();

static const void *const *table;

#define CALL(index) ((fn)table[index])

static void check(void *status, const char *what)
{
	if (!status)
		return;
	fprintf(stderr, "%s: %s\n", what, (const char *)CALL(GetErrorMessage)(status));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
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

int main(int argc, char **argv)
{
	static const char *const inputs[] = { "x" }, *const outputs[] = { "y" };
	static float data[64 * 1024];
	int64_t width = argc > 5 ? atoi(argv[5]) : 16, batches[4] = { 0 };
	void *env, *options, *session, *memory, *value, *binding, *status;
	int calls, failures, wait, scale, n_failed = 0;
	struct api_base *(*get_base)(void);
	double seconds = 0;
	void *library;

	if (argc < 5) {
		fprintf(stderr, "usage: ort_c_api LIBRARY MODEL CALLS FAILURES [WIDTH [wait [SCALE]]]\n");
		return 2;
	}
	calls = atoi(argv[3]);
	failures = atoi(argv[4]);
	wait = argc > 6;
	scale = argc > 7 ? atoi(argv[7]) : 1;
	library = dlopen(argv[1], RTLD_NOW);
	get_base = library ? (struct api_base * (*)(void)) dlsym(library, "OrtGetApiBase") : NULL;
	if (!get_base) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	say_and_wait("before-load", wait);
	table = get_base()->get_api(16);
	check(CALL(CreateEnv)(3, "test", &env), "CreateEnv");
	check(CALL(CreateSessionOptions)(&options), "CreateSessionOptions");
	check(CALL(SetIntraOpNumThreads)(options, 1), "SetIntraOpNumThreads");
	check(CALL(CreateSession)(env, argv[2], options, &session), "CreateSession");
	check(CALL(CreateCpuMemoryInfo)(0, 0, &memory), "CreateCpuMemoryInfo");
	for (size_t i = 0; i < sizeof(data) / sizeof(*data); i++)
		data[i] = (float)(i % 13) / 13;
	say_and_wait("loaded", wait);
	for (int i = 0; i < 2 * calls; i++) {
		int64_t batch = (int64_t)scale << (i / 2 % 4), shape[2] = { batch, width };
		void *output = NULL;
		double began;

		check(CALL(CreateTensorWithDataAsOrtValue)(memory, data, (size_t)(batch * width) * sizeof(float), shape,
							   (size_t)2, 1, &value),
		      "CreateTensor");
		if (i % 2 == 0) {
			began = now();
			status = CALL(Run)(session, NULL, inputs, &value, (size_t)1, outputs, (size_t)1, &output);
			seconds += now() - began;
			check(status, "Run");
			CALL(ReleaseValue)(output);
		} else {
			check(CALL(CreateIoBinding)(session, &binding), "CreateIoBinding");
			check(CALL(BindInput)(binding, "x", value), "BindInput");
			check(CALL(BindOutputToDevice)(binding, "y", memory), "BindOutputToDevice");
			began = now();
			status = CALL(RunWithBinding)(session, NULL, binding);
			seconds += now() - began;
			check(status, "RunWithBinding");
			CALL(ReleaseIoBinding)(binding);
		}
		CALL(ReleaseValue)(value);
		batches[i / 2 % 4]++;
	}
	for (int i = 0; i < failures; i++) {
		int64_t shape[3] = { 1, 1, width };
		void *output = NULL;

		check(CALL(CreateTensorWithDataAsOrtValue)(memory, data, (size_t)width * sizeof(float), shape,
							   (size_t)3, 1, &value),
		      "CreateTensor");
		status = CALL(Run)(session, NULL, inputs, &value, (size_t)1, outputs, (size_t)1, &output);
		if (!status) {
			fprintf(stderr, "a wrong rank was accepted\n");
			return 1;
		}
		n_failed++;
		CALL(ReleaseStatus)(status);
		CALL(ReleaseValue)(value);
	}
	CALL(ReleaseMemoryInfo)(memory);
	CALL(ReleaseSession)(session);
	CALL(ReleaseSessionOptions)(options);
	CALL(ReleaseEnv)(env);
	say_and_wait("done", wait);
	printf("{\"runtime\": \"%s\", \"models\": {\"%s\": {\"calls\": %d, \"failures\": %d, \"seconds\": %.9f, "
	       "\"batches\": {",
	       get_base()->get_version(), strrchr(argv[2], '/') ? strrchr(argv[2], '/') + 1 : argv[2], 2 * calls,
	       n_failed, seconds);
	for (int i = 0, first = 1; i < 4; i++)
		if (batches[i]) {
			printf("%s\"%d\": %lld", first ? "" : ", ", scale << i, (long long)batches[i]);
			first = 0;
		}
	printf("}}}}\n");
	return 0;
}
