// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Turns summaries and comparisons into the data files that the gnuplot scripts read.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "plots/gnuplot.h"
#include "plots/plot_data.h"

#define MAX_BARS 12 /* opcodes: those that took most time */
#define MAX_PANELS 16

static int by_total_time(const void *a, const void *b, void *ctx)
{
	const struct summary *s = ctx;
	const struct opcode_summary *x = s->opcode[*(const int *)a];
	const struct opcode_summary *y = s->opcode[*(const int *)b];

	return (x->latency.sum < y->latency.sum) - (x->latency.sum > y->latency.sum);
}

static int worst_opcodes(const struct summary *s, int *opcodes)
{
	int all[FUSE_OPCODE_LIMIT], n = 0;

	for (int i = 0; i < FUSE_OPCODE_LIMIT; i++)
		if (s->opcode[i] && s->opcode[i]->latency.count)
			all[n++] = i;
	qsort_r(all, n, sizeof(*all), by_total_time, (void *)s);
	n = n < MAX_BARS ? n : MAX_BARS;
	memcpy(opcodes, all, n * sizeof(*all));
	return n;
}

/* Stage sums are over all requests of the opcode, so that the bar's height is the mean latency. */
static void write_bar(FILE *out, const struct opcode_summary *o, int opcode, int letter)
{
	fprintf(out, "\"%s", fuse_opcode_name(opcode));
	if (letter)
		fprintf(out, " %c", letter);
	fprintf(out, "\"");
	for (int i = 0; i < NR_STAGES; i++)
		fprintf(out, "\t%.4f", o->stage[i].sum / (double)o->latency.count / NS_PER_US);
	fprintf(out, "\t%.4f\t%llu\t%.4f\n", o->unsplit.sum / (double)o->latency.count / NS_PER_US,
		(unsigned long long)o->latency.count, hist_mean(&o->latency) / NS_PER_US);
}

/* Names of inputs side by side under the bars; the subtitle explains them. */
static const char letters[] = "ABCDEFGH";

static int write_stage_definitions(const struct plot_dir *dir, const struct stage_input *inputs,
				   size_t count, int bars)
{
	FILE *out = plot_dir_create(dir, "definitions.gp");
	char title[512];
	size_t used = 0;

	if (!out)
		return -EIO;
	for (size_t i = 0; i < count && used < sizeof(title); i++)
		used += snprintf(title + used, sizeof(title) - used, "%s%.*s%s%s%s%s",
				 i ? "; " : "", count > 1, letters + i, count > 1 ? ": " : "",
				 inputs[i].label, inputs[i].note ? ", " : "",
				 inputs[i].note ? inputs[i].note : "");
	fprintf(out, "subtitle = ");
	plot_quote(out, title);
	fprintf(out, "\nbars = %d\nnr_stages = %d\narray names[%d]\n", bars, NR_STAGES,
		NR_STAGES + 1);
	for (int i = 0; i < NR_STAGES; i++)
		fprintf(out, "names[%d] = '%s'\n", i + 1, stage_name(i));
	fprintf(out, "names[%d] = 'not split'\n", NR_STAGES + 1);
	return fclose(out) ? -EIO : 0;
}

int plot_stages(const struct stage_input *inputs, size_t count, const char *output)
{
	int opcodes[MAX_BARS], nr_opcodes = worst_opcodes(inputs[0].summary, opcodes), bars = 0;
	struct plot_dir dir;
	FILE *out;
	int err;

	if (!nr_opcodes) {
		msg_error("cannot plot stages: %s has no finished request", inputs[0].label);
		return -ENODATA;
	}
	err = plot_dir_make(&dir);
	if (err)
		return err;
	out = plot_dir_create(&dir, "stages.dat");
	if (!out) {
		err = -EIO;
		goto done;
	}
	for (int k = 0; k < nr_opcodes; k++)
		for (size_t i = 0; i < count; i++) {
			const struct opcode_summary *o = inputs[i].summary->opcode[opcodes[k]];

			if (!o || !o->latency.count)
				continue;
			write_bar(out, o, opcodes[k], count > 1 ? letters[i] : 0);
			bars++;
		}
	fclose(out);
	err = write_stage_definitions(&dir, inputs, count, bars);
	if (!err)
		err = plot_run("stages", &dir, output, 460 + 80 * (bars < 4 ? 4 : bars), 540);
done:
	plot_dir_remove(&dir);
	return err;
}

/* A panel: one job and op, with the rows of all modes. */
struct panel {
	const char *job, *op;
};

struct panels {
	const json_t *comparison;
	struct panel at[MAX_PANELS];
	int count;
	size_t nr_modes;
};

