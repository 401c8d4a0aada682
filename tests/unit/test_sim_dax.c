// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DAX: which mappings are set up, upgraded and removed, when and by whom, and what touching pages
 * costs. The rules are those of fs/fuse/dax.c.
 */
#include "dax_script.h"

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
		cmocka_unit_test(test_two_vms),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
