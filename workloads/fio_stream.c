// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio's issue order as an op stream: which file is next, opens and closes, reads and writes with
 * syncs between them, passes.
 *
 * As in fio, a file is found to be done only by trying: it is closed when its turn comes and
 * nothing is left of it. A process that has done all its bytes stops without trying, so its last
 * files are still open then.
 */
#include <errno.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "workloads/fio_place.h"
#include "workloads/fio_stream.h"

#define NO_PLACE UINT32_MAX
#define RANDOM_STREAMS 5 /* per process */

enum phase {
	PHASE_RUN,
	PHASE_SYNC, /* the pass is over: end_fsync of each file */
	PHASE_CLOSE, /* close what is open */
	PHASE_END
};

struct fio_stream {
	struct op_stream base;
	struct fio_job job;
	uint64_t seed, stream;
	struct rng mix_rng, rate_rng, file_rng;
	struct fio_dice dice;

	struct fio_place *places;
	uint32_t nr_places, nr_open, nr_done, max_open;
	uint32_t turn; /* round robin: who is asked next */
	uint32_t served; /* whose turn it is, or NO_PLACE */
	uint32_t served_left;
	uint32_t chosen; /* for the op being made, or NO_PLACE */

	enum phase phase;
	bool last_pass;
	uint32_t tail_place, tail_step; /* of PHASE_SYNC and PHASE_CLOSE */

	uint64_t limit_bytes; /* to do in each of the loops */
	uint64_t passes_left; /* after this one, by loops */
	uint64_t total_bytes, total_ios;
	uint64_t writes; /* since the start, over all passes */
	bool last_was_sync;
	uint64_t ios_since_think, last_think_ns;
	uint64_t rate_time_ns[FIO_NR_DIRS]; /* when the next I/O of this direction is due */
	bool delay_pending;
};

static bool out_of_time(const struct fio_stream *s, uint64_t now_ns)
{
	const struct fio_job *job = &s->job;

	return job->runtime_ns && now_ns >= job->start_delay_ns + job->ramp_ns + job->runtime_ns;
}

static bool out_of_work(const struct fio_stream *s)
{
	if (s->job.time_based)
		return false;
	if (s->job.number_ios && s->total_ios >= s->job.number_ios)
		return true;
	/* Division, since the product may not fit. */
	return s->total_bytes / s->job.loops >= s->limit_bytes;
}

static void end_pass(struct fio_stream *s, bool last)
{
	bool syncs = s->job.has_write && !s->last_was_sync &&
		     (s->job.end_fsync || s->job.fsync_on_close);

	s->phase = syncs ? PHASE_SYNC : PHASE_CLOSE;
	s->last_pass = last;
	s->tail_place = s->tail_step = 0;
}

/* All files are done. What makes fio do another pass: keep_running() in its backend.c. */
static bool another_pass(struct fio_stream *s)
{
	const struct fio_job *job = &s->job;
	uint64_t largest = max_u64(job->bs[FIO_READ].high_bytes, job->bs[FIO_WRITE].high_bytes);

	if (job->time_based)
		return true;
	if (s->passes_left) {
		s->passes_left--;
		return true;
	}
	if (out_of_work(s) || !fio_job_io_bytes(job))
		return false;
	return s->total_bytes < s->limit_bytes && s->limit_bytes - s->total_bytes >= largest;
}

static void seed_offsets(struct fio_stream *s)
{
	rng_init(&s->mix_rng, s->seed, RANDOM_STREAMS * s->stream);
	rng_init(&s->dice.offset, s->seed, RANDOM_STREAMS * s->stream + 1);
	rng_init(&s->dice.size, s->seed, RANDOM_STREAMS * s->stream + 2);
	rng_init(&s->file_rng, s->seed, RANDOM_STREAMS * s->stream + 3);
}

/* Passes repeat the same random order, except those of a time-based job. */
static void begin_pass(struct fio_stream *s)
{
	if (!s->job.time_based)
		seed_offsets(s);
	for (uint32_t i = 0; i < s->nr_places; i++)
		fio_place_restart(&s->places[i]);
	s->nr_done = 0;
	s->turn = 0;
	s->last_was_sync = false;
	s->served = NO_PLACE;
	s->phase = PHASE_RUN;
}

