/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Expressions: what they parse to is judged by what they give, over made-up memory. */
#include "check.h"
#include "plan_fixture.h"

#include <inttypes.h>

#define UNKNOWN 0xdeadULL /* what value() gives for an unknown value */

/* Puts text as the batch of a call and gives what it is with %di = at(0), %si = 7, %dx = -5, %sp = at(1024). */
static uint64_t value(const char *text)
{
	static struct fixture f;
	char lines[2048];
	uint64_t got = UNKNOWN;

	snprintf(lines, sizeof(lines),
		 "    means: call\n    entry:\n      handle: \"%%di\"\n      batch: |-\n        %s\n", text);
	if (!fixture__read(&f, lines)) {
		printf("  %s\n", f.error.text);
		return UNKNOWN;
	}
	fixture__constant(&f, CONSTANT_ACCESSOR, 0x18);
	fixture__constant(&f, CONSTANT_VTABLE, 0x1000);
	fixture__constant(&f, CONSTANT_SYMBOL, 0x2000);
	f.state.base = 0x555500000000;
	f.state.args[EXPR_DI] = at(0);
	f.state.args[EXPR_SI] = 7;
	f.state.args[EXPR_DX] = (uint64_t)-5;
	f.state.args[EXPR_SP] = at(1024);
	if (fixture__compile(&f)) {
		printf("  %s\n", f.report.error);
	} else {
		fixture__run(&f, &f.hook.entry);
		CHECK_INT(f.state.values[VALUE_HANDLE], at(0));
		if (fixture__known(&f, VALUE_BATCH))
			got = f.state.values[VALUE_BATCH];
	}
	fixture__free(&f);
	return got;
}

static void memory__fill(void)
{
	memset(memory, 0, sizeof(memory));
	put64(0, at(256));
	put64(8, 0xfffffffffffffff0ULL);
	put64(16, 0x8877665544332211ULL);
	put64(24, 99);
	put64(256, 1234);
	put64(264, at(512));
	put64(512 - 8, 55);
	put64(1024 + 8, 31);
	put64(1024 + 16, at(256));
}

static void numbers_and_operators(void)
{
	static const struct {
		const char *text;
		uint64_t want;
	} rows[] = {
		{ "12", 12 },
		{ "0x10", 16 },
		{ "0xffffffffffffffff", UINT64_MAX },
		{ "18446744073709551615", UINT64_MAX },
		{ "0x123456789abcdef0", 0x123456789abcdef0 },
		{ "-1", UINT64_MAX },
		{ "- 1", UINT64_MAX },
		{ "+3", 3 },
		{ "1 + 2 * 3", 7 },
		{ "(1 + 2) * 3", 9 },
		{ "20 / 3", 6 },
		{ "20 % 3", 2 },
		{ "10 - 3 - 2", 5 },
		{ "1 << 4 + 1", 32 },
		{ "0xf0 & 0x3c | 1", 0x31 },
		{ "6 ^ 3 & 1", 7 },
		{ "~0", UINT64_MAX },
		{ "!0", 1 },
		{ "!5", 0 },
		{ "1 < 2", 1 },
		{ "2 <= 1", 0 },
		{ "3 & 1 == 1", 1 }, /* & binds tighter, unlike C */
		{ "1 <= 8 <= 8", 1 },
		{ "1 <= 9 <= 8", 0 },
		{ "1 < 2 && 3 < 2", 0 },
		{ "1 < 2 || 3 < 2", 1 },
		{ "-1 < 1", 1 },		 /* a minus sign makes it signed */
		{ "0xffffffffffffffff < 1", 0 }, /* else not */
		{ "-16 >> 2", (uint64_t)-4 },
		{ "0xfffffffffffffff0 >> 60", 15 },
		{ "200:s8", (uint64_t)-56 },
		{ "0x1ff:u8", 255 },
		{ "0x18000:u16", 0x8000 },
		{ "0xffffffff:s32", UINT64_MAX },
	};

	memory__fill();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t got = value(rows[i].text);

		if (got != rows[i].want)
			printf("  %s\n", rows[i].text);
		CHECK_INT(got, rows[i].want);
	}
}

