/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/histogram.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "records.h"

#define VALUES_N 100000

static int compare(const void *left, const void *right)
{
	const double one = *(const double *)left, other = *(const double *)right;

	return (one > other) - (one < other);
}

static void bucket_holds_its_value(void)
{
	uint64_t seed = 1;
	int wrong = 0;

	for (int i = 0; i < VALUES_N; i++) {
		const double value =
			ldexp(1 + (double)(random_next(&seed) >> 11) * 0x1p-53, (int)(random_next(&seed) % 100) - 50);
		const int32_t index = histogram__index(value);

		wrong += !(histogram__upper(index - 1) < value && value <= histogram__upper(index));
	}
	CHECK_INT(wrong, 0);
	/* A bound belongs to the bucket below it, as in the client libraries; powers of two are exact. */
	for (int index = -400; index <= 400; index++)
		wrong += histogram__index(histogram__upper(index)) != index;
	CHECK_INT(wrong, 0);
	CHECK_INT(histogram__index(1), 0);
	CHECK_INT(histogram__index(2), 8);
	CHECK_INT(histogram__index(0.5), -8);
	CHECK_INT(histogram__index(nextafter(1, 2)), 1);
	CHECK(fabs(histogram__upper(1) - pow(2, 0.125)) < 1e-15);
}

static void agrees_with_brute_force(void)
{
	static double values[VALUES_N];
	static const double quantiles[] = { 0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1 };
	const struct histogram_bounds *bounds = &histogram_bounds_execution;
	struct histogram histogram;
	uint64_t seed = 42;
	double sum = 0;

	histogram__init(&histogram, bounds);
	for (int i = 0; i < VALUES_N; i++) {
		/* 1 µs to 16 s, evenly over the octaves, in whole nanoseconds */
		const double octave = (double)(random_next(&seed) >> 11) * 0x1p-53 * 24;
		const uint64_t ns = (uint64_t)(1000 * exp2(octave));

		values[i] = (double)ns / 1e9;
		sum += values[i];
		CHECK_INT(histogram__observe(&histogram, values[i]), 0);
	}
	CHECK_INT(histogram.count, VALUES_N);
	CHECK(histogram.sum == sum);
	qsort(values, VALUES_N, sizeof(*values), compare);
	CHECK(histogram.min == values[0] && histogram.max == values[VALUES_N - 1]);

	for (size_t b = 0; b <= bounds->n; b++) { /* classic buckets are exact */
		uint64_t below = 0;

		for (int i = 0; i < VALUES_N; i++)
			below += b == bounds->n || values[i] <= bounds->upper[b];
		CHECK_INT(histogram__cumulative(&histogram, b), below);
	}
	for (uint32_t o = 0; o < histogram.n_octaves; o++) { /* and so is each exponential one */
		for (int j = 0; j < HISTOGRAM_OCTAVE; j++) {
			const double low = histogram__upper(histogram.octaves[o].first + j - 1);
			const double high = histogram__upper(histogram.octaves[o].first + j);
			uint64_t count = 0;

			for (int i = 0; i < VALUES_N; i++)
				count += values[i] > low && values[i] <= high;
			CHECK_INT(histogram.octaves[o].counts[j], count);
		}
	}
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++) {
		const double rank = ceil(quantiles[i] * VALUES_N);
		const double truth = values[rank < 1 ? 0 : (int)rank - 1];
		const double error = fabs(histogram__quantile(&histogram, quantiles[i]) - truth) / truth;

		CHECK(error <= 0.044);
	}
	CHECK(histogram__quantile(&histogram, 0) == values[0] &&
	      histogram__quantile(&histogram, 1) == values[VALUES_N - 1]);
	CHECK(histogram__memory(&histogram) < 3000);
	histogram__clear(&histogram);
	CHECK_INT(histogram__memory(&histogram), 0);
}

