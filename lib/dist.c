// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Distributions: drawing, moments and quantiles. dist_text.c reads and writes them, dist_fit.c
 * fits.
 */
#include <math.h>
#include <string.h>
#include "lib/dist.h"

void dist_const(struct dist *d, double ns)
{
	memset(d, 0, sizeof(*d));
	d->kind = DIST_CONST;
	d->a_ns = ns;
}

/* Inverse of the piecewise linear CDF. Few points: a linear search beats a binary one. */
static double inverse_cdf(const struct dist *d, double q)
{
	uint32_t i = 1;
	double step;

	while (i + 1 < d->nr_points && d->prob[i] < q)
		i++;
	step = d->prob[i] - d->prob[i - 1];
	if (step <= 0)
		return d->value_ns[i];
	return d->value_ns[i - 1] +
	       (d->value_ns[i] - d->value_ns[i - 1]) * (q - d->prob[i - 1]) / step;
}

static double draw(const struct dist *d, struct rng *rng)
{
	double sum = 0;

	switch (d->kind) {
	case DIST_CONST:
		return d->a_ns;
	case DIST_EXP:
		return d->a_ns * rng_exp(rng);
	case DIST_UNIFORM:
		return d->a_ns + (d->b_ns - d->a_ns) * rng_unit(rng);
	case DIST_ERLANG:
		for (uint32_t i = 0; i < d->nr_points; i++)
			sum += rng_exp(rng);
		return d->a_ns * sum / d->nr_points;
	case DIST_QUANTILES:
		return inverse_cdf(d, rng_unit(rng));
	}
	return 0;
}

uint64_t dist_sample(const struct dist *d, struct rng *rng)
{
	double ns = draw(d, rng);

	return ns > 0 ? (uint64_t)(ns + 0.5) : 0;
}

double dist_mean(const struct dist *d)
{
	double mean = 0;

	switch (d->kind) {
	case DIST_CONST:
	case DIST_EXP:
	case DIST_ERLANG:
		return d->a_ns;
	case DIST_UNIFORM:
		return (d->a_ns + d->b_ns) / 2;
	case DIST_QUANTILES:
		for (uint32_t i = 1; i < d->nr_points; i++)
			mean += (d->prob[i] - d->prob[i - 1]) *
				(d->value_ns[i] + d->value_ns[i - 1]) / 2;
		return mean;
	}
	return 0;
}

/* P(X <= x) of an Erlang with shape k and mean m: 1 - sum of Poisson terms. */
static double erlang_cdf(uint32_t k, double mean, double x)
{
	double rate_x = x * k / mean, term = exp(-rate_x), sum = term;

	for (uint32_t i = 1; i < k; i++) {
		term *= rate_x / i;
		sum += term;
	}
	return 1 - sum;
}

static double erlang_quantile(const struct dist *d, double q)
{
	double low = 0, high = d->a_ns;

	if (q <= 0 || d->a_ns <= 0)
		return 0;
	while (erlang_cdf(d->nr_points, d->a_ns, high) < q && high < d->a_ns * 1e6)
		high *= 2;
	for (int i = 0; i < 100; i++) {
		double middle = (low + high) / 2;

		if (erlang_cdf(d->nr_points, d->a_ns, middle) < q)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

double dist_quantile(const struct dist *d, double q)
{
	switch (d->kind) {
	case DIST_CONST:
		return d->a_ns;
	case DIST_EXP:
		return -d->a_ns * log1p(-q);
	case DIST_UNIFORM:
		return d->a_ns + (d->b_ns - d->a_ns) * q;
	case DIST_ERLANG:
		return erlang_quantile(d, q);
	case DIST_QUANTILES:
		return inverse_cdf(d, q);
	}
	return 0;
}
