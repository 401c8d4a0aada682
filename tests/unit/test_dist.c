// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Distributions: text round trip, refusals, sampling against the analytic mean and quantiles, and
 * fits that keep the mean of what they were fitted to.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/dist.h"

static void parse(struct dist *d, const char *text)
{
	char err[256] = "";

	if (dist_parse(d, text, err, sizeof(err)))
		fail_msg("'%s': %s", text, err);
}

static const struct {
	const char *text;
	double mean, p50, p99;
} good[] = {
	{"const 12.5us", 12500, 12500, 12500},
	{"const 0", 0, 0, 0},
	{"exp 10us", 10000, 6931.4718, 46051.7019},
	{"uniform 5us 15us", 10000, 10000, 14900},
	{"uniform 7us 7us", 7000, 7000, 7000},
	{"erlang 1 10us", 10000, 6931.4718, 46051.7019},
	{"erlang 2 10us", 10000, 8391.7350, 33191.7600},
	{"quantiles 0=1.2us 0.5=3us 0.99=20us 1=90us", 7235, 3000, 20000},
	{"quantiles 0=0 1=10us", 5000, 5000, 9900},
};

static void test_good_text(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct dist d;

		parse(&d, good[i].text);
		assert_true(fabs(dist_mean(&d) - good[i].mean) <= 1e-6 * good[i].mean);
		assert_true(fabs(dist_quantile(&d, 0.5) - good[i].p50) <= 1e-4 * good[i].p50);
		assert_true(fabs(dist_quantile(&d, 0.99) - good[i].p99) <= 1e-4 * good[i].p99);
	}
}

static void test_round_trip(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char text[4096], again[4096];
		struct dist d, e;

		parse(&d, good[i].text);
		assert_true(dist_format(&d, text, sizeof(text)) < (int)sizeof(text));
		parse(&e, text);
		assert_memory_equal(&d, &e, sizeof(d));
		dist_format(&e, again, sizeof(again));
		assert_string_equal(text, again);
	}
}

static void test_bad_text(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"const",
		"const 5",
		"const 5x",
		"const -1us",
		"const 1us 2us",
		"const nanus",
		"const 1e300s",
		"exp",
		"exp 1us 2us",
		"uniform 5us",
		"uniform 15us 5us",
		"uniform 1us 2us 3us",
		"erlang 10us",
		"erlang 0 10us",
		"erlang 2",
		"erlang 1.5 10us",
		"erlang 1001 10us",
		"quantiles",
		"quantiles 0=1us",
		"quantiles 0=1us 0.5=2us",
		"quantiles 0.1=1us 1=2us",
		"quantiles 0=1us 0.5=2us 0.5=3us 1=4us",
		"quantiles 0=1us 0.6=2us 0.5=3us 1=4us",
		"quantiles 0=3us 1=2us",
		"quantiles 0=1us 1=2us x",
		"quantiles 0=1us 1.5=2us",
		"quantiles 0=1us nan=2us 1=3us",
		"normal 5us",
		"CONST 5us",
	};
	char many[8192] = "quantiles 0=0";

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char err[256] = "";
		struct dist d;

		if (dist_parse(&d, bad[i], err, sizeof(err)) != -EINVAL)
			fail_msg("'%s' was accepted", bad[i]);
		assert_true(strlen(err) > 0);
	}
	for (int i = 1; i < DIST_MAX_POINTS + 5; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), " 0.%03d=%dns", i, i);
	strcat(many, " 1=1s");
	{
		char err[8];
		struct dist d;

		assert_int_equal(dist_parse(&d, many, err, sizeof(err)), -EINVAL);
		assert_true(memchr(err, 0, sizeof(err)) != NULL);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The empirical quantile's rank error is under 4 standard errors of a binomial. */
static void test_sampling(void **state)
{
	const size_t n = 200000;
	uint64_t *samples = malloc(n * sizeof(*samples));

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		static const double qs[] = {0.01, 0.1, 0.5, 0.9, 0.99, 0.999};
		double sum = 0, sum2 = 0, mean;
		struct rng rng;
		struct dist d;

		parse(&d, good[i].text);
		rng_init(&rng, 5, i);
		for (size_t k = 0; k < n; k++) {
			samples[k] = dist_sample(&d, &rng);
			sum += (double)samples[k];
			sum2 += (double)samples[k] * (double)samples[k];
		}
		mean = sum / (double)n;
		assert_true(fabs(mean - good[i].mean) <=
			    0.01 + 4 * sqrt(fabs(sum2 / (double)n - mean * mean) / (double)n));
		qsort(samples, n, sizeof(*samples), compare);
		for (size_t k = 0; k < ARRAY_SIZE(qs); k++) {
			double off = 4 * sqrt(qs[k] * (1 - qs[k]) / (double)n);
			double low = dist_quantile(&d, fmax(0, qs[k] - off));
			double high = dist_quantile(&d, fmin(1, qs[k] + off));
			double got = (double)samples[(size_t)(qs[k] * (double)n)];

			assert_true(got >= low - 1 && got <= high + 1);
		}
	}
	free(samples);
}

