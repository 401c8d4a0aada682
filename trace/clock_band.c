// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Feasible band of host-minus-guest clock lines: a linear program in two variables, solved with the
 * hulls of its bounds.
 *
 * A line stays below every upper bound if it stays below their lower convex hull, and above every
 * lower bound if above their upper hull. For a fixed drift b the offsets a that do both form the
 * interval [floor(b), ceiling(b)]; both are piecewise linear in b and change pieces at the slopes
 * of the hulls' edges. One walk over those slopes visits every vertex of the feasible polygon.
 *
 * Hulls are built in exact integers. The walk uses long double on differences to the first bound,
 * which keeps sub-ns precision over years.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "trace/clock_band.h"

#define MAX_SPAN_NS ((uint64_t)1 << 62)

typedef long double real;

struct hulls {
	const struct clock_bound *upper, *lower; /* both by time */
	size_t nr_upper, nr_lower;
	uint64_t t0;
	int64_t theta0;
};

/* Where the walk over drifts stands: the bounds that are tight at the current drift. */
struct walk {
	size_t upper, lower;
	real b, ceiling, floor;
};

/* What the feasible polygon looks like from the ends of the trace, relative to theta0. */
struct extent {
	bool feasible;
	real b_min, b_max;
	real first_min, first_max; /* theta at the first bound */
	real last_min, last_max; /* theta at the last bound */
	real best_gap; /* largest ceiling - floor; negative if the bounds contradict each other */
	real best_b, best_middle; /* the line half way between them */
	size_t best_upper, best_lower;
};

/* Uppers first; by time; of the same time the strictest first. */
static int compare_bounds(const void *x, const void *y)
{
	const struct clock_bound *a = x, *b = y;

	if (a->upper != b->upper)
		return a->upper ? -1 : 1;
	if (a->t_guest_ns != b->t_guest_ns)
		return a->t_guest_ns < b->t_guest_ns ? -1 : 1;
	if (a->theta_ns == b->theta_ns)
		return 0;
	return (a->theta_ns < b->theta_ns) == a->upper ? -1 : 1;
}

/* Twice the signed area of a, b, c: positive if c is left of (above) the line from a to b. */
static __int128 turn(const struct clock_bound *a, const struct clock_bound *b,
		     const struct clock_bound *c)
{
	__int128 bx = b->t_guest_ns - a->t_guest_ns, cx = c->t_guest_ns - a->t_guest_ns;
	__int128 by = (__int128)b->theta_ns - a->theta_ns, cy = (__int128)c->theta_ns - a->theta_ns;

	return bx * cy - cx * by;
}

/* Absolute differences that turn() can multiply without wrapping. */
static bool within_span(const struct clock_bound *a, const struct clock_bound *b)
{
	uint64_t theta = a->theta_ns > b->theta_ns ? (uint64_t)a->theta_ns - (uint64_t)b->theta_ns
						   : (uint64_t)b->theta_ns - (uint64_t)a->theta_ns;

	return b->t_guest_ns - a->t_guest_ns <= MAX_SPAN_NS && theta <= MAX_SPAN_NS;
}

bool clock_bound_is_slack(const struct clock_bound *before, const struct clock_bound *b,
			  const struct clock_bound *after)
{
	__int128 t;

	if (b->t_guest_ns <= before->t_guest_ns || after->t_guest_ns <= b->t_guest_ns ||
	    !within_span(before, b) || !within_span(before, after))
		return false;
	t = turn(before, b, after);
	return b->upper ? t <= 0 : t >= 0;
}

static void swap(struct clock_bound *a, struct clock_bound *b)
{
	struct clock_bound t = *a;

	*a = *b;
	*b = t;
}

/* Monotone chain, in place: the hull's points come first, the others behind them in any order. */
static size_t make_hull(struct clock_bound *p, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept && p[kept - 1].t_guest_ns == p[i].t_guest_ns)
			continue; /* the stricter one came first */
		while (kept >= 2) {
			__int128 t = turn(&p[kept - 2], &p[kept - 1], &p[i]);

			if (p[i].upper ? t > 0 : t < 0)
				break;
			kept--;
		}
		swap(&p[kept++], &p[i]);
	}
	return kept;
}

