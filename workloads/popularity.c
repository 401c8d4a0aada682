// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Zipf, Pareto and normal block popularity.
 */
#include <math.h>
#include "lib/rng.h"
#include "workloads/popularity.h"

#define EXACT_TERMS 100000u
#define FIO_MAX_TERMS 10000000u /* fio sums no further */
#define NORMAL_TERMS 12

/*
 * Sum of i^-theta for i = 1..n: the head term by term, the tail as an integral with the first
 * corrections of Euler and Maclaurin, whose error is below 1e-12 here.
 */
static double zeta(uint64_t n, double theta)
{
	uint64_t head = n < EXACT_TERMS ? n : EXACT_TERMS;
	double sum = 0, a = head, b = n;

	for (uint64_t i = head; i > 0; i--)
		sum += pow(i, -theta);
	if (n == head)
		return sum;
	sum += (pow(b, 1 - theta) - pow(a, 1 - theta)) / (1 - theta);
	sum += (pow(b, -theta) - pow(a, -theta)) / 2;
	return sum - theta / 12 * (pow(b, -theta - 1) - pow(a, -theta - 1));
}

void popularity_init(struct popularity *p, enum popularity_kind kind, double parameter,
		     uint64_t nr_blocks, struct rng *rng)
{
	double zeta2 = 1 + pow(0.5, parameter);

	*p = (struct popularity){.kind = kind, .nr_blocks = nr_blocks, .parameter = parameter};
	p->shift = rng_next(rng);
	if (kind != POPULARITY_ZIPF)
		return;
	p->zeta = zeta(nr_blocks < FIO_MAX_TERMS ? nr_blocks : FIO_MAX_TERMS, parameter);
	p->alpha = 1 / (1 - parameter);
	p->eta = (1 - pow(2.0 / nr_blocks, 1 - parameter)) / (1 - zeta2 / p->zeta);
}

/*
 * Multiplication by the golden ratio (Knuth, volume 3, 6.4): ranks next to each other land far
 * apart, and each on a block of its own where nr_blocks is a power of two.
 */
static uint64_t scatter(const struct popularity *p, uint64_t rank)
{
	return (rank * 0x9e3779b97f4a7c15ULL + p->shift) % p->nr_blocks;
}

/* x as a rank; what is not one (rounding, overflow) is the last. */
static uint64_t to_rank(const struct popularity *p, double x)
{
	return x >= 0 && x < p->nr_blocks ? (uint64_t)x : p->nr_blocks - 1;
}

static uint64_t draw_zipf(const struct popularity *p, struct rng *rng)
{
	double u = rng_unit(rng), z = u * p->zeta;

	if (z < 1 || p->nr_blocks == 1)
		return 0;
	if (z < 1 + pow(0.5, p->parameter) || p->nr_blocks == 2)
		return 1;
	return to_rank(p, p->nr_blocks * pow(p->eta * u - p->eta + 1, p->alpha));
}

static uint64_t draw_pareto(const struct popularity *p, struct rng *rng)
{
	double power = log(p->parameter) / log(1 - p->parameter);

	return to_rank(p, (p->nr_blocks - 1) * pow(rng_unit(rng), power));
}

static uint64_t draw_normal(const struct popularity *p, struct rng *rng)
{
	double deviation = ceil(p->nr_blocks * p->parameter / 100), shift, mean = 0;

	for (int i = 0; i < NORMAL_TERMS; i++)
		mean += rng_below(rng, p->nr_blocks + 1);
	mean = ceil(mean / NORMAL_TERMS);
	if (deviation > p->nr_blocks / 2.0)
		deviation = p->nr_blocks / 2.0;
	shift = trunc(deviation * rng_unit(rng) - deviation / 2);
	while (mean + shift >= p->nr_blocks && fabs(shift) >= 1)
		shift = trunc(shift / 2);
	return to_rank(p, mean + shift);
}

uint64_t popularity_draw(const struct popularity *p, struct rng *rng)
{
	switch (p->kind) {
	case POPULARITY_ZIPF:
		return scatter(p, draw_zipf(p, rng));
	case POPULARITY_PARETO:
		return scatter(p, draw_pareto(p, rng));
	case POPULARITY_NORMAL:
		return scatter(p, draw_normal(p, rng));
	case POPULARITY_UNIFORM:
		break;
	}
	return rng_below(rng, p->nr_blocks);
}
