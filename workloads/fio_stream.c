// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio's issue order as an op stream: open, reads and writes with syncs between them, close.
 */
#include <stdlib.h>
#include "lib/compiler.h"
#include "lib/rng.h"
#include "workloads/fio_stream.h"
#include "workloads/permutation.h"

#define MAX_PLANNED 8

struct fio_stream {
	struct op_stream base;
	struct fio_job job;
	struct fio_stream_place place;
	struct rng mix_rng, offset_rng, rate_rng;

	/* Ops without data that come next, before anything else is decided. */
	enum op_type planned[MAX_PLANNED];
	unsigned int nr_planned, next_planned;
	bool finished;

	struct permutation perm[FIO_NR_DIRS];
	uint64_t pass_index[FIO_NR_DIRS]; /* blocks of this direction issued in this pass */
	uint64_t pass_bytes;
	uint64_t passes_left; /* after this one; for jobs without time_based and io_size */
	uint64_t total_bytes, total_ios;
	uint64_t writes; /* since the start, over all passes */
	bool last_was_sync;
	uint64_t ios_since_think;
	uint64_t rate_time_ns[FIO_NR_DIRS]; /* when the next I/O of this direction is due */
	bool delay_pending;
};

static void plan(struct fio_stream *s, enum op_type type)
{
	s->planned[s->nr_planned++] = type;
}

static uint64_t blocks_of(const struct fio_stream *s, int dir)
{
	return s->place.length_bytes / s->job.bs_bytes[dir];
}

static bool uses_map(const struct fio_stream *s)
{
	return s->job.random && !s->job.norandommap;
}

static void new_permutations(struct fio_stream *s)
{
	for (int dir = 0; dir < FIO_NR_DIRS; dir++)
		if (uses_map(s) && blocks_of(s, dir))
			permutation_init(&s->perm[dir], blocks_of(s, dir), &s->offset_rng);
}

/* One random map serves both directions if their blocks are equal: each block once in all. */
static bool shared_map(const struct fio_stream *s)
{
	return uses_map(s) && s->job.bs_bytes[FIO_READ] == s->job.bs_bytes[FIO_WRITE];
}

static void restart_pass(struct fio_stream *s)
{
	s->pass_bytes = 0;
	s->pass_index[FIO_READ] = s->pass_index[FIO_WRITE] = 0;
}

static void finish(struct fio_stream *s)
{
	if (s->finished)
		return;
	s->finished = true;
	if (s->job.has_write && !s->last_was_sync && (s->job.end_fsync || s->job.fsync_on_close))
		plan(s, OP_FSYNC);
	plan(s, OP_CLOSE);
}

/*
 * The region is done. A time-based job goes on in the open file with a new random order; loops
 * and io_size close and reopen it and repeat the same order.
 */
static void end_pass(struct fio_stream *s)
{
	const struct fio_job *job = &s->job;

	if (job->time_based) {
		restart_pass(s);
		new_permutations(s);
		return;
	}
	if (!job->io_size_bytes && !s->passes_left--) {
		finish(s);
		return;
	}
	restart_pass(s);
	plan(s, OP_CLOSE);
	plan(s, OP_OPEN);
	if (job->has_write && (job->end_fsync || job->fsync_on_close)) {
		plan(s, OP_FSYNC);
		plan(s, OP_CLOSE);
		plan(s, OP_OPEN);
	}
}

static bool out_of_time(const struct fio_stream *s, uint64_t now_ns)
{
	const struct fio_job *job = &s->job;

	return job->runtime_ns && now_ns >= job->start_delay_ns + job->ramp_ns + job->runtime_ns;
}

static bool out_of_work(const struct fio_stream *s)
{
	const struct fio_job *job = &s->job;

	if (job->time_based)
		return false;
	if (job->number_ios && s->total_ios >= job->number_ios)
		return true;
	/* Division, since io_size times loops may not fit. */
	return job->io_size_bytes && s->total_bytes / job->loops >= job->io_size_bytes;
}

static int choose_direction(struct fio_stream *s)
{
	if (!s->job.has_write)
		return FIO_READ;
	if (!s->job.has_read)
		return FIO_WRITE;
	return 1 + rng_below(&s->mix_rng, 100) <= s->job.rwmixread ? FIO_READ : FIO_WRITE;
}

/* False: this direction has no block left in this pass. */
static bool choose_block(struct fio_stream *s, int dir, uint64_t *block)
{
	uint64_t index = s->pass_index[dir];

	if (s->job.random && s->job.norandommap) {
		*block = rng_below(&s->offset_rng, blocks_of(s, dir));
		return true;
	}
	if (shared_map(s)) {
		index = s->pass_index[FIO_READ] + s->pass_index[FIO_WRITE];
		dir = FIO_READ;
	}
	if (index >= blocks_of(s, dir))
		return false;
	*block = s->job.random ? permutation_at(&s->perm[dir], index) : index;
	return true;
}

/* fio syncs after every Nth write, and again after a read that follows while the count stands. */
static bool sync_due(const struct fio_stream *s, uint32_t every)
{
	return every && s->writes && s->writes % every == 0 && !s->last_was_sync;
}

static bool has_rate(const struct fio_job *job, int dir)
{
	return job->rate_iops[dir] || job->rate_bytes[dir];
}

static uint64_t due_ns(const struct fio_stream *s, int dir)
{
	return s->job.start_delay_ns + s->rate_time_ns[dir];
}