static bool spans_fit(const struct clock_bound *bounds, size_t n)
{
	uint64_t t_min = UINT64_MAX, t_max = 0;
	int64_t theta_min = INT64_MAX, theta_max = INT64_MIN;

	for (size_t i = 0; i < n; i++) {
		const struct clock_bound *b = &bounds[i];

		t_min = b->t_guest_ns < t_min ? b->t_guest_ns : t_min;
		t_max = b->t_guest_ns > t_max ? b->t_guest_ns : t_max;
		theta_min = b->theta_ns < theta_min ? b->theta_ns : theta_min;
		theta_max = b->theta_ns > theta_max ? b->theta_ns : theta_max;
	}
	return !n || (t_max - t_min <= MAX_SPAN_NS &&
		      (uint64_t)theta_max - (uint64_t)theta_min <= MAX_SPAN_NS);
}

ssize_t clock_band_reduce(struct clock_bound *bounds, size_t n)
{
	size_t nr_upper = 0, upper, lower;

	if (!spans_fit(bounds, n))
		return -ERANGE;
	qsort(bounds, n, sizeof(*bounds), compare_bounds);
	while (nr_upper < n && bounds[nr_upper].upper)
		nr_upper++;
	upper = make_hull(bounds, nr_upper);
	lower = make_hull(bounds + nr_upper, n - nr_upper);
	for (size_t i = 0; i < lower && upper < nr_upper; i++)
		swap(&bounds[upper + i], &bounds[nr_upper + i]);
	return (ssize_t)(upper + lower);
}

static real x_of(const struct hulls *h, const struct clock_bound *b)
{
	return (real)(b->t_guest_ns - h->t0);
}

/* Offset at t0 of the line with drift b through a bound, which is 1 ns wider than written. */
static real offset_of(const struct hulls *h, const struct clock_bound *at, real b)
{
	return (real)(at->theta_ns - h->theta0) + (at->upper ? 1 : -1) - b * x_of(h, at);
}

static real slope(const struct clock_bound *a, const struct clock_bound *b)
{
	return ((real)b->theta_ns - (real)a->theta_ns) / (real)(b->t_guest_ns - a->t_guest_ns);
}

/* Slope at which the tight upper bound changes to the next one: they are tight left to right. */
static real next_upper_slope(const struct hulls *h, const struct walk *w)
{
	if (w->upper + 1 == h->nr_upper)
		return INFINITY;
	return slope(&h->upper[w->upper], &h->upper[w->upper + 1]);
}

/* Lower bounds are tight right to left. */
static real next_lower_slope(const struct hulls *h, const struct walk *w)
{
	if (!w->lower)
		return INFINITY;
	return slope(&h->lower[w->lower - 1], &h->lower[w->lower]);
}

static void walk_set(const struct hulls *h, struct walk *w, real b)
{
	w->b = b;
	w->ceiling = offset_of(h, &h->upper[w->upper], b);
	w->floor = offset_of(h, &h->lower[w->lower], b);
}

static void walk_start(const struct hulls *h, struct walk *w)
{
	w->upper = 0;
	w->lower = h->nr_lower - 1;
	while (next_upper_slope(h, w) <= -CLOCK_BAND_MAX_DRIFT)
		w->upper++;
	while (next_lower_slope(h, w) <= -CLOCK_BAND_MAX_DRIFT)
		w->lower--;
	walk_set(h, w, -CLOCK_BAND_MAX_DRIFT);
}

/* To the next vertex of ceiling or floor, or to the largest drift. False if already there. */
static bool walk_step(const struct hulls *h, struct walk *w)
{
	real up = next_upper_slope(h, w), low = next_lower_slope(h, w);
	real b = up < low ? up : low;

	if (w->b >= CLOCK_BAND_MAX_DRIFT)
		return false;
	if (b >= CLOCK_BAND_MAX_DRIFT) {
		walk_set(h, w, CLOCK_BAND_MAX_DRIFT);
		return true;
	}
	if (up <= b)
		w->upper++;
	if (low <= b)
		w->lower--;
	walk_set(h, w, b);
	return true;
}