static void bounds_are_inclusive(void)
{
	struct histogram histogram;

	/* Each bound of T, as it comes from nanoseconds, is inside its bucket; a nanosecond more is not. */
	static const uint64_t bounds_ns[] = { 50000,	 100000,     250000,	 500000,     1000000,	 2500000,
					      5000000,	 10000000,   25000000,	 50000000,   100000000,	 250000000,
					      500000000, 1000000000, 2500000000, 5000000000, 10000000000 };

	CHECK_INT(histogram_bounds_execution.n, 17);
	for (size_t i = 0; i < sizeof(bounds_ns) / sizeof(*bounds_ns); i++) {
		histogram__init(&histogram, &histogram_bounds_execution);
		histogram__observe(&histogram, (double)bounds_ns[i] / 1e9);
		histogram__observe(&histogram, (double)(bounds_ns[i] + 1) / 1e9);
		CHECK_INT(histogram.classic[i], 1);
		CHECK_INT(histogram.classic[i + 1], 1);
		histogram__clear(&histogram);
	}
	CHECK_INT(histogram_bounds_batch.n, 11);
	for (size_t i = 0; i < histogram_bounds_batch.n; i++)
		CHECK(histogram_bounds_batch.upper[i] == exp2((double)i));
}

static void odd_values(void)
{
	struct histogram histogram;

	histogram__init(&histogram, &histogram_bounds_execution);
	CHECK(isnan(histogram__quantile(&histogram, 0.5)));
	CHECK(isnan(histogram__mean(&histogram)));
	CHECK_INT(histogram__memory(&histogram), 0);
	CHECK_INT(histogram__cumulative(&histogram, 3), 0);
	CHECK_INT(histogram__observe(&histogram, -1), -EINVAL);
	CHECK_INT(histogram__observe(&histogram, NAN), -EINVAL);
	CHECK_INT(histogram__observe(&histogram, INFINITY), -EINVAL);
	CHECK_INT(histogram.count, 0);
	CHECK_INT(histogram__observe(&histogram, 0), 0);
	CHECK_INT(histogram__observe(&histogram, HISTOGRAM_ZERO_THRESHOLD), 0);
	CHECK_INT(histogram.zero, 2);
	CHECK_INT(histogram.n_octaves, 0);
	CHECK_INT(histogram__observe(&histogram, 1.8446744073709552e10), 0); /* the longest duration of 64 bits */
	CHECK_INT(histogram__observe(&histogram, 1e-9), 0);
	CHECK_INT(histogram.n_octaves, 2); /* sparse: nothing between them */
	CHECK(histogram__quantile(&histogram, 0.5) == 0);
	CHECK(histogram__quantile(&histogram, 1) == 1.8446744073709552e10);
	CHECK_INT(histogram__cumulative(&histogram, histogram_bounds_execution.n), 4);
	CHECK_INT(histogram__cumulative(&histogram, histogram_bounds_execution.n - 1), 3);
	histogram__clear(&histogram);

	/* One value: every quantile is that value. */
	histogram__observe(&histogram, 0.0123);
	for (double q = 0; q <= 1; q += 0.125)
		CHECK(histogram__quantile(&histogram, q) == 0.0123);
	histogram__clear(&histogram);
}

static void sums_of_two(void)
{
	struct histogram all, one, other;
	uint64_t seed = 7;

	histogram__init(&all, &histogram_bounds_batch);
	histogram__init(&one, &histogram_bounds_batch);
	histogram__init(&other, &histogram_bounds_batch);
	CHECK_INT(histogram__add(&one, &other), 0);
	CHECK_INT(one.count, 0);
	for (int i = 0; i < 10000; i++) {
		const double value = (double)(random_next(&seed) >> (44 + random_next(&seed) % 20));

		histogram__observe(&all, value);
		histogram__observe(i % 3 ? &one : &other, value);
	}
	CHECK_INT(histogram__add(&one, &other), 0);
	CHECK_INT(one.count, all.count);
	CHECK_INT(one.zero, all.zero);
	CHECK(one.sum == all.sum && one.min == all.min && one.max == all.max);
	CHECK_INT(one.n_octaves, all.n_octaves);
	CHECK(!memcmp(one.octaves, all.octaves, all.n_octaves * sizeof(*all.octaves)));
	CHECK(!memcmp(one.classic, all.classic, (all.bounds->n + 1) * sizeof(*all.classic)));
	histogram__clear(&all);
	histogram__clear(&one);
	histogram__clear(&other);
}

int main(void)
{
	RUN(bucket_holds_its_value);
	RUN(agrees_with_brute_force);
	RUN(bounds_are_inclusive);
	RUN(odd_values);
	RUN(sums_of_two);
	return check__report();
}
