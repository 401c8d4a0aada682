// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio-like results of simulated jobs, and how results are printed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/units.h"
#include "workloads/fio_result_internal.h"

const char *fio_row_name(enum fio_row row)
{
	static const char *const names[NR_FIO_ROWS] = {"read", "write", "sync"};

	return (unsigned int)row < NR_FIO_ROWS ? names[row] : "?";
}

size_t fio_results_job(struct fio_results *r, const char *job)
{
	struct fio_result *more;
	size_t first = r->nr_rows;

	for (size_t i = 0; i < r->nr_rows; i += NR_FIO_ROWS)
		if (!strcmp(r->rows[i].job, job))
			return i;
	more = reallocarray(r->rows, first + NR_FIO_ROWS, sizeof(*more));
	if (!more)
		return SIZE_MAX;
	r->rows = more;
	r->nr_rows += NR_FIO_ROWS;
	for (int i = 0; i < NR_FIO_ROWS; i++) {
		memset(&more[first + i], 0, sizeof(*more));
		snprintf(more[first + i].job, sizeof(more->job), "%s", job);
		more[first + i].row = i;
		hist_init(&more[first + i].hist);
	}
	return first;
}

int fio_results_new(struct fio_results **out, const struct workload *w, uint32_t nr_vms)
{
	struct fio_results *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->workload = w;
	r->nr_processes = w->nr_tasks * nr_vms;
	r->processes = calloc(r->nr_processes, sizeof(*r->processes));
	if (!r->processes)
		goto no_memory;
	for (uint32_t i = 0; i < r->nr_processes; i++) {
		r->processes[i].first_row = fio_results_job(r, w->tasks[i % w->nr_tasks].job);
		if (r->processes[i].first_row == SIZE_MAX)
			goto no_memory;
	}
	*out = r;
	return 0;
no_memory:
	fio_results_free(r);
	return -ENOMEM;
}

void fio_results_free(struct fio_results *r)
{
	if (!r)
		return;
	free(r->processes);
	free(r->rows);
	free(r);
}

static int row_of(const struct op_record *op)
{
	switch (op->type) {
	case OP_READ:
		return FIO_ROW_READ;
	case OP_WRITE:
		return FIO_ROW_WRITE;
	case OP_MMAP_FAULT:
		return op->flags & OP_FAULT_WRITE ? FIO_ROW_WRITE : FIO_ROW_READ;
	case OP_FSYNC:
	case OP_FDATASYNC:
	case OP_MSYNC:
		return FIO_ROW_SYNC;
	default:
		return -1;
	}
}

int fio_results_add_op(struct fio_results *r, const struct op_record *op, uint32_t task)
{
	struct fio_process *p = &r->processes[op->conn * r->workload->nr_tasks + task];
	struct fio_result *result;
	int row = row_of(op);

	if (!p->started) {
		p->started = true;
		p->start_ns = op->t_start_ns;
		p->counted_from_ns = op->t_start_ns + r->workload->tasks[task].ramp_ns;
	}
	if (row < 0 || op->t_start_ns < p->counted_from_ns)
		return -1;
	/* fio's clock starts after the file is open, and runs on through the last sync. */
	if (!p->end_ns)
		p->start_ns = max_u64(p->counted_from_ns, op->t_start_ns);
	p->end_ns = max_u64(p->end_ns, op->t_end_ns);
	p->ios[row]++;
	result = &r->rows[p->first_row + row];
	result->ios++;
	result->bytes += op->result > 0 ? op->result : 0;
	hist_add(&result->hist, op->t_end_ns - op->t_start_ns);
	return (int)p->first_row + row;
}

static void fill_from_hist(struct fio_result *row)
{
	row->mean_ns = hist_mean(&row->hist);
	row->p50_ns = hist_quantile(&row->hist, 0.5);
	row->p99_ns = hist_quantile(&row->hist, 0.99);
}

