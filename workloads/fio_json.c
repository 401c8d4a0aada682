// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Simulated results in the shape of fio's own JSON (--output-format=json+, 3.33), for scripts that
 * read it. One job per section, as with group_reporting.
 *
 * Every key is there that fio writes of reads, writes, trims and syncs. What a simulation does not
 * have is what fio writes when it has none: submission latencies and periodic samples count 0.
 * Times and CPU use of the process that printed it are left out: equal runs print equal bytes.
 */
#include <inttypes.h>
#include <math.h>
#include "lib/compiler.h"
#include "workloads/fio_result_internal.h"

/* From the bins, each taken at its middle. */
static double deviation(const struct hist *h)
{
	double mean = hist_mean(h), sum = 0;

	if (h->count < 2)
		return 0;
	for (unsigned int b = 0; b < HIST_NR_BUCKETS; b++) {
		double middle = (hist_bucket_low(b) + hist_bucket_high(b)) / 2.0;

		sum += h->bucket[b] * (middle - mean) * (middle - mean);
	}
	return sqrt(sum / (h->count - 1));
}

static json_t *moments_json(const struct hist *h)
{
	return json_pack("{s:I s:I s:f s:f s:I}", "min", (json_int_t)(h->count ? h->min : 0), "max",
			 (json_int_t)h->max, "mean", hist_mean(h), "stddev", deviation(h), "N",
			 (json_int_t)h->count);
}

/* With percentiles and bins (ns -> count). */
static json_t *latency_json(const struct hist *h)
{
	static const double quantiles[] = {1,  5,  10, 20, 30,	 40,   50,    60,   70,
					   80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99};
	json_t *latency = moments_json(h), *percentile = json_object(), *bins = json_object();
	char key[32];

	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		snprintf(key, sizeof(key), "%f", quantiles[i]);
		json_object_set_new(percentile, key,
				    json_integer((json_int_t)hist_quantile(h, quantiles[i] / 100)));
	}
	for (unsigned int b = 0; b < HIST_NR_BUCKETS; b++) {
		if (!h->bucket[b])
			continue;
		snprintf(key, sizeof(key), "%" PRIu64,
			 (hist_bucket_low(b) + hist_bucket_high(b)) / 2);
		json_object_set_new(bins, key, json_integer((json_int_t)h->bucket[b]));
	}
	json_object_set_new(latency, "percentile", percentile);
	json_object_set_new(latency, "bins", bins);
	return latency;
}

/* fio samples bandwidth and IOPS every half second; a simulation has no such samples. */
static void add_samples(json_t *direction)
{
	static const char *const keys[] = {"bw_min",	 "bw_max",	"bw_mean",     "bw_dev",
					   "bw_samples", "bw_agg",	"iops_min",    "iops_max",
					   "iops_mean",	 "iops_stddev", "iops_samples"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_object_set_new(direction, keys[i], json_integer(0));
}

static json_t *direction_json(const struct fio_result *row)
{
	double seconds = row->runtime_ns / NS_PER_SEC;
	uint64_t bytes_per_s = seconds > 0 ? (uint64_t)(row->bytes / seconds) : 0;
	struct hist none;
	json_t *direction;

	hist_init(&none);
	direction = json_pack(
		"{s:I s:I s:I s:I s:f s:I s:I s:i s:i s:o s:o s:o}", "io_bytes",
		(json_int_t)row->bytes, "io_kbytes", (json_int_t)(row->bytes >> 10), "bw_bytes",
		(json_int_t)bytes_per_s, "bw", (json_int_t)(bytes_per_s >> 10), "iops", row->iops,
		"runtime", (json_int_t)llround(row->runtime_ns / 1e6), "total_ios",
		(json_int_t)row->ios, "short_ios", 0, "drop_ios", 0, "slat_ns", moments_json(&none),
		"clat_ns", latency_json(&row->hist), "lat_ns", moments_json(&row->hist));
	if (direction)
		add_samples(direction);
	return direction;
}

static json_t *sync_json(const struct fio_result *row)
{
	return json_pack("{s:I s:o}", "total_ios", (json_int_t)row->ios, "lat_ns",
			 latency_json(&row->hist));
}

/* rows: NR_FIO_ROWS of one job. */
static json_t *job_json(const struct fio_result *rows, uint32_t group)
{
	struct fio_result trims = {0};
	double runtime_ns = 0;

	hist_init(&trims.hist);
	for (int row = 0; row < NR_FIO_ROWS; row++)
		runtime_ns = fmax(runtime_ns, rows[row].runtime_ns);
	return json_pack("{s:s s:I s:i s:i s:I s:o s:o s:o s:o s:I}", "jobname", rows->job,
			 "groupid", (json_int_t)group, "error", 0, "eta", 0, "elapsed",
			 (json_int_t)ceil(runtime_ns / NS_PER_SEC), "read",
			 direction_json(&rows[FIO_ROW_READ]), "write",
			 direction_json(&rows[FIO_ROW_WRITE]), "trim", direction_json(&trims),
			 "sync", sync_json(&rows[FIO_ROW_SYNC]), "job_runtime",
			 (json_int_t)llround(runtime_ns / 1e6));
}

static uint32_t group_of(const struct fio_results *r, size_t first_row)
{
	for (uint32_t i = 0; r->workload && i < r->workload->nr_tasks; i++)
		if (r->processes[i].first_row == first_row)
			return r->workload->tasks[i].group;
	return 0;
}

json_t *fio_results_as_fio(const struct fio_results *r)
{
	json_t *jobs = json_array();

	for (size_t i = 0; jobs && i < r->nr_rows; i += NR_FIO_ROWS)
		json_array_append_new(jobs, job_json(&r->rows[i], group_of(r, i)));
	return json_pack("{s:s s:o}", "fio version", "vfscope simulate", "jobs", jobs);
}