/* The same operators where nothing is known before the run. */
static void registers_and_memory(void)
{
	static const struct {
		const char *text;
		uint64_t want;
	} rows[] = {
		{ "%si", 7 },
		{ "%si + %si", 14 },
		{ "%dx", (uint64_t)-5 },
		{ "%dx:s32", (uint64_t)-5 },
		{ "%dx:u32", 0xfffffffb },
		{ "%dx:u16", 0xfffb },
		{ "%dx:u8", 0xfb },
		{ "%dx:s16", (uint64_t)-5 },
		{ "%dx < 0", 0 },
		{ "%dx:s64 < 0", 1 },
		{ "%dx:s32 < 0", 1 },
		{ "0 <= %dx:s32 <= 8", 0 },
		{ "0 <= %si:s32 <= 8", 1 },
		{ "%dx:s32 >> 1", (uint64_t)-3 },
		{ "%dx >> 60", 15 },
		{ "-%si", (uint64_t)-7 },
		{ "~%si", (uint64_t)-8 },
		{ "!%si", 0 },
		{ "!(%si == 8)", 1 },
		{ "%si % 4", 3 },
		{ "%si %4", 3 },
		{ "%si & 3 == 3", 1 },
		{ "%si == 7 && %dx == 1 || %si > 6", 1 },
		{ "%si == 7 && (%dx == 1 || %si > 7)", 0 },
		{ "(%si == 7) + (%si != 7) + (%si >= 7)", 2 },
		{ "+0(%di)", 0 + MEMORY_BASE + 256 },
		{ "+0(+0(%di))", 1234 },
		{ "-8(+8(+0(%di)))", 55 },
		{ "+8(%sp)", 31 },
		{ "+0(+16(%sp))", 1234 },
		{ "+8(%di):s32", (uint64_t)-16 },
		{ "+16(%di):u8", 0x11 },
		{ "+17(%di):u16", 0x3322 },
		{ "+20(%di):u32", 0x88776655 },
		{ "+23(%di):s8", (uint64_t)(int64_t)(int8_t)0x88 },
		{ "+22(%di):s16", (uint64_t)(int64_t)(int16_t)0x8877 },
		{ "+(8 * 3)(%di)", 99 },
		{ "+(8 * (%si - 4))(%di)", 99 },
		{ "+0x18(%di)", 99 },
		{ "-(-24)(%di)", 99 },
		{ "+0(%di + 24)", 99 },
		{ "+8(%di) - +8(%di) + 1", 1 },
		{ "+0x100000000(%di)", UNKNOWN },
		{ "+0(8)", UNKNOWN }, /* a fault */
		{ "1 / (%si - 7)", UNKNOWN },
		{ "%si % (%si - 7)", UNKNOWN },
		{ "handle", MEMORY_BASE },
		{ "+24(handle)", 99 },
		{ "+accessor(get_it)(%di)", 99 },
		{ "accessor(get_it) + 1", 0x19 },
		{ "vtable(N3abc1dE)", 0x555500001000 },
		{ "symbol(x) - load_base", 0x2000 },
		{ "load_base", 0x555500000000 },
		{ "known(vtable(N3abc1dE))", 1 },
	};

	memory__fill();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t got = value(rows[i].text);

		if (got != rows[i].want)
			printf("  %s\n", rows[i].text);
		CHECK_INT(got, rows[i].want);
	}
}