static const json_t *find_row(const json_t *mode, const struct panel *panel)
{
	json_t *row;
	size_t i;

	json_array_foreach(
		json_object_get(mode, "rows"), i,
		row) if (!strcmp(json_string_value(json_object_get(row, "job")), panel->job) &&
			 !strcmp(json_string_value(json_object_get(row, "op")),
				 panel->op)) return row;
	return NULL;
}

static int add_panel(struct panels *panels, const json_t *row)
{
	struct panel panel = {json_string_value(json_object_get(row, "job")),
			      json_string_value(json_object_get(row, "op"))};

	if (!panel.job || !panel.op || !json_is_object(json_object_get(row, "predicted")))
		return -EINVAL;
	for (int i = 0; i < panels->count; i++)
		if (!strcmp(panels->at[i].job, panel.job) && !strcmp(panels->at[i].op, panel.op))
			return 0;
	if (panels->count < MAX_PANELS)
		panels->at[panels->count++] = panel;
	else
		msg_warn("the figure shows %d panels only: %s %s is left out", MAX_PANELS,
			 panel.job, panel.op);
	return 0;
}

static int find_panels(struct panels *panels, const json_t *comparison, const char *path)
{
	const json_t *modes = json_object_get(comparison, "modes"), *mode, *row;
	size_t i, k;

	*panels = (struct panels){.comparison = comparison, .nr_modes = json_array_size(modes)};
	json_array_foreach((json_t *)modes, i, mode)
	{
		if (!json_is_string(json_object_get(mode, "mode")))
			goto bad;
		json_array_foreach(json_object_get(mode, "rows"), k,
				   row) if (add_panel(panels, row)) goto bad;
	}
	if (panels->count)
		return 0;
bad:
	msg_error("%s: not a comparison: write one with 'vfscope compare -o DIR', which makes "
		  "DIR/compare.json",
		  path);
	return -EINVAL;
}

/* A logarithmic axis has no 0: less than a nanosecond is drawn at one. */
static double us_of(const json_t *point)
{
	double us = json_number_value(json_array_get(point, 0));

	return us > 0.001 ? us : 0.001;
}

