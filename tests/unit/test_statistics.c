// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Warm-up, intervals and quantiles on series whose truth is known.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/rng.h"
#include "sim/statistics.h"

static void test_student(void **state)
{
	/* Tables of Student's t, two-sided. */
	static const struct {
		double confidence;
		uint32_t freedom;
		double t;
	} cases[] = {
		{0.99, 1, 63.6567},    {0.99, 2, 9.92484}, {0.99, 9, 3.24984},
		{0.99, 29, 2.75639},   {0.95, 1, 12.7062}, {0.95, 4, 2.77645},
		{0.95, 19, 2.09302},   {0.9, 30, 1.69726}, {0.95, 120, 1.97993},
		{0.99, 1000, 2.58075},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double t = stat_student_t(cases[i].confidence, cases[i].freedom);

		assert_true(fabs(t / cases[i].t - 1) < 1e-5);
	}
	assert_true(fabs(stat_student_t(0.99, 1000000) - 2.5758) < 0.01);
}

static struct stat_series *series(void)
{
	struct stat_series *s = stat_series_new();

	assert_non_null(s);
	return s;
}

/* However often cells were merged, nothing is lost: sums, ends and buckets stay those of all. */
static void test_merging(void **state)
{
	static const uint64_t counts[] = {1, 4, 5, 5119, 5120, 5125, 10240, 123457};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct stat_series *s = series();
		uint64_t sum = 0, bucketed = 0;

		for (uint64_t n = 0; n < counts[i]; n++)
			stat_series_add(s, n % 977, n + 1000);
		assert_int_equal(stat_series_seen(s), counts[i]);
		assert_true(s->nr_cells < STAT_CELLS);
		for (uint32_t c = 0; c < s->nr_cells; c++) {
			uint64_t first = c * s->cell_size, want = 0;

			for (uint64_t n = first; n < first + s->cell_size; n++)
				want += n % 977;
			assert_int_equal(s->cell[c].sum_ns, want);
			assert_int_equal(s->cell[c].end_ns, first + s->cell_size - 1 + 1000);
			sum += want;
		}
		for (uint64_t n = s->nr_cells * s->cell_size; n < counts[i]; n++)
			sum += n % 977;
		for (uint32_t c = 0; c < s->nr_cells; c++)
			sum -= s->cell[c].sum_ns;
		assert_int_equal(sum, s->open_sum_ns);
		for (uint32_t k = 0; k < STAT_SECTIONS; k++)
			for (uint32_t b = 0; b < HIST_NR_BUCKETS; b++)
				bucketed += s->bucket[k][b];
		assert_int_equal(bucketed, counts[i]);
		free(s);
	}
}

/* Noise of the given mean, after a transient that starts high or low and decays. */
static void add_noise(struct stat_series *s, struct rng *rng, uint64_t n, double mean, double start,
		      double decay)
{
	for (uint64_t i = 0; i < n; i++) {
		double level = mean + start * exp(-(double)i / decay);

		stat_series_add(s, (uint64_t)(level * (0.5 + rng_unit(rng))), (i + 1) * 1000);
	}
}

static void test_warmup(void **state)
{
	static const double starts[] = {9000, -900, 300};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct stat_series *s = series();
		struct stat_result r;
		struct rng rng;
		uint64_t cut;
		bool settled;

		rng_init(&rng, 5, i);
		add_noise(s, &rng, 40000, 1000, starts[i], 1000);
		cut = stat_series_warmup(s, &settled) * s->cell_size;
		assert_true(settled);
		/* After a decay or two at least, and well before the middle. */
		assert_in_range(cut, 1000, 12000);
		stat_series_result(s, 0.99, &r);
		assert_int_equal(r.quality, STAT_GOOD);
		assert_in_range(r.removed, cut, cut + 30 * s->cell_size);
		assert_true(fabs(r.mean_ns.value - 1000) <= r.mean_ns.half);
		assert_true(r.mean_ns.half < 20);
		assert_true(fabs(r.rate.value - 1e6) < 1);
		free(s);
	}
}

