/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A distribution of a cost in nanoseconds: what calibration writes and the simulator draws from.
 *
 * Text form, as in model files:
 *	const 12.5us
 *	exp 10us				mean
 *	uniform 5us 15us
 *	erlang 2 10us				shape, mean
 *	quantiles 0=1.2us 0.5=3us 0.99=20us 1=90us	piecewise linear inverse CDF; needs 0 and 1
 */
#ifndef VFSCOPE_LIB_DIST_H
#define VFSCOPE_LIB_DIST_H

#include <stddef.h>
#include <stdint.h>
#include "lib/rng.h"

enum dist_kind {
	DIST_CONST,
	DIST_EXP,
	DIST_UNIFORM,
	DIST_ERLANG,
	DIST_QUANTILES,
};

#define DIST_MAX_POINTS 64

struct dist {
	enum dist_kind kind;
	uint32_t nr_points; /* DIST_QUANTILES; also the shape of DIST_ERLANG */
	double a_ns; /* const value, exponential mean, uniform low, erlang mean */
	double b_ns; /* uniform high */
	double prob[DIST_MAX_POINTS];
	double value_ns[DIST_MAX_POINTS];
};

/* Parse the text form. 0, or -EINVAL with a message for people in err (never NULL, err_len > 0). */
int dist_parse(struct dist *d, const char *text, char *err, size_t err_len);

/* Write the text form; returns what snprintf would. dist_parse() of it gives an equal distribution.
 */
int dist_format(const struct dist *d, char *buf, size_t len);

void dist_const(struct dist *d, double ns);

/*
 * Fit the quantile form to samples (which it sorts). More points towards the tail, up to p99.9 and
 * the exact minimum and maximum; the mean of the fit is made equal to the samples' mean within 1 %,
 * or the worst segment is split. 0, or -EINVAL if n is 0.
 */
int dist_fit(struct dist *d, uint64_t *samples_ns, size_t n);

double dist_mean(const struct dist *d);
double dist_quantile(const struct dist *d, double q);

/* One draw, rounded to whole ns, never negative. */
uint64_t dist_sample(const struct dist *d, struct rng *rng);

#endif
