// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio's choice of offset and size within a file (io_u.c of 3.33, checked against its logs).
 */
#include <errno.h>
#include <string.h>
#include "lib/compiler.h"
#include "workloads/block_map.h"
#include "workloads/fio_place.h"

/* Draws of a size that must fit before the smallest is taken; it always fits. */
#define MAX_SIZE_DRAWS 100

static bool has_map(const struct fio_job *job)
{
	return job->random && !job->norandommap && job->distribution == POPULARITY_UNIFORM;
}

/* Blocks are counted in the smallest size of the direction. */
static uint64_t blocks_of(const struct fio_place *p, const struct fio_job *job, int dir)
{
	return p->length_bytes / job->bs[dir].low_bytes;
}

static void new_order(struct fio_place *p, const struct fio_job *job, struct fio_dice *dice)
{
	int dir = job->has_read ? FIO_READ : FIO_WRITE;

	p->used = 0;
	if (has_map(job) && fio_job_one_size(job))
		permutation_init(&p->permutation, blocks_of(p, job, dir), &dice->offset);
	if (p->map)
		block_map_clear(p->map);
}

void fio_place_init(struct fio_place *p, const struct fio_job *job, struct fio_dice *dice)
{
	new_order(p, job, dice);
	if (job->distribution == POPULARITY_UNIFORM)
		return;
	for (int dir = 0; dir < FIO_NR_DIRS; dir++)
		if (fio_job_has(job, dir))
			popularity_init(&p->popularity[dir], job->distribution,
					job->distribution_parameter, blocks_of(p, job, dir),
					&dice->offset);
}

void fio_place_release(struct fio_place *p)
{
	block_map_free(p->map);
}

void fio_place_restart(struct fio_place *p)
{
	p->done = false;
	p->used = 0;
	memset(p->position_bytes, 0, sizeof(p->position_bytes));
	if (p->map)
		block_map_clear(p->map);
}

/* The sizes are tried in their order until the sum of percentages passes the draw, and it fits. */
static uint64_t draw_split(const struct fio_block_sizes *bs, struct rng *rng, uint64_t room)
{
	uint64_t dart = rng_below(rng, 100), sum = 0, bytes = 0;

	for (uint32_t i = 0; i < bs->nr_split; i++) {
		if (!bs->split[i].percent)
			continue;
		bytes = bs->split[i].bytes;
		sum += bs->split[i].percent;
		if (dart < sum && bytes <= room)
			break;
	}
	return bytes;
}

static uint64_t draw_range(const struct fio_block_sizes *bs, struct rng *rng)
{
	uint64_t bytes = bs->low_bytes + rng_below(rng, bs->high_bytes);

	return min_u64(bytes - bytes % bs->low_bytes, bs->high_bytes);
}

static uint64_t choose_size(const struct fio_block_sizes *bs, struct rng *rng, uint64_t room)
{
	if (bs->low_bytes == bs->high_bytes || room == bs->low_bytes)
		return bs->low_bytes;
	for (int i = 0; i < MAX_SIZE_DRAWS; i++) {
		uint64_t bytes = bs->nr_split ? draw_split(bs, rng, room) : draw_range(bs, rng);

		if (bytes && bytes <= room)
			return bytes;
	}
	return bs->low_bytes;
}

/* An I/O at this place, if one fits there. */
static int take(struct fio_place *p, const struct fio_block_sizes *bs, struct fio_dice *dice,
		uint64_t from_start, struct fio_io *io)
{
	if (from_start > p->length_bytes || p->length_bytes - from_start < bs->low_bytes)
		return 0;
	io->offset_bytes = p->start_bytes + from_start;
	io->size_bytes = choose_size(bs, &dice->size, p->length_bytes - from_start);
	return 1;
}

static int next_sequential(struct fio_place *p, const struct fio_job *job, int dir, bool wraps,
			   struct fio_dice *dice, struct fio_io *io)
{
	uint64_t *position = &p->position_bytes[dir];

	/* What is left behind the last whole block ends the pass even of a time-based job. */
	if (wraps && *position >= p->length_bytes) {
		*position = 0;
		io->wrapped = true;
	}
	if (!take(p, &job->bs[dir], dice, *position, io))
		return 0;
	*position += io->size_bytes;
	return 1;
}

static int next_permuted(struct fio_place *p, const struct fio_job *job, int dir, bool wraps,
			 struct fio_dice *dice, struct fio_io *io)
{
	if (p->used == p->permutation.n) {
		if (!wraps)
			return 0;
		new_order(p, job, dice);
		io->wrapped = true;
	}
	return take(p, &job->bs[dir], dice,
		    permutation_at(&p->permutation, p->used++) * job->bs[dir].low_bytes, io);
}

static int make_map(struct fio_place *p, const struct fio_job *job)
{
	uint64_t unit = min_u64(job->bs[FIO_READ].low_bytes, job->bs[FIO_WRITE].low_bytes);

	if (!p->map)
		p->map = block_map_new((p->length_bytes + unit - 1) / unit);
	return p->map ? 0 : -ENOMEM;
}

/*
 * fio's random map has one bit for each number that a block of either direction can have: if read
 * and write blocks differ in size, equal numbers are different places. An I/O of several blocks is
 * cut where one is used already.
 */
static int next_mapped(struct fio_place *p, const struct fio_job *job, int dir, bool wraps,
		       struct fio_dice *dice, struct fio_io *io)
{
	uint64_t unit = job->bs[dir].low_bytes, block;
	int found = make_map(p, job);

	if (found < 0)
		return found;
	block = block_map_next(p->map, rng_below(&dice->offset, blocks_of(p, job, dir)));
	if (block == BLOCK_MAP_NONE && wraps) {
		block_map_clear(p->map);
		io->wrapped = true;
		block = rng_below(&dice->offset, blocks_of(p, job, dir));
	}
	if (block == BLOCK_MAP_NONE || !take(p, &job->bs[dir], dice, block * unit, io))
		return 0;
	io->size_bytes =
		min_u64(io->size_bytes,
			unit * block_map_use(p->map, block, (io->size_bytes + unit - 1) / unit));
	return 1;
}

int fio_place_next(struct fio_place *p, const struct fio_job *job, int dir, bool wraps,
		   struct fio_dice *dice, struct fio_io *io)
{
	io->wrapped = false;
	if (!job->random)
		return next_sequential(p, job, dir, wraps, dice, io);
	if (has_map(job) && fio_job_one_size(job))
		return next_permuted(p, job, dir, wraps, dice, io);
	if (has_map(job))
		return next_mapped(p, job, dir, wraps, dice, io);
	if (job->distribution != POPULARITY_UNIFORM)
		return take(p, &job->bs[dir], dice,
			    popularity_draw(&p->popularity[dir], &dice->offset) *
				    job->bs[dir].low_bytes,
			    io);
	return take(p, &job->bs[dir], dice,
		    rng_below(&dice->offset, blocks_of(p, job, dir)) * job->bs[dir].low_bytes, io);
}