static void strings(void)
{
	static const struct {
		const char *text;
		uint64_t want;
	} rows[] = {
		{ "length(cxx11_string(%di))", 5 },
		{ "length(cxx11_string(%di + 32))", 24 },
		{ "length(cxx11_string(%di + 64))", 0 },
		{ "length(cow_string(%di + 96))", 14 },
		{ "length(c_string(%di + 512))", 24 },
		{ "length(bytes(%di, %si))", 7 },
		{ "like(cxx11_string(%di), 'short')", 1 },
		{ "like(cxx11_string(%di), 'shor')", 0 },
		{ "like(cxx11_string(%di), 'shorts')", 0 },
		{ "like(cxx11_string(%di), 'sh*')", 1 },
		{ "like(cxx11_string(%di), '*rt')", 1 },
		{ "like(cxx11_string(%di), '*shorter')", 0 },
		{ "like(cxx11_string(%di), '*')", 1 },
		{ "like(cxx11_string(%di), '*o*')", 1 },
		{ "like(cxx11_string(%di), '*z*')", 0 },
		{ "like(cxx11_string(%di + 32), '*.onnx')", 1 },
		{ "like(cxx11_string(%di + 32), '*/*')", 1 },
		{ "like(cxx11_string(%di + 32), '/models/a_long_*')", 1 },
		{ "like(cxx11_string(%di + 32), '/models/b*')", 0 },
		{ "like(cow_string(%di + 96), '*\"*')", 0 },
		{ "like(cow_string(%di + 96), 'copy on write!')", 1 },
		{ "like(c_string(%di + 512), '/models/*')", 1 },
		{ "like(c_string(%di + 512), '*.onnx')", 1 },
		{ "like(c_string(%di + 512), '*l*')", 1 },
		{ "!like(c_string(%di + 512), '*Q*')", 1 },
		{ "cxx11_string(%di) && 1", 1 },
		/* Not strings: the value is unknown, whatever is asked of it. */
		{ "length(cxx11_string(%di + 128))", UNKNOWN }, /* short, but longer than fits */
		{ "length(cxx11_string(%di + 160))", UNKNOWN }, /* capacity less than length */
		{ "length(cxx11_string(%di + 192))", UNKNOWN }, /* no NUL behind it */
		{ "length(cxx11_string(%di + 224))", UNKNOWN }, /* huge capacity */
		{ "length(cow_string(%di))", UNKNOWN },
		{ "!like(cxx11_string(%di + 128), 'x')", UNKNOWN },
		{ "cxx11_string(%di + 128) || 1", UNKNOWN },
	};

	memset(memory, 0, sizeof(memory));
	put_cxx11(0, "short", 0);
	put_cxx11(32, "/models/a_long_name.onnx", 512);
	put_cxx11(64, "", 0);
	put_cow(96, "copy on write!", 768);
	put64(128, at(144));
	put64(136, 16);
	put64(160, at(512));
	put64(168, 24);
	put64(176, 23);
	put64(192, at(512));
	put64(200, 23);
	put64(208, 30);
	put64(224, at(512));
	put64(232, 24);
	put64(240, 65536);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t got = value(rows[i].text);

		if (got != rows[i].want)
			printf("  %s\n", rows[i].text);
		CHECK_INT(got, rows[i].want);
	}
}

