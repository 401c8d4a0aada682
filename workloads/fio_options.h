/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The meaning of fio options: one table says of each whether it is modelled, cannot change the
 * result, or must have the one value that is modelled. Any other option is an error.
 *
 * Internal to workloads/.
 */
#ifndef VFSCOPE_WORKLOADS_FIO_OPTIONS_H
#define VFSCOPE_WORKLOADS_FIO_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "workloads/fio_parse.h"

enum {
	FIO_READ,
	FIO_WRITE,
	FIO_NR_DIRS
};

enum fio_engine {
	FIO_SYNC_ENGINE,
	FIO_ASYNC_ENGINE
};

enum fio_fallocate {
	FIO_FALLOCATE_NATIVE,
	FIO_FALLOCATE_NONE
};

enum fio_hint {
	FIO_HINT_BY_TYPE,
	FIO_HINT_NONE,
	FIO_HINT_RANDOM,
	FIO_HINT_SEQUENTIAL
};

#define FIO_NAME_MAX 128

/* One job section with the global options applied. Names are fio's; units are in the names. */
struct fio_job {
	char name[64];
	const char *path; /* where the section stands, for messages; belongs to the fio_text */
	uint32_t line;

	char directory[FIO_NAME_MAX];
	char filename[FIO_NAME_MAX];
	bool has_read, has_write, random;
	uint64_t bs_bytes[FIO_NR_DIRS];
	uint64_t size_bytes, io_size_bytes, filesize_bytes, offset_bytes, offset_increment_bytes;
	uint64_t number_ios;
	uint64_t rate_iops[FIO_NR_DIRS]; /* 0: no limit */
	uint64_t rate_bytes[FIO_NR_DIRS];
	uint64_t runtime_ns, ramp_ns, start_delay_ns, thinktime_ns;
	uint64_t randseed;
	uint32_t engine; /* enum fio_engine */
	uint32_t iodepth, numjobs, loops, fsync_every, fdatasync_every, rwmixread, thinktime_blocks;
	uint32_t fallocate, hint;
	bool has_randseed;
	bool direct, time_based, end_fsync, fsync_on_close, stonewall, norandommap, invalidate;
	bool create_on_open, poisson;
};

void fio_job_defaults(struct fio_job *job);

/* Apply one line. 0, or -EINVAL after a message naming file, line and option. */
int fio_job_apply(struct fio_job *job, const struct fio_line *line);

/* What no single line can tell: 0, or -EINVAL after a message naming file, line and section. */
int fio_job_check(const struct fio_job *job);

#endif
