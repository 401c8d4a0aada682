// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long-run estimates are shown: value and half width, and what was left out as warm-up.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "lib/units.h"
#include "models/replicate.h"

static const char *const quantile_names[NR_STAT_QUANTILES] = {"p50", "p90", "p99", "p99.9"};
static const char *const quantile_keys[NR_STAT_QUANTILES] = {"p50_ns", "p90_ns", "p99_ns",
							     "p999_ns"};
static const char *const quality_words[] = {
	[STAT_GOOD] = "good",
	[STAT_TOO_SHORT] = "too_short",
	[STAT_UNSETTLED] = "unsettled",
	[STAT_CORRELATED] = "correlated",
};

/* " 498 us +-2.1%", right-aligned. */
static void print_interval(FILE *out, int width, const struct stat_interval *i,
			   char *format(double, char *, size_t))
{
	char value[32], text[64];

	format(i->value, value, sizeof(value));
	if (!i->known)
		snprintf(text, sizeof(text), "%s +-?", value);
	else
		snprintf(text, sizeof(text), "%s +-%.2g%%", value,
			 i->value > 0 ? i->half / i->value * 100 : 0);
	fprintf(out, " %*s", width, text);
}

static void print_row(FILE *out, const struct fio_result *row, const struct stat_result *e)
{
	fprintf(out, "%-12.12s %-5s", row->job, fio_row_name(row->row));
	print_interval(out, 14, &e->rate, format_count);
	print_interval(out, 14, &e->mean_ns, format_ns);
	for (int q = 0; q < NR_STAT_QUANTILES; q++)
		if (q != STAT_P90)
			print_interval(out, 15, &e->quantile_ns[q], format_ns);
	fprintf(out, "\n");
}

static void print_basis(FILE *out, const struct fio_result *row, const struct stat_result *e)
{
	char of[32], size[32], removed[32];
	const char *warning = stat_quality_text(e->quality);

	fprintf(out, "  %s %s: ", row->job, fio_row_name(row->row));
	if (e->quality == STAT_TOO_SHORT) {
		fprintf(out, "%s\n", warning);
		return;
	}
	fprintf(out, "%" PRIu32 " %s of %s ops; first %s of %s ops removed as warm-up",
		e->nr_batches, e->nr_runs > 1 ? "runs" : "batches",
		format_count(e->batch_size, size, sizeof(size)),
		format_count(e->removed, removed, sizeof(removed)),
		format_count(e->seen, of, sizeof(of)));
	fprintf(out, "%s%s\n", warning ? "\n    " : "", warning ? warning : "");
}

void estimates_print(const struct replicated *r, FILE *out)
{
	struct stat_result e;

	fprintf(out, "in the long run, with %g %% confidence:\n", r->confidence * 100);
	fprintf(out, "%-12s %-5s %14s %14s", "job", "op", "IOPS", "mean");
	for (int q = 0; q < NR_STAT_QUANTILES; q++)
		if (q != STAT_P90)
			fprintf(out, " %15s", quantile_names[q]);
	fprintf(out, "\n");
	for (size_t i = 0; i < r->nr_rows; i++)
		if (replicated_result(r, i, &e))
			print_row(out, fio_results_row(r->p.results, i), &e);
	for (size_t i = 0; i < r->nr_rows; i++)
		if (replicated_result(r, i, &e))
			print_basis(out, fio_results_row(r->p.results, i), &e);
	if (r->precision > 0)
		fprintf(out, "  precision %g %% %s\n", r->precision * 100,
			!r->reached    ? "NOT reached: allow more --replications"
			: r->p.precise ? "reached before the job's end, which was not waited for"
				       : "reached");
}

static json_t *interval_json(const struct stat_interval *i)
{
	if (!i->known)
		return json_pack("{s:f s:n}", "value", i->value, "half_width");
	return json_pack("{s:f s:f}", "value", i->value, "half_width", i->half);
}

static json_t *row_json(const struct fio_result *row, const struct stat_result *e)
{
	json_t *object =
		json_pack("{s:s s:s s:s s:I s:I s:I s:f s:I s:I s:o s:o}", "job", row->job, "op",
			  fio_row_name(row->row), "quality", quality_words[e->quality], "runs",
			  (json_int_t)e->nr_runs, "batches", (json_int_t)e->nr_batches, "batch_ops",
			  (json_int_t)e->batch_size, "lag1", e->lag1, "ops", (json_int_t)e->seen,
			  "removed_ops", (json_int_t)e->removed, "iops", interval_json(&e->rate),
			  "mean_ns", interval_json(&e->mean_ns));

	for (int q = 0; object && q < NR_STAT_QUANTILES; q++)
		json_object_set_new(object, quantile_keys[q], interval_json(&e->quantile_ns[q]));
	return object;
}

json_t *estimates_json(const struct replicated *r)
{
	json_t *rows = json_array(), *object;
	struct stat_result e;

	for (size_t i = 0; rows && i < r->nr_rows; i++)
		if (replicated_result(r, i, &e))
			json_array_append_new(rows, row_json(fio_results_row(r->p.results, i), &e));
	object = json_pack("{s:f s:I s:o}", "confidence", r->confidence, "runs",
			   (json_int_t)r->runs, "rows", rows);
	if (object && r->precision > 0) {
		json_object_set_new(object, "precision", json_real(r->precision));
		json_object_set_new(object, "precision_reached", json_boolean(r->reached));
	}
	return object;
}
