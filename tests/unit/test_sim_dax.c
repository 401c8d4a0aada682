// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DAX: which mappings are set up, upgraded and removed, when and by whom; that no range of the
 * window is ever lost; who waits for whom; and what touching pages costs. The rules are those of
 * fs/fuse/dax.c.
 */
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

static void dax_stack(struct stack *stack, uint32_t nr_ranges)
{
	stack_init(stack);
	stack->daemon.mode = MODE_DAX;
	stack->dax.window_bytes = (uint64_t)nr_ranges * RANGE;
	dist_const(&stack->service_default.cpu, 20000);
	dist_const(&stack->cost[COST_KICK], 10000);
	dist_const(&stack->cost[COST_WAKEUP], 5000);
}

static int by_unique(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->unique < y->unique ? -1 : x->unique > y->unique;
}

/* "setup 2 -> 0 rw": part of the file, range of the window; "evict 3 from 5": ranges, the first. */
static size_t mapping_text(char *text, size_t room, const struct span *s)
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
static void write_text(char *text, struct record_sink *r)
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

static void assert_conserved(const struct sim_stats *stats)
{
	const struct dax_stats *d = &stats->dax;

	assert_int_equal(d->free + d->busy, d->ranges);
	assert_int_equal(d->setups,
			 d->removed_worker + d->removed_inline + d->removed_evict + d->busy);
}

