// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clocks whose rate changes are followed within the error bar that is stated, which stays as narrow
 * as the requests allow; the wander is the least that explains the bounds; steps are refused.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "tests/unit/clock_truth.h"
#include "trace/clock_path.h"

enum {
	MOST_PIECES = 16,
	REQUESTS = 10000, /* of a piece */
	LEAST_NS = 3000, /* what a request takes each way */
	JITTER_NS = 100000,
};

/* A clock of pieces, each with a rate of its own; one without requests after every third. */
struct pieces {
	struct truth truths[MOST_PIECES];
	size_t count;
	uint64_t length_ns; /* of each */
};

static bool is_idle(size_t piece)
{
	return piece % 3 == 2;
}

static void make_pieces(struct pieces *p, size_t count, uint64_t length_ns, double drift,
			double stray, uint64_t *seed)
{
	struct truth at = {NS_PER_SEC, 5000000, 0};

	p->count = count;
	p->length_ns = length_ns;
	for (size_t i = 0; i < count; i++) {
		at.drift = drift + stray * ((double)(next_random(seed) % 2001) / 1000 - 1);
		p->truths[i] = at;
		at.offset = true_theta(&at, at.t0 + length_ns);
		at.t0 += length_ns;
	}
}

static void align(struct clock_band *band, struct clock_bound *bounds, size_t n)
{
	struct clock_grid grid;

	assert_int_equal(clock_grid_new(&grid), 0);
	for (size_t i = 0; i < n; i++)
		clock_grid_add(&grid, &bounds[i]);
	assert_int_equal(clock_band_fit(band, bounds, n), 0);
	assert_true(band->empty);
	assert_int_equal(clock_path_find(band, &grid), 0);
	clock_grid_free(&grid);
}

static void fit(struct clock_band *band, const struct pieces *p, uint64_t *seed)
{
	struct clock_bound *bounds = calloc(2 * REQUESTS * p->count, sizeof(*bounds));
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (is_idle(i))
			continue;
		make_bounds(bounds + n, REQUESTS, &p->truths[i], p->length_ns - 100000, LEAST_NS,
			    JITTER_NS, seed);
		n += 2 * REQUESTS;
	}
	align(band, bounds, n);
	free(bounds);
}

/* Wherever there are requests. */
static void assert_follows(const struct clock_band *band, const struct pieces *p)
{
	uint64_t before = 0;

	for (size_t i = 0; i < p->count; i++) {
		for (uint64_t t = p->truths[i].t0; t < p->truths[i].t0 + p->length_ns;
		     t += p->length_ns / 1000) {
			uint64_t host = t + (uint64_t)true_theta(&p->truths[i], t);
			uint64_t guest = clock_band_to_guest(band, host);

			assert_true(guest > before);
			before = guest;
			if (!is_idle(i))
				assert_true(llabs((int64_t)(guest - t)) <=
					    (int64_t)clock_band_error_ns(band, t));
		}
	}
}

/*
 * Of n requests, the quickest was late by a share of 1 / n of the jitter; so many take n times the
 * time between two, in which the clocks may wander. Twice the best n, and room for the cells.
 */
static double expected_width(double wander, double between_ns)
{
	double late_ns = 2 * sqrt(JITTER_NS * wander * between_ns);

	return 2 * 2 * (LEAST_NS + fmin(late_ns, JITTER_NS / 2.0)) + 4 * wander * (8 << 20);
}

static void test_changing_rates_are_followed(void **state)
{
	static const struct {
		size_t pieces;
		uint64_t length_ns;
		double drift, stray;
	} cases[] = {
		{2, 150 * NS_PER_SEC, 8e-6, 0.5e-6},
		{12, 5 * NS_PER_SEC, -1.3e-6, 8e-6},
		{16, 2 * NS_PER_SEC, 40e-6, 100e-6},
		{10, 600 * NS_PER_SEC, -20e-6, 1e-6},
	};
	uint64_t seed = 5;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct clock_band band = {0};
		struct pieces p;

		make_pieces(&p, cases[i].pieces, cases[i].length_ns, cases[i].drift, cases[i].stray,
			    &seed);
		fit(&band, &p, &seed);
		assert_false(band.empty);
		assert_true(band.wander >= CLOCK_PATH_WANDER &&
			    band.wander <= 4 * cases[i].stray + CLOCK_PATH_WANDER);
		assert_true(band.deviation_ns > 0);
		assert_true(band.typical_width_ns >= 2 * LEAST_NS);
		assert_true(band.width_ns >= band.typical_width_ns);
		assert_true((double)band.typical_width_ns <=
			    expected_width(band.wander, (double)cases[i].length_ns / REQUESTS));
		assert_follows(&band, &p);
		clock_band_release(&band);
		assert_null(band.knots);
	}
}

