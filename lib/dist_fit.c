// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fitting the quantile form to samples: what calibration stores of a cost.
 *
 * A point is a sample: the k-th smallest of n stands at probability (k + 1/2) / n. With every
 * sample a point, the mean of the fit is the mean of the samples exactly, whatever their shape; a
 * few points leave an error in each segment, so the worst segment is split until the mean is right.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/dist.h"

#define MAX_MEAN_ERROR 0.01

/* Where a fit starts: the body evenly, the tail by decades. */
static const double first_probs[] = {
	0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999,
};

struct fit {
	const uint64_t *samples; /* sorted */
	size_t n;
	size_t rank[DIST_MAX_POINTS]; /* of each point of the fit, without the caps at 0 and 1 */
	uint32_t nr_ranks;
};

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Signed difference of the line's sum to the samples' sum, between points i-1 and i. */
static double segment_error(const struct fit *f, uint32_t i)
{
	size_t from = f->rank[i - 1], to = f->rank[i];
	double ends = (double)f->samples[from] + (double)f->samples[to], sum = ends / 2;

	for (size_t k = from + 1; k < to; k++)
		sum += (double)f->samples[k];
	return ends / 2 * (double)(to - from) - sum;
}

static void insert_rank(struct fit *f, uint32_t at, size_t rank)
{
	memmove(&f->rank[at + 1], &f->rank[at], (f->nr_ranks - at) * sizeof(f->rank[0]));
	f->rank[at] = rank;
	f->nr_ranks++;
}

static void first_ranks(struct fit *f)
{
	f->rank[f->nr_ranks++] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(first_probs); i++) {
		size_t rank = (size_t)(first_probs[i] * (double)f->n);

		/* Few samples: do not pretend to know quantiles between them. */
		if (rank > f->rank[f->nr_ranks - 1] && rank < f->n - 1)
			f->rank[f->nr_ranks++] = rank;
	}
	f->rank[f->nr_ranks++] = f->n - 1;
}

/* Rank within the segment where the samples are furthest from the line: the knee of the curve. */
static size_t knee(const struct fit *f, uint32_t i)
{
	size_t from = f->rank[i - 1], to = f->rank[i], best = from + 1;
	double low = (double)f->samples[from], worst = -1;
	double slope = ((double)f->samples[to] - low) / (double)(to - from);

	for (size_t k = from + 1; k < to; k++) {
		double off = fabs(low + slope * (double)(k - from) - (double)f->samples[k]);

		if (off > worst) {
			worst = off;
			best = k;
		}
	}
	return best;
}

static void split_until_mean_fits(struct fit *f, double sum)
{
	double error[DIST_MAX_POINTS] = {0}, total = 0;

	for (uint32_t i = 1; i < f->nr_ranks; i++)
		total += error[i] = segment_error(f, i);
	/* Two points are left for the caps. */
	while (fabs(total) > MAX_MEAN_ERROR * sum && f->nr_ranks < DIST_MAX_POINTS - 2) {
		uint32_t worst = 1;

		for (uint32_t i = 2; i < f->nr_ranks; i++)
			if (fabs(error[i]) > fabs(error[worst]))
				worst = i;
		if (f->rank[worst] - f->rank[worst - 1] < 2)
			return;
		memmove(&error[worst + 1], &error[worst], (f->nr_ranks - worst) * sizeof(error[0]));
		total -= error[worst];
		insert_rank(f, worst, knee(f, worst));
		total += error[worst] = segment_error(f, worst);
		total += error[worst + 1] = segment_error(f, worst + 1);
	}
}

static void add_point(struct dist *d, double prob, uint64_t value)
{
	d->prob[d->nr_points] = prob;
	d->value_ns[d->nr_points++] = (double)value;
}

int dist_fit(struct dist *d, uint64_t *samples_ns, size_t n)
{
	struct fit f = {.samples = samples_ns, .n = n};
	double sum = 0;

	if (!n)
		return -EINVAL;
	qsort(samples_ns, n, sizeof(*samples_ns), compare_u64);
	if (samples_ns[0] == samples_ns[n - 1]) {
		dist_const(d, (double)samples_ns[0]);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		sum += (double)samples_ns[i];
	first_ranks(&f);
	split_until_mean_fits(&f, sum);
	memset(d, 0, sizeof(*d));
	d->kind = DIST_QUANTILES;
	add_point(d, 0, samples_ns[0]);
	for (uint32_t i = 0; i < f.nr_ranks; i++)
		add_point(d, ((double)f.rank[i] + 0.5) / (double)n, samples_ns[f.rank[i]]);
	add_point(d, 1, samples_ns[n - 1]);
	return 0;
}