static void test_unsettled(void **state)
{
	struct stat_series *s = series();
	struct stat_result r;
	bool settled;

	for (uint64_t i = 0; i < 20000; i++)
		stat_series_add(s, i, i * 1000);
	assert_int_equal(stat_series_warmup(s, &settled), 0);
	assert_false(settled);
	stat_series_result(s, 0.99, &r);
	assert_int_equal(r.quality, STAT_UNSETTLED);
	assert_false(stat_result_is_within(&r, 0.9));
	assert_non_null(stat_quality_text(r.quality));
	free(s);
}

static void test_constant_and_short(void **state)
{
	struct stat_series *s = series();
	struct stat_result r;

	stat_series_result(s, 0.99, &r);
	assert_int_equal(r.quality, STAT_TOO_SHORT);
	assert_false(r.mean_ns.known);
	for (uint64_t i = 0; i < 49; i++)
		stat_series_add(s, 100000, (i + 1) * 100000);
	stat_series_result(s, 0.99, &r);
	assert_int_equal(r.quality, STAT_TOO_SHORT);
	assert_true(r.mean_ns.value == 100000);
	assert_true(fabs(r.rate.value - 10000) < 1e-6);
	assert_false(r.mean_ns.known || r.rate.known || r.quantile_ns[STAT_P50].known);
	for (uint64_t i = 49; i < 100000; i++)
		stat_series_add(s, 100000, (i + 1) * 100000);
	stat_series_result(s, 0.99, &r);
	assert_int_equal(r.quality, STAT_GOOD);
	assert_int_equal(r.removed, 0 + r.removed % (30 * s->cell_size));
	assert_true(r.mean_ns.value == 100000 && r.mean_ns.half == 0);
	assert_true(fabs(r.rate.value - 10000) < 1e-6 && r.rate.half < 1e-6);
	for (int q = 0; q < NR_STAT_QUANTILES; q++)
		assert_true(r.quantile_ns[q].value == 100000 && r.quantile_ns[q].half == 0);
	assert_true(stat_result_is_within(&r, 1e-6));
	free(s);
}

/* x[n+1] = a x[n] + e: batches much longer than 1 / (1 - a) are nearly independent. */
static double next_ar1(double *x, double a, struct rng *rng)
{
	*x = a * *x + rng_unit(rng) - 0.5;
	return *x;
}

#define NR_SEEDS 400

/*
 * A few correlation lengths in all: ten batches see nothing of it, so the result must not be called
 * good, nor precise, however narrow it came out; hundreds of times as much is good.
 */
static void test_short_and_correlated(void **state)
{
	int good[2] = {0};

	for (int seed = 0; seed < 20; seed++) {
		for (int longer = 0; longer < 2; longer++) {
			struct stat_series *s = series();
			struct stat_result r;
			struct rng rng;
			double x = 0;

			rng_init(&rng, 77, seed);
			for (uint64_t i = 0; i < (longer ? 3000000 : 5000); i++)
				stat_series_add(
					s, (uint64_t)(100000 + 1000 * next_ar1(&x, 0.999, &rng)),
					(i + 1) * 1000);
			stat_series_result(s, 0.99, &r);
			good[longer] += r.quality == STAT_GOOD;
			assert_true(r.quality == STAT_GOOD || !stat_result_is_within(&r, 0.9));
			free(s);
		}
	}
	assert_in_range(good[0], 0, 1);
	assert_in_range(good[1], 18, 20);
}

/* How often of NR_SEEDS the interval may contain the truth: binomial, both tails 0.05 %. */
static void assert_coverage(const char *what, int hits, double confidence)
{
	double log_p = NR_SEEDS * log(1 - confidence), below = 0;
	int low = -1, high = NR_SEEDS;

	for (int k = 0; k <= NR_SEEDS; k++) {
		below += exp(log_p);
		if (below <= 0.0005)
			low = k;
		if (below >= 0.9995 && high == NR_SEEDS)
			high = k;
		log_p += log((double)(NR_SEEDS - k) / (k + 1) * confidence / (1 - confidence));
	}
	print_message("%s: %d of %d cover, %d to %d expected\n", what, hits, NR_SEEDS, low + 1,
		      high);
	assert_in_range(hits, low + 1, high);
}