static void extent_add(struct extent *e, real b, real ceiling, real floor, real length)
{
	if (!e->feasible || b < e->b_min)
		e->b_min = b;
	if (!e->feasible || b > e->b_max)
		e->b_max = b;
	if (!e->feasible || floor < e->first_min)
		e->first_min = floor;
	if (!e->feasible || ceiling > e->first_max)
		e->first_max = ceiling;
	if (!e->feasible || floor + b * length < e->last_min)
		e->last_min = floor + b * length;
	if (!e->feasible || ceiling + b * length > e->last_max)
		e->last_max = ceiling + b * length;
	e->feasible = true;
}

static void extent_note_gap(struct extent *e, const struct walk *w)
{
	real gap = w->ceiling - w->floor;

	if (gap <= e->best_gap)
		return;
	e->best_gap = gap;
	e->best_b = w->b;
	e->best_middle = (w->ceiling + w->floor) / 2;
	e->best_upper = w->upper;
	e->best_lower = w->lower;
}

/* Between two steps of the walk all is linear: add the part where the ceiling is above the floor.
 */
static void extent_add_piece(struct extent *e, const struct walk *from, const struct walk *to,
			     real length)
{
	real gap0 = from->ceiling - from->floor, gap1 = to->ceiling - to->floor;

	if (gap0 >= 0)
		extent_add(e, from->b, from->ceiling, from->floor, length);
	if (gap1 >= 0)
		extent_add(e, to->b, to->ceiling, to->floor, length);
	if ((gap0 >= 0) != (gap1 >= 0)) {
		real f = gap0 / (gap0 - gap1);
		real a = from->ceiling + f * (to->ceiling - from->ceiling);

		extent_add(e, from->b + f * (to->b - from->b), a, a, length);
	}
}

static struct extent measure(const struct hulls *h, real length)
{
	struct extent e = {.best_gap = -INFINITY};
	struct walk from, to;

	walk_start(h, &from);
	extent_note_gap(&e, &from);
	to = from;
	while (walk_step(h, &to)) {
		extent_note_gap(&e, &to);
		extent_add_piece(&e, &from, &to, length);
		from = to;
	}
	return e;
}

static uint64_t latest(const struct hulls *h)
{
	uint64_t upper = h->upper[h->nr_upper - 1].t_guest_ns;
	uint64_t lower = h->lower[h->nr_lower - 1].t_guest_ns;

	return upper > lower ? upper : lower;
}

static void describe_conflict(struct clock_band *band, const struct hulls *h,
			      const struct extent *e)
{
	uint64_t a = h->upper[e->best_upper].t_guest_ns, b = h->lower[e->best_lower].t_guest_ns;

	band->empty = true;
	band->offset_ns = (int64_t)((uint64_t)h->theta0 + (uint64_t)llroundl(e->best_middle));
	band->drift = band->drift_min = band->drift_max = (double)e->best_b;
	band->conflict_ns = (int64_t)ceill(-e->best_gap);
	/* Half way between the two: with a clock step, they are the last before and first after. */
	band->conflict_at_ns = a < b ? a + (b - a) / 2 : b + (a - b) / 2;
}

void clock_band_release(struct clock_band *band)
{
	free(band->knots);
	band->knots = NULL;
	band->nr_knots = 0;
}

int clock_band_fit(struct clock_band *band, struct clock_bound *bounds, size_t n)
{
	ssize_t kept = clock_band_reduce(bounds, n);
	struct hulls h = {.upper = bounds};
	struct extent e;
	real length;

	*band = (struct clock_band){.nr_bounds = n};
	if (kept < 0)
		return (int)kept;
	while (h.nr_upper < (size_t)kept && bounds[h.nr_upper].upper)
		h.nr_upper++;
	h.lower = bounds + h.nr_upper;
	h.nr_lower = kept - h.nr_upper;
	if (!h.nr_upper || !h.nr_lower)
		return -ENOENT;
	h.t0 = h.upper->t_guest_ns < h.lower->t_guest_ns ? h.upper->t_guest_ns
							 : h.lower->t_guest_ns;
	h.theta0 = h.upper->theta_ns;
	length = (real)(latest(&h) - h.t0);
	e = measure(&h, length);
	band->t0_guest_ns = h.t0;
	if (!e.feasible) {
		describe_conflict(band, &h, &e);
		return 0;
	}
	/*
	 * The centre of the box around (theta at the first bound, theta at the last bound) is
	 * feasible: a convex set that touches all four sides of a box holds the box's centre.
	 */
	band->offset_ns =
		(int64_t)((uint64_t)h.theta0 + (uint64_t)llroundl((e.first_min + e.first_max) / 2));
	if (length > 0)
		band->drift = (double)((e.last_min + e.last_max - e.first_min - e.first_max) / 2 /
				       length);
	band->drift_min = (double)e.b_min;
	band->drift_max = (double)e.b_max;
	band->width_ns = (uint64_t)ceill(fmaxl(e.first_max - e.first_min, e.last_max - e.last_min));
	band->typical_width_ns = band->width_ns;
	return 0;
}