/* Runs one task's script on a file of this size; what it sent must be this. */
static struct sim_stats run_script(struct stack *stack, uint64_t file_bytes,
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

static void test_first_touch_sets_up(void **state)
{
	static const struct workload_op ops[] = {
		OPEN,
		READ(4 * K, 4 * K), /* range 0, for reading */
		READ(1 * M, 4 * K), /* hit */
		READ(3 * M, 2 * M), /* ranges 1 and 2 */
		WRITE(0, 4 * K), /* upgrade */
		WRITE(1 * M, 4 * K), /* hit */
		WRITE(6 * M + 100, 10), /* range 3, for both */
		READ(7 * M, 4 * K), /* hit */
		{.type = OP_READ, .offset_bytes = 3 * M, .size_bytes = 4 * K, .flags = OP_DIRECT},
		{.type = OP_FSYNC},
		{.type = OP_STAT}, /* neither reads nor writes made attributes stale */
		CLOSE,
	};
	struct stack stack;
	struct sim_stats stats;

	dax_stack(&stack, 20);
	stats = RUN(&stack, 16 * M, ops,
		    "setup 0 -> 0 r\nsetup 1 -> 1 r\nsetup 2 -> 2 r\nupgrade 0 -> 0 rw\n"
		    "setup 3 -> 3 rw\nFSYNC\nFLUSH\nRELEASE\n");
	assert_int_equal(stats.dax.upgrades, 1);
	assert_int_equal(stats.dax.busy, 4);
	assert_int_equal(stats.dax.waits, 0);
}

/* Reads end with the file; a write that passes the end is not mapped at all. */
static void test_end_of_file(void **state)
{
	static const struct workload_op ops[] = {
		OPEN,
		READ(3 * M, 8 * M), /* 1 MiB is there */
		READ(4 * M, 4 * K), /* nothing is */
		WRITE(4 * M - 4 * K, 8 * K), /* extends by one page */
		READ(4 * M, 4 * K), /* now it is there */
		WRITE(4 * M, 4 * K), /* does not extend: upgrade */
		WRITE(6 * M, 1 * M),
		{.type = OP_STAT}, /* it grew: asked again */
		CLOSE,
	};
	struct stack stack;
	struct sim_stats stats;

	dax_stack(&stack, 20);
	stats = RUN(
		&stack, 4 * M, ops,
		"setup 1 -> 0 r\n"
		"WRITE 4190208 8192 4+2\n"
		"setup 2 -> 1 r\nupgrade 2 -> 1 rw\n"
		"WRITE 6291456 507904 126+2\nWRITE 6799360 507904 126+2\nWRITE 7307264 32768 10+2\n"
		"GETATTR\nFLUSH\nRELEASE\n");
	assert_int_equal(stats.dax.busy, 2);
}

/* What is mapped of a file, from the requests alone, in the order of the set-ups. */
struct mapped {
	uint64_t part[64];
	uint32_t range[64];
	uint32_t nr;
};

static void apply(struct mapped *m, const struct span *s)
{
	uint32_t oldest = 0, lowest = 0, i = 0;

	if (s->cls == SPAN_SETUP) {
		m->part[m->nr] = s->offset_bytes / RANGE;
		m->range[m->nr++] = s->window_range;
		return;
	}
	while (m->range[i] != s->window_range)
		i++;
	assert_true(i < m->nr);
	for (uint32_t k = 1; k < m->nr; k++)
		if (m->part[k] < m->part[lowest])
			lowest = k;
	assert_int_equal(i, s->cls == SPAN_RECLAIM ? oldest : lowest);
	m->nr--;
	memmove(m->part + i, m->part + i + 1, (m->nr - i) * sizeof(m->part[0]));
	memmove(m->range + i, m->range + i + 1, (m->nr - i) * sizeof(m->range[0]));
}

#define READERS 4

/*
 * The worker takes the oldest range; a task that finds none free, because it is faster than the
 * worker together with three others, takes the lowest part of its file. Reading backwards tells
 * them apart.
 */
static void test_which_range_goes(void **state)
{
	struct workload *w = script_workload_new(READERS, 400 * M);
	struct workload_op ops[READERS][11];
	struct mapped mapped[READERS] = {0};
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;

	w->files = realloc(w->files, READERS * sizeof(*w->files));
	w->nr_files = READERS;
	for (uint32_t t = 0; t < READERS; t++) {
		w->files[t] = w->files[0];
		w->files[t].name[0] += t; /* one of its own */
		ops[t][0] = (struct workload_op){.type = OP_OPEN, .file = t};
		for (uint32_t i = 0; i < 10; i++) {
			ops[t][1 + i] = (struct workload_op)READ((9 - i) * 40ull * M, 40 * M);
			ops[t][1 + i].file = t;
		}
		w->tasks[t].stream = script_stream_new(ops[t], 11);
	}
	dax_stack(&stack, 20);
	stack.guest.vcpus = READERS;
	stack.daemon.thread_pool_size = READERS;
	dist_const(&stack.dax.cost[DAX_EPT_FAULT], 0);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	assert_conserved(&stats);
	qsort(r.spans, r.nr_spans, sizeof(*r.spans), by_unique);
	for (uint32_t i = 0; i < r.nr_spans; i++)
		if (r.spans[i].opcode == FUSE_SETUPMAPPING ||
		    r.spans[i].opcode == FUSE_REMOVEMAPPING)
			apply(&mapped[r.spans[i].nodeid - 2], &r.spans[i]);
	assert_int_equal(stats.dax.setups, 200 * READERS);
	assert_true(stats.dax.removed_worker >= 20);
	assert_true(stats.dax.removed_inline >= 20);
	record_free(&r);
	workload_free(w);
}

static void test_window_of_one_range(void **state)
{
	static const struct workload_op ops[] = {
		OPEN,
		READ(1 * M, 4 * M), /* three ranges one after the other */
		WRITE(4 * M, 4 * K),
		CLOSE,
	};
	struct stack stack;
	struct sim_stats stats;

	dax_stack(&stack, 1);
	stack.guest.hz = 100;
	stats = RUN(&stack, 16 * M, ops,
		    "setup 0 -> 0 r\ninline_reclaim 1 from 0\nsetup 1 -> 0 r\n"
		    "inline_reclaim 1 from 0\nsetup 2 -> 0 r\nupgrade 2 -> 0 rw\n"
		    "FLUSH\nRELEASE\n");
	assert_int_equal(stats.dax.ranges, 1);
}

/*
 * Below a fifth the worker frees ten, the oldest first; each pass leaves more free than it wants.
 * What it freed is taken again in the order in which it was freed.
 */
static void test_worker_order(void **state)
{
	struct workload_op ops[16] = {OPEN};
	struct stack stack;
	struct sim_stats stats;

	/* 15 ranges: the 13th allocation leaves two free, fewer than three. */
	for (uint32_t i = 0; i < 14; i++)
		ops[1 + i] = (struct workload_op){.type = OP_READ,
						  .offset_bytes = (13 - i) * (uint64_t)RANGE,
						  .size_bytes = 4 * K,
						  .think_ns = 100 * MS};
	ops[15] = (struct workload_op)CLOSE;
	dax_stack(&stack, 15);
	stats = RUN(&stack, 64 * M, ops,
		    "setup 13 -> 0 r\nsetup 12 -> 1 r\nsetup 11 -> 2 r\nsetup 10 -> 3 r\n"
		    "setup 9 -> 4 r\nsetup 8 -> 5 r\nsetup 7 -> 6 r\nsetup 6 -> 7 r\n"
		    "setup 5 -> 8 r\nsetup 4 -> 9 r\nsetup 3 -> 10 r\nsetup 2 -> 11 r\n"
		    "setup 1 -> 12 r\n"
		    "reclaim 1 from 0\nreclaim 1 from 1\nreclaim 1 from 2\nreclaim 1 from 3\n"
		    "reclaim 1 from 4\nreclaim 1 from 5\nreclaim 1 from 6\nreclaim 1 from 7\n"
		    "reclaim 1 from 8\nreclaim 1 from 9\n"
		    "setup 0 -> 13 r\nFLUSH\nRELEASE\n");
	assert_int_equal(stats.dax.removed_worker, 10);
	assert_int_equal(stats.dax.free, 11);
}

/* Up to 256 in a request, the end of the file first; then FORGET. */
static void test_eviction(void **state)
{
	struct workload_op ops[303] = {OPEN};
	struct stack stack;
	struct sim_stats stats;
	char expected[TEXT_SIZE];
	size_t len = 0;

	for (uint32_t i = 0; i < 300; i++) {
		ops[1 + i] = (struct workload_op)READ(i * (uint64_t)RANGE, 4 * K);
		len += snprintf(expected + len, sizeof(expected) - len, "setup %u -> %u r\n", i, i);
	}
	ops[301] = (struct workload_op)CLOSE;
	ops[302] = (struct workload_op){.type = OP_DROP_CACHES};
	snprintf(expected + len, sizeof(expected) - len,
		 "FLUSH\nRELEASE\nSYNCFS\nevict 256 from 299\nevict 44 from 43\nFORGET\n");
	dax_stack(&stack, 400);
	stats = RUN(&stack, G, ops, expected);
	assert_int_equal(stats.dax.removed_evict, 300);
	assert_int_equal(stats.dax.free, 400);
}

/* An open file keeps its ranges; an unlinked one gives them back before it is forgotten. */
static void test_drop_caches_and_unlink(void **state)
{
	static const struct workload_op ops[] = {
		OPEN,  READ(0, 4 * K),	    {.type = OP_DROP_CACHES}, READ(0, 4 * K), CLOSE,
		OPEN,  READ(0, 4 * K), /* opening dropped nothing */
		CLOSE, {.type = OP_UNLINK},
	};
	struct stack stack;

	dax_stack(&stack, 5);
	RUN(&stack, 2 * M, ops,
	    "setup 0 -> 0 r\nSYNCFS\nFLUSH\nRELEASE\nFLUSH\nRELEASE\n"
	    "UNLINK\nevict 1 from 0\nFORGET\n");
}

/* Pages that the host maps: once per page and kind of access, and all anew after an upgrade. */
static void test_pages_touched(void **state)
{
	static const struct workload_op reads[] = {OPEN, READ(100, 4 * K), READ(0, 16 * K)};
	static const struct workload_op writes[] = {OPEN, WRITE(0, 8 * K), READ(0, 12 * K),
						    WRITE(0, 12 * K)};
	static const struct workload_op upgrades[] = {OPEN, READ(0, 8 * K), WRITE(0, 4 * K),
						      READ(0, 8 * K)};
	struct stack stack;

	dax_stack(&stack, 5);
	assert_int_equal(RUN(&stack, 2 * M, reads, "setup 0 -> 0 r\n").dax.ept_faults, 2 + 2);
	assert_int_equal(RUN(&stack, 2 * M, writes, "setup 0 -> 0 rw\n").dax.ept_faults, 2 + 1 + 1);
	assert_int_equal(
		RUN(&stack, 2 * M, upgrades, "setup 0 -> 0 r\nupgrade 0 -> 0 rw\n").dax.ept_faults,
		2 + 1 + 1);
	stack.dax.host_huge_pages = true;
	assert_int_equal(RUN(&stack, 2 * M, reads, "setup 0 -> 0 r\n").dax.ept_faults, 1);
}

/* A hit costs its copy and what the host must map; nothing else. */
static void test_hit_costs(void **state)
{
	static const struct workload_op ops[] = {OPEN, READ(0, 4 * K), READ(0, 64 * K),
						 READ(0, 64 * K)};
	struct workload *w = script_workload_new(1, 2 * M);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;

	dax_stack(&stack, 5);
	dist_const(&stack.cost[COST_READ_HIT], 1000);
	dist_const(&stack.dax.cost[DAX_EPT_FAULT], 3000);
	stack.read_hit_ns_per_page = 100;
	w->tasks[0].stream = script_stream_new(ops, 4);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	assert_int_equal(r.ops[2].t_end_ns - r.ops[2].t_start_ns, 1000 + 15 * 100 + 15 * 3000);
	assert_int_equal(r.ops[3].t_end_ns - r.ops[3].t_start_ns, 1000 + 15 * 100);
	record_free(&r);
	workload_free(w);
}

/* Two tasks with a script each, on one file or two. Spans in the order of sending, ops of both. */
static void run_two(struct stack *stack, struct workload_op *first, uint32_t nr_first,
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

static const struct span *nth(const struct record_sink *r, enum span_class cls, uint32_t n)
{
	for (uint32_t i = 0; i < r->nr_spans; i++)
		if (r->spans[i].cls == cls && !n--)
			return &r->spans[i];
	fail();
	return NULL;
}

static uint64_t end_of(const struct span *s)
{
	return s->t_issue_ns + span_latency_ns(s);
}

/* The semaphore is the inode's: set-ups of one file follow each other, those of two files meet. */
static void test_setup_is_serial_per_inode(void **state)
{
	struct workload_op a[] = {OPEN, READ(0, 4 * K)}, b[] = {OPEN, READ(8 * M, 4 * K)};
	struct record_sink r;
	struct sim_stats stats;
	struct stack stack;

	dax_stack(&stack, 20);
	stack.daemon.thread_pool_size = 4;
	run_two(&stack, a, 2, b, 2, false, &r, &stats);
	assert_true(nth(&r, SPAN_SETUP, 1)->t_issue_ns >= end_of(nth(&r, SPAN_SETUP, 0)));
	record_free(&r);
	run_two(&stack, a, 2, b, 2, true, &r, &stats);
	assert_true(nth(&r, SPAN_SETUP, 1)->t_issue_ns < end_of(nth(&r, SPAN_SETUP, 0)));
	record_free(&r);
}

/* Both want the same range: one sets it up, the other finds it and gives its own back. */
static void test_same_range_at_once(void **state)
{
	struct workload_op a[] = {OPEN, READ(0, 4 * K)}, b[] = {OPEN, READ(4 * K, 4 * K)};
	struct record_sink r;
	struct sim_stats stats;
	struct stack stack;

	dax_stack(&stack, 20);
	run_two(&stack, a, 2, b, 2, false, &r, &stats);
	assert_int_equal(stats.dax.setups, 1);
	assert_int_equal(stats.dax.free, 19);
	record_free(&r);
}

/* Reads share the inode's lock, writes do not. */
static void test_reads_share(void **state)
{
	struct workload_op reads[2][3] = {{OPEN, READ(0, 4 * K), READ(0, 1 * M)},
					  {OPEN, READ(0, 4 * K), READ(0, 1 * M)}};
	struct workload_op writes[2][3] = {{OPEN, WRITE(0, 4 * K), WRITE(0, 1 * M)},
					   {OPEN, WRITE(0, 4 * K), WRITE(0, 1 * M)}};
	struct record_sink r;
	struct sim_stats stats;
	struct stack stack;
	uint64_t start, end;

	dax_stack(&stack, 20);
	dist_const(&stack.dax.cost[DAX_EPT_FAULT], 0);
	stack.read_hit_ns_per_page = stack.write_hit_ns_per_page = 10000;
	run_two(&stack, reads[0], 3, reads[1], 3, false, &r, &stats);
	start = max_u64(r.ops[r.nr_ops - 1].t_start_ns, r.ops[r.nr_ops - 2].t_start_ns);
	end = min_u64(r.ops[r.nr_ops - 1].t_end_ns, r.ops[r.nr_ops - 2].t_end_ns);
	assert_true(end > start + 2 * MS);
	record_free(&r);
	run_two(&stack, writes[0], 3, writes[1], 3, false, &r, &stats);
	assert_true(r.ops[r.nr_ops - 1].t_end_ns >= r.ops[r.nr_ops - 2].t_end_ns + 2 * MS);
	record_free(&r);
}

/* A task whose file owns no range cannot take one: it sleeps until the worker frees one. */
static void test_wait_for_a_range(void **state)
{
	struct workload_op a[] = {OPEN, READ(0, 4 * K)};
	struct workload_op b[] = {
		{.type = OP_OPEN, .think_ns = 100000},
		READ(0, 4 * K),
	};
	struct record_sink r;
	struct sim_stats stats;
	struct stack stack;

	dax_stack(&stack, 1);
	run_two(&stack, a, 2, b, 2, true, &r, &stats);
	assert_int_equal(stats.dax.waits, 1);
	assert_true(stats.dax.wait_ns > 0 && stats.dax.wait_ns < 10 * MS);
	assert_int_equal(stats.dax.removed_worker, 1);
	assert_int_equal(stats.dax.removed_inline, 0);
	assert_true(nth(&r, SPAN_SETUP, 1)->t_issue_ns >= end_of(nth(&r, SPAN_RECLAIM, 0)));
	assert_int_equal(nth(&r, SPAN_RECLAIM, 0)->task, 0);
	record_free(&r);
}

/* Ranges in use are passed over, by the worker and inline. */
static void test_used_ranges_stay(void **state)
{
	struct workload_op a[] = {OPEN, READ(0, 2 * M)}; /* in the only range for 51.2 ms */
	struct workload_op b[] = {
		{.type = OP_OPEN, .think_ns = 5 * MS},
		READ(4 * M, 4 * K),
	};
	struct record_sink r;
	struct sim_stats stats;
	struct stack stack;

	dax_stack(&stack, 1);
	stack.read_hit_ns_per_page = 100000;
	run_two(&stack, a, 2, b, 2, false, &r, &stats);
	for (uint32_t i = 0; i < r.nr_spans; i++)
		if (r.spans[i].opcode == FUSE_REMOVEMAPPING)
			assert_true(r.spans[i].t_issue_ns >= 51 * MS);
	assert_int_equal(stats.dax.setups, 2);
	record_free(&r);
}

/* Random ops of several tasks on several files. */
struct mix_stream {
	struct op_stream stream;
	struct rng rng;
	uint32_t left;
	uint32_t nr_opened;
	uint32_t nr_files;
};

static int mix_next(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct mix_stream *s = (struct mix_stream *)stream;
	uint64_t dice = rng_below(&s->rng, 100);

	memset(op, 0, sizeof(*op));
	if (s->nr_opened < s->nr_files) {
		op->type = OP_OPEN;
		op->file = s->nr_opened++;
		return OP_STREAM_OP;
	}
	if (!s->left--)
		return OP_STREAM_END;
	op->type = dice < 50 ? OP_READ : dice < 95 ? OP_WRITE : OP_FSYNC;
	op->file = rng_below(&s->rng, s->nr_files);
	op->offset_bytes = rng_below(&s->rng, 40 * M);
	op->size_bytes = 1 + rng_below(&s->rng, rng_below(&s->rng, 4) ? 20000 : 5000000);
	if (!rng_below(&s->rng, 20))
		op->think_ns = rng_below(&s->rng, 20 * MS);
	return OP_STREAM_OP;
}

static struct workload *mix_workload(uint32_t nr_tasks, uint32_t nr_files, uint64_t seed)
{
	struct workload *w = script_workload_new(nr_tasks, 32 * M);

	w->files = realloc(w->files, nr_files * sizeof(*w->files));
	for (uint32_t i = 1; i < nr_files; i++) {
		w->files[i] = w->files[0];
		w->files[i].name[0] += i; /* one of its own */
	}
	w->nr_files = nr_files;
	for (uint32_t i = 0; i < nr_tasks; i++) {
		struct mix_stream *s = calloc(1, sizeof(*s));

		s->stream.next = mix_next;
		s->stream.free = stream_free;
		s->left = 150;
		s->nr_files = nr_files;
		rng_init(&s->rng, seed, i);
		w->tasks[i].stream = &s->stream;
	}
	return w;
}

/* Each range is set up, perhaps upgraded, removed, and so on; never mapped twice. */
static void assert_ranges_alternate(const struct record_sink *r, uint32_t nr_ranges)
{
	bool mapped[64] = {false};

	assert_true(nr_ranges <= ARRAY_SIZE(mapped));
	for (uint32_t i = 0; i < r->nr_spans; i++) {
		const struct span *s = &r->spans[i];

		if (s->opcode != FUSE_SETUPMAPPING && s->opcode != FUSE_REMOVEMAPPING)
			continue;
		assert_true(s->window_range < nr_ranges);
		assert_int_equal(mapped[s->window_range], s->cls != SPAN_SETUP);
		mapped[s->window_range] = s->opcode == FUSE_SETUPMAPPING;
	}
}

static void assert_counts(const struct record_sink *r, const struct dax_stats *d)
{
	uint64_t count[NR_SPAN_CLASSES] = {0};

	for (uint32_t i = 0; i < r->nr_spans; i++)
		count[r->spans[i].cls]++;
	assert_int_equal(count[SPAN_SETUP], d->setups);
	assert_int_equal(count[SPAN_UPGRADE], d->upgrades);
	assert_int_equal(count[SPAN_RECLAIM], d->removed_worker);
	assert_int_equal(count[SPAN_INLINE_RECLAIM], d->removed_inline);
}

static void run_mix(uint32_t nr_ranges, uint32_t nr_tasks, uint32_t nr_files, uint32_t kernel)
{
	struct record_sink r[2] = {{0}, {0}};
	struct sim_stats stats[2];
	struct stack stack;
	char err[100];

	dax_stack(&stack, nr_ranges);
	stack.guest.kernel = kernel;
	stack.daemon.thread_pool_size = nr_files;
	stack.transport.request_queues = nr_tasks;
	for (int i = 0; i < NR_COSTS; i++)
		dist_parse(&stack.cost[i], "exp 2us", err, sizeof(err));
	dist_parse(&stack.dax.cost[DAX_EPT_FAULT], "exp 1us", err, sizeof(err));
	dist_parse(&stack.service_default.host_io, "uniform 1us 90us", err, sizeof(err));
	for (int i = 0; i < 2; i++) {
		struct workload *w = mix_workload(nr_tasks, nr_files, 7 + nr_ranges);

		assert_int_equal(record_run(&stack, w, 7, &r[i], &stats[i]), 0);
		workload_free(w);
	}
	assert_conserved(&stats[0]);
	assert_int_equal(r[0].nr_spans, r[1].nr_spans);
	assert_memory_equal(r[0].spans, r[1].spans, r[0].nr_spans * sizeof(struct span));
	assert_memory_equal(&stats[0], &stats[1], sizeof(stats[0]));
	qsort(r[0].spans, r[0].nr_spans, sizeof(*r[0].spans), by_unique);
	assert_ranges_alternate(&r[0], nr_ranges);
	assert_counts(&r[0], &stats[0].dax);
	record_free(&r[0]);
	record_free(&r[1]);
}

static void test_no_range_is_lost(void **state)
{
	static const uint32_t windows[] = {1, 2, 3, 5, 16, 64};

	for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
		for (uint32_t tasks = 1; tasks <= 4; tasks++)
			run_mix(windows[i], tasks, 1 + (i + tasks) % 3,
				tasks & 1 ? KERNEL(6, 1) : KERNEL(7, 2));
}

/* Random 4 KiB reads all over a file of 64 ranges, after each of its pages was read once. */
static struct sim_stats random_reads(uint32_t nr_ranges, uint32_t nr_ops)
{
	struct workload *w = script_workload_new(1, 128 * M);
	struct source_stream *s = source_stream_new(3, 0, nr_ops);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;

	dax_stack(&stack, nr_ranges);
	dist_const(&stack.cost[COST_READ_HIT], 1000);
	s->file_bytes = 128 * M;
	w->tasks[0].stream = &s->stream;
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	assert_conserved(&stats);
	record_free(&r);
	workload_free(w);
	return stats;
}

/* What fits with a fifth to spare is mapped once; what does not, for ever. */
static void test_steady_state(void **state)
{
	struct sim_stats fits = random_reads(80, 5000), longer = random_reads(80, 20000);
	struct sim_stats full = random_reads(64, 5000), half = random_reads(32, 5000);

	assert_int_equal(fits.dax.setups, 64);
	assert_int_equal(longer.requests, fits.requests);
	assert_int_equal(fits.dax.removed_worker, 0);
	/* All of it would fit, but the worker wants a fifth free. */
	assert_true(full.dax.setups > 200);
	assert_true(half.dax.setups > full.dax.setups);
	/* About half of the ranges are not there. */
	assert_true(half.dax.setups > 2500 && half.dax.setups < 4500);
	assert_true(half.end_ns > 5 * fits.end_ns);
}

/* Each VM has a window of its own. */
static void test_two_vms(void **state)
{
	static const struct workload_op ops[] = {OPEN, READ(0, 4 * M)};
	struct workload *w[2];
	struct sim_options options = {.seed = 1};
	struct sim_sink sink = {0};
	struct sim_stats stats;
	struct stack stack;

	dax_stack(&stack, 5);
	stack.host.vms = 2;
	for (int i = 0; i < 2; i++) {
		w[i] = script_workload_new(1, 16 * M);
		w[i]->tasks[0].stream = script_stream_new(ops, ARRAY_SIZE(ops));
	}
	assert_int_equal(sim_run_vms(&stack, w, &options, &sink, &stats), 0);
	assert_conserved(&stats);
	assert_int_equal(stats.dax.ranges, 10);
	assert_int_equal(stats.dax.setups, 4);
	workload_free(w[0]);
	workload_free(w[1]);
}

static void test_refused(void **state)
{
	struct workload *w = script_workload_new(1, 2 * M);
	static const struct workload_op ops[] = {OPEN};
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;

	dax_stack(&stack, 0);
	w->tasks[0].stream = script_stream_new(ops, 1);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), -EINVAL);
	dax_stack(&stack, 10);
	stack.guest.kernel = KERNEL(5, 4);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), -EINVAL);
	workload_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_touch_sets_up),
		cmocka_unit_test(test_end_of_file),
		cmocka_unit_test(test_which_range_goes),
		cmocka_unit_test(test_window_of_one_range),
		cmocka_unit_test(test_worker_order),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_drop_caches_and_unlink),
		cmocka_unit_test(test_pages_touched),
		cmocka_unit_test(test_hit_costs),
		cmocka_unit_test(test_setup_is_serial_per_inode),
		cmocka_unit_test(test_same_range_at_once),
		cmocka_unit_test(test_reads_share),
		cmocka_unit_test(test_wait_for_a_range),
		cmocka_unit_test(test_used_ranges_stay),
		cmocka_unit_test(test_no_range_is_lost),
		cmocka_unit_test(test_steady_state),
		cmocka_unit_test(test_two_vms),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
