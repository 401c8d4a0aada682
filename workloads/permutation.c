// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Feistel permutation of block numbers: random jobs that visit each block once without a bitmap.
 */
#include "lib/rng.h"
#include "workloads/permutation.h"

void permutation_init(struct permutation *p, uint64_t n, struct rng *rng)
{
	p->n = n;
	p->half_bits = 1;
	while (p->half_bits < 32 && (1ULL << (2 * p->half_bits)) < n)
		p->half_bits++;
	for (int i = 0; i < PERMUTATION_ROUNDS; i++)
		p->key[i] = rng_next(rng);
}

/* The finaliser of splitmix64: every input bit reaches every output bit. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

uint64_t permutation_at(const struct permutation *p, uint64_t index)
{
	const uint64_t mask = (1ULL << p->half_bits) - 1;
	uint64_t left, right, next;

	/* The domain is less than 4 n, so this takes 4 turns on average at worst. */
	do {
		left = index >> p->half_bits;
		right = index & mask;
		for (int i = 0; i < PERMUTATION_ROUNDS; i++) {
			next = left ^ (mix(right ^ p->key[i]) & mask);
			left = right;
			right = next;
		}
		index = left << p->half_bits | right;
	} while (index >= p->n);
	return index;
}