/* llround(), which is a call for each time that is moved; x is far from the limits of int64_t. */
static uint64_t round_ns(double x)
{
	int64_t whole = (int64_t)x;
	double rest = x - (double)whole;

	return (uint64_t)(whole + (rest >= 0.5) - (rest <= -0.5));
}

/* t_host - t_guest = theta + drift * (t_guest - t0), solved for t_guest. */
static uint64_t along_line(uint64_t t0_guest_ns, int64_t theta_ns, double drift, uint64_t t_host_ns)
{
	int64_t since = (int64_t)(t_host_ns - (uint64_t)theta_ns - t0_guest_ns);
	double slewed = (double)since * (drift / (1 + drift));

	return t0_guest_ns + (uint64_t)since - round_ns(slewed);
}

static uint64_t from_knot(const struct clock_knot *k, double drift, uint64_t t_host_ns)
{
	return along_line(k->t_guest_ns, (int64_t)(k->t_host_ns - k->t_guest_ns), drift, t_host_ns);
}

static uint64_t between(const struct clock_knot *a, const struct clock_knot *b, uint64_t t_host_ns)
{
	double share = (double)(t_host_ns - a->t_host_ns) / (double)(b->t_host_ns - a->t_host_ns);

	return a->t_guest_ns + round_ns(share * (double)(b->t_guest_ns - a->t_guest_ns));
}

static uint64_t host_time(const struct clock_knot *k)
{
	return k->t_host_ns;
}

static uint64_t guest_time(const struct clock_knot *k)
{
	return k->t_guest_ns;
}

/* The last knot that is not later, or the first. */
static const struct clock_knot *knot_before(const struct clock_band *band,
					    uint64_t (*time_of)(const struct clock_knot *),
					    uint64_t t)
{
	size_t low = 0, high = band->nr_knots;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (time_of(&band->knots[middle]) <= t)
			low = middle;
		else
			high = middle;
	}
	return &band->knots[low];
}

uint64_t clock_band_to_guest(const struct clock_band *band, uint64_t t_host_ns)
{
	const struct clock_knot *before;

	if (!band->nr_knots)
		return along_line(band->t0_guest_ns, band->offset_ns, band->drift, t_host_ns);
	before = knot_before(band, host_time, t_host_ns);
	if (t_host_ns <= before->t_host_ns || before + 1 == band->knots + band->nr_knots)
		return from_knot(before, band->drift, t_host_ns);
	return between(before, before + 1, t_host_ns);
}

/* The path strays on the way from a knot, and the clocks may have done so to the other side. */
static uint64_t error_from(const struct clock_band *band, const struct clock_knot *k, uint64_t t)
{
	uint64_t away = t > k->t_guest_ns ? t - k->t_guest_ns : k->t_guest_ns - t;

	return k->width_ns / 2 + 1 + (uint64_t)ceil(2 * band->wander * (double)away);
}

uint64_t clock_band_error_ns(const struct clock_band *band, uint64_t t_guest_ns)
{
	const struct clock_knot *before;
	uint64_t error;

	if (!band->nr_knots)
		return band->width_ns / 2 + 1;
	before = knot_before(band, guest_time, t_guest_ns);
	error = error_from(band, before, t_guest_ns);
	if (before + 1 == band->knots + band->nr_knots)
		return error;
	return min_u64(error, error_from(band, before + 1, t_guest_ns));
}
