/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The bounded part of tests/fuzz/adapter_fuzz.c: the embedded adapters with pieces dropped, changed, moved, doubled, and
 * with words of the format put in between. Run under a sanitizer it proves most. INFERMETER_FUZZ_ROUNDS: more of it.
 */
#include "../fuzz/adapter_fuzz.c"

#include "adapters.h"
#include "check.h"

#define TEXT_MAX 65536
enum { ROUNDS = 1500 }; /* for each adapter */

static size_t mutate(char *text, size_t n)
{
	static const char *const tokens[] = { "*a",    "&a ",	 "each: ",	"{",	   "}",
					      "[",     "]",	 "\"",		"%",	   "+0(",
					      ")",     "entry(", "when: ",	"value: ", "99999999999999999999",
					      "like(", "'*a*'",	 "cxx_string(", "- ",	   "\n",
					      "  ",    ":s32",	 "known(",	"let: ",   "? ",
					      "!!",    "|-\n",	 "handle",	"0",	   "\xc3\xa9",
					      "\xff",  "",	 "limit: 512, " };
	const char *token = tokens[random_below(sizeof(tokens) / sizeof(tokens[0]))];
	size_t where, length, other;

	if (n == 0)
		return 0;
	where = random_below((uint32_t)n);
	length = 1 + random_below(random_below(4) ? 4 : 64);
	if (length > n - where)
		length = n - where;
	switch (random_below(5)) {
	case 0: /* drop */
		memmove(text + where, text + where + length, n - where - length);
		return n - length;
	case 1: /* change a byte */
		text[where] = (char)random_below(256);
		return n;
	case 2: /* a piece of another place */
		other = random_below((uint32_t)(n - length + 1));
		memmove(text + where, text + other, length);
		return n;
	case 3: /* a piece again */
		if (n + length > TEXT_MAX)
			return n;
		memmove(text + where + length, text + where, n - where);
		return n + length;
	default: /* a token */
		length = strlen(token);
		if (n + length > TEXT_MAX)
			return n;
		memmove(text + where + length, text + where, n - where);
		memcpy(text + where, token, length);
		return n + length;
	}
}

static void damaged_adapters(void)
{
	static char text[TEXT_MAX];
	const char *more = getenv("INFERMETER_FUZZ_ROUNDS");
	unsigned long rounds = more ? strtoul(more, NULL, 10) : ROUNDS;

	for (size_t i = 0; embedded_adapters[i].name; i++) {
		size_t n = strlen(embedded_adapters[i].text);

		CHECK(n > 0 && n < TEXT_MAX);
		for (unsigned long round = 0; round < rounds && n < TEXT_MAX; round++) {
			size_t length = n;

			memcpy(text, embedded_adapters[i].text, n);
			for (uint32_t k = round ? 1 + random_below(6) : 0; k > 0; k--)
				length = mutate(text, length);
			LLVMFuzzerTestOneInput((const uint8_t *)text, length);
		}
	}
}

static void random_bytes(void)
{
	uint8_t bytes[512];

	for (int round = 0; round < ROUNDS; round++) {
		size_t n = random_below(sizeof(bytes));

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(random_below(3) ? 32 + random_below(95) : random_below(256));
		LLVMFuzzerTestOneInput(bytes, n);
	}
}

int main(void)
{
	RUN(damaged_adapters);
	RUN(random_bytes);
	return check__report();
}
