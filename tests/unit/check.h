/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The smallest test frame: a test file is a program that calls TEST(name) { … } bodies through RUN and ends with
 * `return check__report();`. Prints "ok NAME", "FAIL NAME" with each failed line, and "skip NAME: why".
 */
#ifndef INFERMETER_CHECK_H
#define INFERMETER_CHECK_H

#include <stdio.h>
#include <string.h>

static int check_passed, check_failed, check_skipped, check_errors;
static const char *check_skip_why;

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			printf("  %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                               \
			check_errors++;                                                                                \
		}                                                                                                      \
	} while (0)

#define CHECK_INT(got, want)                                                                                           \
	do {                                                                                                           \
		long long got_ = (long long)(got), want_ = (long long)(want);                                          \
		if (got_ != want_) {                                                                                   \
			printf("  %s:%d: %s is %lld (%#llx), not %lld (%#llx)\n", __FILE__, __LINE__, #got, got_,      \
			       (unsigned long long)got_, want_, (unsigned long long)want_);                            \
			check_errors++;                                                                                \
		}                                                                                                      \
	} while (0)

#define CHECK_STR(got, want)                                                                                           \
	do {                                                                                                           \
		const char *got_ = (got), *want_ = (want);                                                             \
		if (!got_ || strcmp(got_, want_) != 0) {                                                               \
			printf("  %s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got,                        \
			       got_ ? got_ : "(null)", want_);                                                         \
			check_errors++;                                                                                \
		}                                                                                                      \
	} while (0)

/* Ends the running test as skipped. */
#define SKIP(why)                                                                                                      \
	do {                                                                                                           \
		check_skip_why = (why);                                                                                \
		return;                                                                                                \
	} while (0)

#define RUN(test)                                                                                                      \
	do {                                                                                                           \
		check_errors = 0;                                                                                      \
		check_skip_why = NULL;                                                                                 \
		test();                                                                                                \
		if (check_errors) {                                                                                    \
			printf("FAIL %s\n", #test);                                                                    \
			check_failed++;                                                                                \
		} else if (check_skip_why) {                                                                           \
			printf("skip %s: %s\n", #test, check_skip_why);                                                \
			check_skipped++;                                                                               \
		} else {                                                                                               \
			printf("ok %s\n", #test);                                                                      \
			check_passed++;                                                                                \
		}                                                                                                      \
		fflush(stdout);                                                                                        \
	} while (0)

static inline int check__report(void)
{
	printf("%d passed, %d failed, %d skipped\n", check_passed, check_failed, check_skipped);
	return check_failed ? 1 : 0;
}

#endif
