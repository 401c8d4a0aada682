// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The grid of tightest bounds, and the corridor through them.
 *
 * One walk forward over the bounds carries the lowest upper and the highest lower one, each relaxed
 * by the rate and the time that went by; where they cross, the rate is too small. The corridor is
 * what a walk forward and one backward both allow. All is in doubles relative to the line, so that
 * what is left is small.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "trace/clock_path.h"

#define CELLS 65536u
#define FIRST_CELL_SHIFT 20
#define BISECTIONS 30 /* of CLOCK_PATH_MAX_WANDER: to 0.5e-12 */

struct clock_cell {
	struct clock_bound upper, lower;
	bool has_upper, has_lower;
};

/* A bound relative to the line: x since t0, y from the line. */
struct point {
	double x, y;
	bool upper;
};

struct corridor {
	struct point *points; /* by time */
	size_t count;
	double *ceiling, *floor; /* at each point */
};

/* What a walk has seen so far, at its last point. */
struct relaxed {
	double x, ceiling, floor;
};

struct conflict {
	double by, at;
};

int clock_grid_new(struct clock_grid *grid)
{
	grid->cells = malloc(CELLS * sizeof(*grid->cells));
	clock_grid_clear(grid);
	return grid->cells ? 0 : -ENOMEM;
}

void clock_grid_free(struct clock_grid *grid)
{
	free(grid->cells);
	grid->cells = NULL;
}

void clock_grid_clear(struct clock_grid *grid)
{
	grid->nr_cells = 0;
	grid->cell_shift = FIRST_CELL_SHIFT;
}

static void cell_add(struct clock_cell *cell, const struct clock_bound *b)
{
	if (b->upper && (!cell->has_upper || b->theta_ns < cell->upper.theta_ns)) {
		cell->upper = *b;
		cell->has_upper = true;
	} else if (!b->upper && (!cell->has_lower || b->theta_ns > cell->lower.theta_ns)) {
		cell->lower = *b;
		cell->has_lower = true;
	}
}

/* Cells of twice the width. */
static void widen(struct clock_grid *grid)
{
	size_t merged = 0;

	for (size_t i = 0; i < grid->nr_cells; i += 2) {
		struct clock_cell cell = grid->cells[i];
		const struct clock_cell *next = &grid->cells[i + 1];

		if (i + 1 < grid->nr_cells && next->has_upper)
			cell_add(&cell, &next->upper);
		if (i + 1 < grid->nr_cells && next->has_lower)
			cell_add(&cell, &next->lower);
		grid->cells[merged++] = cell;
	}
	grid->nr_cells = merged;
	grid->cell_shift++;
}

void clock_grid_add(struct clock_grid *grid, const struct clock_bound *bound)
{
	uint64_t at = 0;

	if (!grid->nr_cells)
		grid->base_ns = bound->t_guest_ns;
	if (bound->t_guest_ns > grid->base_ns)
		at = bound->t_guest_ns - grid->base_ns;
	while (at >> grid->cell_shift >= CELLS)
		widen(grid);
	at >>= grid->cell_shift;
	while (grid->nr_cells <= at)
		grid->cells[grid->nr_cells++] = (struct clock_cell){0};
	cell_add(&grid->cells[at], bound);
}

/* 1 ns wider than written: see trace/clock_band.h. */
static struct point to_point(const struct clock_band *band, const struct clock_bound *b)
{
	double x = (double)(int64_t)(b->t_guest_ns - band->t0_guest_ns);
	int64_t theta = (int64_t)((uint64_t)b->theta_ns - (uint64_t)band->offset_ns);

	return (struct point){
		.x = x,
		.y = (double)theta - band->drift * x + (b->upper ? 1 : -1),
		.upper = b->upper,
	};
}

static void add_cell(struct corridor *c, const struct clock_band *band,
		     const struct clock_cell *cell)
{
	const struct clock_bound *bounds[2];
	size_t n = 0;

	if (cell->has_upper)
		bounds[n++] = &cell->upper;
	if (cell->has_lower)
		bounds[n++] = &cell->lower;
	if (n == 2 && bounds[1]->t_guest_ns < bounds[0]->t_guest_ns) {
		bounds[0] = &cell->lower;
		bounds[1] = &cell->upper;
	}
	for (size_t i = 0; i < n; i++)
		c->points[c->count++] = to_point(band, bounds[i]);
}

static void corridor_free(struct corridor *c)
{
	free(c->points);
	free(c->ceiling);
	free(c->floor);
}

static int corridor_new(struct corridor *c, const struct clock_band *band,
			const struct clock_grid *grid)
{
	size_t most = 2 * grid->nr_cells;

	*c = (struct corridor){
		.points = calloc(most, sizeof(*c->points)),
		.ceiling = calloc(most, sizeof(*c->ceiling)),
		.floor = calloc(most, sizeof(*c->floor)),
	};
	if (!c->points || !c->ceiling || !c->floor) {
		corridor_free(c);
		return -ENOMEM;
	}
	for (size_t i = 0; i < grid->nr_cells; i++)
		add_cell(c, band, &grid->cells[i]);
	return 0;
}

