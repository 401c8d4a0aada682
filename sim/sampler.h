/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draws from a distribution as dist_sample() does, draw for draw, but made ready for millions of
 * them: constants need no call, and a guide table finds the segment of a quantile form.
 */
#ifndef VFSCOPE_SIM_SAMPLER_H
#define VFSCOPE_SIM_SAMPLER_H

#include "lib/dist.h"

#define SAMPLER_GUIDES 256

struct sampler {
	const struct dist *dist; /* must outlive the sampler */
	enum dist_kind kind;
	uint64_t constant_ns;
	/* guide[k]: the segment of the smallest probability in [k, k + 1) / SAMPLER_GUIDES */
	uint8_t guide[SAMPLER_GUIDES];
};

void sampler_init(struct sampler *sampler, const struct dist *dist);

static inline uint64_t sampler_draw_quantiles(const struct sampler *sampler, struct rng *rng)
{
	const struct dist *d = sampler->dist;
	double q = rng_unit(rng), step, ns;
	uint32_t i = sampler->guide[(uint32_t)(q * SAMPLER_GUIDES)];

	while (i + 1 < d->nr_points && d->prob[i] < q)
		i++;
	step = d->prob[i] - d->prob[i - 1];
	if (step <= 0)
		ns = d->value_ns[i];
	else
		ns = d->value_ns[i - 1] +
		     (d->value_ns[i] - d->value_ns[i - 1]) * (q - d->prob[i - 1]) / step;
	return ns > 0 ? (uint64_t)(ns + 0.5) : 0;
}

static inline uint64_t sampler_draw(const struct sampler *sampler, struct rng *rng)
{
	if (sampler->kind == DIST_CONST)
		return sampler->constant_ns;
	if (sampler->kind == DIST_QUANTILES)
		return sampler_draw_quantiles(sampler, rng);
	return dist_sample(sampler->dist, rng);
}

#endif