static bool may_serve(const struct fio_stream *s, uint32_t i)
{
	const struct fio_place *p = &s->places[i];

	return !p->done && (p->is_open || s->nr_open < s->max_open);
}

static uint32_t choose_in_turn(struct fio_stream *s)
{
	uint32_t i;

	do {
		i = s->turn++;
		if (s->turn == s->nr_places)
			s->turn = 0;
	} while (!may_serve(s, i));
	return i;
}

static uint32_t choose_at_random(struct fio_stream *s)
{
	uint32_t i;

	do {
		i = rng_below(&s->file_rng, s->nr_places);
	} while (!may_serve(s, i));
	return i;
}

/* NO_PLACE: all files are done. */
static uint32_t choose_place(struct fio_stream *s)
{
	if (s->served != NO_PLACE && s->places[s->served].is_open) {
		if (s->job.service == FIO_SERVICE_SEQUENTIAL)
			return s->served;
		if (s->served_left) {
			s->served_left--;
			return s->served;
		}
	}
	if (s->nr_done == s->nr_places)
		return NO_PLACE;
	s->served = s->job.service == FIO_SERVICE_RANDOM ? choose_at_random(s) : choose_in_turn(s);
	s->served_left = s->job.service_count - 1;
	return s->served;
}

uint32_t fio_job_open_flags(const struct fio_job *job)
{
	uint32_t flags = job->invalidate ? OP_INVALIDATE : 0;
	bool random = job->hint == FIO_HINT_BY_TYPE ? job->random : job->hint == FIO_HINT_RANDOM;

	if (job->hint == FIO_HINT_NONE)
		return flags;
	return flags | (random ? OP_HINT_RANDOM : OP_HINT_SEQUENTIAL);
}

/*
 * Where fio does not align its buffers to pages malloc() puts them behind 16 bytes of its own, or
 * anywhere in the heap if they are small.
 */
#define MALLOC_OFFSET 16u

static int emit(struct fio_stream *s, struct workload_op *op, enum op_type type,
		struct fio_place *p)
{
	op->type = type;
	op->file = p->file;
	op->flags |= s->job.direct ? OP_DIRECT : 0;
	op->buffer_offset = s->job.aligns_buffers ? 0 : MALLOC_OFFSET;
	if (type == OP_OPEN || type == OP_CLOSE) {
		p->is_open = type == OP_OPEN;
		s->nr_open += type == OP_OPEN ? 1 : -1;
	}
	if (type == OP_OPEN)
		op->flags |= fio_job_open_flags(&s->job);
	if (s->delay_pending) {
		op->think_ns += s->job.start_delay_ns;
		s->delay_pending = false;
	}
	return OP_STREAM_OP;
}

/* fio syncs closed files too, and opens them for it. */
static int emit_tail_sync(struct fio_stream *s, struct workload_op *op)
{
	static const enum op_type closed_file[] = {OP_OPEN, OP_FSYNC, OP_CLOSE};
	struct fio_place *p = &s->places[s->tail_place];
	enum op_type type = OP_FSYNC;

	s->last_was_sync = true;
	if (s->tail_step || !p->is_open) {
		type = closed_file[s->tail_step];
		s->tail_step = (s->tail_step + 1) % ARRAY_SIZE(closed_file);
	}
	if (!s->tail_step && ++s->tail_place == s->nr_places) {
		s->phase = PHASE_CLOSE;
		s->tail_place = 0;
	}
	return emit(s, op, type, p);
}

/* 0: the tail is over. */
static int emit_tail_close(struct fio_stream *s, struct workload_op *op)
{
	while (s->tail_place < s->nr_places) {
		struct fio_place *p = &s->places[s->tail_place++];

		if (p->is_open) {
			emit(s, op, OP_CLOSE, p);
			return 1;
		}
	}
	return 0;
}

/* fio syncs after every Nth write, and again after a read that follows while the count stands. */
static bool sync_due(const struct fio_stream *s, uint32_t every)
{
	return every && s->writes && s->writes % every == 0 && !s->last_was_sync;
}

