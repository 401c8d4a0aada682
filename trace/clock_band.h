/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Align host and guest clocks by causality alone: no clock synchronisation is trusted.
 *
 * theta(t) = host - guest = a + b * t. Each joined request gives two bounds:
 *	theta <= t_visible(host) - t_add(guest)		nothing is seen before it was put there
 *	theta >= t_io_end(host) - t_complete(guest)	nothing is dequeued before it was served
 * All lines (a, b) that satisfy every bound form the feasible band. Its width is the error bar; an
 *empty band means a wrong join or a stepped clock, and is an error.
 */
#ifndef VFSCOPE_TRACE_CLOCK_BAND_H
#define VFSCOPE_TRACE_CLOCK_BAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock_bound {
	uint64_t t_guest_ns;
	int64_t theta_ns;
	bool upper; /* theta at t is at most (true) or at least (false) theta_ns */
};

struct clock_band {
	uint64_t t0_guest_ns; /* reference for drift */
	int64_t offset_ns; /* theta at t0 of the chosen line: the middle of the band */
	double drift; /* b of the chosen line, ns per ns */
	double drift_min; /* feasible range of b */
	double drift_max;
	uint64_t width_ns; /* widest vertical extent of the feasible band within the trace */
	uint64_t nr_bounds;
	bool empty; /* no line satisfies all bounds */
	int64_t conflict_ns; /* empty: by how much the bounds contradict each other */
	uint64_t conflict_at_ns; /* empty: guest time where they do */
};

/* Sorts bounds. 0, -ENOENT without at least one upper and one lower bound, -ENOMEM. */
int clock_band_fit(struct clock_band *band, struct clock_bound *bounds, size_t n);

/* Host time on the guest's clock. */
uint64_t clock_band_to_guest(const struct clock_band *band, uint64_t t_host_ns);

#endif
