// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Predicted beside measured: the table for people, JSON for plots and scripts, CSV for
 * spreadsheets.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "models/comparison.h"

/* The figures of a result that are compared, in print order. */
enum figure {
	FIGURE_IOPS,
	FIGURE_MEAN,
	FIGURE_P50,
	FIGURE_P99,
	NR_FIGURES
};

static const struct {
	const char *name;
	const char *key; /* in compare.json and compare.csv */
} figures[NR_FIGURES] = {
	[FIGURE_IOPS] = {"IOPS", "iops"},
	[FIGURE_MEAN] = {"mean us", "mean_us"},
	[FIGURE_P50] = {"p50 us", "p50_us"},
	[FIGURE_P99] = {"p99 us", "p99_us"},
};

const char *mode_risk(enum io_mode mode)
{
	static const char *const risks[NR_MODES] = {
		[MODE_DIRECT] = "coherent: the guest caches no data; shared mmap is refused",
		[MODE_WRITETHROUGH] = "reads may miss host changes for up to the attribute timeout",
		[MODE_WRITEBACK] = "a guest crash loses what was not fsynced (up to 30 s); host "
				   "changes go unseen",
		[MODE_DAX] = "coherent; needs a VMM and daemon with a window; a file cut short on "
			     "the host is SIGBUS",
	};

	return (unsigned int)mode < NR_MODES ? risks[mode] : "?";
}

double comparison_error(double predicted, double measured)
{
	return measured > 0 ? 100 * (predicted - measured) / measured : 0;
}

static double figure_of(const struct fio_result *r, enum figure figure)
{
	switch (figure) {
	case FIGURE_IOPS:
		return r->iops;
	case FIGURE_MEAN:
		return r->mean_ns / NS_PER_US;
	case FIGURE_P50:
		return (double)r->p50_ns / NS_PER_US;
	default:
		return (double)r->p99_ns / NS_PER_US;
	}
}

/* Six characters: "0.1234", "12.345", "123456". */
static void print_value(FILE *out, double value)
{
	fprintf(out, " %6.*f", value < 9.9995 ? 2 : value < 999.95 ? 1 : 0, value);
}

static bool any_measured(const struct comparison *c)
{
	for (uint32_t i = 0; i < c->nr_modes; i++)
		if (c->modes[i].measured)
			return true;
	return false;
}

static void print_head(const struct comparison *c, FILE *out)
{
	if (!any_measured(c)) {
		fprintf(out, "%-17s %-5s", "job", "op");
		for (int f = 0; f < NR_FIGURES; f++)
			fprintf(out, " %8s", figures[f].name);
		fprintf(out, "\n");
		return;
	}
	fprintf(out, "%-17s %-5s", "", "");
	for (int f = 0; f < NR_FIGURES; f++)
		fprintf(out, f == NR_FIGURES - 1 ? " %-6s" : " %-18s", figures[f].name);
	fprintf(out, "\n%-17s %-5s", "job", "op");
	for (int f = 0; f < NR_FIGURES; f++)
		fprintf(out, " %6s %6s %4s", "pred", "meas", "err");
	fprintf(out, "\n");
}

static void print_row(FILE *out, const struct compared_mode *m, const struct fio_result *p,
		      bool measured_columns)
{
	const struct fio_result *measured =
		m->measured ? fio_results_find(m->measured, p->job, p->row) : NULL;

	fprintf(out, "%-17.17s %-5s", p->job, fio_row_name(p->row));
	for (int f = 0; f < NR_FIGURES; f++) {
		if (!measured_columns)
			fprintf(out, "  ");
		print_value(out, figure_of(p, f));
		if (!measured_columns)
			continue;
		if (!measured) {
			fprintf(out, " %6s %4s", "-", "-");
		} else {
			double value = figure_of(measured, f);
			double error = comparison_error(figure_of(p, f), value);

			print_value(out, value);
			if (error > 999)
				fprintf(out, " >999");
			else
				fprintf(out, " %+4.0f", error);
		}
	}
	fprintf(out, "\n");
}

static const char refusal[] = "the job maps files shared: cannot run in this mode (ENODEV)";

static void print_mode(FILE *out, const struct compared_mode *m, bool measured_columns)
{
	const struct fio_result *row;

	fprintf(out, "-- %s: %s\n", mode_name(m->mode), mode_risk(m->mode));
	if (m->refused) {
		fprintf(out, "%s\n", refusal);
		return;
	}
	if (*m->stand_ins)
		fprintf(out, "   not in the model, defaults stand in:\n   %s\n", m->stand_ins);
	for (size_t i = 0; (row = fio_results_at(m->predicted.results, i)); i++)
		print_row(out, m, row, measured_columns);
	/* A measured row that the simulation lacks would otherwise go unseen. */
	for (size_t i = 0; m->measured && (row = fio_results_at(m->measured, i)); i++)
		if (!fio_results_find(m->predicted.results, row->job, row->row))
			fprintf(out, "%-17.17s %-5s measured, but not in the job file\n", row->job,
				fio_row_name(row->row));
}

void comparison_print(const struct comparison *c, FILE *out)
{
	fprintf(out, "%s on model '%s', seed %" PRIu64 "%s\n", c->job, c->model, c->seed,
		any_measured(c) ? "; err: (predicted - measured) in % of measured" : "");
	print_head(c, out);
	for (uint32_t i = 0; i < c->nr_modes; i++)
		print_mode(out, &c->modes[i], any_measured(c));
}

