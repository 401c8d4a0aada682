/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random permutation of 0..n-1 that stores nothing but its key.
 *
 * fio's random map makes a random job visit each block exactly once. A bitmap of it, as fio keeps,
 * costs memory that grows with the file; this costs 40 bytes at any size: a 4-round Feistel network
 * over the smallest even number of bits that holds n, walked until the result is below n
 * (cycle walking, Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
 */
#ifndef VFSCOPE_WORKLOADS_PERMUTATION_H
#define VFSCOPE_WORKLOADS_PERMUTATION_H

#include <stdint.h>

#define PERMUTATION_ROUNDS 4

struct permutation {
	uint64_t n;
	uint32_t half_bits;
	uint64_t key[PERMUTATION_ROUNDS];
};

struct rng;

/* n > 0. Draws the key from rng: equal streams give equal permutations. */
void permutation_init(struct permutation *p, uint64_t n, struct rng *rng);

/* The image of index, index < n. */
uint64_t permutation_at(const struct permutation *p, uint64_t index);

#endif