static int choose_direction(struct fio_stream *s)
{
	if (!s->job.has_write)
		return FIO_READ;
	if (!s->job.has_read)
		return FIO_WRITE;
	return 1 + rng_below(&s->mix_rng, 100) <= s->job.rwmixread ? FIO_READ : FIO_WRITE;
}

static bool has_rate(const struct fio_job *job, int dir)
{
	return job->rate_iops[dir] || job->rate_bytes[dir];
}

static uint64_t due_ns(const struct fio_stream *s, int dir)
{
	return s->job.start_delay_ns + s->rate_time_ns[dir];
}

static void schedule_next(struct fio_stream *s, int dir, uint64_t bytes)
{
	const struct fio_job *job = &s->job;
	double gap_ns;

	if (job->rate_iops[dir])
		gap_ns = (double)NS_PER_SEC / job->rate_iops[dir];
	else
		gap_ns = (double)NS_PER_SEC * bytes / job->rate_bytes[dir];
	if (job->poisson)
		gap_ns *= rng_exp(&s->rate_rng);
	s->rate_time_ns[dir] += (uint64_t)(gap_ns + 0.5);
}

/* With thinktime_iotime alone, the number of blocks does not matter. */
static bool think_due(const struct fio_stream *s, uint64_t now_ns)
{
	const struct fio_job *job = &s->job;

	if (!job->thinktime_ns || !s->ios_since_think)
		return false;
	if (job->thinktime_iotime_ns) {
		if (now_ns - s->last_think_ns >= job->thinktime_iotime_ns)
			return true;
		if (!job->has_thinktime_blocks)
			return false;
	}
	return s->ios_since_think >= job->thinktime_blocks;
}

static void set_think(struct fio_stream *s, uint64_t now_ns, struct workload_op *op)
{
	if (!think_due(s, now_ns))
		return;
	op->think_ns = s->job.thinktime_ns;
	s->last_think_ns = now_ns + op->think_ns;
	s->ios_since_think = 0;
}

static int emit_sync(struct fio_stream *s, uint64_t now_ns, struct workload_op *op,
		     enum op_type type)
{
	struct fio_place *p = &s->places[s->chosen];

	s->chosen = NO_PLACE;
	s->last_was_sync = true;
	set_think(s, now_ns, op);
	return emit(s, op, type, p);
}

static int emit_data(struct fio_stream *s, uint64_t now_ns, struct workload_op *op, int dir,
		     const struct fio_io *io)
{
	struct fio_place *p = &s->places[s->chosen];

	s->chosen = NO_PLACE;
	op->offset_bytes = io->offset_bytes;
	op->size_bytes = io->size_bytes;
	if (io->wrapped && s->job.invalidate)
		op->flags |= OP_INVALIDATE;
	if (has_rate(&s->job, dir)) {
		op->not_before_ns = due_ns(s, dir);
		schedule_next(s, dir, io->size_bytes);
	}
	set_think(s, now_ns, op);
	s->total_bytes += op->size_bytes;
	s->total_ios++;
	s->writes += dir == FIO_WRITE;
	s->ios_since_think++;
	s->last_was_sync = false;
	return emit(s, op, dir == FIO_READ ? OP_READ : OP_WRITE, p);
}

/* A sequential job of several files closes them between rounds; one file it keeps open. */
static bool wraps(const struct fio_job *job, uint32_t nr_places)
{
	return job->time_based && (job->random || nr_places == 1);
}

/* Data or a sync in the chosen, open file; or its close. -EAGAIN: the phase has changed. */
static int emit_chosen(struct fio_stream *s, uint64_t now_ns, struct workload_op *op)
{
	struct fio_place *p = &s->places[s->chosen];
	struct fio_io io;
	int dir, found;

	if (sync_due(s, s->job.fsync_every))
		return emit_sync(s, now_ns, op, OP_FSYNC);
	if (sync_due(s, s->job.fdatasync_every))
		return emit_sync(s, now_ns, op, OP_FDATASYNC);
	dir = choose_direction(s);
	/* What is due after the end is not waited for. */
	if (has_rate(&s->job, dir) && out_of_time(s, due_ns(s, dir))) {
		end_pass(s, true);
		return -EAGAIN;
	}
	found = fio_place_next(p, &s->job, dir, wraps(&s->job, s->nr_places), &s->dice, &io);
	if (found < 0)
		return found;
	if (found)
		return emit_data(s, now_ns, op, dir, &io);
	p->done = true;
	s->nr_done++;
	s->chosen = NO_PLACE;
	return emit(s, op, OP_CLOSE, p);
}

