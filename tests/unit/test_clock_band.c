// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The clock band holds the true clocks, is as narrow as its bounds allow, and notices
 * contradiction.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "tests/unit/clock_truth.h"
#include "trace/clock_band.h"

static void test_truth_is_in_the_band(void **state)
{
	static const struct {
		struct truth truth;
		uint64_t length;
		size_t n;
	} cases[] = {
		{{1000000, 0, 0}, NS_PER_SEC, 1000},
		{{7 * NS_PER_SEC, -123456789012345, 40e-6}, 10 * NS_PER_SEC, 3000},
		{{7 * NS_PER_SEC, 5, -499e-6}, 3600 * NS_PER_SEC, 3000},
		{{400 * 86400 * NS_PER_SEC, -(int64_t)(399 * 86400 * NS_PER_SEC), 3e-6},
		 86400 * NS_PER_SEC,
		 3000},
		{{1, 1000, 10e-6}, 2000, 2},
	};
	struct clock_bound *bounds = calloc(6000, sizeof(*bounds));
	uint64_t seed = 42;

	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		const struct truth *truth = &cases[c].truth;
		struct clock_band band;

		make_bounds(bounds, cases[c].n, truth, cases[c].length, 8000, 100000, &seed);
		assert_int_equal(clock_band_fit(&band, bounds, 2 * cases[c].n), 0);
		assert_false(band.empty);
		assert_int_equal(band.nr_bounds, 2 * cases[c].n);
		assert_true(band.width_ns >= 16000);
		assert_true(band.width_ns <= 216002 + cases[c].length / 500);
		assert_true(band.drift_min <= truth->drift && truth->drift <= band.drift_max);
		assert_true(band.drift_min <= band.drift && band.drift <= band.drift_max);
		for (int i = 0; i <= 10; i++) {
			uint64_t t = truth->t0 + cases[c].length / 10 * i;
			uint64_t host = t + true_theta(truth, t);
			int64_t error = (int64_t)(clock_band_to_guest(&band, host) - t);

			assert_true(llabs(error) <= (int64_t)band.width_ns / 2 + 2);
		}
	}
	free(bounds);
}

/* Vertices of the polygon by brute force: every pair of constraint lines, kept if feasible. */
static bool brute_extent(const struct clock_bound *b, size_t n, long double *width)
{
	const long double max_drift = CLOCK_BAND_MAX_DRIFT, slack = 1e-6;
	long double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
	uint64_t first = UINT64_MAX, last = 0;

	for (size_t i = 0; i < n; i++) {
		first = min_u64(first, b[i].t_guest_ns);
		last = max_u64(last, b[i].t_guest_ns);
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n + 2; j++) {
			long double xi = b[i].t_guest_ns - first, yi, slope, a;
			bool feasible;

			yi = b[i].theta_ns + (b[i].upper ? 1 : -1);
			if (j >= n)
				slope = j == n ? max_drift : -max_drift;
			else if (b[j].t_guest_ns == b[i].t_guest_ns)
				continue;
			else
				slope = (b[j].theta_ns + (b[j].upper ? 1 : -1) - yi) /
					((long double)(b[j].t_guest_ns - first) - xi);
			a = yi - slope * xi;
			feasible = fabsl(slope) <= max_drift * (1 + 1e-15L);
			for (size_t k = 0; k < n; k++) {
				long double at = a + slope * (long double)(b[k].t_guest_ns - first);

				feasible &= b[k].upper ? at <= b[k].theta_ns + 1 + slack
						       : at >= b[k].theta_ns - 1 - slack;
			}
			if (!feasible)
				continue;
			for (int end = 0; end < 2; end++) {
				long double v = a + slope * (end ? last - first : 0);

				low[end] = fminl(low[end], v);
				high[end] = fmaxl(high[end], v);
			}
		}
	}
	*width = fmaxl(high[0] - low[0], high[1] - low[1]);
	return high[0] >= low[0];
}

