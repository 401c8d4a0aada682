/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fio job files: the same file runs under fio in a guest and under vfscope simulate.
 *
 * An option that could change the result and is not modelled is an error naming file, line and
 * option.
 */
#ifndef VFSCOPE_WORKLOADS_FIO_JOB_H
#define VFSCOPE_WORKLOADS_FIO_JOB_H

#include <stddef.h>
#include <stdint.h>
#include "lib/workload.h"

/*
 * Parse path into a workload. seed drives random offsets when the job has no randseed. 0, -ENOENT,
 * -EINVAL after one message, -ENOMEM. The caller frees with workload_free().
 */
int fio_job_load(const char *path, uint64_t seed, struct workload **out);

/* The same from memory, for fuzzing; name is used in messages. */
int fio_job_parse(const char *name, const char *text, size_t len, uint64_t seed,
		  struct workload **out);

#endif