static void test_coverage(void **state)
{
	static const double correlations[] = {0, 0.9, 0.99};

	for (size_t c = 0; c < ARRAY_SIZE(correlations); c++) {
		int mean_hits = 0, median_hits = 0;
		char what[60];

		for (int seed = 0; seed < NR_SEEDS; seed++) {
			struct stat_series *s = series();
			double a = correlations[c], x = 0;
			struct stat_result r;
			struct rng rng;

			rng_init(&rng, seed, c);
			for (int i = 0; i < 1000; i++) /* from its own distribution */
				next_ar1(&x, a, &rng);
			for (uint64_t i = 0; i < 30000; i++)
				stat_series_add(
					s, (uint64_t)(1000000.5 + 40000 * next_ar1(&x, a, &rng)),
					(i + 1) * 1000000);
			stat_series_result(s, 0.95, &r);
			mean_hits += fabs(r.mean_ns.value - 1e6) <= r.mean_ns.half;
			median_hits += fabs(r.quantile_ns[STAT_P50].value - 1e6) <=
				       r.quantile_ns[STAT_P50].half;
			free(s);
		}
		snprintf(what, sizeof(what), "mean, correlation %g", correlations[c]);
		assert_coverage(what, mean_hits, 0.95);
		/* No narrower than a bucket: it may cover more often, never less. */
		assert_coverage("median",
				median_hits < NR_SEEDS * 95 / 100 ? median_hits
								  : NR_SEEDS * 95 / 100,
				0.95);
	}
}

/* Exponential: quantiles and, from runs of unequal length, ratio estimates. */
static void test_runs(void **state)
{
	int hits = 0, p99_hits = 0;

	for (int seed = 0; seed < NR_SEEDS; seed++) {
		struct stat_runs runs = {0};
		struct stat_result r;

		for (int i = 0; i < 8; i++) {
			struct stat_series *s = series();
			uint64_t now = 0;
			struct rng rng;

			rng_init(&rng, seed, i);
			for (int n = 0; n < 1000 + 500 * (i % 3); n++) {
				uint64_t value = (uint64_t)(rng_exp(&rng) * 1e6);

				now += value;
				stat_series_add(s, value, now);
			}
			assert_int_equal(stat_runs_add(&runs, s, 0.95), 0);
			free(s);
		}
		stat_runs_result(&runs, 0.95, &r);
		assert_int_equal(r.nr_runs, 8);
		hits += fabs(r.mean_ns.value - 1e6) <= r.mean_ns.half;
		p99_hits += fabs(r.quantile_ns[STAT_P99].value - 1e6 * log(100)) <=
			    r.quantile_ns[STAT_P99].half;
		/* One after the other: the rate is 1 / mean, but for the open cells. */
		assert_true(fabs(r.rate.value * r.mean_ns.value / 1e9 - 1) < 1e-3);
		stat_runs_free(&runs);
	}
	assert_coverage("mean of 8 runs", hits, 0.95);
	assert_coverage("p99 of 8 runs", p99_hits, 0.95);
}

static void test_bucket_quantile(void **state)
{
	uint64_t bucket[HIST_NR_BUCKETS] = {0};
	double last = 0;

	assert_true(stat_bucket_quantile(bucket, 0.5) == 0);
	for (uint64_t v = 0; v < 1000000; v += 7)
		bucket[hist_bucket(v)]++;
	for (double q = 0.01; q < 1; q += 0.01) {
		double value = stat_bucket_quantile(bucket, q);

		assert_true(value >= last);
		assert_true(fabs(value - q * 1e6) < 100);
		last = value;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_student),
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_warmup),
		cmocka_unit_test(test_unsettled),
		cmocka_unit_test(test_short_and_correlated),
		cmocka_unit_test(test_constant_and_short),
		cmocka_unit_test(test_bucket_quantile),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
