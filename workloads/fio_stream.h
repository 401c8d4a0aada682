/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ops of one fio process, pulled one at a time in the order in which fio issues them.
 *
 * Order rules were taken from fio 3.33's own logs (write_iolog); docs/fio-jobs.md lists them.
 */
#ifndef VFSCOPE_WORKLOADS_FIO_STREAM_H
#define VFSCOPE_WORKLOADS_FIO_STREAM_H

#include "lib/workload.h"
#include "workloads/fio_options.h"

/* One fio process. */
struct fio_process_setup {
	uint32_t process; /* of its job, from 0 */
	const uint32_t *files; /* fio_job_files() indices into workload.files */
	uint64_t seed;
	uint64_t stream; /* random stream number: one per fio process */
};

/* NULL: out of memory. The job, which was checked, and the setup are copied. */
struct op_stream *fio_stream_new(const struct fio_job *job, const struct fio_process_setup *setup);

/* enum op_flags of each OP_OPEN of the job. */
uint32_t fio_job_open_flags(const struct fio_job *job);

#endif