/* Whole decades around the curves of a panel. */
static void find_range(const struct panels *panels, int p, double *low, double *high)
{
	static const char *const sides[] = {"predicted", "measured"};
	const json_t *mode, *row, *point;
	size_t i, k;

	*low = 1e12;
	*high = 0;
	json_array_foreach(json_object_get(panels->comparison, "modes"), i, mode)
	{
		row = find_row(mode, &panels->at[p]);
		for (size_t side = 0; side < ARRAY_SIZE(sides); side++) {
			const json_t *cdf =
				json_object_get(json_object_get(row, sides[side]), "cdf");

			json_array_foreach(cdf, k, point)
			{
				*low = fmin(*low, us_of(point));
				*high = fmax(*high, us_of(point));
			}
		}
	}
	*low = *high > 0 ? pow(10, floor(log10(*low))) : 1;
	*high = *high > 0 ? pow(10, ceil(log10(*high))) : 10;
	if (*high <= *low)
		*high = 10 * *low;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int write_panel_definitions(const struct plot_dir *dir, const struct panels *panels)
{
	FILE *out = plot_dir_create(dir, "definitions.gp");
	const json_t *mode;
	size_t i;

	if (!out)
		return -EIO;
	fprintf(out, "workload = ");
	plot_quote(out, base_name(json_string_value(json_object_get(panels->comparison, "workload"))
					  ?: "?"));
	fprintf(out, "\nmodel = ");
	plot_quote(out, json_string_value(json_object_get(panels->comparison, "model")) ?: "?");
	fprintf(out, "\npanels = %d\nmodes = %zu\narray titles[%d]\narray mode_names[%zu]\n",
		panels->count, panels->nr_modes, panels->count, panels->nr_modes);
	fprintf(out, "array low[%d]\narray high[%d]\n", panels->count, panels->count);
	for (int p = 0; p < panels->count; p++) {
		double low, high;
		char title[128];

		snprintf(title, sizeof(title), "%s, %s", panels->at[p].job, panels->at[p].op);
		fprintf(out, "titles[%d] = ", p + 1);
		plot_quote(out, title);
		find_range(panels, p, &low, &high);
		fprintf(out, "\nlow[%d] = %g\nhigh[%d] = %g\n", p + 1, low, p + 1, high);
	}
	json_array_foreach(json_object_get(panels->comparison, "modes"), i, mode)
	{
		fprintf(out, "mode_names[%zu] = ", i + 1);
		plot_quote(out, json_string_value(json_object_get(mode, "mode")));
		fprintf(out, "\n");
	}
	return fclose(out) ? -EIO : 0;
}

/* Two columns of a CDF; a first point at share 0 lets the curve start on the axis. */
static void write_cdf(FILE *out, const json_t *side)
{
	const json_t *point;
	size_t i;

	json_array_foreach(json_object_get(side, "cdf"), i, point)
	{
		double us = us_of(point);

		if (!i)
			fprintf(out, "%.4f 0\n", us);
		fprintf(out, "%.4f %.6f\n", us, json_number_value(json_array_get(point, 1)));
	}
	if (!i)
		fprintf(out, "NaN NaN\n");
}

static int write_cdf_data(const struct plot_dir *dir, const struct panels *panels, int p)
{
	const json_t *mode, *row;
	char name[64];
	size_t i;

	json_array_foreach(json_object_get(panels->comparison, "modes"), i, mode)
	{
		row = find_row(mode, &panels->at[p]);
		for (int measured = 0; measured < 2; measured++) {
			FILE *out;

			snprintf(name, sizeof(name), "cdf-%d-%zu-%d.dat", p + 1, i + 1, measured);
			out = plot_dir_create(dir, name);
			if (!out)
				return -EIO;
			write_cdf(out, json_object_get(row, measured ? "measured" : "predicted"));
			if (fclose(out))
				return -EIO;
		}
	}
	return 0;
}

static double figure(const json_t *row, const char *side, const char *key)
{
	return json_number_value(json_object_get(json_object_get(row, side), key));
}

static const char *const mode_figures[] = {"iops", "mean_us"};

/* The tallest bar, with room above it for error texts and the key. */
static double axis_end(const struct panels *panels, int p, const char *key, bool *measured)
{
	const json_t *mode, *row;
	double end = 0;
	size_t i;

	json_array_foreach(json_object_get(panels->comparison, "modes"), i, mode)
	{
		row = find_row(mode, &panels->at[p]);
		end = fmax(end, fmax(figure(row, "predicted", key), figure(row, "measured", key)));
		*measured |= json_object_get(row, "measured") != NULL;
	}
	return end > 0 ? 1.4 * end : 1;
}

/* Axis ends and whether there is anything measured, read by the script before each panel. */
static int write_axes(const struct plot_dir *dir, const struct panels *panels, int p)
{
	bool measured = false;
	double ends[2];
	char name[64];
	FILE *out;

	for (int k = 0; k < 2; k++)
		ends[k] = axis_end(panels, p, mode_figures[k], &measured);
	snprintf(name, sizeof(name), "modes-%d.gp", p + 1);
	out = plot_dir_create(dir, name);
	if (!out)
		return -EIO;
	fprintf(out, "array ends[2] = [%g, %g]\nmeasured = %d\n", ends[0], ends[1], measured);
	return fclose(out) ? -EIO : 0;
}

/* One line a mode: predicted and measured IOPS and mean, and their errors as text. */
static int write_mode_data(const struct plot_dir *dir, const struct panels *panels, int p)
{
	const json_t *mode, *row;
	char name[64];
	size_t i;
	FILE *out;

	snprintf(name, sizeof(name), "modes-%d.dat", p + 1);
	out = plot_dir_create(dir, name);
	if (!out)
		return -EIO;
	json_array_foreach(json_object_get(panels->comparison, "modes"), i, mode)
	{
		row = find_row(mode, &panels->at[p]);
		fprintf(out, "\"%s\"", json_string_value(json_object_get(mode, "mode")));
		for (size_t k = 0; k < ARRAY_SIZE(mode_figures); k++) {
			fprintf(out, "\t%.4f", figure(row, "predicted", mode_figures[k]));
			if (json_object_get(row, "measured"))
				fprintf(out, "\t%.4f\t\"%+.0f %%\"",
					figure(row, "measured", mode_figures[k]),
					figure(row, "error_percent", mode_figures[k]));
			else
				fprintf(out, "\tNaN\t\"\"");
		}
		fprintf(out, "\n");
	}
	return fclose(out) ? -EIO : write_axes(dir, panels, p);
}

static int plot_panels(const struct panels *panels, const char *script,
		       int (*write)(const struct plot_dir *, const struct panels *, int),
		       const char *output, unsigned int height)
{
	struct plot_dir dir;
	int err = plot_dir_make(&dir);

	if (err)
		return err;
	err = write_panel_definitions(&dir, panels);
	for (int p = 0; p < panels->count && !err; p++)
		err = write(&dir, panels, p);
	if (!err)
		err = plot_run(script, &dir, output, 1000, height);
	plot_dir_remove(&dir);
	return err;
}

int plot_cdf(const json_t *comparison, const char *path, const char *output)
{
	struct panels panels;
	int err = find_panels(&panels, comparison, path);

	if (err)
		return err;
	return plot_panels(&panels, "latency_cdf", write_cdf_data, output,
			   100 + 320 * ((panels.count + 1) / 2));
}

int plot_modes(const json_t *comparison, const char *path, const char *output)
{
	struct panels panels;
	int err = find_panels(&panels, comparison, path);

	if (err)
		return err;
	return plot_panels(&panels, "modes", write_mode_data, output, 100 + 260 * panels.count);
}
