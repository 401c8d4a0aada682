// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Making samplers ready: see sampler.h.
 */
#include <string.h>
#include "sim/sampler.h"

void sampler_init(struct sampler *sampler, const struct dist *dist)
{
	uint32_t segment = 1;

	memset(sampler, 0, sizeof(*sampler));
	sampler->dist = dist;
	sampler->kind = dist->kind;
	if (dist->kind == DIST_CONST)
		sampler->constant_ns = dist_sample(dist, NULL);
	if (dist->kind != DIST_QUANTILES)
		return;
	for (uint32_t k = 0; k < SAMPLER_GUIDES; k++) {
		while (segment + 1 < dist->nr_points &&
		       dist->prob[segment] < (double)k / SAMPLER_GUIDES)
			segment++;
		sampler->guide[k] = segment;
	}
}