void fio_results_finish(struct fio_results *r)
{
	for (uint32_t i = 0; i < r->nr_processes; i++) {
		const struct fio_process *p = &r->processes[i];
		double ns = p->end_ns > p->start_ns ? p->end_ns - p->start_ns : 0;

		for (int row = 0; row < NR_FIO_ROWS && ns > 0; row++) {
			struct fio_result *result = &r->rows[p->first_row + row];

			result->iops += p->ios[row] * (double)NS_PER_SEC / ns;
			if (ns > result->runtime_ns)
				result->runtime_ns = ns;
		}
	}
	for (size_t i = 0; i < r->nr_rows; i++)
		fill_from_hist(&r->rows[i]);
}

void fio_results_merge(struct fio_results *into, const struct fio_results *from, uint32_t runs)
{
	for (size_t i = 0; i < into->nr_rows && i < from->nr_rows; i++) {
		struct fio_result *row = &into->rows[i];

		row->ios += from->rows[i].ios;
		row->bytes += from->rows[i].bytes;
		row->iops = (row->iops * runs + from->rows[i].iops) / (runs + 1);
		row->runtime_ns += from->rows[i].runtime_ns;
		hist_merge(&row->hist, &from->rows[i].hist);
		fill_from_hist(row);
	}
}

size_t fio_results_count(const struct fio_results *r)
{
	return r->nr_rows;
}

const struct fio_result *fio_results_row(const struct fio_results *r, size_t row)
{
	return &r->rows[row];
}

const struct fio_result *fio_results_at(const struct fio_results *r, size_t index)
{
	for (size_t i = 0; i < r->nr_rows; i++)
		if (r->rows[i].ios && !index--)
			return &r->rows[i];
	return NULL;
}

const struct fio_result *fio_results_find(const struct fio_results *r, const char *job,
					  enum fio_row row)
{
	for (size_t i = 0; i < r->nr_rows; i++)
		if (r->rows[i].ios && r->rows[i].row == row && !strcmp(r->rows[i].job, job))
			return &r->rows[i];
	return NULL;
}

void fio_results_print(const struct fio_results *r, FILE *out)
{
	static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
	const struct fio_result *row;
	char text[32];

	fprintf(out, "%-17s %-5s %8s %8s %11s %8s %8s %8s %8s %8s\n", "job", "op", "count", "IOPS",
		"bytes/s", "mean", "p50", "p90", "p99", "p99.9");
	for (size_t i = 0; (row = fio_results_at(r, i)); i++) {
		fprintf(out, "%-17.17s %-5s %8s", row->job, fio_row_name(row->row),
			format_count(row->ios, text, sizeof(text)));
		fprintf(out, " %8s", format_count(row->iops, text, sizeof(text)));
		fprintf(out, " %11s",
			row->runtime_ns > 0 ? format_bytes(row->bytes * 1e9 / row->runtime_ns, text,
							   sizeof(text))
					    : "");
		fprintf(out, " %8s", format_ns(row->mean_ns, text, sizeof(text)));
		for (size_t q = 0; q < ARRAY_SIZE(quantiles); q++)
			fprintf(out, " %8s",
				format_ns(hist_quantile(&row->hist, quantiles[q]), text,
					  sizeof(text)));
		fprintf(out, "\n");
	}
}

json_t *fio_results_json(const struct fio_results *r)
{
	const struct fio_result *row;
	json_t *array = json_array();

	for (size_t i = 0; array && (row = fio_results_at(r, i)); i++)
		if (json_array_append_new(
			    array,
			    json_pack("{s:s s:s s:I s:I s:f s:f s:f s:I s:I s:I s:I s:I}", "job",
				      row->job, "op", fio_row_name(row->row), "ios",
				      (json_int_t)row->ios, "bytes", (json_int_t)row->bytes, "iops",
				      row->iops, "runtime_ns", row->runtime_ns, "mean_ns",
				      row->mean_ns, "p50_ns", (json_int_t)row->p50_ns, "p90_ns",
				      (json_int_t)hist_quantile(&row->hist, 0.9), "p99_ns",
				      (json_int_t)row->p99_ns, "p999_ns",
				      (json_int_t)hist_quantile(&row->hist, 0.999), "max_ns",
				      (json_int_t)(row->hist.count ? row->hist.max : 0)))) {
			json_decref(array);
			return NULL;
		}
	return array;
}
