/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clocks whose rate changes during a trace, so that no line satisfies all bounds (see
 * trace/clock_band.h): the path through the middle of what
 * they leave open.
 *
 * theta(t) = line + w(t), where w changes by at most r per time. Every upper bound then holds
 * elsewhere, too, r times the distance higher, and every lower bound as much lower; what is below
 * all of the one kind and above all of the other is a corridor, and the smallest r for which it is
 * nowhere closed is the least that the clocks must have wandered. They may have done more where
 * the bounds do not tell: the corridor is that of twice the least, or of CLOCK_PATH_WANDER if that
 * is more. Times moved along its middle are right to +- half its width for all clocks whose rate
 * strayed from the line's by at most that. Bounds near to each other, as those of busy requests,
 * make a generous rate cheap: with 20 times the least, a recording of 22,000 requests per second
 * had a typical width of 22 us instead of 13.
 *
 * Other designs: to loosen all bounds by as much as they contradict each other makes the error bar
 * grow with the trace, though what is near in time is known as well as ever; lines in pieces need a
 * choice of where they end, jump there, and have no bound in an idle piece.
 *
 * Bounds are kept as the tightest of each kind in a grid over the guest's time, whose cells widen
 * with the trace: memory is fixed. Leaving out a bound can only widen the corridor.
 */
#ifndef VFSCOPE_TRACE_CLOCK_PATH_H
#define VFSCOPE_TRACE_CLOCK_PATH_H

#include <stddef.h>
#include <stdint.h>
#include "trace/clock_band.h"

/* More than NTP makes of a clock that it has found: it corrects by some ppm at a time. */
#define CLOCK_PATH_WANDER 100e-6

/* The least wander may not be more: as much as a kernel slews a clock (MAXFREQ, linux/timex.h). */
#define CLOCK_PATH_MAX_WANDER 500e-6

struct clock_cell;

struct clock_grid {
	struct clock_cell *cells; /* owned */
	uint64_t base_ns; /* guest time at which the first cell begins; it has what is earlier, too
			   */
	unsigned int cell_shift; /* a cell has 2 to the power of it, in ns */
	size_t nr_cells; /* in use */
};

int clock_grid_new(struct clock_grid *grid); /* 0 or -ENOMEM */
void clock_grid_free(struct clock_grid *grid);
void clock_grid_clear(struct clock_grid *grid);
void clock_grid_add(struct clock_grid *grid, const struct clock_bound *bound);

/*
 * Makes a band that clock_band_fit() found empty follow the path. It stays empty, and its conflict
 * is where and by how much, if that takes more than CLOCK_PATH_MAX_WANDER. 0 or -ENOMEM.
 */
int clock_path_find(struct clock_band *band, const struct clock_grid *grid);

#endif
