// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's page cache and device: with all else zero the device is M/M/c and M/D/1, the cache
 * hits as LRU does, every dirty page is written once, and who waits for the device blocks its
 * daemon thread and no CPU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "queueing.h"
#include "sim_script.h"

#define MIB (1ULL << 20)
#define PAGE 4096

static void set_dist(struct dist *dist, const char *text)
{
	char err[100];

	assert_int_equal(dist_parse(dist, text, err, sizeof(err)), 0);
}

/* Nothing but the device takes time. */
static void device_stack(struct stack *stack, uint32_t channels, const char *read)
{
	ideal_stack(stack, "const 0ns");
	stack->storage.channels = channels;
	stack->storage.read_ahead_bytes = 0;
	set_dist(&stack->storage.read, read);
}

struct device_case {
	const char *name;
	uint32_t channels;
	const char *latency;
	double bandwidth;
	double rho;
	double wait; /* Wq in service times: mm1, md1, mmc of closed-forms.csv */
};

static const struct device_case device_cases[] = {
	{"M/M/1 0.5", 1, "exp 10us", 0, 0.5, 1},
	{"M/M/1 0.8", 1, "exp 10us", 0, 0.8, 4},
	{"M/D/1 0.8", 1, "const 10us", 0, 0.8, 2},
	{"M/D/1 0.5, the link", 64, "const 0ns", PAGE / 10e-6, 0.5, 0.5},
	{"M/D/1 0.8, the link", 1, "const 0ns", PAGE / 10e-6, 0.8, 2},
	{"M/M/2 0.7", 2, "exp 10us", 0, 0.7, 0.960784314},
	{"M/M/4 0.9", 4, "exp 10us", 0, 0.9, 1.96938316},
	{"M/M/8 0.9", 8, "exp 10us", 0, 0.9, 0.876916238},
};

static void test_device_is_a_queue(void **state)
{
	for (size_t i = 0; i < sizeof(device_cases) / sizeof(device_cases[0]); i++) {
		const struct device_case *c = &device_cases[i];
		uint32_t servers = c->bandwidth > 0 ? 1 : c->channels;
		uint64_t per_batch = c->rho > 0.85 ? 20000 : 10000;
		struct source_stream *source =
			source_stream_new(17 + i, 0, (NR_BATCHES + 2) * per_batch);
		struct workload *w = script_workload_new(1, 1ULL << 30);
		struct batches b = {.skip = per_batch, .per_batch = per_batch};
		struct sim_options options = {.seed = 17 + i};
		struct sim_sink sink = {.ctx = &b, .span = add_span};
		struct sim_stats stats;
		struct stack stack;

		device_stack(&stack, c->channels, c->latency);
		stack.storage.cache_bytes = 0;
		stack.storage.bandwidth = c->bandwidth;
		stack.daemon.thread_pool_size = 4000;
		source->mean_gap_ns = SERVICE_NS / c->rho / servers;
		w->tasks[0].stream = &source->stream;
		w->tasks[0].iodepth = 4000;
		w->tasks[0].async = true;
		assert_int_equal(sim_run(&stack, w, &options, &sink, &stats), 0);
		assert_in_interval(c->name, b.stay_sum, per_batch, c->wait + 1);
		assert_int_equal(stats.storage.ops[0], (NR_BATCHES + 2) * per_batch);
		assert_int_equal(stats.storage.pages_hit, 0);
		workload_free(w);
	}
}

static struct workload *random_reads(uint64_t seed, uint64_t nr, uint64_t file_bytes)
{
	struct source_stream *source = source_stream_new(seed, 0, nr);
	struct workload *w = script_workload_new(1, file_bytes);

	source->file_bytes = file_bytes;
	w->tasks[0].stream = &source->stream;
	return w;
}

static void run_one(const struct stack *stack, struct workload *w, struct sim_stats *stats)
{
	struct sim_options options = {.seed = 5};
	struct sim_sink sink = {0};

	assert_int_equal(sim_run(stack, w, &options, &sink, stats), 0);
	workload_free(w);
}

