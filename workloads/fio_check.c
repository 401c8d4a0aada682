// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What follows from several options of a job together, and which jobs are impossible.
 */
#include <errno.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "workloads/block_map.h"
#include "workloads/fio_options.h"

/* Largest sum of offsets and sizes that anything downstream has to compute with. */
#define FIO_MAX_FILE_SIZE (1ULL << 60)
#define FIO_MAX_BLOCK_SIZE (1u << 30)
#define FIO_MAX_TIME_NS (3650ULL * 86400 * NS_PER_SEC)

static int refuse_job(const struct fio_job *job, const char *why)
{
	msg_error("%s:%u: job [%s]: %s", job->path, job->line, job->name, why);
	return -EINVAL;
}

static uint64_t amount_of(const struct fio_amount *amount, uint64_t whole)
{
	return amount->percent ? whole / 100 * amount->percent + whole % 100 * amount->percent / 100
			       : amount->bytes;
}

uint32_t fio_job_files(const struct fio_job *job)
{
	uint32_t names = 1;

	if (!*job->filename)
		return job->nrfiles;
	/* With names, fio takes all of them, whatever nrfiles says. */
	for (const char *c = job->filename; *c; c++)
		names += *c == ':';
	return names;
}

bool fio_job_one_size(const struct fio_job *job)
{
	const struct fio_block_sizes *r = &job->bs[FIO_READ], *w = &job->bs[FIO_WRITE];

	if (!job->has_write)
		return r->low_bytes == r->high_bytes;
	if (!job->has_read)
		return w->low_bytes == w->high_bytes;
	return r->low_bytes == r->high_bytes && w->low_bytes == w->high_bytes &&
	       r->low_bytes == w->low_bytes;
}

static uint64_t smallest_block(const struct fio_job *job)
{
	return min_u64(job->bs[FIO_READ].low_bytes, job->bs[FIO_WRITE].low_bytes);
}

/* A percentage is of the whole file, and then rounded up to a block. */
static uint64_t start_of(const struct fio_job *job, uint32_t process)
{
	uint64_t start = amount_of(&job->offset, job->filesize_bytes) +
			 process * amount_of(&job->offset_increment, job->filesize_bytes);
	uint64_t block = smallest_block(job);

	return job->offset.percent ? (start + block - 1) / block * block : start;
}

void fio_job_region(const struct fio_job *job, uint32_t process, struct fio_region *region)
{
	uint64_t room;

	region->start_bytes = start_of(job, process);
	if (job->size.percent)
		region->length_bytes = amount_of(&job->size, job->filesize_bytes);
	else if (job->size.bytes)
		region->length_bytes = job->size.bytes / fio_job_files(job);
	else
		region->length_bytes = job->filesize_bytes;
	region->file_bytes = region->start_bytes + region->length_bytes;
	if (!job->filesize_bytes)
		return;
	region->file_bytes = job->filesize_bytes;
	room = job->filesize_bytes - min_u64(region->start_bytes, job->filesize_bytes);
	region->length_bytes = min_u64(region->length_bytes, room);
}

uint64_t fio_job_pass_bytes(const struct fio_job *job)
{
	struct fio_region region;

	if (job->size.bytes)
		return job->size.bytes;
	fio_job_region(job, 0, &region);
	return region.length_bytes * fio_job_files(job);
}

uint64_t fio_job_io_bytes(const struct fio_job *job)
{
	return amount_of(&job->io_size, fio_job_pass_bytes(job));
}

/* bssplit wins over bsrange, that over bs, in whatever order they stand. */
static int check_blocks(const struct fio_job *job, struct fio_block_sizes *bs, uint64_t single,
			bool used)
{
	if (!bs->nr_split && !bs->high_bytes)
		bs->low_bytes = bs->high_bytes = single;
	for (uint32_t i = 0; i < bs->nr_split; i++) {
		uint64_t bytes = bs->split[i].bytes;

		bs->low_bytes = i ? min_u64(bs->low_bytes, bytes) : bytes;
		bs->high_bytes = i ? max_u64(bs->high_bytes, bytes) : bytes;
		if (used && job->direct && bytes % 512)
			return refuse_job(job,
					  "direct=1 needs block sizes in multiples of 512 bytes");
	}
	if (!bs->low_bytes || bs->high_bytes > FIO_MAX_BLOCK_SIZE)
		return refuse_job(job, "bs must be 1 byte to 1 GiB");
	if (used && job->direct && (bs->low_bytes % 512 || bs->high_bytes % 512))
		return refuse_job(job, "direct=1 needs bs in multiples of 512 bytes");
	return 0;
}

static int check_percents(const struct fio_job *job)
{
	if (job->filesize_bytes)
		return 0;
	if (job->size.percent || job->offset.percent || job->offset_increment.percent)
		return refuse_job(job, "a percentage needs filesize=: what it is a percentage of");
	return 0;
}

static int check_region(const struct fio_job *job, const struct fio_region *region)
{
	for (int dir = 0; dir < FIO_NR_DIRS && !job->create_only; dir++)
		if (fio_job_has(job, dir) && job->bs[dir].low_bytes > region->length_bytes)
			return refuse_job(job, fio_job_files(job) > 1
						       ? "bs is larger than size / nrfiles: "
							 "nothing to do"
						       : "bs is larger than size: nothing to do");
	if (job->random && !job->norandommap && job->distribution == POPULARITY_UNIFORM &&
	    !fio_job_one_size(job) &&
	    region->length_bytes / smallest_block(job) >= BLOCK_MAP_MAX_BLOCKS)
		return refuse_job(job, "a random map of so many blocks of mixed sizes is too "
				       "large: set norandommap=1, or larger blocks");
	return 0;
}

