/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any file that says what applications do: a fio job, a fio I/O log, a recorded trace, or
 * an op script (by its name, X.ops).
 */
#ifndef VFSCOPE_WORKLOADS_WORKLOAD_LOAD_H
#define VFSCOPE_WORKLOADS_WORKLOAD_LOAD_H

#include <stdint.h>
#include "lib/workload.h"

/*
 * What the file is, its first bytes or its name tell. seed drives the random offsets of jobs
 * without a randseed. 0, -errno of open, -EINVAL or -EBADMSG after one message; -ENOMEM. The caller
 * frees with workload_free().
 */
int workload_load(const char *path, uint64_t seed, struct workload **out);

#endif
