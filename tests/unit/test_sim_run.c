// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What must hold in every run: stages sum to latencies, equal seeds give equal bytes, every request
 * ends once, counts agree with times, the full ring and its retries, limits, and errors from sinks.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "sim_script.h"

static void set_dist(struct dist *d, const char *text)
{
	char err[100];

	assert_int_equal(dist_parse(d, text, err, sizeof(err)), 0);
}

/* Costs of about the sizes that a real guest has, all of them random. */
static void busy_stack(struct stack *stack, enum io_mode mode)
{
	stack_init(stack);
	stack->daemon.mode = mode;
	for (int i = 0; i < NR_COSTS; i++)
		set_dist(&stack->cost[i], "exp 2us");
	set_dist(&stack->service_default.cpu, "erlang 3 8us");
	set_dist(&stack->service_default.host_io, "uniform 1us 9us");
	stack->service_default.host_io_ns_per_byte = 0.3;
	stack->service_default.cpu_ns_per_byte = 0.1;
	stack->read_hit_ns_per_page = 150;
	stack->write_hit_ns_per_page = 200;
	stack->complete_ns_per_byte = 0.2;
}

/* A mix of everything, from a seed. */
struct mix_stream {
	struct op_stream stream;
	struct rng rng;
	uint32_t left;
	bool opened;
};

static int mix_next(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct mix_stream *s = (struct mix_stream *)stream;
	uint64_t dice;

	memset(op, 0, sizeof(*op));
	if (!s->opened) {
		s->opened = true;
		op->type = OP_OPEN;
		return OP_STREAM_OP;
	}
	if (!s->left)
		return OP_STREAM_END;
	if (!--s->left) {
		op->type = OP_CLOSE;
		return OP_STREAM_OP;
	}
	dice = rng_below(&s->rng, 100);
	op->type = dice < 45 ? OP_READ : dice < 90 ? OP_WRITE : dice < 95 ? OP_FSYNC : OP_OPEN;
	op->offset_bytes = rng_below(&s->rng, 40 << 20);
	op->size_bytes = 1 + rng_below(&s->rng, rng_below(&s->rng, 4) ? 20000 : 1200000);
	if (!rng_below(&s->rng, 5)) {
		op->flags = OP_DIRECT;
		op->offset_bytes &= ~4095ULL;
		op->size_bytes = (op->size_bytes + 4095) & ~4095u;
	}
	if (!rng_below(&s->rng, 20))
		op->think_ns = rng_below(&s->rng, 100000000);
	return OP_STREAM_OP;
}

static struct workload *mix_workload(uint32_t nr_tasks, uint32_t nr_ops, uint32_t iodepth)
{
	struct workload *w = script_workload_new(nr_tasks, 30 << 20);

	for (uint32_t i = 0; i < nr_tasks; i++) {
		struct mix_stream *s = calloc(1, sizeof(*s));

		s->stream.next = mix_next;
		s->stream.free = stream_free;
		s->left = nr_ops;
		rng_init(&s->rng, 99, i);
		w->tasks[i].stream = &s->stream;
		w->tasks[i].iodepth = iodepth;
		w->tasks[i].async = iodepth > 1;
		w->tasks[i].group = i / 3;
	}
	return w;
}

static const enum io_mode modes[] = {MODE_DIRECT, MODE_WRITETHROUGH, MODE_WRITEBACK};

static void vary(struct stack *stack, int variant)
{
	stack->daemon.kind = variant & 1 ? DAEMON_RUST : DAEMON_C;
	stack->daemon.thread_pool_size = variant & 2 ? 3 : 0;
	stack->host.cpus = variant & 4 ? 2 : 0;
	stack->guest.kernel = variant & 8 ? KERNEL(6, 18) : KERNEL(6, 1);
	stack->transport.queue_size = variant & 16 ? 8 : 128;
	stack->transport.event_idx = !(variant & 32);
	stack->transport.indirect_desc = !(variant & 64) || stack->transport.queue_size == 8;
}

static void check_spans(const struct record_sink *r)
{
	for (uint32_t i = 0; i < r->nr_spans; i++) {
		const struct span *s = &r->spans[i];

		for (int stage = 0; stage < NR_STAGES; stage++)
			assert_true(s->stage_ns[stage] < 100 * NS_PER_SEC); /* none is negative */
		assert_int_equal(s->unsplit_ns, 0);
		assert_true(s->host_io_ns <= s->stage_ns[STAGE_SERVICE]);
		assert_true(s->enqueue_ns <= s->stage_ns[STAGE_NOTIFY]);
		assert_true(s->kworker_ns + s->drain_ns <= s->stage_ns[STAGE_COMPLETION]);
		if (!s->ring_full_retries)
			assert_int_equal(s->stage_ns[STAGE_RING_WAIT], 0);
	}
}