/* [[us, share at or below], ...] of a histogram. */
static json_t *cdf_json(const struct hist *h)
{
	json_t *array = json_array();
	uint64_t sum = 0;

	for (unsigned int b = 0; b < HIST_NR_BUCKETS && h->count; b++) {
		double ns;

		if (!h->bucket[b])
			continue;
		sum += h->bucket[b];
		ns = min_u64(hist_bucket_high(b), h->max);
		json_array_append_new(array,
				      json_pack("[f, f]", ns / NS_PER_US, (double)sum / h->count));
	}
	return array;
}

static json_t *side_json(const struct fio_result *r)
{
	json_t *object = json_object();

	for (int f = 0; f < NR_FIGURES; f++)
		json_object_set_new(object, figures[f].key, json_real(figure_of(r, f)));
	json_object_set_new(object, "ios", json_integer((json_int_t)r->ios));
	json_object_set_new(object, "cdf", cdf_json(&r->hist));
	return object;
}

static json_t *row_json(const struct compared_mode *m, const struct fio_result *p)
{
	const struct fio_result *measured =
		m->measured ? fio_results_find(m->measured, p->job, p->row) : NULL;
	json_t *row = json_pack("{s:s s:s s:o}", "job", p->job, "op", fio_row_name(p->row),
				"predicted", side_json(p));
	json_t *errors;

	if (!row || !measured)
		return row;
	json_object_set_new(row, "measured", side_json(measured));
	errors = json_object();
	for (int f = 0; f < NR_FIGURES; f++)
		json_object_set_new(
			errors, figures[f].key,
			json_real(comparison_error(figure_of(p, f), figure_of(measured, f))));
	json_object_set_new(row, "error_percent", errors);
	return row;
}

static json_t *mode_json(const struct compared_mode *m)
{
	const struct fio_result *row;
	json_t *rows = json_array(), *json;

	for (size_t i = 0; !m->refused && (row = fio_results_at(m->predicted.results, i)); i++)
		json_array_append_new(rows, row_json(m, row));
	json = json_pack("{s:s s:s s:s s:o}", "mode", mode_name(m->mode), "risk",
			 mode_risk(m->mode), "stand_ins", m->stand_ins, "rows", rows);
	if (json && m->refused)
		json_object_set_new(json, "refused", json_string(refusal));
	return json;
}

json_t *comparison_json(const struct comparison *c)
{
	json_t *modes = json_array();

	for (uint32_t i = 0; i < c->nr_modes; i++)
		json_array_append_new(modes, mode_json(&c->modes[i]));
	return json_pack("{s:s s:s s:s s:I s:o}", "type", "comparison", "workload", c->job, "model",
			 c->model, "seed", (json_int_t)c->seed, "modes", modes);
}

static FILE *create_in(const char *dir, const char *name, char *path, size_t len)
{
	FILE *out;

	snprintf(path, len, "%s/%s", dir, name);
	out = fopen(path, "we");
	if (!out)
		msg_error("cannot create '%s': %s", path, strerror(errno));
	return out;
}

static void write_csv(const struct comparison *c, FILE *out)
{
	const struct fio_result *row, *measured;

	fprintf(out, "mode,job,op");
	for (int f = 0; f < NR_FIGURES; f++)
		fprintf(out, ",predicted_%s,measured_%s,error_percent_%s", figures[f].key,
			figures[f].key, figures[f].key);
	fprintf(out, "\n");
	for (uint32_t i = 0; i < c->nr_modes; i++) {
		const struct compared_mode *m = &c->modes[i];

		for (size_t k = 0; !m->refused && (row = fio_results_at(m->predicted.results, k));
		     k++) {
			measured = m->measured ? fio_results_find(m->measured, row->job, row->row)
					       : NULL;
			fprintf(out, "%s,%s,%s", mode_name(m->mode), row->job,
				fio_row_name(row->row));
			for (int f = 0; f < NR_FIGURES; f++) {
				fprintf(out, ",%.3f", figure_of(row, f));
				if (measured)
					fprintf(out, ",%.3f,%.2f", figure_of(measured, f),
						comparison_error(figure_of(row, f),
								 figure_of(measured, f)));
				else
					fprintf(out, ",,");
			}
			fprintf(out, "\n");
		}
	}
}

int comparison_save(const struct comparison *c, const char *dir)
{
	char path[4096];
	json_t *json;
	FILE *out;
	int err;

	if (mkdir(dir, 0777) && errno != EEXIST) {
		err = -errno;
		msg_error("cannot create directory '%s': %s", dir, strerror(errno));
		return err;
	}
	out = create_in(dir, "compare.csv", path, sizeof(path));
	if (!out)
		return -EIO;
	write_csv(c, out);
	if (fclose(out)) {
		msg_error("cannot write '%s': %s", path, strerror(errno));
		return -EIO;
	}
	json = comparison_json(c);
	if (!json)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/compare.json", dir);
	err = json_dump_file(json, path, JSON_INDENT(1));
	json_decref(json);
	if (err)
		msg_error("cannot write '%s': %s", path, strerror(errno));
	return err ? -EIO : 0;
}

void comparison_free(struct comparison *c)
{
	for (uint32_t i = 0; i < c->nr_modes; i++) {
		prediction_free(&c->modes[i].predicted);
		fio_results_free(c->modes[i].measured);
	}
	c->nr_modes = 0;
}
