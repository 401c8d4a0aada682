/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A workload as the simulator runs it: tasks that draw ops from a stream.
 *
 * workloads/ makes these from fio job files (and later iologs and captured ops); sim/ runs them.
 * The stream is pulled, so a workload of any length takes the same memory.
 */
#ifndef VFSCOPE_LIB_WORKLOAD_H
#define VFSCOPE_LIB_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/op.h"

struct workload_op {
	enum op_type type;
	uint32_t file; /* index into workload.files */
	/* rename: the new name; link: the file that gets another name; copy: the file copied from;
	 * symlink: the link's text */
	uint32_t file2;
	uint64_t offset_bytes;
	uint32_t size_bytes;
	uint32_t flags; /* enum op_flags: OP_DIRECT */
	uint32_t buffer_offset; /* of the application's buffer within its first page */
	uint64_t think_ns; /* pause between the previous op's end and this op's start */
	uint64_t
		not_before_ns; /* open loop: earliest start, relative to the task's start; else 0 */
};

enum {
	OP_STREAM_OP = 0,
	OP_STREAM_END = 1
};

struct op_stream {
	/*
	 * Next op of the task; now_ns is the time since the task started, for time-based jobs.
	 * OP_STREAM_OP, OP_STREAM_END or -errno.
	 */
	int (*next)(struct op_stream *stream, uint64_t now_ns, struct workload_op *op);
	void (*free)(struct op_stream *stream);
};

enum workload_file_type {
	FILE_REGULAR,
	FILE_DIRECTORY, /* there before the workload starts */
	FILE_SYMLINK, /* made by the workload */
};

/* A path. Of regular files that are there, the directories on the way are there, too. */
struct workload_file {
	/* From the share's root: "dir/file". A link's text is from the link's directory on, ".." leads
	 * up; with a slash in front it is from the share's root, too. */
	char name[256];
	uint64_t size_bytes; /* before the workload starts; 0: created by it */
	enum workload_file_type type;
};

struct workload_task {
	char job[64]; /* fio section name, for per-job results */
	uint32_t group; /* tasks of group g start when all of group g-1 ended (stonewall) */
	uint32_t iodepth; /* ops in flight at once; 1 for a synchronous engine */
	bool async; /* libaio, io_uring: submission does not block in direct mode */
	uint64_t ramp_ns; /* results before this are not counted */
	struct op_stream *stream;
};

struct workload {
	struct workload_task *tasks;
	uint32_t nr_tasks;
	struct workload_file *files;
	uint32_t nr_files;
	bool makes_directories; /* those of files that are not there yet, too */
};

void workload_free(struct workload *w); /* streams too; NULL is fine */

#endif