static void test_all_variants_end(void **state)
{
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		for (int variant = 0; variant < 128; variant += 3) {
			struct workload *w = mix_workload(5, 60, variant % 2 ? 8 : 1);
			struct record_sink r = {0};
			struct sim_stats stats;
			struct stack stack;

			busy_stack(&stack, modes[m]);
			vary(&stack, variant);
			assert_int_equal(record_run(&stack, w, 5, &r, &stats), 0);
			assert_int_equal(stats.requests, r.nr_spans);
			assert_int_equal(stats.ops, r.nr_ops);
			assert_int_equal(r.nr_ops, 5 * 61);
			check_spans(&r);
			record_free(&r);
			workload_free(w);
		}
	}
}

static void test_determinism(void **state)
{
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		struct record_sink r[3] = {{0}};

		for (int i = 0; i < 3; i++) {
			struct workload *w = mix_workload(4, 200, 4);
			struct sim_stats stats;
			struct stack stack;

			busy_stack(&stack, modes[m]);
			assert_int_equal(record_run(&stack, w, i == 2 ? 8 : 7, &r[i], &stats), 0);
			workload_free(w);
		}
		assert_int_equal(r[0].nr_spans, r[1].nr_spans);
		assert_memory_equal(r[0].spans, r[1].spans, r[0].nr_spans * sizeof(struct span));
		assert_memory_equal(r[0].ops, r[1].ops, r[0].nr_ops * sizeof(struct op_record));
		assert_true(r[0].nr_ops == r[2].nr_ops &&
			    memcmp(r[0].ops, r[2].ops, r[0].nr_ops * sizeof(struct op_record)));
		for (int i = 0; i < 3; i++)
			record_free(&r[i]);
	}
}

static struct workload *parallel_reads(uint32_t tasks, uint32_t per_task)
{
	struct workload *w = script_workload_new(tasks, 1ULL << 30);

	for (uint32_t i = 0; i < tasks; i++)
		w->tasks[i].stream = &source_stream_new(1, i, per_task)->stream;
	return w;
}

/* What each request says it found in flight, against counting from everybody's times. */
static void test_in_flight(void **state)
{
	struct workload *w = parallel_reads(12, 300);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;

	busy_stack(&stack, MODE_DIRECT);
	stack.daemon.thread_pool_size = 2;
	assert_int_equal(record_run(&stack, w, 2, &r, &stats), 0);
	assert_int_equal(r.nr_spans, 12 * 300);
	for (uint32_t i = 0; i < r.nr_spans; i++) {
		const struct span *s = &r.spans[i];
		uint64_t left = s->t_issue_ns + s->stage_ns[STAGE_BG_WAIT];
		uint32_t found = 0;

		for (uint32_t k = 0; k < r.nr_spans; k++) {
			const struct span *other = &r.spans[k];
			uint64_t start = other->t_issue_ns + other->stage_ns[STAGE_BG_WAIT];
			uint64_t end = other->t_issue_ns + span_latency_ns(other) -
				       other->stage_ns[STAGE_WAKEUP];

			found += other->unique < s->unique && start <= left && end > left;
		}
		assert_int_equal(found, s->inflight);
	}
	record_free(&r);
	workload_free(w);
}

/* An op lasts at least as long as its request, and knows it. */
static void test_ops(void **state)
{
	struct workload *w = parallel_reads(12, 300);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	uint64_t in_ops = 0, in_requests = 0;

	busy_stack(&stack, MODE_DIRECT);
	assert_int_equal(record_run(&stack, w, 2, &r, &stats), 0);
	for (uint32_t i = 0; i < r.nr_spans; i++) {
		in_requests += span_latency_ns(&r.spans[i]);
		assert_true(r.spans[i].t_issue_ns + span_latency_ns(&r.spans[i]) <= stats.end_ns);
	}
	for (uint32_t i = 0; i < r.nr_ops; i++) {
		assert_int_equal(r.ops[i].nr_requests, 1);
		assert_int_equal(r.ops[i].result, 4096);
		in_ops += r.ops[i].t_end_ns - r.ops[i].t_start_ns;
	}
	assert_true(in_requests <= in_ops);
	assert_true(in_ops <= 12 * stats.end_ns);
	record_free(&r);
	workload_free(w);
}