/* Shapes that latencies have: smooth, heavy-tailed, in two humps, with rare stalls. */
static uint64_t shaped(int shape, size_t i, struct rng *rng)
{
	switch (shape) {
	case 0:
		return 1000 + (uint64_t)(rng_exp(rng) * 20000);
	case 1: /* Pareto, alpha 1.1: almost no mean */
		return (uint64_t)(1000 / pow(1 - rng_unit(rng), 1 / 1.1));
	case 2:
		return rng_unit(rng) < 0.7 ? 3000 + rng_below(rng, 100) : 900000;
	case 3:
		return i % 1000 == 999 ? 500000000 : 10000 + rng_below(rng, 1000);
	case 4:
		return i == 0 ? 4000000000 : 0;
	default:
		return i % 2 ? 10 : 11;
	}
}

static void test_fit(void **state)
{
	static const size_t sizes[] = {2, 3, 5, 10, 50, 100, 1000, 10007, 100000};
	uint64_t *samples = malloc(100000 * sizeof(*samples));

	for (int shape = 0; shape <= 5; shape++) {
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			size_t n = sizes[s];
			char text[4096], err[256];
			struct dist d, again;
			double sum = 0;
			struct rng rng;

			rng_init(&rng, 6, (uint64_t)shape);
			for (size_t i = 0; i < n; i++)
				sum += (double)(samples[i] = shaped(shape, i, &rng));
			assert_int_equal(dist_fit(&d, samples, n), 0);
			assert_true(fabs(dist_mean(&d) * (double)n - sum) <= 0.01 * sum);
			assert_true(dist_quantile(&d, 0) == (double)samples[0]);
			assert_true(dist_quantile(&d, 1) == (double)samples[n - 1]);
			assert_in_range(d.nr_points, 0, DIST_MAX_POINTS);
			/* What calibration writes, model files read. */
			assert_true(dist_format(&d, text, sizeof(text)) < (int)sizeof(text));
			assert_int_equal(dist_parse(&again, text, err, sizeof(err)), 0);
			assert_memory_equal(&d, &again, sizeof(d));
		}
	}
	free(samples);
}

/* Quantiles of the fit, by the rank that they have among the samples. */
static void test_fit_quantiles(void **state)
{
	static const double qs[] = {0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999};
	const size_t n = 100000;
	uint64_t *samples = malloc(n * sizeof(*samples));
	struct rng rng;
	struct dist d;

	rng_init(&rng, 7, 0);
	for (size_t i = 0; i < n; i++)
		samples[i] = shaped(0, i, &rng);
	dist_fit(&d, samples, n);
	for (size_t k = 0; k < ARRAY_SIZE(qs); k++) {
		double exact = (double)samples[(size_t)(qs[k] * (double)n)];

		assert_true(fabs(dist_quantile(&d, qs[k]) - exact) < 0.02 * exact);
	}
	free(samples);
}

static void test_fit_edges(void **state)
{
	uint64_t one[] = {777}, same[] = {5, 5, 5, 5};
	struct dist d;

	assert_int_equal(dist_fit(&d, one, 0), -EINVAL);
	assert_int_equal(dist_fit(&d, one, 1), 0);
	assert_true(d.kind == DIST_CONST && d.a_ns == 777);
	assert_int_equal(dist_fit(&d, same, 4), 0);
	assert_true(d.kind == DIST_CONST && d.a_ns == 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_text), cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bad_text),  cmocka_unit_test(test_sampling),
		cmocka_unit_test(test_fit),	  cmocka_unit_test(test_fit_quantiles),
		cmocka_unit_test(test_fit_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
