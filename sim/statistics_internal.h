/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What single runs (statistics.c) and sets of runs (statistics_runs.c) reckon alike. Nobody else's.
 */
#ifndef VFSCOPE_SIM_STATISTICS_INTERNAL_H
#define VFSCOPE_SIM_STATISTICS_INTERNAL_H

#include "sim/statistics.h"

/* Fewer observations than this above a quantile, in each section: no interval. */
#define TAIL_OBSERVATIONS 5

/* How many of x[] to cut off the front. */
uint32_t stat_mser(const double *x, uint32_t n, bool *settled);
/* Half width from deviations whose sum is 0, as a mean's; ordered ones may be correlated. */
double stat_half_width(const double *dev, uint32_t n, bool ordered, double confidence);
/* sum(num) / sum(den); *dev gets each pair's deviation, in units of the ratio. */
double stat_ratio(const double *num, const double *den, uint32_t n, double *dev);
uint64_t stat_cells_start(const struct stat_series *s, uint32_t first);
void stat_take_buckets(const struct stat_series *s, uint32_t first, uint32_t end, uint64_t *into);
/* Lines within buckets must not lead outside of what was seen. */
double stat_bucket_quantile_within(const uint64_t *bucket, double q, uint64_t min, uint64_t max);
/* A histogram cannot say where in a bucket a value lies: no interval is narrower than that. */
double stat_bucket_half(double value, uint64_t min, uint64_t max);

#endif
