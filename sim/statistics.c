// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Series of observations, their warm-up, and confidence intervals from batches. The methods and
 * their sources are in statistics.h; intervals from several runs are statistics_runs.c's.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "sim/statistics_internal.h"

/* Cells that MSER never cuts into: the variance of a handful of cells is small by chance. */
#define MSER_TAIL 5
/* Standard errors by which a warm-up must differ from the rest to be one. */
#define TRANSIENT_ERRORS 3
/* Batches must be this many correlation lengths long, or intervals are widened. */
#define LENGTHS_PER_BATCH 10
#define ROUNDING 1e-18 /* of a variance, as a part of the mean's square */
/* Correlation within so many cells is not told from chance. */
#define MIN_CORRELATION_CELLS 2
#define ONE_SIDED_95 1.6448536269514722 /* of the normal distribution */

const double stat_quantile_of[NR_STAT_QUANTILES] = {0.5, 0.9, 0.99, 0.999};

struct stat_series *stat_series_new(void)
{
	struct stat_series *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cell_size = STAT_FIRST_CELL;
	s->min_ns = UINT64_MAX;
	return s;
}

static void merge_neighbours(struct stat_series *s)
{
	for (uint32_t i = 0; i < STAT_CELLS / 2; i++) {
		s->cell[i].sum_ns = s->cell[2 * i].sum_ns + s->cell[2 * i + 1].sum_ns;
		s->cell[i].end_ns = s->cell[2 * i + 1].end_ns;
	}
	for (uint32_t i = 0; i < STAT_SECTIONS / 2; i++)
		for (uint32_t b = 0; b < HIST_NR_BUCKETS; b++)
			s->bucket[i][b] = s->bucket[2 * i][b] + s->bucket[2 * i + 1][b];
	memset(s->bucket[STAT_SECTIONS / 2], 0, sizeof(s->bucket[0]) * STAT_SECTIONS / 2);
	s->nr_cells = STAT_CELLS / 2;
	s->cell_size *= 2;
}

void stat_series_close_cell(struct stat_series *s, uint64_t end_ns)
{
	s->cell[s->nr_cells++] = (struct stat_cell){s->open_sum_ns, end_ns};
	s->open_sum_ns = 0;
	s->in_open = 0;
	if (s->nr_cells == STAT_CELLS)
		merge_neighbours(s);
}

/*
 * Is the front of x[] unlike the rest? Its mean against the rest's, in standard errors that batch
 * means of the rest give: a test for transient means.
 */
static bool is_transient(const double *x, uint32_t n, uint32_t front)
{
	uint32_t nr = min_u64(STAT_MAX_BATCHES, n - front), per = (n - front) / nr;
	double front_mean = 0, mean = 0, squares = 0, error;
	const double *rest = x + n - nr * per;

	for (uint32_t i = 0; i < front; i++)
		front_mean += x[i] / front;
	for (uint32_t i = 0; i < nr * per; i++)
		mean += rest[i] / (nr * per);
	for (uint32_t b = 0; b < nr; b++) {
		double off = 0;

		for (uint32_t i = b * per; i < (b + 1) * per; i++)
			off += (rest[i] - mean) / per;
		squares += off * off;
	}
	error = sqrt(squares / (nr - 1) * per * (1.0 / front + 1.0 / (nr * per)));
	return fabs(front_mean - mean) > TRANSIENT_ERRORS * error;
}

uint32_t stat_mser(const double *x, uint32_t n, bool *settled)
{
	double centre = 0, sum = 0, squares = 0, least = INFINITY;
	uint32_t best = 0;

	*settled = true;
	if (n < STAT_MIN_BATCHES)
		return 0;
	/* Sums around a value inside the data, so that squares lose no digits. */
	for (uint32_t i = 0; i < n; i++)
		centre += x[i] / n;
	for (uint32_t cut = n; cut-- > 0;) {
		double off = x[cut] - centre, left = n - cut, error;

		sum += off;
		squares += off * off;
		if (left < MSER_TAIL)
			continue;
		error = (squares - sum * sum / left) / (left * left);
		if (error <= least) {
			least = error;
			best = cut;
		}
	}
	*settled = best <= n / 2;
	return *settled && best && is_transient(x, n, best) ? best : 0;
}

uint32_t stat_series_warmup(const struct stat_series *s, bool *settled)
{
	double x[STAT_CELLS];

	for (uint32_t i = 0; i < s->nr_cells; i++)
		x[i] = s->cell[i].sum_ns;
	return stat_mser(x, s->nr_cells, settled);
}

