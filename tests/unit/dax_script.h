/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers for tests of mode dax: scripts, what they sent as text, and what holds after every run.
 */
#ifndef VFSCOPE_TESTS_DAX_SCRIPT_H
#define VFSCOPE_TESTS_DAX_SCRIPT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "sim_script.h"

#define K 1024u
#define M (1024u * 1024u)
#define G (1024ull * M)
#define RANGE FUSE_DAX_RANGE_BYTES
#define MS 1000000ull
#define TEXT_SIZE 65536

static inline void dax_stack(struct stack *stack, uint32_t nr_ranges)
{
	stack_init(stack);
	stack->daemon.mode = MODE_DAX;
	stack->dax.window_bytes = (uint64_t)nr_ranges * RANGE;
	dist_const(&stack->service_default.cpu, 20000);
	dist_const(&stack->cost[COST_KICK], 10000);
	dist_const(&stack->cost[COST_WAKEUP], 5000);
}

static inline int by_unique(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->unique < y->unique ? -1 : x->unique > y->unique;
}

/* "setup 2 -> 0 rw": part of the file, range of the window; "evict 3 from 5": ranges, the first. */
static inline size_t mapping_text(char *text, size_t room, const struct span *s)
{
	const char *name = span_class_name(s->cls);

	if (s->opcode == FUSE_SETUPMAPPING)
		return snprintf(text, room, "%s %u -> %u %s\n", name,
				(unsigned int)(s->offset_bytes / RANGE), s->window_range,
				s->flags & SPAN_WRITABLE ? "rw" : "r");
	return snprintf(text, room, "%s %u from %u\n", name, s->size_bytes / RANGE,
			s->window_range);
}

/* Requests in the order of sending: mappings, WRITE and what begins or ends a file's life. */
static inline void write_text(char *text, struct record_sink *r)
{
	size_t len = 0;

	qsort(r->spans, r->nr_spans, sizeof(*r->spans), by_unique);
	text[0] = 0;
	for (uint32_t i = 0; i < r->nr_spans; i++) {
		const struct span *s = &r->spans[i];

		switch (s->opcode) {
		case FUSE_SETUPMAPPING:
		case FUSE_REMOVEMAPPING:
			assert_int_equal(s->sg_out, 2);
			assert_int_equal(s->sg_in, 1);
			len += mapping_text(text + len, TEXT_SIZE - len, s);
			break;
		case FUSE_READ:
		case FUSE_WRITE:
			len += snprintf(text + len, TEXT_SIZE - len, "%s %llu %u %u+%u\n",
					fuse_opcode_name(s->opcode),
					(unsigned long long)s->offset_bytes, s->size_bytes,
					s->sg_out, s->sg_in);
			break;
		case FUSE_LOOKUP:
		case FUSE_OPEN:
		case FUSE_GETXATTR:
			break;
		case FUSE_GETATTR:
			if (s->nodeid == 1)
				break;
			/* fallthrough */
		default:
			len += snprintf(text + len, TEXT_SIZE - len, "%s\n",
					fuse_opcode_name(s->opcode));
		}
	}
}

static inline void assert_conserved(const struct sim_stats *stats)
{
	const struct dax_stats *d = &stats->dax;

	assert_int_equal(d->free + d->busy, d->ranges);
	assert_int_equal(d->setups,
			 d->removed_worker + d->removed_inline + d->removed_evict + d->busy);
}

/* Runs one task's script on a file of this size; what it sent must be this. */
static inline struct sim_stats run_script(struct stack *stack, uint64_t file_bytes,
					  const struct workload_op *ops, uint32_t nr_ops,
					  const char *expected)
{
	struct workload *w = script_workload_new(1, file_bytes);
	struct record_sink r = {0};
	char *text = malloc(TEXT_SIZE);
	struct sim_stats stats;

	w->tasks[0].stream = script_stream_new(ops, nr_ops);
	assert_int_equal(record_run(stack, w, 1, &r, &stats), 0);
	write_text(text, &r);
	assert_string_equal(text, expected);
	assert_conserved(&stats);
	record_free(&r);
	workload_free(w);
	free(text);
	return stats;
}
#define RUN(stack, bytes, ops, expected)                                                           \
	run_script(stack, bytes, ops, sizeof(ops) / sizeof((ops)[0]), expected)

#define OPEN                                                                                       \
	{                                                                                          \
		.type = OP_OPEN                                                                    \
	}
#define CLOSE                                                                                      \
	{                                                                                          \
		.type = OP_CLOSE                                                                   \
	}
#define READ(at, size)                                                                             \
	{                                                                                          \
		.type = OP_READ, .offset_bytes = (at), .size_bytes = (size)                        \
	}
#define WRITE(at, size)                                                                            \
	{                                                                                          \
		.type = OP_WRITE, .offset_bytes = (at), .size_bytes = (size)                       \
	}

/* Two tasks with a script each, on one file or two. Spans in the order of sending, ops of both. */
static inline void run_two(struct stack *stack, struct workload_op *first, uint32_t nr_first,
			   struct workload_op *second, uint32_t nr_second, bool two_files,
			   struct record_sink *r, struct sim_stats *stats)
{
	struct workload *w = script_workload_new(2, 64 * M);

	w->files = realloc(w->files, 2 * sizeof(*w->files));
	w->files[1] = w->files[0];
	w->files[1].name[0] += 1; /* one of its own */
	w->nr_files = 2;
	for (uint32_t i = 0; two_files && i < nr_second; i++)
		second[i].file = 1;
	w->tasks[0].stream = script_stream_new(first, nr_first);
	w->tasks[1].stream = script_stream_new(second, nr_second);
	memset(r, 0, sizeof(*r));
	assert_int_equal(record_run(stack, w, 1, r, stats), 0);
	assert_conserved(stats);
	qsort(r->spans, r->nr_spans, sizeof(*r->spans), by_unique);
	workload_free(w);
}

static inline const struct span *nth(const struct record_sink *r, enum span_class cls, uint32_t n)
{
	for (uint32_t i = 0; i < r->nr_spans; i++)
		if (r->spans[i].cls == cls && !n--)
			return &r->spans[i];
	fail();
	return NULL;
}

static inline uint64_t end_of(const struct span *s)
{
	return s->t_issue_ns + span_latency_ns(s);
}

#endif