static void relax_to(struct relaxed *r, const struct point *p, double wander)
{
	double slack = wander * fabs(p->x - r->x);

	r->x = p->x;
	r->ceiling += slack;
	r->floor -= slack;
	if (p->upper)
		r->ceiling = fmin(r->ceiling, p->y);
	else
		r->floor = fmax(r->floor, p->y);
}

static struct relaxed nothing_seen(const struct point *at)
{
	return (struct relaxed){.x = at->x, .ceiling = INFINITY, .floor = -INFINITY};
}

/* Whether the corridor is open everywhere at this rate; conflict: where it is closed the most. */
static bool is_open(const struct corridor *c, double wander, struct conflict *conflict)
{
	struct relaxed seen = nothing_seen(c->points);

	*conflict = (struct conflict){0};
	for (size_t i = 0; i < c->count; i++) {
		relax_to(&seen, &c->points[i], wander);
		if (seen.floor - seen.ceiling > conflict->by)
			*conflict = (struct conflict){seen.floor - seen.ceiling, seen.x};
	}
	return conflict->by <= 0;
}

static double least_wander(const struct corridor *c)
{
	double closed = 0, open = CLOCK_PATH_MAX_WANDER;
	struct conflict unused;

	for (int i = 0; i < BISECTIONS; i++) {
		double middle = (closed + open) / 2;

		if (is_open(c, middle, &unused))
			open = middle;
		else
			closed = middle;
	}
	return open;
}

static void measure(struct corridor *c, double wander)
{
	struct relaxed seen = nothing_seen(c->points);

	for (size_t i = 0; i < c->count; i++) {
		relax_to(&seen, &c->points[i], wander);
		c->ceiling[i] = seen.ceiling;
		c->floor[i] = seen.floor;
	}
	seen = nothing_seen(&c->points[c->count - 1]);
	for (size_t i = c->count; i-- > 0;) {
		relax_to(&seen, &c->points[i], wander);
		c->ceiling[i] = fmin(c->ceiling[i], seen.ceiling);
		c->floor[i] = fmax(c->floor[i], seen.floor);
	}
}

static int compare_widths(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int set_widths(struct clock_band *band)
{
	size_t n = band->nr_knots;
	uint64_t *widths = calloc(n, sizeof(*widths));

	if (!widths)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		widths[i] = band->knots[i].width_ns;
	qsort(widths, n, sizeof(*widths), compare_widths);
	band->width_ns = widths[n - 1];
	band->typical_width_ns = widths[n / 2];
	free(widths);
	return 0;
}

/* Knots at the points, those of the same time once. */
static int set_knots(struct clock_band *band, const struct corridor *c)
{
	double deviation = 0;

	band->knots = calloc(c->count, sizeof(*band->knots));
	if (!band->knots)
		return -ENOMEM;
	for (size_t i = 0; i < c->count; i++) {
		double middle = (c->ceiling[i] + c->floor[i]) / 2, x = c->points[i].x;
		uint64_t guest = band->t0_guest_ns + (uint64_t)(int64_t)x;
		uint64_t host = guest + (uint64_t)band->offset_ns +
				(uint64_t)llround(middle + band->drift * x);
		const struct clock_knot *last = band->knots + band->nr_knots - 1;

		deviation = fmax(deviation, fabs(middle));
		if (band->nr_knots && (guest <= last->t_guest_ns || host <= last->t_host_ns))
			continue;
		band->knots[band->nr_knots++] = (struct clock_knot){
			.t_host_ns = host,
			.t_guest_ns = guest,
			.width_ns = (uint64_t)ceil(c->ceiling[i] - c->floor[i]),
		};
	}
	band->deviation_ns = (uint64_t)ceil(deviation);
	return set_widths(band);
}

static int follow(struct clock_band *band, struct corridor *c, const struct clock_grid *grid)
{
	double length = fmax(c->points[c->count - 1].x - c->points[0].x, 1);
	struct conflict conflict;
	uint64_t away_ns;
	double least;
	int err;

	if (!is_open(c, CLOCK_PATH_MAX_WANDER, &conflict)) {
		band->conflict_ns = (int64_t)ceil(conflict.by);
		band->conflict_at_ns = band->t0_guest_ns + (uint64_t)conflict.at;
		return 0;
	}
	/* The grid may have left out those that contradict each other: at least what they need. */
	least = fmax(least_wander(c), (double)band->conflict_ns / length);
	band->wander = fmax(2 * least, CLOCK_PATH_WANDER);
	measure(c, band->wander);
	err = set_knots(band, c);
	if (err)
		return err;
	/* Requests are within a cell of a point: see clock_band_error_ns(). */
	away_ns = (uint64_t)ceil(4 * band->wander * (double)((uint64_t)1 << grid->cell_shift));
	band->width_ns += away_ns;
	band->typical_width_ns += away_ns;
	band->empty = false;
	band->conflict_ns = 0;
	return 0;
}

int clock_path_find(struct clock_band *band, const struct clock_grid *grid)
{
	struct corridor c;
	int err = corridor_new(&c, band, grid);

	if (err)
		return err;
	if (c.count)
		err = follow(band, &c, grid);
	corridor_free(&c);
	return err;
}
