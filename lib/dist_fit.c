// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fitting the quantile form to samples: what calibration stores of a cost.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/dist.h"

/* Where a fit starts: the body evenly, the tail by decades. */
static const double first_probs[] = {
	0,   0.01, 0.05, 0.1,  0.2,  0.3,  0.4,	  0.5,	 0.6,
	0.7, 0.8,  0.9,	 0.95, 0.98, 0.99, 0.995, 0.999, 1,
};

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static size_t rank_of(double prob, size_t n)
{
	return (size_t)(prob * (double)(n - 1) + 0.5);
}

static double segment_error(const struct dist *d, uint32_t i, const uint64_t *samples, size_t n)
{
	size_t from = rank_of(d->prob[i - 1], n), to = rank_of(d->prob[i], n);
	double sum = 0, line;

	if (to <= from + 1)
		return 0;
	for (size_t k = from; k <= to; k++)
		sum += (double)samples[k];
	line = (d->value_ns[i] + d->value_ns[i - 1]) / 2 * (double)(to - from + 1);
	return fabs(line - sum);
}

static void insert_point(struct dist *d, uint32_t at, double prob, double value)
{
	memmove(&d->prob[at + 1], &d->prob[at], (d->nr_points - at) * sizeof(d->prob[0]));
	memmove(&d->value_ns[at + 1], &d->value_ns[at],
		(d->nr_points - at) * sizeof(d->value_ns[0]));
	d->prob[at] = prob;
	d->value_ns[at] = value;
	d->nr_points++;
}

/* Split the segment whose straight line is furthest from its samples. False if none can be split.
 */
static bool split_worst(struct dist *d, const uint64_t *samples, size_t n)
{
	uint32_t worst = 0;
	double error = 0, prob;
	size_t middle;

	for (uint32_t i = 1; i < d->nr_points; i++) {
		double e = segment_error(d, i, samples, n);

		if (e > error) {
			error = e;
			worst = i;
		}
	}
	if (!worst)
		return false;
	middle = (rank_of(d->prob[worst - 1], n) + rank_of(d->prob[worst], n)) / 2;
	prob = (double)middle / (double)(n - 1);
	if (prob <= d->prob[worst - 1] || prob >= d->prob[worst])
		return false;
	insert_point(d, worst, prob, (double)samples[middle]);
	return true;
}

int dist_fit(struct dist *d, uint64_t *samples_ns, size_t n)
{
	double sum = 0, mean;

	if (!n)
		return -EINVAL;
	qsort(samples_ns, n, sizeof(*samples_ns), compare_u64);
	if (samples_ns[0] == samples_ns[n - 1]) {
		dist_const(d, (double)samples_ns[0]);
		return 0;
	}
	memset(d, 0, sizeof(*d));
	d->kind = DIST_QUANTILES;
	for (size_t i = 0; i < n; i++)
		sum += (double)samples_ns[i];
	mean = sum / (double)n;
	for (size_t i = 0; i < ARRAY_SIZE(first_probs); i++) {
		size_t rank = rank_of(first_probs[i], n);
		bool edge = i == 0 || i + 1 == ARRAY_SIZE(first_probs);

		/* Few samples: do not pretend to know quantiles between them. */
		if (!edge && (rank == 0 || rank == n - 1 || rank == rank_of(first_probs[i - 1], n)))
			continue;
		d->prob[d->nr_points] = first_probs[i];
		d->value_ns[d->nr_points++] = (double)samples_ns[rank];
	}
	while (fabs(dist_mean(d) - mean) > 0.01 * mean && d->nr_points < DIST_MAX_POINTS)
		if (!split_worst(d, samples_ns, n))
			break;
	return 0;
}
