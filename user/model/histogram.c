/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/histogram.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double execution_upper[] = {
	50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10,
};
const struct histogram_bounds histogram_bounds_execution = {
	sizeof(execution_upper) / sizeof(*execution_upper),
	execution_upper,
};

static const double batch_upper[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024 };
const struct histogram_bounds histogram_bounds_batch = { sizeof(batch_upper) / sizeof(*batch_upper), batch_upper };

/* 2^(i/8) / 2: the bounds of an octave, over the fraction that frexp gives. To the last bit those of the client
 * libraries, so that a value on a bound lands in the same bucket everywhere. */
static const double octave_upper[HISTOGRAM_OCTAVE] = {
	0.5,
	0.5452538663326288,
	0.5946035575013605,
	0.6484197773255048,
	0.7071067811865475,
	0.7711054127039704,
	0.8408964152537144,
	0.9170040432046711,
};

void histogram__init(struct histogram *histogram, const struct histogram_bounds *bounds)
{
	memset(histogram, 0, sizeof(*histogram));
	histogram->bounds = bounds;
}

void histogram__clear(struct histogram *histogram)
{
	free(histogram->classic);
	free(histogram->octaves);
	histogram__init(histogram, histogram->bounds);
}

int32_t histogram__index(double value)
{
	int exponent, i = 0;
	const double fraction = frexp(value, &exponent);

	while (i < HISTOGRAM_OCTAVE && octave_upper[i] < fraction)
		i++;
	return (exponent - 1) * HISTOGRAM_OCTAVE + i;
}

double histogram__upper(int32_t index)
{
	const int32_t exponent = index >> HISTOGRAM_SCHEMA; /* arithmetic: rounds down */

	return ldexp(octave_upper[index & (HISTOGRAM_OCTAVE - 1)], exponent + 1);
}

/* The octave of buckets first … first + 7 is the one that holds index. Bucket 8k belongs to the octave below it. */
static int32_t octave_first(int32_t index)
{
	return ((index - 1) >> HISTOGRAM_SCHEMA) * HISTOGRAM_OCTAVE + 1;
}

/* Where the octave is or would be: the first one that does not begin below it. */
static uint32_t octave_position(const struct histogram *histogram, int32_t first)
{
	uint32_t low = 0, high = histogram->n_octaves;

	while (low < high) {
		const uint32_t middle = (low + high) / 2;

		if (histogram->octaves[middle].first < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The bucket of index, made if missing. NULL: no memory. */
static uint64_t *bucket(struct histogram *histogram, int32_t index)
{
	const int32_t first = octave_first(index);
	const uint32_t at = octave_position(histogram, first);

	if (at == histogram->n_octaves || histogram->octaves[at].first != first) {
		if (histogram->n_octaves == histogram->room) {
			const uint32_t room = histogram->room + 2;
			struct histogram_octave *grown = realloc(histogram->octaves, room * sizeof(*grown));

			if (!grown)
				return NULL;
			histogram->octaves = grown;
			histogram->room = room;
		}
		memmove(histogram->octaves + at + 1, histogram->octaves + at,
			(histogram->n_octaves - at) * sizeof(*histogram->octaves));
		histogram->n_octaves++;
		memset(histogram->octaves + at, 0, sizeof(*histogram->octaves));
		histogram->octaves[at].first = first;
	}
	return &histogram->octaves[at].counts[index - first];
}

static int need_classic(struct histogram *histogram)
{
	if (!histogram->classic)
		histogram->classic = calloc(histogram->bounds->n + 1, sizeof(*histogram->classic));
	return histogram->classic ? 0 : -ENOMEM;
}

int histogram__observe(struct histogram *histogram, double value)
{
	uint64_t *count = &histogram->zero;
	size_t i = 0;

	if (!(value >= 0) || isinf(value))
		return -EINVAL;
	if (need_classic(histogram))
		return -ENOMEM;
	if (value > HISTOGRAM_ZERO_THRESHOLD)
		count = bucket(histogram, histogram__index(value));
	if (!count)
		return -ENOMEM;
	++*count;
	while (i < histogram->bounds->n && histogram->bounds->upper[i] < value)
		i++;
	histogram->classic[i]++;
	if (!histogram->count || value < histogram->min)
		histogram->min = value;
	if (!histogram->count || value > histogram->max)
		histogram->max = value;
	histogram->count++;
	histogram->sum += value;
	return 0;
}

int histogram__add(struct histogram *into, const struct histogram *from)
{
	if (!from->count)
		return 0;
	if (need_classic(into))
		return -ENOMEM;
	/* All the room first, so that nothing is half added. */
	for (uint32_t i = 0; i < from->n_octaves; i++)
		if (!bucket(into, from->octaves[i].first))
			return -ENOMEM;
	for (uint32_t i = 0; i < from->n_octaves; i++) {
		uint64_t *counts = bucket(into, from->octaves[i].first);

		for (int j = 0; j < HISTOGRAM_OCTAVE; j++)
			counts[j] += from->octaves[i].counts[j];
	}
	for (size_t i = 0; i <= into->bounds->n; i++)
		into->classic[i] += from->classic[i];
	if (!into->count || from->min < into->min)
		into->min = from->min;
	if (!into->count || from->max > into->max)
		into->max = from->max;
	into->zero += from->zero;
	into->count += from->count;
	into->sum += from->sum;
	return 0;
}

uint64_t histogram__cumulative(const struct histogram *histogram, size_t i)
{
	uint64_t sum = 0;

	for (size_t j = 0; histogram->classic && j <= i && j <= histogram->bounds->n; j++)
		sum += histogram->classic[j];
	return sum;
}

double histogram__quantile(const struct histogram *histogram, double q)
{
	double rank = ceil(q * (double)histogram->count);
	uint64_t below = histogram->zero;

	if (!histogram->count || isnan(q))
		return NAN;
	if (rank <= 1)
		return histogram->min;
	if (rank >= (double)histogram->count)
		return histogram->max;
	if ((double)below >= rank)
		return 0;
	for (uint32_t i = 0; i < histogram->n_octaves; i++) {
		const struct histogram_octave *octave = histogram->octaves + i;

		for (int j = 0; j < HISTOGRAM_OCTAVE; j++) {
			below += octave->counts[j];
			if (octave->counts[j] && (double)below >= rank) {
				/* The point with the least relative error to both ends of the bucket. */
				const double low = histogram__upper(octave->first + j - 1);
				const double high = histogram__upper(octave->first + j);
				const double value = 2 * low * high / (low + high);

				return fmax(histogram->min, fmin(histogram->max, value));
			}
		}
	}
	return histogram->max;
}

double histogram__mean(const struct histogram *histogram)
{
	return histogram->count ? histogram->sum / (double)histogram->count : NAN;
}

size_t histogram__memory(const struct histogram *histogram)
{
	return (histogram->classic ? (histogram->bounds->n + 1) * sizeof(*histogram->classic) : 0) +
	       histogram->room * sizeof(*histogram->octaves);
}