/* Ring of 16, 40 threads: 6.1 tries again at timer ticks (4 ms apart), 6.12 at completions. */
static void test_ring_full(void **state)
{
	const uint32_t kernels[] = {KERNEL(6, 1), KERNEL(6, 12)};
	uint64_t longest[2] = {0};

	for (int k = 0; k < 2; k++) {
		struct workload *w = parallel_reads(40, 50);
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;
		uint64_t retries = 0;

		stack_init(&stack);
		stack.guest.kernel = kernels[k];
		stack.guest.vcpus = 64;
		stack.daemon.mode = MODE_DIRECT;
		stack.transport.queue_size = 16;
		set_dist(&stack.service_default.cpu, "exp 20us");
		assert_int_equal(record_run(&stack, w, 4, &r, &stats), 0);
		assert_int_equal(r.nr_spans, 40 * 50);
		for (uint32_t i = 0; i < r.nr_spans; i++) {
			retries += r.spans[i].ring_full_retries;
			longest[k] = max_u64(longest[k], r.spans[i].stage_ns[STAGE_RING_WAIT]);
		}
		assert_true(retries > 0);
		assert_int_equal(retries, stats.ring_full);
		record_free(&r);
		workload_free(w);
	}
	assert_true(longest[0] > 2000000);
	assert_true(longest[1] < longest[0]);
}

/* With EVENT_IDX a burst of arrivals at a busy daemon rings once, and few interrupts are needed. */
static void test_suppression(void **state)
{
	struct workload *w = parallel_reads(32, 200);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	uint64_t signalled = 0;

	busy_stack(&stack, MODE_DIRECT);
	stack.guest.vcpus = 8;
	stack.daemon.kind = DAEMON_RUST;
	assert_int_equal(record_run(&stack, w, 6, &r, &stats), 0);
	assert_int_equal(stats.kicks + stats.kicks_suppressed, stats.requests);
	assert_true(stats.kicks < stats.requests / 2);
	for (uint32_t i = 0; i < r.nr_spans; i++)
		signalled += !!(r.spans[i].flags & SPAN_SIGNALLED);
	assert_true(signalled > 0 && signalled < stats.requests);
	record_free(&r);
	workload_free(w);
}

/* max_background bounds asynchronous direct I/O; without it iodepth does. */
static void test_max_background(void **state)
{
	for (int limited = 0; limited < 2; limited++) {
		struct workload *w = parallel_reads(1, 2000);
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;
		uint32_t deepest = 0;

		w->tasks[0].iodepth = 32;
		w->tasks[0].async = true;
		busy_stack(&stack, MODE_DIRECT);
		stack.daemon.max_background = limited ? 12 : 65535;
		assert_int_equal(record_run(&stack, w, 6, &r, &stats), 0);
		for (uint32_t i = 0; i < r.nr_spans; i++) {
			assert_true(r.spans[i].flags & SPAN_ASYNC_DIO);
			deepest = max_u64(deepest, r.spans[i].inflight + 1);
		}
		assert_int_equal(deepest, limited ? 12 : 32);
		record_free(&r);
		workload_free(w);
	}
}

/* A file larger than the guest's memory, read twice: nothing of it is left at the second time. */
static void test_cache_capacity(void **state)
{
	enum {
		NR_READS = 1200,
		BYTES = 131072
	};
	struct workload_op *ops = calloc(2 * NR_READS, sizeof(*ops));
	struct workload *w = script_workload_new(1, (uint64_t)NR_READS * BYTES);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	uint64_t bytes = 0;

	for (int i = 0; i < 2 * NR_READS; i++)
		ops[i] = (struct workload_op){.type = OP_READ,
					      .offset_bytes = (uint64_t)(i % NR_READS) * BYTES,
					      .size_bytes = BYTES};
	busy_stack(&stack, MODE_WRITETHROUGH);
	stack.daemon.attr_timeout_ns = UINT64_MAX;
	stack.guest.memory_bytes = 64 << 20;
	w->tasks[0].stream = script_stream_new(ops, 2 * NR_READS);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	for (uint32_t i = 0; i < r.nr_spans; i++)
		if (r.spans[i].opcode == FUSE_READ)
			bytes += r.spans[i].size_bytes;
	assert_true(bytes >= 2ULL * NR_READS * BYTES && bytes < 2.05 * NR_READS * BYTES);
	free(ops);
	record_free(&r);
	workload_free(w);
}