/* Uniform reads of N pages hit a cache of C in C/N of all cases: a warm one from the first on. */
static void test_random_hits(void **state)
{
	for (uint64_t share = 1; share <= 4; share++) {
		uint64_t nr = 100000, file_bytes = 16 * MIB;
		double p = share / 4.0, hits;
		struct sim_stats stats;
		struct stack stack;

		device_stack(&stack, 1, "const 10us");
		stack.storage.cache_bytes = share * 4 * MIB;
		stack.storage.warm = true;
		run_one(&stack, random_reads(3, nr, file_bytes), &stats);
		hits = (double)stats.storage.pages_hit / nr;
		assert_int_equal(stats.storage.pages_hit + stats.storage.pages_missed, nr);
		/* Reads hit independently of each other: 2.6 standard deviations are 99 %. */
		assert_true(fabs(hits - p) <= 2.6 * sqrt(p * (1 - p) / nr));
		assert_int_equal(stats.storage.ops[0], stats.storage.pages_missed);
	}
}

/* Ops of one task, made by append() and run by run_ops(). */
struct ops {
	struct workload_op op[9000];
	uint32_t nr;
};

static void append(struct ops *ops, enum op_type type, uint64_t offset, uint32_t size,
		   uint32_t flags)
{
	assert_in_range(ops->nr, 0, sizeof(ops->op) / sizeof(ops->op[0]) - 1);
	ops->op[ops->nr++] = (struct workload_op){
		.type = type, .offset_bytes = offset, .size_bytes = size, .flags = flags};
}

static void run_ops(const struct stack *stack, const struct ops *ops, uint64_t file_bytes,
		    struct sim_stats *stats)
{
	struct workload *w = script_workload_new(1, file_bytes);

	w->tasks[0].stream = script_stream_new(ops->op, ops->nr);
	run_one(stack, w, stats);
}

static void test_loops(void **state)
{
	static struct ops loops;
	struct sim_stats stats;
	struct stack stack;

	for (int pass = 0; pass < 4; pass++)
		for (uint64_t at = 0; at < 8 * MIB; at += PAGE)
			append(&loops, OP_READ, at, PAGE, OP_DIRECT);
	device_stack(&stack, 1, "const 10us");
	/* One page more than the cache holds: least recently used drops each just before its use.
	 */
	stack.storage.cache_bytes = 8 * MIB - PAGE;
	run_ops(&stack, &loops, 8 * MIB, &stats);
	assert_int_equal(stats.storage.pages_hit, 0);
	assert_int_equal(stats.storage.ops[0], 4 * 2048);
	stack.storage.cache_bytes = 8 * MIB;
	run_ops(&stack, &loops, 8 * MIB, &stats);
	assert_int_equal(stats.storage.pages_missed, 2048);
	assert_int_equal(stats.storage.ops[0], 2048);
}

/* Read-ahead reads each page once, in few operations, and nearly hides the device. */
static void test_read_ahead(void **state)
{
	static struct ops reads;
	struct sim_stats alone, ahead;
	struct stack stack;

	for (uint64_t at = 0; at < 8 * MIB; at += PAGE)
		append(&reads, OP_READ, at, PAGE, OP_DIRECT);
	device_stack(&stack, 8, "const 10us");
	set_dist(&stack.service_default.host_io, "const 1us");
	run_ops(&stack, &reads, 8 * MIB, &alone);
	stack.storage.read_ahead_bytes = 128 << 10;
	run_ops(&stack, &reads, 8 * MIB, &ahead);
	assert_int_equal(alone.storage.bytes[0], 8 * MIB);
	assert_int_equal(ahead.storage.bytes[0], 8 * MIB);
	assert_int_equal(alone.end_ns, 2048 * 11000);
	/* 4, 16 and then 32 pages at a time. */
	assert_in_range(ahead.storage.ops[0], 2048 / 32, 2048 / 32 + 4);
	assert_in_range(ahead.end_ns, 2048 * 1000, 2048 * 1000 + 100000);
}

