/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of fio results, shared by their collector, printer and reader.
 */
#ifndef VFSCOPE_WORKLOADS_FIO_RESULT_INTERNAL_H
#define VFSCOPE_WORKLOADS_FIO_RESULT_INTERNAL_H

#include "workloads/fio_result.h"

/* What one fio process has done so far. */
struct fio_process {
	bool started;
	uint64_t start_ns; /* its first op */
	uint64_t counted_from_ns; /* after the ramp */
	uint64_t end_ns;
	uint64_t ios[NR_FIO_ROWS];
	size_t first_row; /* its job's rows in rows[] */
};

struct fio_results {
	const struct workload *workload; /* NULL: measured */
	struct fio_process *processes; /* of each task in each VM */
	uint32_t nr_processes;
	struct fio_result *rows; /* NR_FIO_ROWS of each job */
	size_t nr_rows;
};

/* The first row of this job, made if it is not there; SIZE_MAX when out of memory. */
size_t fio_results_job(struct fio_results *r, const char *job);

#endif