static void test_same_as_brute_force(void **state)
{
	uint64_t seed = 7;
	int empty = 0;

	for (int round = 0; round < 3000; round++) {
		struct clock_bound bounds[12], again[12];
		size_t n = 2 + next_random(&seed) % 11;
		uint64_t length = round % 3 ? 1000000 : 20;
		struct clock_band band;
		long double width;
		bool feasible;
		ssize_t kept;

		for (size_t i = 0; i < n; i++) {
			bool upper = i == 0 ? true : i == 1 ? false : next_random(&seed) % 2;
			int64_t noise = (int64_t)(next_random(&seed) % 1000) - 60;

			bounds[i] = (struct clock_bound){
				.t_guest_ns = 5000 + next_random(&seed) % length,
				.theta_ns = upper ? noise : -noise,
				.upper = upper,
			};
		}
		feasible = brute_extent(bounds, n, &width);
		memcpy(again, bounds, sizeof(bounds));
		assert_int_equal(clock_band_fit(&band, bounds, n), 0);
		assert_int_equal(band.empty, !feasible);
		empty += band.empty;
		if (feasible)
			assert_true(fabsl((long double)band.width_ns - width) <= 1.01);
		/* Dropping what cannot matter changes nothing. */
		kept = clock_band_reduce(again, n);
		assert_true(kept >= 2 && kept <= (ssize_t)n);
		width = band.width_ns;
		assert_int_equal(clock_band_fit(&band, again, kept), 0);
		assert_int_equal(band.empty, !feasible);
		if (feasible)
			assert_int_equal(band.width_ns, (uint64_t)width);
	}
	assert_in_range(empty, 100, 2900);
}

static void test_clock_step_is_found(void **state)
{
	struct truth before = {NS_PER_SEC, 5000000, 1e-6};
	struct truth after = {6 * NS_PER_SEC, 5000000 + 40000000, 1e-6};
	struct clock_bound *bounds = calloc(4000, sizeof(*bounds));
	struct clock_band band;
	uint64_t seed = 3;

	make_bounds(bounds, 1000, &before, 5 * NS_PER_SEC, 5000, 100000, &seed);
	make_bounds(bounds + 2000, 1000, &after, 5 * NS_PER_SEC, 5000, 100000, &seed);
	assert_int_equal(clock_band_fit(&band, bounds, 4000), 0);
	assert_true(band.empty);
	assert_in_range(band.conflict_ns, 1000000, 40000000);
	assert_in_range(band.conflict_at_ns, 59 * NS_PER_SEC / 10, 61 * NS_PER_SEC / 10);
	free(bounds);
}

static void test_few_bounds(void **state)
{
	struct clock_bound one[] = {{100, 50, true}};
	struct clock_bound pair[] = {{1000, 500, true}, {101000, 400, false}};
	struct clock_bound same_time[] = {{7, 10, true}, {7, 4, false}, {7, 12, true}};
	struct clock_bound apart[] = {{0, 10, true}, {UINT64_MAX, 4, false}};
	struct clock_bound crossed[] = {{7, 10, true}, {7, 40, false}};
	struct clock_band band;

	assert_int_equal(clock_band_fit(&band, one, 0), -ENOENT);
	assert_int_equal(clock_band_fit(&band, one, 1), -ENOENT);
	assert_int_equal(clock_band_fit(&band, apart, 2), -ERANGE);

	/* Two bounds leave the drift free: it is limited to what a kernel can do. */
	assert_int_equal(clock_band_fit(&band, pair, 2), 0);
	assert_false(band.empty);
	assert_true(band.drift_min >= -CLOCK_BAND_MAX_DRIFT);
	assert_true(fabs(band.drift_max - CLOCK_BAND_MAX_DRIFT) < 1e-12);
	assert_in_range(band.width_ns, 102, 203);

	assert_int_equal(clock_band_fit(&band, same_time, 3), 0);
	assert_false(band.empty);
	assert_int_equal(band.width_ns, 8); /* 6, and 1 on each side for cut-off fractions */
	assert_int_equal(band.offset_ns, 7);
	assert_true(band.drift == 0);

	assert_int_equal(clock_band_fit(&band, crossed, 2), 0);
	assert_true(band.empty);
	assert_int_equal(band.conflict_ns, 28);
	assert_int_equal(band.conflict_at_ns, 7);
}

