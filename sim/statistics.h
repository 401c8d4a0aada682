/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stream of latencies says about the long run: where its warm-up ends, its mean, rate and
 * quantiles, and how far to trust them. Pure computation; knows nothing of virtio-fs.
 *
 * A series keeps at most STAT_CELLS sums and STAT_SECTIONS histograms, however many observations
 * it is told: when they are full, neighbours are merged and each then stands for twice as many.
 *
 * Warm-up: MSER-5 (White, Simulation 69(6), 1997; White, Cobb and Spratt, WSC 2000) over the cells:
 * cut where the standard error of what remains is smallest. It needs no parameter and no second
 * run, and is what Hoad, Robinson and Davies (JORS 61, 2010) chose for automatic use after
 * comparing the published methods; Welch's method needs several runs and an eye. A cut in the
 * second half means that the series never settled: then nothing is removed and the result says so.
 * MSER alone also cuts off chance: in queues, busy periods, which makes means low and intervals
 * narrow. So a cut stands only if what it removes has another mean than the rest, as in the tests
 * for transient means of Goldsman, Schruben and Swain (Naval Research Logistics 41, 1994).
 *
 * Intervals of one run: non-overlapping batch means, 30 batches (Schmeiser, Operations Research
 * 30(3), 1982: more than 30 gain nothing), 20 or 10 when the batches' lag-1 autocorrelation is
 * significant (one-sided 5 %), and if it still is, widened by sqrt((1 + r) / (1 - r)) as Skart does
 * (Tafazzoli and Wilson, IIE Transactions 43, 2011), and marked.
 * Ten batches tell little of correlation that is longer than they are, as in short runs of busy
 * queues. So the cells' integrated autocorrelation time is estimated too (initial positive sequence:
 * Geyer, Statistical Science 7(4), 1992); if batches are not ten of it long, the interval is at
 * least that of as many independent cells as it leaves, and marked.
 * Intervals of several runs: the runs' figures without their warm-up (replication/deletion, Law,
 * Simulation Modeling and Analysis, 9.5.2). It ends at the same part of all runs, found in their
 * average: cuts made run by run follow each run's noise, and in queues, where noise is busy
 * periods, they leave a bias that no number of runs removes. Mean and rate are ratio estimators
 * over batches or runs, so unequal runs are weighted rightly. Quantiles by sectioning (Asmussen and
 * Glynn, Stochastic Simulation, 2007, III.5; Nakayama, ACM TOMACS 24(4), 2014): the quantile of
 * all, the batches' spread around it; never narrower than a histogram's bucket, 1.6 % of the value.
 */
#ifndef VFSCOPE_SIM_STATISTICS_H
#define VFSCOPE_SIM_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/hist.h"

#define STAT_CELLS 1024u
#define STAT_SECTIONS 64u
#define STAT_CELLS_PER_SECTION (STAT_CELLS / STAT_SECTIONS)
#define STAT_FIRST_CELL 5u /* observations in a cell at first: the 5 of MSER-5 */
#define STAT_MAX_BATCHES 30u
#define STAT_MIN_BATCHES 10u

enum stat_quantile {
	STAT_P50,
	STAT_P90,
	STAT_P99,
	STAT_P999,
	NR_STAT_QUANTILES
};

extern const double stat_quantile_of[NR_STAT_QUANTILES]; /* 0.5 ... */

struct stat_cell {
	uint64_t sum_ns;
	uint64_t end_ns; /* when its last observation ended */
};

struct stat_series {
	uint64_t cell_size; /* observations in each full cell */
	uint64_t in_open; /* in the cell being filled */
	uint64_t open_sum_ns;
	uint64_t start_ns; /* when the first observation began */
	uint64_t end_ns; /* when the last one ended */
	uint32_t nr_cells; /* full ones */
	bool started;
	struct stat_cell cell[STAT_CELLS];
	uint64_t min_ns;
	uint64_t max_ns;
	uint32_t bucket[STAT_SECTIONS][HIST_NR_BUCKETS];
};