/* A dirty page is written once, with its neighbours; an fsync ends with a flush if there is need.
 */
static void test_fsync(void **state)
{
	static struct ops ops;
	struct sim_stats stats;
	struct stack stack;

	for (int i = 0; i < 3; i++)
		append(&ops, OP_WRITE, i * 2 * PAGE, PAGE, OP_DIRECT);
	append(&ops, OP_WRITE, PAGE, PAGE, OP_DIRECT); /* pages 0 to 2 and 4 */
	append(&ops, OP_WRITE, 0, PAGE, OP_DIRECT);
	append(&ops, OP_FSYNC, 0, 0, 0);
	append(&ops, OP_FSYNC, 0, 0, 0);
	device_stack(&stack, 1, "const 10us");
	set_dist(&stack.storage.write, "const 100us");
	set_dist(&stack.storage.flush, "const 1ms");
	run_ops(&stack, &ops, MIB, &stats);
	assert_int_equal(stats.storage.ops[1], 2);
	assert_int_equal(stats.storage.bytes[1], 4 * PAGE);
	assert_int_equal(stats.storage.ops[2], 1);
	assert_int_equal(stats.storage.ops[0], 0); /* whole pages need not be read */
	assert_int_equal(stats.end_ns, 2 * 100000 + 1000000);
}

static void test_partial_write_reads_the_page(void **state)
{
	static struct ops ops;
	struct sim_stats stats;
	struct stack stack;

	append(&ops, OP_WRITE, 512, 512, OP_DIRECT); /* inside the first page */
	append(&ops, OP_WRITE, 1024, 512, OP_DIRECT); /* which is there now */
	append(&ops, OP_WRITE, MIB, 512, OP_DIRECT); /* behind the file's end */
	device_stack(&stack, 1, "const 10us");
	run_ops(&stack, &ops, MIB, &stats);
	assert_int_equal(stats.storage.ops[0], 1);
	assert_int_equal(stats.storage.ops[1], 0);
}

/* O_DIRECT ends at the guest, unless the daemon passes it on. */
static void test_direct(void **state)
{
	static struct ops ops;
	struct sim_stats stats;
	struct stack stack;

	append(&ops, OP_WRITE, 0, 4 * PAGE, OP_DIRECT);
	append(&ops, OP_READ, 0, 4 * PAGE, OP_DIRECT);
	append(&ops, OP_READ, 0, 4 * PAGE, OP_DIRECT);
	device_stack(&stack, 1, "const 10us");
	set_dist(&stack.storage.write, "const 100us");
	run_ops(&stack, &ops, MIB, &stats);
	assert_int_equal(stats.end_ns, 0);
	stack.daemon.allow_direct_io = true;
	run_ops(&stack, &ops, MIB, &stats);
	assert_int_equal(stats.storage.ops[1], 1);
	assert_int_equal(stats.storage.ops[0], 2);
	assert_int_equal(stats.end_ns, 120000);
}

/* In the long run writers write as fast as the device does, less what may stay dirty. */
static void test_dirty_limit(void **state)
{
	static struct ops ops;
	uint64_t total = 64 * MIB, limit = 16 * MIB / 5;
	struct sim_stats stats;
	struct stack stack;
	double device_s;

	for (uint64_t at = 0; at < total; at += 64 << 10)
		append(&ops, OP_WRITE, at, 64 << 10, OP_DIRECT);
	device_stack(&stack, 4, "const 10us");
	set_dist(&stack.service_default.host_io, "const 1us");
	stack.storage.cache_bytes = 16 * MIB;
	stack.storage.bandwidth = 100000000;
	run_ops(&stack, &ops, total, &stats);
	device_s = (total - limit) / 100e6;
	assert_true(stats.end_ns >= device_s * 1e9);
	assert_true(stats.end_ns <= total / 100e6 * 1e9);
	/* Each wait ends when a write has ended, and none is larger than max_io. */
	assert_true(stats.storage.throttled >= (total - limit) / stack.storage.max_io_bytes - 1);
	/* Below the limit nobody waits. */
	stack.storage.cache_bytes = 512 * MIB;
	run_ops(&stack, &ops, total, &stats);
	assert_int_equal(stats.storage.throttled, 0);
	assert_int_equal(stats.end_ns, total / (64 << 10) * 1000);
}