static int emit_run(struct fio_stream *s, uint64_t now_ns, struct workload_op *op)
{
	if (out_of_time(s, now_ns) || out_of_work(s)) {
		end_pass(s, true);
		return -EAGAIN;
	}
	if (s->chosen == NO_PLACE)
		s->chosen = choose_place(s);
	if (s->chosen == NO_PLACE) {
		end_pass(s, !another_pass(s));
		return -EAGAIN;
	}
	if (!s->places[s->chosen].is_open)
		return emit(s, op, OP_OPEN, &s->places[s->chosen]);
	return emit_chosen(s, now_ns, op);
}

static int stream_next(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct fio_stream *s = (struct fio_stream *)stream;
	int rc;

	*op = (struct workload_op){0};
	for (;;) {
		switch (s->phase) {
		case PHASE_RUN:
			rc = emit_run(s, now_ns, op);
			if (rc != -EAGAIN)
				return rc;
			break;
		case PHASE_SYNC:
			return emit_tail_sync(s, op);
		case PHASE_CLOSE:
			if (emit_tail_close(s, op))
				return OP_STREAM_OP;
			if (s->last_pass)
				s->phase = PHASE_END;
			else
				begin_pass(s);
			break;
		case PHASE_END:
			return OP_STREAM_END;
		}
	}
}

static void stream_free(struct op_stream *stream)
{
	struct fio_stream *s = (struct fio_stream *)stream;

	for (uint32_t i = 0; s->places && i < s->nr_places; i++)
		fio_place_release(&s->places[i]);
	free(s->places);
	free(s);
}

static void init_places(struct fio_stream *s, const struct fio_process_setup *setup)
{
	struct fio_region region;

	fio_job_region(&s->job, setup->process, &region);
	for (uint32_t i = 0; i < s->nr_places; i++) {
		s->places[i] = (struct fio_place){
			.file = setup->files[i],
			.start_bytes = region.start_bytes,
			.length_bytes = region.length_bytes,
		};
		fio_place_init(&s->places[i], &s->job, &s->dice);
	}
}

struct op_stream *fio_stream_new(const struct fio_job *job, const struct fio_process_setup *setup)
{
	struct fio_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base.next = stream_next;
	s->base.free = stream_free;
	s->job = *job;
	s->job.path = NULL; /* belongs to the parsed text, which ends before we do */
	s->seed = setup->seed;
	s->stream = setup->stream;
	s->nr_places = fio_job_files(job);
	s->places = calloc(s->nr_places, sizeof(*s->places));
	if (!s->places) {
		free(s);
		return NULL;
	}
	s->max_open =
		job->openfiles && job->openfiles < s->nr_places ? job->openfiles : s->nr_places;
	s->limit_bytes = fio_job_io_bytes(job);
	if (!s->limit_bytes)
		s->limit_bytes = fio_job_pass_bytes(job);
	s->passes_left = job->loops - 1;
	s->delay_pending = job->start_delay_ns > 0;
	s->last_think_ns = job->start_delay_ns;
	seed_offsets(s);
	rng_init(&s->rate_rng, s->seed, RANDOM_STREAMS * s->stream + 4);
	init_places(s, setup);
	/* fio's Poisson schedule draws before the first I/O, its linear one starts at once. */
	for (int dir = 0; job->poisson && dir < FIO_NR_DIRS; dir++)
		if (has_rate(job, dir))
			schedule_next(s, dir, job->bs[dir].low_bytes);
	s->chosen = s->served = NO_PLACE;
	return &s->base;
}