struct stat_interval {
	double value;
	double half; /* half width */
	bool known; /* false: too little was seen to say how sure value is */
};

enum stat_quality {
	STAT_GOOD,
	STAT_TOO_SHORT, /* fewer than STAT_MIN_BATCHES cells or 2 runs: no interval */
	STAT_UNSETTLED, /* no steady state in sight; nothing was removed */
	STAT_CORRELATED, /* even 10 batches are correlated; intervals are widened for it */
};

struct stat_result {
	enum stat_quality quality;
	uint32_t nr_runs;
	uint32_t nr_batches; /* of the mean's interval: batches of one run, or runs */
	uint64_t batch_size; /* observations; mean of them for runs */
	double lag1; /* autocorrelation of neighbouring batches; 0 for runs */
	uint64_t seen; /* observations */
	uint64_t removed; /* of these, as warm-up */
	struct stat_interval mean_ns;
	struct stat_interval rate; /* per second */
	struct stat_interval quantile_ns[NR_STAT_QUANTILES];
};

/* NULL when out of memory. */
struct stat_series *stat_series_new(void);
static inline uint64_t stat_series_seen(const struct stat_series *s)
{
	return s->nr_cells * s->cell_size + s->in_open;
}

void stat_series_close_cell(struct stat_series *s, uint64_t end_ns);

/* An observation that took value_ns and ended at end_ns, not before the one told last. */
static inline void stat_series_add(struct stat_series *s, uint64_t value_ns, uint64_t end_ns)
{
	if (!s->started) {
		s->started = true;
		s->start_ns = end_ns - value_ns;
	}
	if (value_ns < s->min_ns)
		s->min_ns = value_ns;
	if (value_ns > s->max_ns)
		s->max_ns = value_ns;
	s->bucket[s->nr_cells / STAT_CELLS_PER_SECTION][hist_bucket(value_ns)]++;
	s->open_sum_ns += value_ns;
	s->end_ns = end_ns;
	if (++s->in_open == s->cell_size)
		stat_series_close_cell(s, end_ns);
}

/* Full cells to cut off the front; *settled says whether the rest looks steady. */
uint32_t stat_series_warmup(const struct stat_series *s, bool *settled);

/* One run: intervals at this confidence (0 .. 1, exclusive) from batches. */
void stat_series_result(const struct stat_series *s, double confidence, struct stat_result *result);

/* Several runs of one thing, with independent seeds. */
struct stat_part {
	double count;
	double sum_ns;
	double time_s;
};

struct stat_run {
	struct stat_part part[STAT_SECTIONS]; /* of equal lengths, as far as cells allow */
	double quantile_ns[NR_STAT_QUANTILES];
};

struct stat_runs {
	struct stat_run *run;
	uint32_t nr;
	uint32_t room;
	uint64_t seen;
	uint64_t min_ns;
	uint64_t max_ns;
	struct stat_result single; /* the interval of the only run, while there is one */
	uint64_t bucket[HIST_NR_BUCKETS];
};

/* A run that is over. 0 or -ENOMEM. */
int stat_runs_add(struct stat_runs *runs, const struct stat_series *s, double confidence);
void stat_runs_result(const struct stat_runs *runs, double confidence, struct stat_result *result);
void stat_runs_free(struct stat_runs *runs); /* what it holds, not runs itself */

/* Mean and rate are known to within this part of themselves, and the estimate is sound. */
bool stat_result_is_within(const struct stat_result *result, double precision);

/* One line on how good an estimate is, for people; NULL if there is nothing to say. */
const char *stat_quality_text(enum stat_quality quality);

/* Two-sided Student quantile: |T| < t with this probability. freedom >= 1. */
double stat_student_t(double confidence, uint32_t freedom);

/*
 * Quantile of a histogram's buckets; 0 if it is empty. Straight lines within buckets, where
 * hist_quantile() takes the middle: steps of 1.6 % would hide how much sections differ.
 */
double stat_bucket_quantile(const uint64_t *bucket, double q);

#endif
