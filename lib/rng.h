/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random streams: xoshiro256++ (Blackman and Vigna 2019), seeded through splitmix64.
 *
 * A stream is named by (seed, stream number): entities draw from their own stream, so that adding
 * one does not shift the draws of the others. Same bits on every platform.
 */
#ifndef VFSCOPE_LIB_RNG_H
#define VFSCOPE_LIB_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_init(struct rng *rng, uint64_t seed, uint64_t stream);

/* Seed of the n-th of several parts that draw independently: seed itself for the first. */
uint64_t rng_part_seed(uint64_t seed, uint64_t first_stream, uint32_t part);

static inline uint64_t rng_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t *s = rng->s;
	uint64_t result = rng_rotl(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rng_rotl(s[3], 45);
	return result;
}

/* Uniform in [0, 1) with 53 random bits. */
static inline double rng_unit(struct rng *rng)
{
	return (double)(rng_next(rng) >> 11) * 0x1.0p-53;
}

/* Uniform in [0, bound), bound > 0, without modulo bias worth the name (Lemire's multiply-shift).
 */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)rng_next(rng) * bound) >> 64);
}

/* Right edges of the ziggurat's layers, made by the first rng_init(); for rng_exp() alone. */
#define RNG_EXP_LAYERS 256
extern double rng_exp_edge[RNG_EXP_LAYERS + 1];

/* The one draw in a hundred that leaves its layer's rectangle; bits are what was drawn. */
double rng_exp_outside(struct rng *rng, uint64_t bits);

/*
 * Exponential with mean 1, by ziggurat (Marsaglia and Tsang 2000, 256 layers). The usual case is
 * inline: a call costs as much as the draw.
 */
static inline double rng_exp(struct rng *rng)
{
	uint64_t bits = rng_next(rng);
	unsigned int layer = bits & (RNG_EXP_LAYERS - 1);
	double x = (double)(bits >> 11) * 0x1.0p-53 * rng_exp_edge[layer];

	return __builtin_expect(x < rng_exp_edge[layer + 1], 1) ? x : rng_exp_outside(rng, bits);
}

#endif
