/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fio reports of a job, predicted or measured: one row per job section and direction.
 *
 * Predicted rows are collected from simulated ops; measured rows are read from fio's own JSON, so
 * that both can be put side by side. Processes of one section (numjobs) are added up.
 */
#ifndef VFSCOPE_WORKLOADS_FIO_RESULT_H
#define VFSCOPE_WORKLOADS_FIO_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/hist.h"
#include "lib/op.h"
#include "lib/workload.h"

enum fio_row {
	FIO_ROW_READ,
	FIO_ROW_WRITE,
	FIO_ROW_SYNC, /* fsync and fdatasync */
	NR_FIO_ROWS
};

const char *fio_row_name(enum fio_row row); /* "read", "write", "sync": fio's own keys */

struct fio_result {
	char job[64];
	enum fio_row row;
	uint64_t ios;
	uint64_t bytes;
	double iops; /* summed over processes, each over its own run time */
	double runtime_ns; /* the longest of the processes */
	double mean_ns; /* of fio's clat, which is the whole op for synchronous engines */
	/* All latencies; of a measured result, fio's own bins (json+), else empty. */
	struct hist hist;
	uint64_t p50_ns, p99_ns;
};

struct fio_results;

/* For a workload about to be simulated in nr_vms VMs at once; it must outlive the results. */
int fio_results_new(struct fio_results **out, const struct workload *w, uint32_t nr_vms);

/*
 * An op of the simulation, as sim_sink.op gives it; op->conn is the VM's number. Returns the number
 * of the row that counts it, or -1: opens, closes and the ramp are not counted.
 */
int fio_results_add_op(struct fio_results *r, const struct op_record *op, uint32_t task);

/* After the last op: rates and quantiles. */
void fio_results_finish(struct fio_results *r);

/*
 * Another run of the same job, finished, into runs added up already: counts, bytes, times and
 * histograms add up, IOPS become the mean.
 */
void fio_results_merge(struct fio_results *into, const struct fio_results *from, uint32_t runs);

/*
 * Measured results from fio --output-format=json or json+ (needed to add up processes). 0; -errno
 * of open, -EINVAL after a message naming the file and what is wrong in it; -ENOMEM.
 */
int fio_results_read(struct fio_results **out, const char *path);

void fio_results_free(struct fio_results *r);

/* All rows, with and without I/O, by number. */
size_t fio_results_count(const struct fio_results *r);
const struct fio_result *fio_results_row(const struct fio_results *r, size_t row);

/* Rows in job order; only those with I/O. */
const struct fio_result *fio_results_at(const struct fio_results *r, size_t index); /* or NULL */
const struct fio_result *fio_results_find(const struct fio_results *r, const char *job,
					  enum fio_row row); /* or NULL */

void fio_results_print(const struct fio_results *r, FILE *out);
/* Our own rows, and the shape of fio's JSON. New references, NULL when out of memory. */
json_t *fio_results_json(const struct fio_results *r);
json_t *fio_results_as_fio(const struct fio_results *r);

#endif