/* Two tasks of one VM wait for each other's READs in the daemon's only thread; VMs do not. */
static void test_who_waits_blocks_a_thread_and_no_cpu(void **state)
{
	struct ops *ops = calloc(1, sizeof(*ops));
	struct sim_options options = {.seed = 5};
	struct sim_sink sink = {0};
	struct sim_stats stats;
	struct workload *w[8];
	struct stack stack;

	for (int i = 0; i < 100; i++)
		append(ops, OP_READ, i * PAGE, PAGE, OP_DIRECT);
	device_stack(&stack, 8, "const 100us");
	stack.storage.cache_bytes = 0;
	stack.host.cpus = 1;
	w[0] = script_workload_new(2, MIB);
	for (int t = 0; t < 2; t++)
		w[0]->tasks[t].stream = script_stream_new(ops->op, ops->nr);
	run_one(&stack, w[0], &stats);
	assert_int_equal(stats.end_ns, 200 * 100000);

	stack.host.vms = 8;
	for (int i = 0; i < 8; i++) {
		w[i] = script_workload_new(1, MIB);
		w[i]->tasks[0].stream = script_stream_new(ops->op, ops->nr);
	}
	assert_int_equal(sim_run_vms(&stack, w, &options, &sink, &stats), 0);
	assert_int_equal(stats.end_ns, 100 * 100000);
	assert_int_equal(stats.host_cpu_ns, 0);
	for (int i = 0; i < 8; i++)
		workload_free(w[i]);
	free(ops);
}

/* The files of a directory that VMs share are cached once. */
static void test_same_directory(void **state)
{
	for (int same = 0; same < 2; same++) {
		struct ops *ops = calloc(1, sizeof(*ops));
		struct sim_options options = {.seed = 5};
		struct sim_sink sink = {0};
		struct sim_stats stats;
		struct workload *w[3];
		struct stack stack;

		for (int i = 0; i < 256; i++)
			append(ops, OP_READ, i * PAGE, PAGE, OP_DIRECT);
		device_stack(&stack, 2, "const 100us");
		stack.host.vms = 3;
		stack.host.same_directory = same;
		for (int i = 0; i < 3; i++) {
			w[i] = script_workload_new(1, MIB);
			w[i]->tasks[0].stream = script_stream_new(ops->op, ops->nr);
		}
		assert_int_equal(sim_run_vms(&stack, w, &options, &sink, &stats), 0);
		assert_int_equal(stats.storage.ops[0], same ? 256 : 3 * 256);
		for (int i = 0; i < 3; i++)
			workload_free(w[i]);
		free(ops);
	}
}

/* A file made anew under the name of one that is gone has none of its pages, nor its dirty ones. */
static void test_made_anew(void **state)
{
	static struct ops ops;
	struct sim_stats stats;
	struct stack stack;

	append(&ops, OP_OPEN, 0, 0, 0);
	for (uint64_t at = 0; at < MIB; at += PAGE)
		append(&ops, OP_READ, at, PAGE, 0);
	append(&ops, OP_WRITE, 0, PAGE, 0);
	append(&ops, OP_CLOSE, 0, 0, 0);
	append(&ops, OP_UNLINK, 0, 0, 0);
	append(&ops, OP_OPEN, 0, 0, OP_CREATES);
	append(&ops, OP_WRITE, MIB - PAGE, PAGE, 0);
	append(&ops, OP_READ, 0, PAGE, 0);
	append(&ops, OP_READ, MIB - PAGE, PAGE, 0);
	append(&ops, OP_FSYNC, 0, 0, 0);
	device_stack(&stack, 1, "const 10us");
	run_ops(&stack, &ops, MIB, &stats);
	assert_int_equal(stats.storage.pages_missed, 256 + 1);
	assert_int_equal(stats.storage.pages_hit, 1);
	assert_int_equal(stats.storage.bytes[1], PAGE);
}

