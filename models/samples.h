/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples of one cost, and robust fits of them. Internal to models/.
 */
#ifndef VFSCOPE_MODELS_SAMPLES_H
#define VFSCOPE_MODELS_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/dist.h"

struct sample {
	uint64_t value_ns;
	uint64_t size; /* bytes or pages the cost may grow with; else 0 */
};

struct samples {
	struct sample *at;
	size_t count;
	bool no_memory; /* an addition failed: the fit will say so */
};

void samples_add(struct samples *s, uint64_t value_ns, uint64_t size);
void samples_free(struct samples *s);

/* Median of values, 0 if there are none. Reorders the samples. */
uint64_t samples_median(struct samples *s);

/* Drop values above limit_ns; returns how many. */
size_t samples_drop_above(struct samples *s, uint64_t limit_ns);

/*
 * Growth in ns per unit of size: the median of the slopes between the medians of each pair of
 * sizes (Theil 1950, Sen 1968), so that a few disturbed samples or one odd size do not move it.
 * Never negative. False and 0 if all samples have one size. Reorders the samples.
 */
bool samples_slope(struct samples *s, double *ns_per_unit);

/*
 * Fit the values, less slope times (size - base), to a distribution. With a slope and enough
 * samples of the smallest size only these are taken: what is left of a large one after taking off
 * its growth is mostly noise, down to zero. 0, -EINVAL if empty, -ENOMEM.
 */
int samples_fit(struct samples *s, double ns_per_unit, uint64_t base, struct dist *dist);

#endif
