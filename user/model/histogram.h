/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * One state, two histograms: an exponential one (Prometheus' native histogram, schema 3: bucket i holds
 * 2^((i-1)/8) < v <= 2^(i/8), the same index as the Prometheus client libraries give) and the classic buckets, both
 * filled from the same values. Storage is sparse: an octave (8 buckets, 72 bytes) exists once a value fell in it.
 */
#ifndef INFERMETER_HISTOGRAM_H
#define INFERMETER_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SCHEMA	 3
#define HISTOGRAM_OCTAVE	 8	  /* buckets: 1 << HISTOGRAM_SCHEMA */
#define HISTOGRAM_ZERO_THRESHOLD 0x1p-128 /* values up to it are in the zero bucket, as in the client libraries */

/* Upper bounds of classic buckets, ascending, without +Inf. Shared by all histograms of a kind. */
struct histogram_bounds {
	size_t n;
	const double *upper;
};
extern const struct histogram_bounds histogram_bounds_execution; /* T of metrics.md: 50 µs … 10 s, in seconds */
extern const struct histogram_bounds histogram_bounds_batch;	 /* 1, 2, 4 … 1024 */

struct histogram_octave {
	int32_t first; /* index of counts[0]; a multiple of 8, plus 1 */
	uint64_t counts[HISTOGRAM_OCTAVE];
};

struct histogram {
	const struct histogram_bounds *bounds;
	uint64_t count, zero;
	double sum, min, max;		  /* min and max mean nothing while count is 0 */
	uint64_t *classic;		  /* bounds->n + 1 counts, not cumulated; NULL while empty */
	struct histogram_octave *octaves; /* ascending */
	uint32_t n_octaves, room;
};

void histogram__init(struct histogram *histogram, const struct histogram_bounds *bounds);
void histogram__clear(struct histogram *histogram); /* frees what it holds; it is empty then */

/* Counts a value. Returns 0; -EINVAL for a negative value, NaN or infinity; -ENOMEM. On error nothing was counted. */
int histogram__observe(struct histogram *histogram, double value);

/* Adds from to into (same bounds). Returns 0 or -ENOMEM, when into is unchanged. */
int histogram__add(struct histogram *into, const struct histogram *from);

/* The index of the exponential bucket of a value > HISTOGRAM_ZERO_THRESHOLD, and a bucket's upper bound. */
int32_t histogram__index(double value);
double histogram__upper(int32_t index);

/* Values of the classic bucket i and all below (i == bounds->n: all). */
uint64_t histogram__cumulative(const struct histogram *histogram, size_t i);

/*
 * The value at rank ceil(q × count), 0 <= q <= 1, out of the exponential buckets: off by at most 4.4 % of the true one.
 * NaN when nothing was counted.
 */
double histogram__quantile(const struct histogram *histogram, double q);

/* The mean, NaN when nothing was counted. */
double histogram__mean(const struct histogram *histogram);

/* Bytes of memory that it holds beside its own struct. */
size_t histogram__memory(const struct histogram *histogram);

#endif
