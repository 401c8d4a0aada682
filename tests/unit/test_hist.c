// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The histogram: its layout has no gaps, its quantiles are within a bucket of the exact ones, and
 * merging loses nothing.
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
#include "lib/hist.h"
#include "lib/rng.h"

static void test_bounds_are_inverse_of_bucket(void **state)
{
	for (unsigned int i = 0; i < HIST_NR_BUCKETS; i++) {
		uint64_t low = hist_bucket_low(i), high = hist_bucket_high(i);

		assert_true(low < high);
		assert_int_equal(hist_bucket(low), i);
		assert_int_equal(hist_bucket(high - 1), i);
		assert_int_equal(hist_bucket(low + (high - low) / 2), i);
		if (i + 1 < HIST_NR_BUCKETS)
			assert_int_equal(hist_bucket_low(i + 1), high);
	}
	assert_int_equal(hist_bucket_low(0), 0);
	assert_int_equal(hist_bucket(UINT64_MAX), HIST_NR_BUCKETS - 1);
	assert_int_equal(hist_bucket(1ull << HIST_MAX_BITS), HIST_NR_BUCKETS - 1);
}

static void test_width(void **state)
{
	for (unsigned int i = 0; i < HIST_NR_BUCKETS - 1; i++) {
		uint64_t low = hist_bucket_low(i), width = hist_bucket_high(i) - low;

		assert_true(width == 1 || width * HIST_SUB_COUNT <= low);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Quantiles against the sorted samples: same bucket as the exact order statistic. */
static void check_quantiles(uint64_t *samples, size_t n)
{
	static const double qs[] = {0, 1e-9, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
	struct hist *h = malloc(sizeof(*h));
	uint64_t sum = 0;

	hist_init(h);
	for (size_t i = 0; i < n; i++) {
		hist_add(h, samples[i]);
		sum += samples[i];
	}
	qsort(samples, n, sizeof(*samples), compare);
	assert_int_equal(h->count, n);
	assert_int_equal(h->sum, sum);
	assert_int_equal(h->min, samples[0]);
	assert_int_equal(h->max, samples[n - 1]);
	for (size_t i = 0; i < ARRAY_SIZE(qs); i++) {
		size_t rank = (size_t)ceil(qs[i] * (double)n);
		uint64_t exact = samples[rank ? rank - 1 : 0], got = hist_quantile(h, qs[i]);

		assert_int_equal(hist_bucket(got), hist_bucket(exact));
		assert_in_range(got, samples[0], samples[n - 1]);
	}
	assert_int_equal(hist_quantile(h, 0), samples[0]);
	assert_int_equal(hist_quantile(h, 1), samples[n - 1]);
	free(h);
}

static void test_quantiles(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 10, 99, 100, 101, 20000};
	uint64_t *samples = malloc(20000 * sizeof(*samples));
	struct rng rng;

	rng_init(&rng, 1, 0);
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t i = 0; i < sizes[s]; i++)
			samples[i] = rng_below(&rng, 64);
		check_quantiles(samples, sizes[s]);
		for (size_t i = 0; i < sizes[s]; i++)
			samples[i] = (uint64_t)(rng_exp(&rng) * 50000);
		check_quantiles(samples, sizes[s]);
		/* Log-uniform over the whole range. */
		for (size_t i = 0; i < sizes[s]; i++)
			samples[i] = rng_next(&rng) >> (24 + rng_below(&rng, 40));
		check_quantiles(samples, sizes[s]);
		for (size_t i = 0; i < sizes[s]; i++)
			samples[i] = 1000003;
		check_quantiles(samples, sizes[s]);
	}
	free(samples);
}

static void test_merge_is_add(void **state)
{
	struct hist *whole = malloc(sizeof(*whole)), *part[3];
	struct rng rng;

	hist_init(whole);
	for (int p = 0; p < 3; p++) {
		part[p] = malloc(sizeof(*part[p]));
		hist_init(part[p]);
	}
	rng_init(&rng, 2, 0);
	for (int i = 0; i < 30000; i++) {
		uint64_t value = (uint64_t)(rng_exp(&rng) * 1e6);

		hist_add(whole, value);
		hist_add(part[i % 2], value); /* part 2 stays empty */
	}
	hist_merge(part[2], part[0]);
	hist_merge(part[2], part[1]);
	assert_memory_equal(whole, part[2], sizeof(*whole));
	hist_init(part[0]);
	hist_merge(part[2], part[0]);
	assert_memory_equal(whole, part[2], sizeof(*whole));
	for (int p = 0; p < 3; p++)
		free(part[p]);
	free(whole);
}

static void test_add_n(void **state)
{
	struct hist *one = malloc(sizeof(*one)), *many = malloc(sizeof(*many));

	hist_init(one);
	hist_init(many);
	assert_int_equal(hist_quantile(one, 0.5), 0);
	assert_true(hist_mean(one) == 0);
	hist_add_n(many, 77, 0);
	assert_memory_equal(one, many, sizeof(*one));
	for (int i = 0; i < 5; i++)
		hist_add(one, 12345);
	hist_add_n(many, 12345, 5);
	assert_memory_equal(one, many, sizeof(*one));
	assert_true(hist_mean(one) == 12345);
	free(one);
	free(many);
}

static void test_beyond_the_last_bucket(void **state)
{
	struct hist *h = malloc(sizeof(*h));

	hist_init(h);
	hist_add(h, 5);
	hist_add(h, 1ull << 50);
	hist_add(h, 1ull << 60);
	assert_int_equal(h->max, 1ull << 60);
	assert_int_equal(hist_quantile(h, 1), 1ull << 60);
	assert_in_range(hist_quantile(h, 0.5), 1ull << 39, 1ull << 60);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds_are_inverse_of_bucket),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_merge_is_add),
		cmocka_unit_test(test_add_n),
		cmocka_unit_test(test_beyond_the_last_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
