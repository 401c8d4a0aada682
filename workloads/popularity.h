/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random blocks of which some are more popular than others: fio's random_distribution.
 *
 * The laws are those of fio 3.33, so that the same setting means the same skew: zipf by the method
 * of Gray et al. 1994, "Quickly generating billion-record synthetic databases"; pareto as a power
 * of a uniform number; normal as the mean of twelve uniform ones. Popular blocks lie scattered over
 * the file: ranks are hashed to blocks, so that two ranks may share one.
 */
#ifndef VFSCOPE_WORKLOADS_POPULARITY_H
#define VFSCOPE_WORKLOADS_POPULARITY_H

#include <stdint.h>

enum popularity_kind {
	POPULARITY_UNIFORM,
	POPULARITY_ZIPF, /* parameter: theta, above 0, not 1 */
	POPULARITY_PARETO, /* parameter: h, above 0, below 1 */
	POPULARITY_NORMAL, /* parameter: deviation in percent of the file, 0 to below 100 */
};

struct popularity {
	enum popularity_kind kind;
	uint64_t nr_blocks;
	double parameter;
	uint64_t shift; /* which block is the most popular */
	double zeta; /* sum of 1/i^theta */
	double eta, alpha;
};

struct rng;

/* nr_blocks > 0. Costs at most some milliseconds, at any number of blocks. */
void popularity_init(struct popularity *p, enum popularity_kind kind, double parameter,
		     uint64_t nr_blocks, struct rng *rng);

/* A block below nr_blocks. */
uint64_t popularity_draw(const struct popularity *p, struct rng *rng);

#endif