static void schedule_next(struct fio_stream *s, int dir)
{
	const struct fio_job *job = &s->job;
	double gap_ns;

	if (job->rate_iops[dir])
		gap_ns = (double)NS_PER_SEC / job->rate_iops[dir];
	else
		gap_ns = (double)NS_PER_SEC * job->bs_bytes[dir] / job->rate_bytes[dir];
	if (job->poisson)
		gap_ns *= rng_exp(&s->rate_rng);
	s->rate_time_ns[dir] += (uint64_t)(gap_ns + 0.5);
}

static void set_think(struct fio_stream *s, struct workload_op *op)
{
	if (!s->job.thinktime_ns || s->ios_since_think < s->job.thinktime_blocks)
		return;
	op->think_ns = s->job.thinktime_ns;
	s->ios_since_think = 0;
}

static uint32_t open_flags(const struct fio_job *job)
{
	uint32_t flags = job->invalidate ? OP_INVALIDATE : 0;
	bool random = job->hint == FIO_HINT_BY_TYPE ? job->random : job->hint == FIO_HINT_RANDOM;

	if (job->hint == FIO_HINT_NONE)
		return flags;
	return flags | (random ? OP_HINT_RANDOM : OP_HINT_SEQUENTIAL);
}

static int emit(struct fio_stream *s, struct workload_op *op, enum op_type type)
{
	op->type = type;
	op->file = s->place.file;
	op->flags |= s->job.direct ? OP_DIRECT : 0;
	if (type == OP_OPEN)
		op->flags |= open_flags(&s->job);
	if (s->delay_pending) {
		op->think_ns += s->job.start_delay_ns;
		s->delay_pending = false;
	}
	return OP_STREAM_OP;
}

static int emit_planned(struct fio_stream *s, struct workload_op *op)
{
	enum op_type type = s->planned[s->next_planned++];

	if (s->next_planned == s->nr_planned)
		s->next_planned = s->nr_planned = 0;
	return emit(s, op, type);
}

static int emit_sync(struct fio_stream *s, struct workload_op *op, enum op_type type)
{
	s->last_was_sync = true;
	set_think(s, op);
	return emit(s, op, type);
}

static int emit_data(struct fio_stream *s, struct workload_op *op, int dir, uint64_t block)
{
	op->offset_bytes = s->place.start_bytes + block * s->job.bs_bytes[dir];
	op->size_bytes = s->job.bs_bytes[dir];
	if (has_rate(&s->job, dir)) {
		op->not_before_ns = due_ns(s, dir);
		schedule_next(s, dir);
	}
	set_think(s, op);
	s->pass_index[dir]++;
	s->pass_bytes += op->size_bytes;
	s->total_bytes += op->size_bytes;
	s->total_ios++;
	s->writes += dir == FIO_WRITE;
	s->ios_since_think++;
	s->last_was_sync = false;
	return emit(s, op, dir == FIO_READ ? OP_READ : OP_WRITE);
}

static bool pass_done(const struct fio_stream *s)
{
	uint64_t smallest = s->place.length_bytes;

	/* Without a map fio does not notice that it has gone once around, and keeps the file open.
	 */
	if (s->job.random && s->job.norandommap && s->job.io_size_bytes)
		return false;
	if (s->job.has_read)
		smallest = min_u64(smallest, s->job.bs_bytes[FIO_READ]);
	if (s->job.has_write)
		smallest = min_u64(smallest, s->job.bs_bytes[FIO_WRITE]);
	return s->place.length_bytes - min_u64(s->pass_bytes, s->place.length_bytes) < smallest;
}

static int stream_next(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct fio_stream *s = (struct fio_stream *)stream;
	uint64_t block;
	int dir;

	*op = (struct workload_op){0};
	for (;;) {
		if (s->nr_planned)
			return emit_planned(s, op);
		if (s->finished)
			return OP_STREAM_END;
		if (out_of_time(s, now_ns) || out_of_work(s)) {
			finish(s);
			continue;
		}
		if (pass_done(s)) {
			end_pass(s);
			continue;
		}
		if (sync_due(s, s->job.fsync_every))
			return emit_sync(s, op, OP_FSYNC);
		if (sync_due(s, s->job.fdatasync_every))
			return emit_sync(s, op, OP_FDATASYNC);
		dir = choose_direction(s);
		/* What is due after the end is not waited for. */
		if (has_rate(&s->job, dir) && out_of_time(s, due_ns(s, dir))) {
			finish(s);
			continue;
		}
		if (choose_block(s, dir, &block))
			return emit_data(s, op, dir, block);
		/* Its blocks are larger or it was drawn more often: the other one ends the pass. */
		dir = FIO_NR_DIRS - 1 - dir;
		if (s->job.has_read && s->job.has_write && choose_block(s, dir, &block))
			return emit_data(s, op, dir, block);
		s->pass_bytes = s->place.length_bytes;
	}
}

static void stream_free(struct op_stream *stream)
{
	free(stream);
}

struct op_stream *fio_stream_new(const struct fio_job *job, const struct fio_stream_place *place)
{
	struct fio_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base.next = stream_next;
	s->base.free = stream_free;
	s->job = *job;
	s->job.path = NULL; /* belongs to the parsed text, which ends before we do */
	s->place = *place;
	s->passes_left = job->loops - 1;
	s->delay_pending = job->start_delay_ns > 0;
	rng_init(&s->mix_rng, place->seed, 3 * place->stream);
	rng_init(&s->offset_rng, place->seed, 3 * place->stream + 1);
	rng_init(&s->rate_rng, place->seed, 3 * place->stream + 2);
	new_permutations(s);
	/* fio's Poisson schedule draws before the first I/O, its linear one starts at once. */
	for (int dir = 0; job->poisson && dir < FIO_NR_DIRS; dir++)
		if (has_rate(job, dir))
			schedule_next(s, dir);
	plan(s, OP_OPEN);
	return &s->base;
}