static size_t drop_slack(struct clock_bound *kept, size_t count, const struct clock_bound *next)
{
	while (count >= 2 && clock_bound_is_slack(&kept[count - 2], &kept[count - 1], next))
		count--;
	kept[count] = *next;
	return count + 1;
}

static int by_time_mostly(const void *a, const void *b)
{
	uint64_t x = ((const struct clock_bound *)a)->t_guest_ns >> 20;
	uint64_t y = ((const struct clock_bound *)b)->t_guest_ns >> 20;

	return x < y ? -1 : x > y;
}

/* What is dropped on the way leaves the band as it was, also if some bounds come out of order. */
static void test_slack_does_not_matter(void **state)
{
	enum {
		N = 2000
	};
	struct clock_bound *all = calloc(4 * N, sizeof(*all)), *kept = calloc(2 * N, sizeof(*kept));
	uint64_t seed = 4711;

	for (int round = 0; round < 50; round++) {
		const struct truth truth = {1000000, -(int64_t)(next_random(&seed) % 1000000),
					    (double)(next_random(&seed) % 100) * 1e-6};
		struct clock_band whole, reduced;
		size_t count = 0, side;

		make_bounds(all, N, &truth, 60ull << 30, 500, 1 << (5 + round % 12), &seed);
		qsort(all, 2 * N, sizeof(*all), by_time_mostly);
		for (int upper = 0; upper < 2; upper++) {
			side = 0;
			for (size_t i = 0; i < 2 * N; i++)
				if (all[i].upper == upper)
					side = drop_slack(kept + count, side, &all[i]);
			count += side;
		}
		assert_in_range(count, 2, N); /* that it drops is the point */
		assert_int_equal(clock_band_fit(&whole, all, 2 * N), 0);
		assert_int_equal(clock_band_fit(&reduced, kept, count), 0);
		whole.nr_bounds = reduced.nr_bounds = 0;
		assert_memory_equal(&whole, &reduced, sizeof(whole));
	}
	free(all);
	free(kept);
}

/* Times of a damaged file: no arithmetic wraps. */
static void test_slack_of_nonsense(void **state)
{
	const struct clock_bound before = {0, INT64_MIN, true},
				 b = {UINT64_MAX / 2, INT64_MAX, true};
	const struct clock_bound after = {UINT64_MAX, INT64_MIN, true};

	assert_false(clock_bound_is_slack(&before, &b, &after));
	assert_false(clock_bound_is_slack(&after, &b, &before));
	assert_false(clock_bound_is_slack(&b, &b, &b));
}

/* Moved times are rounded to the nearest nanosecond, halves away from zero, wherever they lie. */
static void test_rounding(void **state)
{
	uint64_t seed = 99;

	for (int i = 0; i < 200000; i++) {
		struct clock_band band = {
			.t0_guest_ns = next_random(&seed) >> 1,
			.offset_ns = (int64_t)(next_random(&seed) >> (i % 40)) - (1ll << 20),
			.drift = ((double)(next_random(&seed) % 2001) - 1000) * 1e-6,
		};
		uint64_t since = next_random(&seed) >> (1 + i % 60);
		uint64_t t_host_ns = band.t0_guest_ns + (uint64_t)band.offset_ns + since;
		double slewed = (double)(int64_t)since * (band.drift / (1 + band.drift));

		assert_int_equal(clock_band_to_guest(&band, t_host_ns),
				 band.t0_guest_ns + since - (uint64_t)llround(slewed));
	}
	/* drift / (1 + drift) is -2^-10, also in doubles: halves occur. */
	for (uint64_t since = 0; since < 10240; since++) {
		struct clock_band band = {.drift = -1.0 / 1025};

		assert_int_equal(
			clock_band_to_guest(&band, since),
			since - (uint64_t)llround((double)since * (band.drift / (1 + band.drift))));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truth_is_in_the_band),
		cmocka_unit_test(test_same_as_brute_force),
		cmocka_unit_test(test_clock_step_is_found),
		cmocka_unit_test(test_few_bounds),
		cmocka_unit_test(test_slack_does_not_matter),
		cmocka_unit_test(test_slack_of_nonsense),
		cmocka_unit_test(test_rounding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
