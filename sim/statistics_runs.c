// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Confidence intervals from several runs. The methods and their sources are in statistics.h.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "sim/statistics_internal.h"

/* Runs whose figures are compared, at least: with fewer a quantile of Student's t is enormous. */
#define MIN_RUNS 2

static void fill_run(struct stat_run *run, const struct stat_series *s)
{
	uint32_t n = s->nr_cells;

	memset(run, 0, sizeof(*run));
	if (!n) { /* fewer observations than a cell holds: no rate */
		run->part[0] = (struct stat_part){.count = s->in_open, .sum_ns = s->open_sum_ns};
		return;
	}
	for (uint32_t i = 0; i < STAT_SECTIONS; i++) {
		uint32_t begin = i * n / STAT_SECTIONS, end = (i + 1) * n / STAT_SECTIONS;
		struct stat_part *part = &run->part[i];

		if (begin == end)
			continue;
		for (uint32_t c = begin; c < end; c++)
			part->sum_ns += s->cell[c].sum_ns;
		part->count = (double)(end - begin) * s->cell_size;
		part->time_s = (s->cell[end - 1].end_ns - stat_cells_start(s, begin)) / 1e9;
	}
}

/* The part at which all runs begin to count: where their average has settled. */
static uint32_t runs_warmup(const struct stat_runs *runs, bool *settled)
{
	double mean[STAT_SECTIONS];

	for (uint32_t i = 0; i < STAT_SECTIONS; i++) {
		double sum = 0, count = 0;

		for (uint32_t r = 0; r < runs->nr; r++) {
			sum += runs->run[r].part[i].sum_ns;
			count += runs->run[r].part[i].count;
		}
		/* Runs so short that they have fewer parts are taken as they are. */
		if (count <= 0) {
			*settled = true;
			return 0;
		}
		mean[i] = sum / count;
	}
	return stat_mser(mean, STAT_SECTIONS, settled);
}

int stat_runs_add(struct stat_runs *runs, const struct stat_series *s, double confidence)
{
	uint64_t buckets[HIST_NR_BUCKETS] = {0};
	struct stat_run *run;
	uint32_t whole;
	bool settled;

	if (runs->nr == runs->room) {
		uint32_t room = runs->room ? 2 * runs->room : 16;
		struct stat_run *more = reallocarray(runs->run, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		runs->run = more;
		runs->room = room;
	}
	if (!runs->nr) {
		stat_series_result(s, confidence, &runs->single);
		runs->min_ns = UINT64_MAX;
	}
	run = &runs->run[runs->nr++];
	fill_run(run, s);
	runs->min_ns = min_u64(runs->min_ns, s->min_ns);
	runs->max_ns = max_u64(runs->max_ns, s->max_ns);
	runs->seen += stat_series_seen(s);
	/* Quantiles cannot be cut again later: by what the runs so far say. */
	whole = s->nr_cells / STAT_CELLS_PER_SECTION;
	stat_take_buckets(s, runs_warmup(runs, &settled) * whole / STAT_SECTIONS, STAT_SECTIONS,
			  buckets);
	for (int q = 0; q < NR_STAT_QUANTILES; q++)
		run->quantile_ns[q] = stat_bucket_quantile_within(buckets, stat_quantile_of[q],
								  s->min_ns, s->max_ns);
	for (uint32_t b = 0; b < HIST_NR_BUCKETS; b++)
		runs->bucket[b] += buckets[b];
	return 0;
}

static void runs_quantiles(const struct stat_runs *runs, double confidence, double *dev,
			   struct stat_result *result)
{
	for (int q = 0; q < NR_STAT_QUANTILES; q++) {
		struct stat_interval *out = &result->quantile_ns[q];
		double tail = result->batch_size * (1 - stat_quantile_of[q]);

		out->value = stat_bucket_quantile_within(runs->bucket, stat_quantile_of[q],
							 runs->min_ns, runs->max_ns);
		out->known = tail >= TAIL_OBSERVATIONS;
		for (uint32_t i = 0; i < runs->nr; i++)
			dev[i] = runs->run[i].quantile_ns[q] - out->value;
		out->half = fmax(stat_half_width(dev, runs->nr, false, confidence),
				 stat_bucket_half(out->value, runs->min_ns, runs->max_ns));
	}
}

/* Work space: four numbers of each run. */
struct run_sums {
	double *count;
	double *sum_ns;
	double *time_s;
	double *dev;
};

/* Every run from part first on. Returns how many observations come before it. */
static double add_parts(const struct stat_runs *runs, uint32_t first, struct run_sums *sums)
{
	double before = 0;

	for (uint32_t r = 0; r < runs->nr; r++) {
		const struct stat_part *part = runs->run[r].part;

		for (uint32_t i = 0; i < first; i++)
			before += part[i].count;
		for (uint32_t i = first; i < STAT_SECTIONS; i++) {
			sums->count[r] += part[i].count;
			sums->sum_ns[r] += part[i].sum_ns;
			sums->time_s[r] += part[i].time_s;
		}
	}
	return before;
}

void stat_runs_result(const struct stat_runs *runs, double confidence, struct stat_result *result)
{
	uint32_t nr = runs->nr;
	struct run_sums sums;
	double *space;
	bool settled;

	*result = runs->single;
	if (nr < MIN_RUNS)
		return;
	memset(result, 0, sizeof(*result));
	result->nr_runs = result->nr_batches = nr;
	result->seen = runs->seen;
	space = calloc(4 * (size_t)nr, sizeof(*space));
	if (!space) {
		result->quality = STAT_TOO_SHORT;
		return;
	}
	sums = (struct run_sums){space, space + nr, space + 2 * nr, space + 3 * nr};
	result->removed = (uint64_t)add_parts(runs, runs_warmup(runs, &settled), &sums);
	result->batch_size = (runs->seen - result->removed) / nr;
	result->mean_ns.value = stat_ratio(sums.sum_ns, sums.count, nr, sums.dev);
	result->mean_ns.half = stat_half_width(sums.dev, nr, false, confidence);
	result->mean_ns.known = true;
	result->rate.value = stat_ratio(sums.count, sums.time_s, nr, sums.dev);
	result->rate.half = stat_half_width(sums.dev, nr, false, confidence);
	result->rate.known = result->rate.value > 0;
	runs_quantiles(runs, confidence, sums.dev, result);
	if (!settled)
		result->quality = STAT_UNSETTLED;
	free(space);
}

void stat_runs_free(struct stat_runs *runs)
{
	free(runs->run);
	memset(runs, 0, sizeof(*runs));
}
