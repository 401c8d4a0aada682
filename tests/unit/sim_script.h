/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers for tests of the simulator: workloads from lists of ops, open-loop and closed sources,
 * and sinks that keep what was simulated.
 */
#ifndef VFSCOPE_TESTS_SIM_SCRIPT_H
#define VFSCOPE_TESTS_SIM_SCRIPT_H

#include <stdlib.h>
#include <string.h>
#include "sim/sim.h"

struct script_stream {
	struct op_stream stream;
	const struct workload_op *ops;
	uint32_t nr_ops;
	uint32_t next;
};

static inline int script_next(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct script_stream *s = (struct script_stream *)stream;

	if (s->next == s->nr_ops)
		return OP_STREAM_END;
	*op = s->ops[s->next++];
	return OP_STREAM_OP;
}

static inline void stream_free(struct op_stream *stream)
{
	free(stream);
}

static inline struct op_stream *script_stream_new(const struct workload_op *ops, uint32_t nr_ops)
{
	struct script_stream *s = calloc(1, sizeof(*s));

	s->stream.next = script_next;
	s->stream.free = stream_free;
	s->ops = ops;
	s->nr_ops = nr_ops;
	return &s->stream;
}

/* 4 KiB direct reads at random places: Poisson arrivals (open loop) or with think time (closed). */
struct source_stream {
	struct op_stream stream;
	struct rng rng;
	uint64_t left;
	uint64_t file_bytes;
	double mean_gap_ns; /* open loop */
	double mean_think_ns; /* closed loop */
	double arrival_ns;
	uint32_t flags;
};

static inline int source_next(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct source_stream *s = (struct source_stream *)stream;

	if (!s->left)
		return OP_STREAM_END;
	s->left--;
	memset(op, 0, sizeof(*op));
	op->type = OP_READ;
	op->flags = s->flags;
	op->size_bytes = 4096;
	op->offset_bytes = rng_below(&s->rng, s->file_bytes / 4096) * 4096;
	if (s->mean_gap_ns > 0) {
		s->arrival_ns += s->mean_gap_ns * rng_exp(&s->rng);
		op->not_before_ns = (uint64_t)s->arrival_ns;
	}
	if (s->mean_think_ns > 0)
		op->think_ns = (uint64_t)(s->mean_think_ns * rng_exp(&s->rng));
	return OP_STREAM_OP;
}

static inline struct source_stream *source_stream_new(uint64_t seed, uint64_t stream, uint64_t left)
{
	struct source_stream *s = calloc(1, sizeof(*s));

	s->stream.next = source_next;
	s->stream.free = stream_free;
	s->left = left;
	s->file_bytes = 1ULL << 30;
	s->flags = OP_DIRECT;
	rng_init(&s->rng, seed, 1000000 + stream);
	return s;
}

static inline struct workload *script_workload_new(uint32_t nr_tasks, uint64_t file_bytes)
{
	struct workload *w = calloc(1, sizeof(*w));

	w->nr_tasks = nr_tasks;
	w->tasks = calloc(nr_tasks, sizeof(*w->tasks));
	w->nr_files = 1;
	w->files = calloc(1, sizeof(*w->files));
	strcpy(w->files[0].name, "f");
	w->files[0].size_bytes = file_bytes;
	for (uint32_t i = 0; i < nr_tasks; i++) {
		strcpy(w->tasks[i].job, "script");
		w->tasks[i].iodepth = 1;
	}
	return w;
}

/* Everything a run told, for looking at afterwards. */
struct record_sink {
	struct span *spans;
	uint32_t nr_spans;
	uint32_t room;
	struct op_record *ops;
	uint32_t nr_ops;
	uint32_t op_room;
};

static inline int record_span(void *ctx, const struct span *span, uint32_t task)
{
	struct record_sink *r = ctx;

	if (r->nr_spans == r->room) {
		r->room = r->room ? 2 * r->room : 256;
		r->spans = realloc(r->spans, r->room * sizeof(*r->spans));
	}
	r->spans[r->nr_spans++] = *span;
	return 0;
}

static inline int record_op(void *ctx, const struct op_record *op, uint32_t task)
{
	struct record_sink *r = ctx;

	if (r->nr_ops == r->op_room) {
		r->op_room = r->op_room ? 2 * r->op_room : 256;
		r->ops = realloc(r->ops, r->op_room * sizeof(*r->ops));
	}
	r->ops[r->nr_ops++] = *op;
	return 0;
}

static inline void record_free(struct record_sink *r)
{
	free(r->spans);
	free(r->ops);
	memset(r, 0, sizeof(*r));
}

static inline int record_run(const struct stack *stack, struct workload *w, uint64_t seed,
			     struct record_sink *r, struct sim_stats *stats)
{
	struct sim_options options = {.seed = seed};
	struct sim_sink sink = {.ctx = r, .span = record_span, .op = record_op};

	return sim_run(stack, w, &options, &sink, stats);
}

#endif
