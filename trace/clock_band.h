/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Align host and guest clocks by causality alone: no clock synchronisation is trusted.
 *
 * theta(t) = host - guest = a + b * t. Each joined request gives two bounds:
 *	theta <= t_visible(host) - t_add(guest)		nothing is seen before it was put there
 *	theta >= t_io_end(host) - t_complete(guest)	nothing is dequeued before it was served
 * All lines (a, b) that satisfy every bound form the feasible band. The chosen line is the one
 *whose distance from every other feasible line is at most half the band's width, everywhere between
 *the first and the last bound: times moved by it are right to +- width_ns / 2, whatever the true
 *clocks were.
 *
 * No line satisfies all bounds of clocks whose rate changes: NTP corrects it by fractions of a ppm
 * every minute or so, and by hundreds after a boot. trace/clock_path.h finds what does then, if
 * anything: nothing does for a stepped clock or a wrong join.
 *
 * Both clocks are CLOCK_MONOTONIC, which the kernel slews by at most 500 ppm (MAXFREQ in
 * include/linux/timex.h), so |b| <= 1000 ppm; only traces too short to bound b themselves feel
 * this. Times are whole nanoseconds, cut and not rounded: each bound is taken 1 ns wider than it is
 * written.
 */
#ifndef VFSCOPE_TRACE_CLOCK_BAND_H
#define VFSCOPE_TRACE_CLOCK_BAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CLOCK_BAND_MAX_DRIFT 1000e-6

struct clock_bound {
	uint64_t t_guest_ns;
	int64_t theta_ns;
	bool upper; /* theta at t is at most (true) or at least (false) theta_ns */
};

/* The same moment on both clocks. */
struct clock_knot {
	uint64_t t_host_ns, t_guest_ns;
	uint64_t width_ns; /* of what may be true there */
};

struct clock_band {
	uint64_t t0_guest_ns; /* reference for drift: the earliest bound */
	int64_t offset_ns; /* theta at t0 of the chosen line: the middle of the band */
	double drift; /* b of the chosen line, ns per ns */
	double drift_min; /* feasible range of b */
	double drift_max;
	uint64_t width_ns; /* widest vertical extent of the feasible band within the trace */
	uint64_t typical_width_ns; /* the median over time; the same for a line */
	uint64_t nr_bounds; /* given to clock_band_fit() */
	bool empty; /* no line satisfies all bounds; drift is that of the line that comes closest */
	int64_t conflict_ns; /* empty: by how much the bounds contradict each other */
	uint64_t conflict_at_ns; /* empty: guest time where they do */
	/* Of clock_path_find() (trace/clock_path.h); zero if the line is what is followed: */
	double wander; /* by how much the rate may stray from drift, ns per ns */
	uint64_t deviation_ns; /* how far the path leads from the line, at most */
	struct clock_knot *knots; /* owned; in ascending order of both times */
	size_t nr_knots;
};

/* Frees what the band owns; its numbers remain, but it can no longer map times along a path. */
void clock_band_release(struct clock_band *band);

/*
 * Three bounds of one side: can b not be tight, because the other two exclude more? False unless b
 * lies between them in time. For bounds that come in the order of time, dropping such keeps the few
 * that matter without sorting.
 */
bool clock_bound_is_slack(const struct clock_bound *before, const struct clock_bound *b,
			  const struct clock_bound *after);

/*
 * Sorts bounds and moves those that cannot matter behind the others: the first n' (returned) give
 * the same band as all n. A caller with more bounds than memory reduces now and then. -ERANGE if
 * times are more than 2^62 ns (146 years) apart.
 */
ssize_t clock_band_reduce(struct clock_bound *bounds, size_t n);

/*
 * Fits a line, sorting bounds as clock_band_reduce() does. 0, also if the band is empty; -ENOENT
 * without at least one upper and one lower bound; -ERANGE as above.
 */
int clock_band_fit(struct clock_band *band, struct clock_bound *bounds, size_t n);

/* Host time on the guest's clock. */
uint64_t clock_band_to_guest(const struct clock_band *band, uint64_t t_host_ns);

/* By how much that can be wrong at a time of the guest's. */
uint64_t clock_band_error_ns(const struct clock_band *band, uint64_t t_guest_ns);

#endif
