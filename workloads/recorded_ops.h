/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ops of a recorded trace (guest or joined), by task: what can be replayed.
 *
 * Names of files are not recorded: a file is "file-NODEID", or "file-MINOR-NODEID" if the trace
 * holds more than one mount. A file that the trace does not see created was there before, as large
 * as anything that is done in it.
 */
#ifndef VFSCOPE_WORKLOADS_RECORDED_OPS_H
#define VFSCOPE_WORKLOADS_RECORDED_OPS_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/workload.h"

struct recorded_op {
	uint64_t t_start_ns;
	uint64_t t_end_ns; /* of an asynchronous op, when its last request ended */
	uint64_t think_ns; /* since the last end of an op of the task; of its first: since the trace
			      began */
	uint64_t op_id;
	uint64_t offset_bytes; /* of an open with OP_SIZE_KNOWN: the file's size before */
	uint32_t size_bytes;
	uint32_t file; /* index into files */
	uint32_t file2; /* of a copy: the file copied from */
	uint32_t task; /* thread id in the guest */
	uint16_t type; /* enum op_type */
	uint16_t flags; /* enum op_flags */
};

struct recorded_task {
	uint32_t tid;
	uint32_t iodepth; /* most asynchronous ops in flight at once; 1: all were synchronous */
	const struct recorded_op *ops; /* into recorded_ops.ops */
	uint64_t nr_ops;
};

struct recorded_ops {
	struct recorded_op *ops; /* by task, then by start */
	uint64_t nr_ops;
	uint64_t t_first_ns;
	struct recorded_task *tasks;
	uint32_t nr_tasks;
	struct workload_file *files;
	uint32_t nr_files;
	uint64_t nr_failed; /* ops that failed: left out */
	uint64_t nr_not_fio; /* that can be simulated, but a log for fio cannot say them */
	uint64_t nr_left_out[NR_OP_TYPES]; /* cannot be replayed */
};

/* 0; -errno of open, -EINVAL, -EBADMSG after a message; -ENOMEM. */
int recorded_ops_read(struct recorded_ops *r, const char *path);
void recorded_ops_free(struct recorded_ops *r);
/* Says what of the trace is not in r. */
void recorded_ops_note_left_out(const struct recorded_ops *r, const char *path);

/* Whether a log for fio can say it. */
bool recorded_fio_has(uint16_t type);

/* The trace as a workload, each task closed-loop with its think times. Errors as above. */
int recorded_ops_load(const char *path, struct workload **out);

#endif
