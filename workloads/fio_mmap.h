/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fio's mmap engine: what becomes of a job's opens, reads, writes and syncs.
 *
 * Internal to workloads/.
 */
#ifndef VFSCOPE_WORKLOADS_FIO_MMAP_H
#define VFSCOPE_WORKLOADS_FIO_MMAP_H

#include "workloads/fio_stream.h"

/* Takes over inner, a fio_stream_new() of the same job and setup. NULL: out of memory. */
struct op_stream *fio_mmap_stream_new(struct op_stream *inner, const struct fio_job *job,
				      const struct fio_process_setup *setup);

#endif