static void random_ops(struct ops *ops, uint64_t seed)
{
	struct rng rng;

	rng_init(&rng, seed, 99);
	ops->nr = 0;
	for (int i = 0; i < 400; i++) {
		static const enum op_type types[] = {OP_READ,  OP_WRITE, OP_READ, OP_WRITE,
						     OP_FSYNC, OP_WRITE, OP_STAT};
		enum op_type type = types[rng_below(&rng, 7)];

		append(ops, type, rng_below(&rng, 4 * MIB), 1 + rng_below(&rng, 200000),
		       rng_below(&rng, 3) ? 0 : OP_DIRECT);
	}
}

/* Small caches, few channels, all modes: all requests end, their stages sum, twice the same. */
static void test_random_runs(void **state)
{
	static const uint64_t caches[] = {0, PAGE, 64 << 10, MIB, 64 * MIB};
	static struct ops ops;

	for (uint32_t run = 0; run < 120; run++) {
		struct record_sink r[2] = {{0}, {0}};
		struct sim_stats stats;
		struct stack stack;

		random_ops(&ops, run);
		device_stack(&stack, 1 + run % 3, "exp 10us");
		set_dist(&stack.storage.write, "exp 20us");
		set_dist(&stack.storage.flush, "exp 100us");
		stack.storage.cache_bytes = caches[run % 5];
		stack.storage.read_ahead_bytes = run % 4 * (64 << 10);
		stack.storage.max_io_bytes = run % 2 ? PAGE : MIB;
		stack.storage.bandwidth = run % 7 ? 100000000 : 0;
		stack.daemon.mode = (enum io_mode[]){MODE_DIRECT, MODE_WRITETHROUGH,
						     MODE_WRITEBACK}[run / 2 % 3];
		stack.daemon.kind = run % 2 ? DAEMON_C : DAEMON_RUST;
		stack.daemon.thread_pool_size = run % 3 * 2;
		stack.daemon.allow_direct_io = run & 8;
		stack.host.cpus = run % 5;
		set_dist(&stack.service_default.cpu, "exp 1us");
		if (run & 16)
			set_dist(&stack.daemon.lock_hold, "exp 1us");
		set_dist(&stack.daemon.lock_wakeup, "exp 2us");
		stack.daemon.inode_file_handles = stack.daemon.kind == DAEMON_RUST && run & 2;
		for (int twice = 0; twice < 2; twice++) {
			struct workload *w = script_workload_new(3, 4 * MIB);

			for (int t = 0; t < 3; t++)
				w->tasks[t].stream = script_stream_new(ops.op, ops.nr);
			assert_int_equal(record_run(&stack, w, run, &r[twice], &stats), 0);
			workload_free(w);
		}
		assert_true(r[0].nr_spans > 0);
		assert_int_equal(r[0].nr_spans, r[1].nr_spans);
		assert_memory_equal(r[0].spans, r[1].spans, r[0].nr_spans * sizeof(*r[0].spans));
		for (uint32_t i = 0; i < r[0].nr_spans; i++) {
			const struct span *span = &r[0].spans[i];

			assert_true(span->host_io_ns <= span->stage_ns[STAGE_SERVICE]);
		}
		record_free(&r[0]);
		record_free(&r[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_is_a_queue),
		cmocka_unit_test(test_random_hits),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_read_ahead),
		cmocka_unit_test(test_fsync),
		cmocka_unit_test(test_partial_write_reads_the_page),
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_dirty_limit),
		cmocka_unit_test(test_who_waits_blocks_a_thread_and_no_cpu),
		cmocka_unit_test(test_same_directory),
		cmocka_unit_test(test_made_anew),
		cmocka_unit_test(test_random_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
