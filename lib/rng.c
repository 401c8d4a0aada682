// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random streams: seeding, and exponential variates by ziggurat.
 *
 * The ziggurat's tables are computed once from their definition with + - * / and the series below
 * instead of libm's exp() and log(), so that every machine draws the same integers.
 */
#include <math.h>
#include <pthread.h>
#include "lib/rng.h"

#define LAYERS RNG_EXP_LAYERS
/* Right edge of the base layer and area of each, for 256 layers (Marsaglia and Tsang 2000). */
#define EDGE 7.69711747013104972
#define AREA 0.0039496598225815571993

double rng_exp_edge[LAYERS + 1];
static double layer_y[LAYERS + 1];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* exp(-x) for 0 <= x < 64 by halving and a Taylor series: correct to a few ulp, same everywhere. */
static double exp_minus(double x)
{
	double term = 1, sum = 1;
	int halvings = 0;

	while (x > 0.25) {
		x *= 0.5;
		halvings++;
	}
	for (int i = 1; i < 20; i++) {
		term *= -x / i;
		sum += term;
	}
	while (halvings--)
		sum *= sum;
	return sum;
}

/* -ln(u) for 0 < u <= 1: ln 2 times the exponent, and the atanh series of the mantissa. */
static double minus_log(double u)
{
	double mantissa, t, square, power, sum = 0;
	int exponent;

	mantissa = frexp(u, &exponent); /* exact */
	t = (mantissa - 1) / (mantissa + 1);
	square = t * t;
	power = t;
	for (int i = 1; i < 80; i += 2) {
		sum += power / i;
		power *= square;
	}
	return -(2 * sum + exponent * 0.69314718055994530942);
}

static void make_tables(void)
{
	rng_exp_edge[0] = AREA / exp_minus(EDGE);
	rng_exp_edge[1] = EDGE;
	layer_y[0] = 0;
	layer_y[1] = exp_minus(EDGE);
	for (int i = 2; i < LAYERS; i++) {
		layer_y[i] = layer_y[i - 1] + AREA / rng_exp_edge[i - 1];
		rng_exp_edge[i] = minus_log(layer_y[i]);
	}
	rng_exp_edge[LAYERS] = 0;
	layer_y[LAYERS] = 1;
}

void rng_init(struct rng *rng, uint64_t seed, uint64_t stream)
{
	uint64_t state = seed;
	uint64_t mixed =
		splitmix64(&state) ^ (stream * 0xd1342543de82ef95ULL + 0x632be59bd9b4e019ULL);

	pthread_once(&tables_once, make_tables);
	for (int i = 0; i < 4; i++)
		rng->s[i] = splitmix64(&mixed);
}

uint64_t rng_part_seed(uint64_t seed, uint64_t first_stream, uint32_t part)
{
	struct rng rng;

	if (!part)
		return seed;
	rng_init(&rng, seed, first_stream + part);
	return rng_next(&rng);
}

/* The tail beyond the base layer is again exponential, shifted by EDGE. */
static double exp_tail(struct rng *rng)
{
	double u;

	do
		u = rng_unit(rng);
	while (u == 0);
	return EDGE + minus_log(u);
}

double rng_exp_outside(struct rng *rng, uint64_t bits)
{
	unsigned int layer = bits & (LAYERS - 1);
	double x = (double)(bits >> 11) * 0x1.0p-53 * rng_exp_edge[layer];

	if (!layer)
		return exp_tail(rng);
	if (layer_y[layer] + rng_unit(rng) * (layer_y[layer + 1] - layer_y[layer]) < exp_minus(x))
		return x;
	return rng_exp(rng);
}
