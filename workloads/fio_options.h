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
#include "workloads/fio_values.h"
#include "workloads/popularity.h"

enum fio_engine {
	FIO_PSYNC_ENGINE,
	FIO_SYNC_ENGINE,
	FIO_PVSYNC_ENGINE,
	FIO_PVSYNC2_ENGINE,
	FIO_LIBAIO_ENGINE,
	FIO_IO_URING_ENGINE,
	FIO_MMAP_ENGINE,
	FIO_NR_ENGINES
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

/* Which of several files the next I/O goes to. */
enum fio_service {
	FIO_SERVICE_ROUND_ROBIN,
	FIO_SERVICE_RANDOM,
	FIO_SERVICE_SEQUENTIAL
};

#define FIO_NAME_MAX 128
#define FIO_MAX_FILES 65536u /* of one process */

/* One job section with the global options applied. Names are fio's; units are in the names. */
struct fio_job {
	char name[64];
	const char *path; /* where the section stands, for messages; belongs to the fio_text */
	uint32_t line;

	char directory[FIO_NAME_MAX];
	char filename[FIO_LIST_MAX]; /* names, with ':' between them */
	char filename_format[FIO_NAME_MAX]; /* "": $jobname.$jobnum.$filenum */
	char read_iolog[FIO_LIST_MAX];
	bool has_read, has_write, random;
	uint64_t bs_bytes[FIO_NR_DIRS]; /* bs= */
	struct fio_block_sizes bs[FIO_NR_DIRS];
	struct fio_amount size, io_size, offset, offset_increment;
	uint64_t filesize_bytes;
	uint64_t number_ios;
	uint64_t rate_iops[FIO_NR_DIRS]; /* 0: no limit */
	uint64_t rate_bytes[FIO_NR_DIRS];
	uint64_t runtime_ns, ramp_ns, start_delay_ns, thinktime_ns, thinktime_iotime_ns;
	uint64_t randseed;
	enum popularity_kind distribution;
	double distribution_parameter;
	uint32_t engine; /* enum fio_engine */
	uint32_t iodepth, numjobs, loops, fsync_every, fdatasync_every, rwmixread, thinktime_blocks;
	uint32_t fallocate, hint;
	uint32_t nrfiles, openfiles, replay_time_scale;
	enum fio_service service;
	uint32_t service_count; /* I/Os before it is the next file's turn */
	bool has_randseed, has_thinktime_blocks, replay_no_stall;
	bool direct, time_based, end_fsync, fsync_on_close, stonewall, norandommap, invalidate;
	bool create_on_open, create_only, poisson;
	bool aligns_buffers; /* begins them at pages; by the file's other jobs, too */
};

static inline bool fio_job_has(const struct fio_job *job, int dir)
{
	return dir == FIO_READ ? job->has_read : job->has_write;
}

void fio_job_defaults(struct fio_job *job);

/* Apply one line. 0, or -EINVAL after a message naming file, line and option. */
int fio_job_apply(struct fio_job *job, const struct fio_line *line);

/*
 * What no single line can tell: 0, or -EINVAL after a message naming file, line and section. Also
 * works out what follows from several lines (bounds of block sizes, percentages of sizes).
 */
int fio_job_check(struct fio_job *job);

/* Is every I/O of the job of one size? */
bool fio_job_one_size(const struct fio_job *job);

/* In filename_format=; FIO_NR_VARIABLES if the text begins with none. */
enum fio_variable {
	FIO_JOBNAME,
	FIO_JOBNUM,
	FIO_FILENUM,
	FIO_CLIENTUID,
	FIO_NR_VARIABLES
};

enum fio_variable fio_filename_variable(const char *text, size_t *len);

/* How many files a process has, and what it works on of each. Of a job that was checked. */
uint32_t fio_job_files(const struct fio_job *job);

struct fio_region {
	uint64_t file_bytes; /* size of the file */
	uint64_t start_bytes;
	uint64_t length_bytes;
};

/* process counts from 0. */
void fio_job_region(const struct fio_job *job, uint32_t process, struct fio_region *region);
/* Bytes of one pass over all files; io_size in bytes, or 0. */
uint64_t fio_job_pass_bytes(const struct fio_job *job);
uint64_t fio_job_io_bytes(const struct fio_job *job);

#endif
