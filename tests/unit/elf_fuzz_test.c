/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The bounded part of tests/fuzz/elf_fuzz.c: compiled files with bytes flipped, numbers made extreme and tails cut off, above all in the
 * headers and tables that lead to everything else. Nothing may crash, hang or be read outside of the file. Run under a
 * sanitizer it proves most. INFERMETER_FUZZ_ROUNDS: more of it.
 */
#include "../fuzz/elf_fuzz.c"

#include <elf.h>

#include "check.h"
#include "fixture.h"

enum { ROUNDS = 400 }; /* for each file */

static uint64_t state = 88172645463325252ull;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(8 << 20);

	*size = file && bytes ? fread(bytes, 1, 8 << 20, file) : 0;
	if (file)
		fclose(file);
	return bytes;
}

/* A place that matters: a header, a section's table entry, the inside of a small section, or anywhere. */
static size_t place(const uint8_t *bytes, size_t size)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
	Elf64_Shdr section;
	size_t at;

	switch (next_random() % 8) {
	case 0:
		return next_random() % sizeof(*header);
	case 1:
	case 2:
		return header->e_phoff + next_random() % (header->e_phnum * sizeof(Elf64_Phdr));
	case 3:
		return header->e_shoff + next_random() % (header->e_shnum * sizeof(Elf64_Shdr));
	case 4:
	case 5:
	case 6:
		at = header->e_shoff + next_random() % header->e_shnum * sizeof(section);
		if (at + sizeof(section) > size)
			break;
		memcpy(&section, bytes + at, sizeof(section));
		if (section.sh_type == SHT_NOBITS || !section.sh_size)
			break;
		/* The beginnings of tables say most. */
		return section.sh_offset + next_random() % (next_random() % 2 ? section.sh_size : 64);
	}
	return next_random() % size;
}

static void damage(uint8_t *bytes, size_t size, const uint8_t *good)
{
	static const uint64_t extremes[] = { 0,
					     1,
					     0x7f,
					     0xff,
					     0xffff,
					     0x7fffffff,
					     0x80000000,
					     0xffffffff,
					     0x7fffffffffffffff,
					     0x8000000000000000,
					     0xfffffffffffffff8,
					     0xffffffffffffffff };
	int n = 1 + next_random() % 4;

	while (n--) {
		size_t at = place(good, size), width = 1u << next_random() % 4;
		uint64_t value = next_random() % 2 ? extremes[next_random() % COUNT(extremes)] : next_random();

		if (next_random() % 3 == 0) {
			value = at < size ? bytes[at] ^ 1u << next_random() % 8 : 0;
			width = 1;
		}
		if (at + width <= size)
			memcpy(bytes + at, &value, width);
	}
}

static void fuzz(const char *name)
{
	const char *more = getenv("INFERMETER_FUZZ_ROUNDS");
	int rounds = more ? atoi(more) : ROUNDS;
	uint64_t began_ns, took_ns, slowest_ns = 0;
	size_t size;
	uint8_t *good = read_file(fixture__path(name), &size), *bad = malloc(size + 1);

	CHECK(size > sizeof(Elf64_Ehdr) && bad);
	if (check_errors)
		return;
	LLVMFuzzerTestOneInput(good, size);
	for (int i = 0; i < rounds; i++) {
		memcpy(bad, good, size);
		damage(bad, size, good);
		began_ns = loop__now_ns();
		LLVMFuzzerTestOneInput(bad, next_random() % 8 ? size : next_random() % size);
		took_ns = loop__now_ns() - began_ns;
		slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
	}
	printf("  %s: slowest of %d took %.1f ms\n", name, rounds, (double)slowest_ns / 1e6);
	CHECK(slowest_ns < 5000000000ull);
	free(good);
	free(bad);
}

static void library(void)
{
	fuzz("gcc-O2.so");
}

static void old_hash(void)
{
	fuzz("gcc-hash.so");
}

static void packed_relocations(void)
{
	fuzz("clang-relr.so");
}

static void fixed_program(void)
{
	fuzz("fixed");
}

static void independent_program(void)
{
	fuzz("pie");
}

/* Packed answers with bytes changed: refused or read, never more than that. */
static void answers(void)
{
	int fd = open(fixture__path("gcc-O2.so"), O_RDONLY | O_CLOEXEC);
	struct answer *answer = resolve__file(fd, "x", queries, 1);
	uint8_t *packed = NULL, *bad;
	size_t size = 0;

	close(fd);
	CHECK(answer && codec__pack(answer, &packed, &size) == 0);
	bad = malloc(size);
	if (check_errors || !bad)
		return;
	for (int i = 0; i < 20000; i++) {
		memcpy(bad, packed, size);
		for (int n = 1 + next_random() % 3; n; n--)
			bad[next_random() % (next_random() % 2 ? size : 64)] = next_random();
		answer__free(codec__unpack(bad, next_random() % 4 ? size : next_random() % size, queries, 1));
	}
	answer__free(answer);
	free(packed);
	free(bad);
}

int main(void)
{
	RUN(library);
	RUN(old_hash);
	RUN(packed_relocations);
	RUN(fixed_program);
	RUN(independent_program);
	RUN(answers);
	return check__report();
}