struct dirty_change {
	uint64_t time_ns;
	int64_t bytes;
};

static int by_time(const void *a, const void *b)
{
	const struct dirty_change *x = a, *y = b;

	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

/* A fast writer before a slow daemon: held to the daemon's rate and near the strict limit. */
static void test_dirty_throttle(void **state)
{
	enum {
		NR_WRITES = 1024,
		BYTES = 65536
	};
	struct workload_op *ops = calloc(NR_WRITES, sizeof(*ops));
	struct workload *w = script_workload_new(1, 0);
	struct dirty_change *changes;
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	int64_t dirty = 0, most = 0, limit = 1704 * 1024; /* of 1 GiB, as seen on a guest */
	uint32_t nr = 0;

	for (int i = 0; i < NR_WRITES; i++)
		ops[i] = (struct workload_op){
			.type = OP_WRITE, .offset_bytes = (uint64_t)i * BYTES, .size_bytes = BYTES};
	stack_init(&stack);
	stack.daemon.mode = MODE_WRITEBACK;
	set_dist(&stack.cost[COST_WRITE_HIT], "const 20us");
	stack.service_default.cpu_ns_per_byte = 20; /* 50 MB/s */
	w->tasks[0].stream = script_stream_new(ops, NR_WRITES);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	changes = calloc(r.nr_ops + r.nr_spans, sizeof(*changes));
	for (uint32_t i = 0; i < r.nr_ops; i++)
		changes[nr++] = (struct dirty_change){r.ops[i].t_end_ns, BYTES};
	for (uint32_t i = 0; i < r.nr_spans; i++)
		if (r.spans[i].opcode == FUSE_WRITE)
			changes[nr++] = (struct dirty_change){r.spans[i].t_issue_ns +
								      span_latency_ns(&r.spans[i]),
							      -(int64_t)r.spans[i].size_bytes};
	qsort(changes, nr, sizeof(*changes), by_time);
	for (uint32_t i = 0; i < nr; i++) {
		dirty += changes[i].bytes;
		most = dirty > most ? dirty : most;
	}
	assert_true(most > limit / 2 && most < limit * 5 / 4);
	/* 64 MiB at 50 MB/s, less what may stay dirty; without throttling it is 20 ms. */
	assert_true(r.ops[NR_WRITES - 1].t_end_ns > 20 * (uint64_t)(NR_WRITES * BYTES - 2 * limit));
	free(changes);
	free(ops);
	record_free(&r);
	workload_free(w);
}

static void test_limits(void **state)
{
	struct workload *w = parallel_reads(4, 1000);
	struct record_sink r = {0};
	struct sim_options options = {.seed = 1, .max_requests = 100};
	struct sim_sink sink = {.ctx = &r, .span = record_span};
	struct sim_stats stats;
	struct stack stack;

	busy_stack(&stack, MODE_DIRECT);
	assert_int_equal(sim_run(&stack, w, &options, &sink, &stats), 0);
	assert_int_equal(r.nr_spans, 100);
	record_free(&r);
	workload_free(w);

	w = parallel_reads(4, 1000);
	options = (struct sim_options){.seed = 1, .max_time_ns = 1000000};
	assert_int_equal(sim_run(&stack, w, &options, &sink, &stats), 0);
	assert_int_equal(stats.end_ns, 1000000);
	record_free(&r);
	workload_free(w);
}

static int refuse(void *ctx, const struct span *span, uint32_t task)
{
	return -EPIPE;
}

static void test_errors(void **state)
{
	struct workload *w = parallel_reads(4, 1000);
	struct sim_options options = {.seed = 1};
	struct sim_sink sink = {.span = refuse};
	struct sim_stats stats;
	struct stack stack;

	busy_stack(&stack, MODE_DIRECT);
	assert_int_equal(sim_run(&stack, w, &options, &sink, &stats), -EPIPE);
	stack.guest.vcpus = 0;
	assert_int_equal(sim_run(&stack, w, &options, &sink, &stats), -EINVAL);
	workload_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_variants_end), cmocka_unit_test(test_determinism),
		cmocka_unit_test(test_in_flight),	 cmocka_unit_test(test_ops),
		cmocka_unit_test(test_ring_full),	 cmocka_unit_test(test_suppression),
		cmocka_unit_test(test_max_background),	 cmocka_unit_test(test_cache_capacity),
		cmocka_unit_test(test_dirty_throttle),	 cmocka_unit_test(test_limits),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