static int check_sizes(const struct fio_job *job)
{
	uint64_t increment = amount_of(&job->offset_increment, job->filesize_bytes), shift;
	struct fio_region region;

	if (!job->size.bytes && !job->filesize_bytes)
		return refuse_job(job, "no size: give size= or filesize=");
	if (job->size.bytes > FIO_MAX_FILE_SIZE || job->filesize_bytes > FIO_MAX_FILE_SIZE ||
	    job->filesize_bytes > FIO_MAX_FILE_SIZE / fio_job_files(job) ||
	    job->offset.bytes > FIO_MAX_FILE_SIZE ||
	    __builtin_mul_overflow(increment, job->numjobs - 1ULL, &shift) ||
	    shift > FIO_MAX_FILE_SIZE)
		return refuse_job(job, "size, filesize or offset is beyond 1 EiB");
	fio_job_region(job, job->numjobs - 1, &region);
	if (job->filesize_bytes && region.start_bytes >= job->filesize_bytes)
		return refuse_job(job, "offset lies beyond filesize");
	return check_region(job, &region);
}

static int check_times(const struct fio_job *job)
{
	if (job->time_based && !job->runtime_ns)
		return refuse_job(job, "time_based needs runtime=");
	if (job->runtime_ns > FIO_MAX_TIME_NS || job->ramp_ns > FIO_MAX_TIME_NS ||
	    job->start_delay_ns > FIO_MAX_TIME_NS || job->thinktime_ns > FIO_MAX_TIME_NS ||
	    job->thinktime_iotime_ns > FIO_MAX_TIME_NS)
		return refuse_job(job, "a time is longer than 10 years");
	if (job->poisson && !job->rate_iops[FIO_READ] && !job->rate_iops[FIO_WRITE])
		return refuse_job(job, "rate_process=poisson needs rate_iops=");
	for (int dir = 0; dir < FIO_NR_DIRS; dir++)
		if (job->rate_iops[dir] && job->rate_bytes[dir])
			return refuse_job(job, "rate_iops and rate exclude each other");
	return 0;
}

/* What fio would still do to a replay, or would not, differs from option to option: ask for none.
 */
static int check_replay(const struct fio_job *job)
{
	if (job->time_based || job->loops > 1 || job->number_ios || job->io_size.bytes ||
	    job->io_size.percent)
		return refuse_job(job,
				  "read_iolog says how much is done: remove time_based, loops, "
				  "number_ios and io_size");
	if (job->thinktime_ns || job->rate_iops[FIO_READ] || job->rate_iops[FIO_WRITE] ||
	    job->rate_bytes[FIO_READ] || job->rate_bytes[FIO_WRITE])
		return refuse_job(job,
				  "read_iolog says when it is done: remove thinktime and rates");
	if (job->end_fsync || job->fsync_on_close || job->create_only)
		return refuse_job(job, "read_iolog says what is done: remove end_fsync, "
				       "fsync_on_close and create_only");
	return 0;
}

/* Memory of an empty file cannot be touched, and msync() wants whole pages. */
static int check_mmap(const struct fio_job *job)
{
	if (*job->read_iolog)
		return refuse_job(job, "read_iolog with ioengine=mmap is not modelled");
	if (job->has_write && job->create_on_open)
		return refuse_job(job, "ioengine=mmap with create_on_open maps empty files: fio "
				       "itself ends with SIGBUS");
	if (smallest_block(job) % 4096 && (job->direct || job->fsync_every || job->fdatasync_every))
		return refuse_job(job, "ioengine=mmap needs blocks of whole pages for direct, "
				       "fsync and fdatasync, as fio does");
	return 0;
}

/* io_completed() says that a sync was the last; until then fio asks for another for each free
 * depth. */
static void note_repeated_syncs(const struct fio_job *job)
{
	if (job->engine == FIO_IO_URING_ENGINE && job->iodepth > 1 && job->has_write &&
	    (job->fsync_every || job->fdatasync_every))
		msg_warn("%s:%u: job [%s]: with ioengine=io_uring and this iodepth fio syncs up to "
			 "%u "
			 "times where once was meant, as many as fit before the first has ended; "
			 "here once",
			 job->path, job->line, job->name, job->iodepth);
}

int fio_job_check(struct fio_job *job)
{
	int err = check_times(job);

	if (err)
		return err;
	note_repeated_syncs(job);
	if (*job->read_iolog && job->engine == FIO_MMAP_ENGINE)
		return check_mmap(job);
	if (*job->read_iolog)
		return check_replay(job);
	for (int dir = 0; dir < FIO_NR_DIRS && !err; dir++)
		err = check_blocks(job, &job->bs[dir], job->bs_bytes[dir], fio_job_has(job, dir));
	if (!err)
		err = check_percents(job);
	if (!err)
		err = check_sizes(job);
	return err || job->engine != FIO_MMAP_ENGINE ? err : check_mmap(job);
}