static void mistakes(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "%foo", "unknown register '%foo'" },
		{ "%rdi", "unknown register '%rdi'; it is called '%di' here" },
		{ "%edi", "it is called '%di' here, with ':u32' or ':s32' behind it" },
		{ "%dii", "did you mean '%di'" },
		{ "%", "expected a register" },
		{ "1 +", "expected a value (%di, +8(%sp), 12, a name), not the end" },
		{ "8(%sp)", "a dereference begins with its sign: +8(…)" },
		{ "+8(%sp", "to close the address" },
		{ "(1", "to close '('" },
		{ "1)", "expected an operator or the end, not ')'" },
		{ "%di:s31", "unknown width ':s31'; did you mean ':s32'?" },
		{ "1 = 1", "expected '==' (a comparison), not '='" },
		{ "12x", "expected a number" },
		{ "99999999999999999999", "this number does not fit in 64 bits" },
		{ "rows", "unknown name 'rows'" },
		{ "handel", "unknown name 'handel'; did you mean 'handle'?" },
		{ "acessor(x)", "unknown function 'acessor'; did you mean 'accessor'?" },
		{ "accessor()", "expected a symbol's name, not ')'" },
		{ "known(1)", "known(…) takes vtable(…), accessor(…) or symbol(…)" },
		{ "length(1)", "length(…) takes a string" },
		{ "like(c_string(1), x)", "expected a pattern in quotes" },
		{ "like(c_string(1), 'a*b')", "patterns are" },
		{ "like(c_string(1), '*ab*')", "patterns are" },
		{ "like(c_string(1), 'a", "this quote is never closed" },
		{ "c_string(%di)", "a string where a number is expected" },
		{ "1 + c_string(%di)", "a string where a number is expected" },
		{ "c_string(c_string(%di))", "a string where a number is expected" },
		{ "entry(%di)", "entry(…) is for what is read at exit" },
		{ "bytes(%di)", "expected ',' and a length" },
		{ "~", "expected a value" },
		{ "1 2", "expected an operator or the end, not '2'" },
		{ "1 < 1 < 1 < 1 < 1 < 1 < 1 < 1 < 1 < 1", "more than 8 comparisons in a chain" },
		{ "((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))",
		  "nested more than" },
	};
	struct fixture *f = calloc(1, sizeof(*f));
	char lines[2048];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = rows[i].text;
		/* In double quotes, where YAML allows it, so that columns are exact. */
		const char *quote = strchr(text, '"') ? "'" : "\"";

		snprintf(lines, sizeof(lines), "    means: call\n    entry: {handle: \"%%di\",\n      batch: %s%s%s}\n",
			 quote, text, quote);
		CHECK(!fixture__read(f, lines));
		if (!strstr(f->error.text, rows[i].want)) {
			printf("  %s → %s\n", text, f->error.text);
			CHECK(strstr(f->error.text, rows[i].want));
		}
		fixture__free(f);
	}
	/* A place is exact: line 8, column 15 behind `      batch: "`. */
	CHECK(!fixture__read(f, "    means: call\n    entry: {handle: \"%di\",\n      batch: \"1 + %foo\"}\n"));
	CHECK(strncmp(f->error.text, "test.yaml:8:19: unknown register", 32) == 0);
	CHECK(!fixture__read(f, "    means: call\n    entry:\n      handle: \"%di\"\n      batch: +8(%spp)\n"));
	CHECK(strncmp(f->error.text, "test.yaml:9:17: unknown register '%spp'; did you mean '%sp'?", 60) == 0);
	/* Text that spans lines has no exact columns, so it is quoted. */
	CHECK(!fixture__read(f,
			     "    means: call\n    entry:\n      handle: \"%di\"\n      batch: |-\n        1 + 2 )\n"));
	CHECK(strstr(f->error.text, "test.yaml:9:14: ") && strstr(f->error.text, "(before \")\")"));
	free(f);
}

/* As many values at once as there are registers, and one more. */
static void too_complex(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char text[4096] = "    means: call\n    entry:\n      handle: \"%di\"\n      batch: ";

	for (int i = 0; i < 17; i++)
		strcat(text, i ? "(%si + 1) * (" : "(");
	strcat(text, "%si");
	for (int i = 0; i < 17; i++)
		strcat(text, ")");
	strcat(text, "\n");
	CHECK(!fixture__read(f, text));
	CHECK(strstr(f->error.text, "test.yaml:9:") && strstr(f->error.text, "too complex: more than 15 values"));

	strcpy(text, "    means: call\n    entry:\n      handle: \"%di\"\n      batch: 1");
	for (int i = 0; i < 260; i++)
		strcat(text, i == 130 ? "\n      tokens: 1" : "+%si:s8");
	strcat(text, "\n");
	CHECK(!fixture__read(f, text));
	CHECK(strstr(f->error.text, "too complex: this hook needs more than 512 operations"));
	free(f);
}

int main(void)
{
	RUN(numbers_and_operators);
	RUN(registers_and_memory);
	RUN(strings);
	RUN(mistakes);
	RUN(too_complex);
	return check__report();
}