/* Two-sided probability of Student's t, as the finite series for whole degrees of freedom. */
static double student_probability(double t, uint32_t freedom)
{
	double root = sqrt((double)freedom), hyp = sqrt(freedom + t * t);
	double sine = t / hyp, cosine = root / hyp, term = 1, sum = 0;
	bool odd = freedom & 1;

	/* Abramowitz and Stegun 26.7.3 and 26.7.4. */
	if (odd)
		term = cosine;
	for (uint32_t i = odd ? 3 : 2; i <= freedom; i += 2) {
		sum += term;
		term *= cosine * cosine * (i - 1) / i;
	}
	if (odd)
		return (atan(t / root) + sine * sum) * M_2_PI;
	return sine * sum;
}

double stat_student_t(double confidence, uint32_t freedom)
{
	double low = 0, high = 1;

	/* Beyond this the quantile moves by less than a thousandth. */
	if (freedom > 2000)
		freedom = 2000;
	while (student_probability(high, freedom) < confidence && high < 1e12)
		high *= 2;
	for (int i = 0; i < 100; i++) {
		double middle = (low + high) / 2;

		if (student_probability(middle, freedom) < confidence)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

/* Of what deviates from the mean by dev[]. */
static double lag1_of(const double *dev, uint32_t n)
{
	double squares = 0, products = 0;

	for (uint32_t i = 0; i < n; i++)
		squares += dev[i] * dev[i];
	for (uint32_t i = 1; i < n; i++)
		products += dev[i] * dev[i - 1];
	return squares > 0 ? products / squares : 0;
}

static bool is_correlated(double lag1, uint32_t n)
{
	return lag1 > ONE_SIDED_95 / sqrt((double)n);
}

double stat_half_width(const double *dev, uint32_t n, bool ordered, double confidence)
{
	double squares = 0, half, lag1;

	for (uint32_t i = 0; i < n; i++)
		squares += dev[i] * dev[i];
	half = stat_student_t(confidence, n - 1) * sqrt(squares / (n - 1) / n);
	lag1 = ordered ? lag1_of(dev, n) : 0;
	if (is_correlated(lag1, n))
		half *= sqrt((1 + lag1) / (1 - fmin(lag1, 0.99)));
	return half;
}

double stat_ratio(const double *num, const double *den, uint32_t n, double *dev)
{
	double nums = 0, dens = 0, value;

	for (uint32_t i = 0; i < n; i++) {
		nums += num[i];
		dens += den[i];
	}
	value = dens > 0 ? nums / dens : 0;
	for (uint32_t i = 0; i < n; i++)
		dev[i] = dens > 0 ? (num[i] - value * den[i]) * n / dens : 0;
	return value;
}

uint64_t stat_cells_start(const struct stat_series *s, uint32_t first)
{
	return first ? s->cell[first - 1].end_ns : s->start_ns;
}

struct batches {
	double count[STAT_MAX_BATCHES];
	double sum_ns[STAT_MAX_BATCHES];
	double time_s[STAT_MAX_BATCHES];
	double dev[STAT_MAX_BATCHES];
};

/* nr equal batches of the cells from first on, which must be a multiple of nr. */
static void make_batches(const struct stat_series *s, uint32_t first, uint32_t nr,
			 struct batches *b)
{
	uint32_t per_batch = (s->nr_cells - first) / nr;

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t begin = first + i * per_batch, end = begin + per_batch;
		uint64_t sum = 0;

		for (uint32_t c = begin; c < end; c++)
			sum += s->cell[c].sum_ns;
		b->count[i] = (double)per_batch * s->cell_size;
		b->sum_ns[i] = sum;
		b->time_s[i] = (s->cell[end - 1].end_ns - stat_cells_start(s, begin)) / 1e9;
	}
}

void stat_take_buckets(const struct stat_series *s, uint32_t first, uint32_t end, uint64_t *into)
{
	for (uint32_t i = first; i < end; i++)
		for (uint32_t b = 0; b < HIST_NR_BUCKETS; b++)
			into[b] += s->bucket[i][b];
}

double stat_bucket_quantile(const uint64_t *bucket, double q)
{
	uint64_t total = 0;
	double rank, seen = 0;

	for (uint32_t b = 0; b < HIST_NR_BUCKETS; b++)
		total += bucket[b];
	if (!total)
		return 0;
	rank = q * total;
	for (uint32_t b = 0; b < HIST_NR_BUCKETS; b++) {
		double low = hist_bucket_low(b), wide = 1;

		if (!bucket[b] || seen + bucket[b] < rank) {
			seen += bucket[b];
			continue;
		}
		if (b >= HIST_SUB_COUNT && b + 1 < HIST_NR_BUCKETS)
			wide = hist_bucket_high(b) - low;
		/* Whole numbers stand alone in narrow buckets. */
		if (wide <= 1)
			return low;
		return low + wide * (rank - seen) / bucket[b];
	}
	return 0;
}

double stat_bucket_quantile_within(const uint64_t *bucket, double q, uint64_t min, uint64_t max)
{
	return fmin(fmax(stat_bucket_quantile(bucket, q), min), max);
}

double stat_bucket_half(double value, uint64_t min, uint64_t max)
{
	uint32_t b = hist_bucket((uint64_t)value);
	double wide = b + 1 < HIST_NR_BUCKETS ? hist_bucket_high(b) - hist_bucket_low(b) : 0;

	return wide > 1 ? fmin(wide, max - min) / 2 : 0;
}

/* Around the quantile of everything: 16 to 31 sections of the series, where there are as many. */
static void series_quantiles(const struct stat_series *s, uint32_t warmup, double confidence,
			     struct stat_result *result)
{
	uint32_t first = (warmup + STAT_CELLS_PER_SECTION - 1) / STAT_CELLS_PER_SECTION;
	uint32_t whole = s->nr_cells / STAT_CELLS_PER_SECTION;
	uint32_t left = whole > first ? whole - first : 0;
	uint32_t per = left >= 32 ? left / 16 : 1, nr = left / per;
	double dev[2 * 16], per_section;
	uint64_t all[HIST_NR_BUCKETS] = {0};

	stat_take_buckets(s, left ? first + left % per : 0, STAT_SECTIONS, all);
	first += left % per;
	per_section = (double)per * STAT_CELLS_PER_SECTION * s->cell_size;
	for (int q = 0; q < NR_STAT_QUANTILES; q++) {
		struct stat_interval *out = &result->quantile_ns[q];
		double tail = per_section * (1 - stat_quantile_of[q]);

		out->value =
			stat_bucket_quantile_within(all, stat_quantile_of[q], s->min_ns, s->max_ns);
		out->known = nr >= STAT_MIN_BATCHES / 2 && tail >= TAIL_OBSERVATIONS;
		if (!out->known)
			continue;
		for (uint32_t i = 0; i < nr; i++) {
			uint64_t some[HIST_NR_BUCKETS] = {0};

			stat_take_buckets(s, first + i * per, first + (i + 1) * per, some);
			dev[i] = stat_bucket_quantile_within(some, stat_quantile_of[q], s->min_ns,
							     s->max_ns) -
				 out->value;
		}
		out->half = fmax(stat_half_width(dev, nr, true, confidence),
				 stat_bucket_half(out->value, s->min_ns, s->max_ns));
	}
}

/*
 * How many of x[] stand for one that is independent: the integrated autocorrelation time by the
 * initial positive sequence; 1 if none depends on another.
 */
static double correlation_length(const double *x, uint32_t n, double *variance)
{
	double dev[STAT_CELLS], mean = 0, sum = 0, pair = 0;

	*variance = 0;
	for (uint32_t i = 0; i < n; i++)
		mean += x[i] / n;
	for (uint32_t i = 0; i < n; i++) {
		dev[i] = x[i] - mean;
		*variance += dev[i] * dev[i] / n;
	}
	if (*variance <= ROUNDING * mean * mean)
		return 1;
	for (uint32_t lag = 0; lag < n; lag++) {
		double product = 0;

		for (uint32_t i = lag; i < n; i++)
			product += dev[i] * dev[i - lag];
		pair += product / n / *variance;
		if (lag % 2 == 0)
			continue;
		if (pair <= 0)
			break;
		sum += pair;
		pair = 0;
	}
	return fmax(2 * sum - 1, 1);
}

/*
 * By how much an interval from batches is too narrow, since its batches are not many correlation
 * lengths of x[] long: 1 if they are. share: its half width as a part of the mean of x[].
 */
static double too_narrow(const double *x, uint32_t n, double share, double confidence)
{
	double variance, mean = 0, length = correlation_length(x, n, &variance), left, half;

	for (uint32_t i = 0; i < n; i++)
		mean += x[i] / n;
	left = n / length;
	if (length < MIN_CORRELATION_CELLS || left >= LENGTHS_PER_BATCH * STAT_MAX_BATCHES ||
	    !(share > 0) || mean <= 0)
		return 1;
	half = stat_student_t(confidence, (uint32_t)fmax(fmin(left, STAT_MAX_BATCHES) - 1, 1)) *
	       sqrt(variance * length / n);
	return fmax(half / mean / share, 1 + 1e-9);
}

/* Widens intervals whose batches are too short to be independent; says whether any was. */
static bool widen(const struct stat_series *s, uint32_t first, double confidence,
		  struct stat_result *result)
{
	uint32_t n = s->nr_cells - first;
	double sum[STAT_CELLS], time[STAT_CELLS], by_sum, by_time;

	for (uint32_t i = 0; i < n; i++) {
		sum[i] = s->cell[first + i].sum_ns;
		time[i] = s->cell[first + i].end_ns - stat_cells_start(s, first + i);
	}
	by_sum = too_narrow(sum, n, result->mean_ns.half / result->mean_ns.value, confidence);
	by_time = too_narrow(time, n, result->rate.half / result->rate.value, confidence);
	result->mean_ns.half *= by_sum;
	result->rate.half *= by_time;
	for (int q = 0; q < NR_STAT_QUANTILES; q++)
		result->quantile_ns[q].half *= by_sum;
	return by_sum > 1 || by_time > 1;
}

static void raw_means(const struct stat_series *s, struct stat_result *result)
{
	uint64_t sum = s->open_sum_ns, seen = stat_series_seen(s);

	for (uint32_t i = 0; i < s->nr_cells; i++)
		sum += s->cell[i].sum_ns;
	result->mean_ns.value = seen ? (double)sum / seen : 0;
	if (s->end_ns > s->start_ns)
		result->rate.value = seen * 1e9 / (s->end_ns - s->start_ns);
}

void stat_series_result(const struct stat_series *s, double confidence, struct stat_result *result)
{
	static const uint32_t batch_counts[] = {STAT_MAX_BATCHES, 20, STAT_MIN_BATCHES};
	struct batches b;
	uint32_t warmup, nr = 0, first = 0;
	bool settled, widened;

	memset(result, 0, sizeof(*result));
	result->nr_runs = 1;
	result->seen = stat_series_seen(s);
	warmup = stat_series_warmup(s, &settled);
	series_quantiles(s, warmup, confidence, result);
	if (s->nr_cells - warmup < STAT_MIN_BATCHES) {
		result->quality = STAT_TOO_SHORT;
		raw_means(s, result);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(batch_counts); i++) {
		nr = batch_counts[i];
		if (s->nr_cells - warmup < nr)
			continue;
		/* What does not fill batches goes with the warm-up. */
		first = warmup + (s->nr_cells - warmup) % nr;
		make_batches(s, first, nr, &b);
		result->mean_ns.value = stat_ratio(b.sum_ns, b.count, nr, b.dev);
		result->lag1 = lag1_of(b.dev, nr);
		if (!is_correlated(result->lag1, nr))
			break;
	}
	result->mean_ns.half = stat_half_width(b.dev, nr, true, confidence);
	result->rate.value = stat_ratio(b.count, b.time_s, nr, b.dev);
	result->rate.half = stat_half_width(b.dev, nr, true, confidence);
	result->mean_ns.known = true;
	result->rate.known = result->rate.value > 0;
	result->nr_batches = nr;
	result->batch_size = (s->nr_cells - first) / nr * s->cell_size;
	result->removed = first * s->cell_size;
	widened = widen(s, first, confidence, result);
	if (!settled)
		result->quality = STAT_UNSETTLED;
	else if (widened || is_correlated(result->lag1, nr))
		result->quality = STAT_CORRELATED;
}

bool stat_result_is_within(const struct stat_result *result, double precision)
{
	/* Unsettled runs are still independent of each other; the batches of one are not. */
	if (result->nr_runs == 1 && result->quality != STAT_GOOD)
		return false;
	if (!result->mean_ns.known || result->mean_ns.half > precision * result->mean_ns.value)
		return false;
	/* A single fsync in each run has a latency but no rate. */
	return !result->rate.known || result->rate.half <= precision * result->rate.value;
}

const char *stat_quality_text(enum stat_quality quality)
{
	switch (quality) {
	case STAT_TOO_SHORT:
		return "too few ops for intervals; run longer or use --replications";
	case STAT_UNSETTLED:
		return "never settled, nothing removed; run longer or use --replications";
	case STAT_CORRELATED:
		return "batches still correlated, intervals widened; run longer";
	default:
		return NULL;
	}
}
