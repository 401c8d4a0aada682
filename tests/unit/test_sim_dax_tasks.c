// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several tasks in mode dax: who waits for whom, what is passed over, and random runs in which no
 * range may be lost or mapped twice.
 */
#include "dax_script.h"

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
	uint32_t nr_mapped;
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
	if (s->nr_mapped < s->nr_files) {
		op->type = OP_MMAP;
		op->file = s->nr_mapped++;
		op->flags = rng_below(&s->rng, 4) ? 0 : OP_MAP_PRIVATE;
		return OP_STREAM_OP;
	}
	if (!s->left--)
		return OP_STREAM_END;
	op->type = dice < 40   ? OP_READ
		   : dice < 70 ? OP_WRITE
		   : dice < 95 ? OP_MMAP_FAULT
			       : OP_FSYNC;
	if (dice >= 85)
		op->flags = OP_FAULT_WRITE;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_setup_is_serial_per_inode),
		cmocka_unit_test(test_same_range_at_once),
		cmocka_unit_test(test_reads_share),
		cmocka_unit_test(test_wait_for_a_range),
		cmocka_unit_test(test_used_ranges_stay),
		cmocka_unit_test(test_no_range_is_lost),
		cmocka_unit_test(test_steady_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
