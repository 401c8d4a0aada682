// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measured results, out of fio's JSON. Strict: a missing or odd value is an error that names it,
 * since a silent zero would turn into a wrong comparison.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "workloads/fio_result_internal.h"

/* Where we are in the file, for messages. */
struct place {
	const char *path;
	const char *job;
	const char *row;
};

static int PRINTF_LIKE(2, 3) refuse(const struct place *at, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (at->job)
		msg_error("%s: job '%s'%s%s: %s", at->path, at->job, at->row ? ", " : "",
			  at->row ? at->row : "", why);
	else
		msg_error("%s: %s", at->path, why);
	return -EINVAL;
}

static int get_number(const struct place *at, const json_t *object, const char *key, double *value)
{
	const json_t *number = json_object_get(object, key);

	if (!json_is_number(number) || json_number_value(number) < 0)
		return refuse(at, "no valid '%s'", key);
	*value = json_number_value(number);
	return 0;
}

static int add_bins(const struct place *at, const json_t *bins, struct hist *hist)
{
	const char *key;
	json_t *count;
	uint64_t ns;

	json_object_foreach((json_t *)bins, key, count)
	{
		if (parse_u64(key, &ns) || !json_is_integer(count) || json_integer_value(count) < 0)
			return refuse(at, "bin '%s' is not a count of a latency in ns", key);
		if (json_integer_value(count))
			hist_add_n(hist, ns, json_integer_value(count));
	}
	return 0;
}

static int get_percentile(const struct place *at, const json_t *latency, const char *key,
			  uint64_t *ns)
{
	const json_t *value = json_object_get(json_object_get(latency, "percentile"), key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return refuse(at, "no percentile %s: run fio with clat_percentiles=1, its default",
			      key);
	*ns = json_integer_value(value);
	return 0;
}

static int add_latency(const struct place *at, const json_t *latency, struct fio_result *result,
		       uint64_t ios)
{
	const json_t *bins = json_object_get(latency, "bins");
	double mean;

	if (get_number(at, latency, "mean", &mean))
		return -EINVAL;
	if (result->ios && (!bins || !result->hist.count))
		return refuse(at, "several processes: run fio with --output-format=json+, whose "
				  "bins can be added up");
	result->mean_ns = (result->mean_ns * result->ios + mean * ios) / (result->ios + ios);
	if (bins)
		return add_bins(at, bins, &result->hist);
	if (get_percentile(at, latency, "50.000000", &result->p50_ns))
		return -EINVAL;
	return get_percentile(at, latency, "99.000000", &result->p99_ns);
}

/* Run time of syncs is that of the job: fio gives them none of their own. */
static int add_row(struct place *at, const json_t *job, struct fio_result *result)
{
	const json_t *part;
	double ios, bytes = 0, iops = 0, runtime_ms = 0;
	const json_t *latency;

	at->row = fio_row_name(result->row);
	part = json_object_get(job, at->row);
	if (!json_is_object(part))
		return refuse(at, "not in it");
	if (get_number(at, part, "total_ios", &ios))
		return -EINVAL;
	if (!ios)
		return 0;
	if (result->row == FIO_ROW_SYNC) {
		latency = json_object_get(part, "lat_ns");
		if (get_number(at, job, "job_runtime", &runtime_ms))
			return -EINVAL;
		iops = runtime_ms > 0 ? ios * 1000 / runtime_ms : 0;
	} else {
		latency = json_object_get(part, "clat_ns");
		if (get_number(at, part, "io_bytes", &bytes) ||
		    get_number(at, part, "iops", &iops) ||
		    get_number(at, part, "runtime", &runtime_ms))
			return -EINVAL;
	}
	if (add_latency(at, latency, result, ios))
		return -EINVAL;
	result->ios += ios;
	result->bytes += bytes;
	result->iops += iops;
	if (runtime_ms * 1e6 > result->runtime_ns)
		result->runtime_ns = runtime_ms * 1e6;
	return 0;
}

static int add_job(struct fio_results *r, const char *path, const json_t *job)
{
	struct place at = {.path = path};
	const json_t *error = json_object_get(job, "error");
	size_t first;
	int err = 0;

	at.job = json_string_value(json_object_get(job, "jobname"));
	if (!at.job)
		return refuse(&at, "a job without 'jobname': is this fio's --output-format=json+?");
	if (json_integer_value(error))
		return refuse(&at, "fio ended with error %" PRId64 ": nothing to compare with",
			      (int64_t)json_integer_value(error));
	first = fio_results_job(r, at.job);
	if (first == SIZE_MAX)
		return -ENOMEM;
	for (int row = 0; row < NR_FIO_ROWS && !err; row++)
		err = add_row(&at, job, &r->rows[first + row]);
	return err;
}

static void fill_quantiles(struct fio_results *r)
{
	for (size_t i = 0; i < r->nr_rows; i++) {
		if (!r->rows[i].hist.count)
			continue;
		r->rows[i].p50_ns = hist_quantile(&r->rows[i].hist, 0.5);
		r->rows[i].p99_ns = hist_quantile(&r->rows[i].hist, 0.99);
	}
}

/* fio prints notes ("fio: ...") before the JSON when its output goes to a file, too. */
static json_t *load_json(FILE *in, json_error_t *why)
{
	int c;
	long at;

	do {
		at = ftell(in);
		c = fgetc(in);
		if (c == '{') {
			fseek(in, at, SEEK_SET);
			break;
		}
		while (c != '\n' && c != EOF)
			c = fgetc(in);
	} while (c != EOF);
	return json_loadf(in, 0, why);
}

static int read_jobs(struct fio_results *r, const char *path, const json_t *jobs)
{
	json_t *job;
	size_t i;
	int err = 0;

	if (!json_array_size(jobs)) {
		msg_error("%s: no 'jobs' in it: is this the output of fio --output-format=json+?",
			  path);
		return -EINVAL;
	}
	json_array_foreach((json_t *)jobs, i, job)
	{
		err = add_job(r, path, job);
		if (err)
			return err;
	}
	fill_quantiles(r);
	return 0;
}

int fio_results_read(struct fio_results **out, const char *path)
{
	struct fio_results *r = calloc(1, sizeof(*r));
	json_error_t why;
	json_t *json;
	FILE *in;
	int err;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	in = fopen(path, "re");
	if (!in) {
		err = -errno;
		msg_error("cannot open fio's results '%s': %s", path, strerror(errno));
		fio_results_free(r);
		return err;
	}
	json = load_json(in, &why);
	fclose(in);
	if (!json) {
		msg_error("%s:%d: not JSON: %s; run fio with --output-format=json+", path, why.line,
			  why.text);
		err = -EINVAL;
	} else {
		err = read_jobs(r, path, json_object_get(json, "jobs"));
	}
	json_decref(json);
	if (err)
		fio_results_free(r);
	else
		*out = r;
	return err;
}
