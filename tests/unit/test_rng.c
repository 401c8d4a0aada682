// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random streams: the published generators bit for bit, and the exponential by moments, quantiles
 * and Kolmogorov-Smirnov distance. Seeds are fixed, so the outcome is.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/rng.h"

/* First outputs of xoshiro256++ from state 1, 2, 3, 4, as its authors' code prints them. */
static void test_xoshiro_reference(void **state)
{
	static const uint64_t expected[] = {
		41943041,
		58720359,
		3588806011781223,
		3591011842654386,
		9228616714210784205ull,
		9973669472204895162ull,
		14011001112246962877ull,
		12406186145184390807ull,
		15849039046786891736ull,
		10450023813501588000ull,
	};
	struct rng rng = {{1, 2, 3, 4}};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(rng_next(&rng), expected[i]);
}

/* The published algorithm, written again. */
static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* The state must be four outputs in a row of splitmix64: undo the first, then predict the rest. */
static void test_seeding_is_splitmix(void **state)
{
	static const uint64_t expected[] = {
		6457827717110365317ull, 3203168211198807973ull,	 9817491932198370423ull,
		4593380528125082431ull, 16408922859458223821ull,
	};
	uint64_t x = 1234567;
	struct rng rng;

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(splitmix64(&x), expected[i]);
	for (uint64_t seed = 0; seed < 100; seed++) {
		uint64_t z;

		rng_init(&rng, seed, seed % 7);
		/* Each step of the mixer is a bijection; invert it on the first word. */
		z = rng.s[0];
		z = z ^ (z >> 31) ^ (z >> 62);
		z *= 0x319642b2d24d8ec3;
		z = z ^ (z >> 27) ^ (z >> 54);
		z *= 0x96de1b173f119089;
		z = z ^ (z >> 30) ^ (z >> 60);
		for (int i = 1; i < 4; i++)
			assert_int_equal(rng.s[i], splitmix64(&z));
	}
}

static void test_streams_differ(void **state)
{
	enum {
		STREAMS = 64,
		DRAWS = 16
	};
	uint64_t first[STREAMS][DRAWS];
	struct rng rng;

	for (unsigned int s = 0; s < STREAMS; s++) {
		rng_init(&rng, s / 8, s % 8);
		for (unsigned int i = 0; i < DRAWS; i++)
			first[s][i] = rng_next(&rng);
		for (unsigned int t = 0; t < s; t++)
			for (unsigned int i = 0; i < DRAWS; i++)
				assert_true(first[s][i] != first[t][i]);
		rng_init(&rng, s / 8, s % 8);
		assert_int_equal(rng_next(&rng), first[s][0]);
	}
}

static void test_unit_and_below(void **state)
{
	uint64_t count[10] = {0};
	double sum = 0, chi2 = 0;
	struct rng rng;

	rng_init(&rng, 3, 0);
	for (int i = 0; i < 100000; i++) {
		double u = rng_unit(&rng);
		uint64_t k = rng_below(&rng, 10);

		assert_true(u >= 0 && u < 1);
		assert_true(k < 10);
		sum += u;
		count[k]++;
	}
	/* Standard error of the mean is 0.0009. */
	assert_true(fabs(sum / 100000 - 0.5) < 0.004);
	for (int k = 0; k < 10; k++)
		chi2 += ((double)count[k] - 10000) * ((double)count[k] - 10000) / 10000;
	assert_true(chi2 < 27.9); /* 99.9 % of chi-square with 9 degrees of freedom */
	for (int i = 0; i < 100; i++)
		assert_int_equal(rng_below(&rng, 1), 0);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void test_exponential(void **state)
{
	const size_t n = 1000000;
	double *x = malloc(n * sizeof(*x)), moment[5] = {0}, distance = 0;
	/* E X^k = k!; tolerances are 4 standard errors, from the variance (2k)! - (k!)^2. */
	static const double factorial[] = {1, 1, 2, 6, 24}, error[] = {0, 1, 4.47, 26.15, 199.4};
	struct rng rng;

	rng_init(&rng, 4, 0);
	for (size_t i = 0; i < n; i++) {
		double power = 1;

		x[i] = rng_exp(&rng);
		assert_true(x[i] >= 0);
		for (int k = 1; k < 5; k++)
			moment[k] += power *= x[i];
	}
	for (int k = 1; k < 5; k++)
		assert_true(fabs(moment[k] / (double)n - factorial[k]) <
			    4 * error[k] / sqrt((double)n));
	qsort(x, n, sizeof(*x), compare);
	for (size_t i = 0; i < n; i++) {
		double cdf = 1 - exp(-x[i]);

		distance = fmax(distance, fabs(cdf - (double)i / (double)n));
		distance = fmax(distance, fabs((double)(i + 1) / (double)n - cdf));
	}
	/* 99.9 % point of the Kolmogorov distribution. */
	assert_true(distance < 1.95 / sqrt((double)n));
	/* The tail beyond the ziggurat's base layer (7.697) has 454 of a million. */
	assert_true(x[n - 454 - 100] < 7.697 && x[n - 454 + 100] > 7.697);
	free(x);
}

/* The same integers on every machine and build: a change here changes every simulation. */
static void test_exponential_bits(void **state)
{
	uint64_t hash = 0;
	struct rng rng;

	rng_init(&rng, 42, 7);
	for (int i = 0; i < 100000; i++)
		hash = (hash ^ (uint64_t)(rng_exp(&rng) * 1e6)) * 0x100000001b3;
	assert_int_equal(hash, 0x1013c35804acb330);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xoshiro_reference),
		cmocka_unit_test(test_seeding_is_splitmix),
		cmocka_unit_test(test_streams_differ),
		cmocka_unit_test(test_unit_and_below),
		cmocka_unit_test(test_exponential),
		cmocka_unit_test(test_exponential_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