static void test_a_step_is_refused(void **state)
{
	struct truth before = {NS_PER_SEC, 5000000, 1e-6};
	struct truth after = {6 * NS_PER_SEC, 5000000 + 300000, 1e-6};
	struct clock_bound *bounds = calloc(4 * REQUESTS, sizeof(*bounds));
	struct clock_band band = {0};
	uint64_t seed = 3;

	make_bounds(bounds, REQUESTS, &before, 5 * NS_PER_SEC, LEAST_NS, JITTER_NS, &seed);
	make_bounds(bounds + 2 * REQUESTS, REQUESTS, &after, 5 * NS_PER_SEC, LEAST_NS, JITTER_NS,
		    &seed);
	align(&band, bounds, 4 * REQUESTS);
	assert_true(band.empty);
	assert_int_equal(band.nr_knots, 0);
	assert_in_range(band.conflict_ns, 150000, 300000);
	assert_in_range(band.conflict_at_ns, 59 * NS_PER_SEC / 10, 61 * NS_PER_SEC / 10);
	free(bounds);
}

/* By pairs: how fast theta must change from each lower bound to each upper one, from the line. */
static double least_by_pairs(const struct clock_band *line, const struct clock_bound *b, size_t n)
{
	double least = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			double dx = fabs((double)b[i].t_guest_ns - (double)b[j].t_guest_ns), by;

			if (b[i].upper || !b[j].upper)
				continue;
			by = (double)(b[i].theta_ns - b[j].theta_ns) - 2 -
			     line->drift * ((double)b[i].t_guest_ns - (double)b[j].t_guest_ns);
			if (by > 0)
				least = fmax(least, dx > 0 ? by / dx : INFINITY);
		}
	}
	return least;
}

/* Times so far apart that each has a cell of its own. */
static void test_the_least_wander(void **state)
{
	const uint64_t cell_ns = 2 << 20;
	uint64_t seed = 7;
	int refused = 0, followed = 0;

	for (int round = 0; round < 2000; round++) {
		struct clock_bound bounds[12];
		size_t n = 2 + next_random(&seed) % 11;
		struct clock_band line, band = {0};
		struct clock_grid grid;
		double least;

		assert_int_equal(clock_grid_new(&grid), 0);
		for (size_t i = 0; i < n; i++) {
			bool upper = i == 0 ? true : i == 1 ? false : next_random(&seed) % 2;
			int64_t noise = (int64_t)(next_random(&seed) % 4000) - 800;

			bounds[i] = (struct clock_bound){
				.t_guest_ns = 5000 + i * cell_ns + next_random(&seed) % 1000000,
				.theta_ns = upper ? noise : -noise,
				.upper = upper,
			};
			clock_grid_add(&grid, &bounds[i]);
		}
		assert_int_equal(clock_band_fit(&band, bounds, n), 0);
		line = band;
		if (band.empty) {
			assert_int_equal(clock_path_find(&band, &grid), 0);
			least = least_by_pairs(&line, bounds, n);
			assert_int_equal(band.empty, least > CLOCK_PATH_MAX_WANDER);
			if (!band.empty)
				assert_true(fabs(band.wander - fmax(2 * least, CLOCK_PATH_WANDER)) <
					    1e-9);
			refused += band.empty;
			followed += !band.empty;
		}
		clock_band_release(&band);
		clock_grid_free(&grid);
	}
	assert_true(refused > 20 && followed > 200);
}

/* Of a damaged file, or of many days: no more cells, and none that is not there. */
static void test_the_grid_has_an_end(void **state)
{
	struct clock_bound b = {.t_guest_ns = 1000, .theta_ns = 5, .upper = true};
	struct clock_grid grid;
	size_t most = 0;

	assert_int_equal(clock_grid_new(&grid), 0);
	for (int i = 0; i < 200000; i++) {
		clock_grid_add(&grid, &b);
		b.t_guest_ns += 700000 * (uint64_t)(i % 100);
		most = grid.nr_cells > most ? grid.nr_cells : most;
	}
	b.t_guest_ns = UINT64_MAX;
	clock_grid_add(&grid, &b);
	b.t_guest_ns = 0;
	clock_grid_add(&grid, &b);
	assert_in_range(most, 30000, 65536);
	assert_in_range(grid.nr_cells, 1, 65536);
	clock_grid_free(&grid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changing_rates_are_followed),
		cmocka_unit_test(test_a_step_is_refused),
		cmocka_unit_test(test_the_least_wander),
		cmocka_unit_test(test_the_grid_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
