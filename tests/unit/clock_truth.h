/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clocks that are known, and bounds as requests give them, for the tests of their alignment.
 */
#ifndef VFSCOPE_TESTS_UNIT_CLOCK_TRUTH_H
#define VFSCOPE_TESTS_UNIT_CLOCK_TRUTH_H

#include <math.h>
#include <stdint.h>
#include "trace/clock_band.h"

/* Enough randomness for test input, and the same everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct truth {
	uint64_t t0;
	int64_t offset;
	double drift;
};

static inline int64_t true_theta(const struct truth *truth, uint64_t t_guest)
{
	return truth->offset + llround(truth->drift * (double)(int64_t)(t_guest - truth->t0));
}

/* n requests, each with an upper bound late by up to jitter and a lower one early by up to it. */
static inline void make_bounds(struct clock_bound *bounds, size_t n, const struct truth *truth,
			       uint64_t length, uint64_t least, uint64_t jitter, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t t = truth->t0 + next_random(seed) % length;

		bounds[2 * i] = (struct clock_bound){
			.t_guest_ns = t,
			.theta_ns = true_theta(truth, t) + least + next_random(seed) % jitter,
			.upper = true,
		};
		t += 50000;
		bounds[2 * i + 1] = (struct clock_bound){
			.t_guest_ns = t,
			.theta_ns = true_theta(truth, t) - least - next_random(seed) % jitter,
		};
	}
}

#endif
