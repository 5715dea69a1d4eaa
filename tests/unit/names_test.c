/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/names.h"

#include "check.h"
#include "records.h"

static const char *label(const char *name)
{
	static char made[NAMES_LABEL_MAX + 1];

	names__label(name, strlen(name), made);
	return made;
}

static void names_of_models(void)
{
	CHECK_STR(label("/models/bert/model.onnx"), "model.onnx");
	CHECK_STR(label("model.onnx"), "model.onnx");
	CHECK_STR(label("./a b.gguf"), "a b.gguf");
	CHECK_STR(label("/models/resnet///"), "resnet");
	CHECK_STR(label("meta-llama/Llama-3-8B"), "Llama-3-8B");
	CHECK_STR(label("/"), "/");
	CHECK_STR(label("//"), "/");
	CHECK_STR(label(""), NAMES_UNKNOWN);
	CHECK_STR(label("torch_jit"), "torch_jit");
}

static void texts_become_valid(void)
{
	CHECK_STR(label("mod\xc3\xa8le.onnx"), "mod\xc3\xa8le.onnx");
	CHECK_STR(label("\xe6\xa8\xa1\xe5\x9e\x8b"), "\xe6\xa8\xa1\xe5\x9e\x8b");
	CHECK_STR(label("\xf0\x9f\x90\xab"), "\xf0\x9f\x90\xab");
	CHECK_STR(label("a\xffz"), "a_z");
	CHECK_STR(label("a\xc3"), "a_");	      /* cut off */
	CHECK_STR(label("\xc0\xaf"), "__");	      /* over-long '/' */
	CHECK_STR(label("\xe0\x80\xaf"), "___");      /* over-long */
	CHECK_STR(label("\xed\xa0\x80"), "___");      /* a surrogate */
	CHECK_STR(label("\xf4\x90\x80\x80"), "____"); /* above U+10FFFF */
	CHECK_STR(label("\xc2\x85x"), "__x");	      /* a C1 control */
	CHECK_STR(label("a\nb\tc\x7f\x1b"), "a_b_c__");
}

static void long_names_lose_their_middle_between_characters(void)
{
	char name[400], other[400], made[NAMES_LABEL_MAX + 1], made_other[NAMES_LABEL_MAX + 1];

	memset(name, 'a', sizeof(name));
	memcpy(other, name, sizeof(name));
	memcpy(name + 390, "-q4_0.gguf", 10);
	memcpy(other + 390, "-q8_0.gguf", 10);
	CHECK_INT(names__label(name, sizeof(name), made), NAMES_LABEL_MAX - 1);
	CHECK_INT(strlen(made), NAMES_LABEL_MAX - 1);
	CHECK_STR(made + strlen(made) - 10, "-q4_0.gguf");
	CHECK(strncmp(made, "aaaaaaaaaa", 10) == 0);
	names__label(other, sizeof(other), made_other);
	CHECK(strcmp(made, made_other) != 0);
	CHECK_INT(names__label(name, NAMES_LABEL_MAX, made), NAMES_LABEL_MAX);
	for (size_t i = 0; i + 3 <= sizeof(name); i += 3)
		memcpy(name + i, "\xe6\xa8\xa1", 3);
	CHECK_INT(names__label(name, 399, made), 126);
	CHECK_INT(strlen(made), 126);
}

static void any_bytes(void)
{
	char name[200], made[NAMES_LABEL_MAX + 1], again[NAMES_LABEL_MAX + 1];
	uint64_t seed = 3;

	for (int round = 0; round < 20000; round++) {
		const size_t length = random_next(&seed) % sizeof(name);
		size_t n;

		for (size_t i = 0; i < length; i++)
			name[i] = (char)(random_next(&seed) >> 13);
		n = names__sanitise(name, length, made);
		CHECK(n <= NAMES_LABEL_MAX && strlen(made) == n);
		CHECK(names__sanitise(made, n, again) == n && strcmp(made, again) == 0); /* valid already */
	}
}

int main(void)
{
	RUN(names_of_models);
	RUN(texts_become_valid);
	RUN(long_names_lose_their_middle_between_characters);
	RUN(any_bytes);
	return check__report();
}
