// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calibration recovers what spans were made of, says what they do not show, and is not misled by
 * requests that queued or by reads that waited for read-ahead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/hist.h"
#include "lib/rng.h"
#include "models/calibrate_internal.h"
#include "models/model_file.h"
#include "models/samples.h"
#include "sim/sim.h"
#include "workloads/fio_job.h"

/* Costs that the made-up stack has, in ns. */
enum {
	SYSCALL = 3000,
	PREPARE = 2000,
	FINISH = 1500,
	ENQUEUE = 700,
	KICK = 40000,
	DOORBELL = 9000,
	CPU = 11000,
	HOST_IO = 5000,
	INTERRUPT = 30000,
	KWORKER = 8000,
	COMPLETE = 4000,
	HOP = 6000,
	WAKEUP = 6000,
	HIT = 1000,
};
#define HOST_IO_PER_BYTE 0.5
#define HIT_PER_PAGE 250

struct maker {
	struct calibration *c;
	struct rng rng;
	uint64_t now, id;
};

/* cost, 10 % up or down */
static uint64_t jitter(struct maker *m, uint64_t cost)
{
	return cost * 9 / 10 + rng_below(&m->rng, cost / 5 + 1);
}

static struct span make_span(struct maker *m, uint32_t opcode, uint32_t size)
{
	struct span s = {
		.t_issue_ns = m->now,
		.unique = 2 * ++m->id,
		.nodeid = 7,
		.size_bytes = size,
		.reply_bytes = opcode == FUSE_READ ? size : 0,
		.opcode = opcode,
		.task = 1,
		.queue = 1,
		.cls = SPAN_DIRECT,
		.flags = SPAN_KICKED | SPAN_SIGNALLED | SPAN_HAS_GUEST | SPAN_HAS_HOST,
		.stages_known = (1u << NR_STAGES) - 1,
	};

	s.enqueue_ns = jitter(m, ENQUEUE);
	s.stage_ns[STAGE_NOTIFY] = s.enqueue_ns + jitter(m, KICK);
	s.doorbell_ns = jitter(m, DOORBELL);
	s.host_io_ns = jitter(m, HOST_IO) + size * HOST_IO_PER_BYTE;
	s.stage_ns[STAGE_SERVICE] = s.host_io_ns + jitter(m, CPU);
	s.stage_ns[STAGE_INTERRUPT] = jitter(m, INTERRUPT);
	s.kworker_ns = jitter(m, KWORKER);
	s.stage_ns[STAGE_COMPLETION] = s.kworker_ns + jitter(m, COMPLETE);
	s.drain_ns = (s.stage_ns[STAGE_COMPLETION] - s.kworker_ns) / 2;
	s.stage_ns[STAGE_WAKEUP] = jitter(m, WAKEUP);
	return s;
}

/* One read or write that waits for one request. */
static void add_op(struct maker *m, enum op_type type, uint32_t size)
{
	struct op_record op = {
		.op_id = ++m->id,
		.nodeid = 7,
		.task = 1,
		.type = type,
		.size_bytes = size,
		.result = size,
		.nr_requests = 1,
	};
	struct span s;

	m->now += jitter(m, SYSCALL);
	op.t_start_ns = m->now;
	m->now += jitter(m, PREPARE);
	s = make_span(m, type == OP_READ ? FUSE_READ : FUSE_WRITE, size);
	s.op_id = op.op_id;
	m->now += span_latency_ns(&s) + jitter(m, FINISH);
	op.t_end_ns = m->now;
	assert_int_equal(calibration_add_span(m->c, &s), 0);
	assert_int_equal(calibration_add_op(m->c, &op), 0);
}

static void add_hit(struct maker *m, uint32_t pages, uint64_t extra_ns)
{
	struct op_record op = {
		.op_id = ++m->id,
		.nodeid = 7,
		.offset_bytes = 4096 * 1000,
		.task = 1,
		.type = OP_READ,
		.size_bytes = pages * 4096,
		.result = pages * 4096,
	};

	m->now += jitter(m, SYSCALL);
	op.t_start_ns = m->now;
	m->now += jitter(m, HIT) + (pages - 1) * HIT_PER_PAGE + extra_ns;
	op.t_end_ns = m->now;
	assert_int_equal(calibration_add_op(m->c, &op), 0);
}

static void begin(struct maker *m)
{
	m->now = 1000;
	m->id = 0;
	rng_init(&m->rng, 3, 1);
	assert_int_equal(calibration_new(&m->c), 0);
}

static void expect_near(double got, double want, double share)
{
	if (got < want * (1 - share) || got > want * (1 + share))
		fail_msg("%g is not within %g of %g", got, share, want);
}

static const struct calibration_row *find_row(struct calibration *c, const char *name)
{
	const struct calibration_row *rows;
	size_t count;

	rows = calibration_rows(c, &count);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	fail_msg("no row '%s'", name);
	return NULL;
}

static void recovers_costs(void **state)
{
	static const struct {
		enum cost cost;
		double ns;
	} expected[] = {
		{COST_SYSCALL, SYSCALL},     {COST_READ_PREPARE, PREPARE},
		{COST_READ_FINISH, FINISH},  {COST_ENQUEUE, ENQUEUE},
		{COST_KICK, KICK},	     {COST_DOORBELL, DOORBELL},
		{COST_INTERRUPT, INTERRUPT}, {COST_KWORKER, KWORKER},
		{COST_COMPLETE, COMPLETE},   {COST_WAKEUP, WAKEUP},
		{COST_READ_HIT, HIT},
	};
	struct stack *stack = malloc(sizeof(*stack));
	struct maker m;

	begin(&m);
	stack_init(stack);
	for (int i = 0; i < 2000; i++) {
		add_op(&m, OP_READ, 4096u << i % 4);
		add_hit(&m, 1 + i % 3, 0);
	}
	assert_int_equal(calibration_fit(m.c, stack), 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		expect_near(dist_mean(&stack->cost[expected[i].cost]), expected[i].ns, 0.02);
		assert_int_equal(find_row(m.c, cost_name(expected[i].cost))->source, CALIBRATED);
	}
	expect_near(stack->read_hit_ns_per_page, HIT_PER_PAGE, 0.05);
	expect_near(stack->service[FUSE_READ].host_io_ns_per_byte, HOST_IO_PER_BYTE, 0.02);
	expect_near(dist_mean(&stack->service[FUSE_READ].host_io), HOST_IO, 0.05);
	expect_near(dist_mean(&stack->service[FUSE_READ].cpu), CPU, 0.02);
	assert_true(stack->complete_ns_per_byte < 0.001);
	calibration_free(m.c);
	free(stack);
}

static void says_what_is_missing(void **state)
{
	struct stack *stack = malloc(sizeof(*stack));
	const struct calibration_row *row;
	struct maker m;

	begin(&m);
	stack_init(stack);
	for (int i = 0; i < 100; i++)
		add_op(&m, OP_READ, 4096);
	assert_int_equal(calibration_fit(m.c, stack), 0);
	row = find_row(m.c, "write_prepare");
	assert_int_equal(row->source, CALIBRATED_NEAREST);
	assert_non_null(strstr(row->note, "read_prepare stands in"));
	expect_near(dist_mean(&stack->cost[COST_WRITE_PREPARE]), PREPARE, 0.03);
	assert_int_equal(find_row(m.c, "pool_handoff")->source, CALIBRATED_NEAREST);
	assert_int_equal(find_row(m.c, "WRITE service")->source, CALIBRATED_NEAREST);
	assert_true(stack->service[FUSE_WRITE].known);
	assert_non_null(strstr(find_row(m.c, "READ host_io")->note, "one size only"));
	assert_true(stack->service[FUSE_READ].host_io_ns_per_byte == 0);
	calibration_free(m.c);
	free(stack);
}

static void queueing_does_not_inflate_the_kick(void **state)
{
	struct stack *stack = malloc(sizeof(*stack));
	struct maker m;

	begin(&m);
	stack_init(stack);
	for (int i = 0; i < 500; i++) {
		struct span s;

		add_op(&m, OP_READ, 4096);
		s = make_span(&m, FUSE_READ, 4096);
		s.inflight = 3;
		s.stage_ns[STAGE_NOTIFY] += 5000000;
		s.stage_ns[STAGE_COMPLETION] += 900000;
		s.drain_ns += 900000;
		assert_int_equal(calibration_add_span(m.c, &s), 0);
	}
	assert_int_equal(calibration_fit(m.c, stack), 0);
	expect_near(dist_mean(&stack->cost[COST_KICK]), KICK, 0.02);
	expect_near(dist_mean(&stack->cost[COST_COMPLETE]), COMPLETE, 0.02);
	calibration_free(m.c);
	free(stack);
}

/* Only asynchronous direct READs have a second work item; it does not count as completion. */
static void tells_the_second_hop(void **state)
{
	struct stack *stack = malloc(sizeof(*stack));
	struct maker m;

	begin(&m);
	stack_init(stack);
	for (int i = 0; i < 200; i++)
		add_op(&m, OP_READ, 4096);
	assert_int_equal(calibration_fit(m.c, stack), 0);
	assert_int_equal(find_row(m.c, "complete_hop")->source, CALIBRATED_NEAREST);
	assert_non_null(strstr(find_row(m.c, "complete_hop")->note, "complete stands in"));
	for (int i = 0; i < 200; i++) {
		struct span s = make_span(&m, FUSE_READ, 4096);

		s.flags |= SPAN_BACKGROUND | SPAN_ASYNC_DIO;
		s.stage_ns[STAGE_COMPLETION] += HOP;
		s.drain_ns = HOP;
		assert_int_equal(calibration_add_span(m.c, &s), 0);
		s.inflight = 2; /* waited for others' completion */
		s.drain_ns += 100 * HOP;
		s.stage_ns[STAGE_COMPLETION] += 100 * HOP;
		assert_int_equal(calibration_add_span(m.c, &s), 0);
	}
	assert_int_equal(calibration_fit(m.c, stack), 0);
	expect_near(dist_mean(&stack->cost[COST_COMPLETE_HOP]), HOP, 0.02);
	expect_near(dist_mean(&stack->cost[COST_COMPLETE]), COMPLETE, 0.02);
	calibration_free(m.c);
	free(stack);
}

/* A cached read that ends after a read-ahead of its range is a wait, not a hit. */
static void waits_for_read_ahead_are_no_hits(void **state)
{
	struct stack *stack = malloc(sizeof(*stack));
	struct maker m;

	begin(&m);
	stack_init(stack);
	for (int i = 0; i < 200; i++) {
		struct span s = make_span(&m, FUSE_READ, 65536);

		s.flags |= SPAN_BACKGROUND;
		s.cls = SPAN_READAHEAD;
		s.offset_bytes = 4096 * 1000;
		assert_int_equal(calibration_add_span(m.c, &s), 0);
		add_hit(&m, 1, 200000);
		add_hit(&m, 1, 0);
	}
	assert_int_equal(calibration_fit(m.c, stack), 0);
	expect_near(dist_mean(&stack->cost[COST_READ_HIT]), HIT, 0.03);
	calibration_free(m.c);
	free(stack);
}

static void nothing_to_calibrate(void **state)
{
	struct stack *stack = malloc(sizeof(*stack));
	struct calibration *c;
	struct span s = {.opcode = FUSE_READ, .stages_known = 1, .flags = SPAN_HAS_GUEST};

	stack_init(stack);
	assert_int_equal(calibration_new(&c), 0);
	assert_int_equal(calibration_fit(c, stack), -ENODATA);
	assert_int_equal(calibration_add_span(c, &s), 0);
	assert_int_equal(calibration_fit(c, stack), -ENODATA);
	calibration_free(c);
	free(stack);
}

static void slope_withstands_outliers(void **state)
{
	struct samples s = {0};
	struct rng rng;
	double slope;

	rng_init(&rng, 1, 1);
	for (int i = 0; i < 4000; i++) {
		uint64_t size = (1 + rng_below(&rng, 200)) * 4096;

		samples_add(&s, 10000 + size / 4 + (i % 10 ? 0 : 50000000), size);
	}
	assert_true(samples_slope(&s, &slope));
	expect_near(slope, 0.25, 0.03);
	samples_free(&s);
	samples_add(&s, 5, 4096);
	samples_add(&s, 6, 4096);
	assert_false(samples_slope(&s, &slope));
	assert_true(slope == 0);
	samples_free(&s);
}

/* A device with a window, and a mount that uses it; what a trace does not tell is said. */
static void dax_from_header(void **state)
{
	static const char text[] =
		"{\"guest\":{\"kernel\":\"6.1.0\",\"connections\":[{\"dax\":true,"
		"\"dax_window_bytes\":1073741824}]},\"host\":{\"daemon\":{\"cache\":\"auto\"}}}";
	json_t *header = json_loads(text, 0, NULL);
	struct stack *stack = malloc(sizeof(*stack));
	const struct calibration_row *rows;
	uint32_t defaults = 0, services = 0;
	struct maker m;
	size_t count;
	char *lines;

	assert_non_null(header);
	stack_init(stack);
	assert_int_equal(calibrate_settings(stack, header, &lines), 0);
	assert_int_equal(stack->daemon.mode, MODE_DAX);
	assert_int_equal(stack->dax.window_bytes, 1 << 30);
	begin(&m);
	for (int i = 0; i < 50; i++) {
		struct span s = make_span(&m, FUSE_SETUPMAPPING, 0);

		assert_int_equal(calibration_add_span(m.c, &s), 0);
	}
	assert_int_equal(calibration_fit(m.c, stack), 0);
	rows = calibration_rows(m.c, &count);
	for (size_t i = 0; i < count; i++) {
		defaults += rows[i].source == CALIBRATED_DEFAULT;
		services += !strcmp(rows[i].name, "REMOVEMAPPING service") &&
			    rows[i].source == CALIBRATED_NEAREST;
	}
	assert_int_equal(defaults, NR_DAX_COSTS);
	assert_int_equal(services, 1);
	assert_true(stack->service[FUSE_SETUPMAPPING].known);
	assert_int_equal(stack->dax.given, 0);
	calibration_free(m.c);
	free(lines);
	json_decref(header);
	free(stack);
}

/*
 * The whole loop: simulate a stack, calibrate from its spans and ops alone, and the costs come
 * back; simulating the calibrated stack then gives the same latencies.
 */
struct loop {
	struct calibration *c;
	struct hist reads;
};

static int take_span(void *ctx, const struct span *span, uint32_t task)
{
	return calibration_add_span(((struct loop *)ctx)->c, span);
}

static int take_op(void *ctx, const struct op_record *op, uint32_t task)
{
	struct loop *loop = ctx;

	if (op->type == OP_READ)
		hist_add(&loop->reads, op->t_end_ns - op->t_start_ns);
	return calibration_add_op(loop->c, op);
}

static void simulate(struct loop *loop, const struct stack *stack, uint64_t seed)
{
	static const char job[] = "[a]\nrw=randread\nsize=8m\ndirect=1\nbs=4k\n"
				  "[b]\nstonewall\nrw=randread\nsize=32m\ndirect=1\nbs=64k\n"
				  "[c]\nstonewall\nrw=randwrite\nsize=4m\ndirect=1\n";
	struct sim_sink sink = {.ctx = loop, .span = take_span, .op = take_op};
	struct sim_options options = {.seed = seed};
	struct sim_stats stats;
	struct workload *w;

	hist_init(&loop->reads);
	assert_int_equal(calibration_new(&loop->c), 0);
	assert_int_equal(fio_job_parse("job", job, strlen(job), seed, &w), 0);
	assert_int_equal(sim_run(stack, w, &options, &sink, &stats), 0);
	workload_free(w);
}

static void closes_the_loop(void **state)
{
	static const char *const sets[] = {
		"daemon.mode=direct",
		"costs.syscall=exp 6us",
		"costs.read_prepare=uniform 2us 4us",
		"costs.write_prepare=const 5us",
		"costs.read_finish=exp 1us",
		"costs.write_finish=exp 2us",
		"costs.issue=exp 2us",
		"costs.enqueue=const 700ns",
		"costs.doorbell=const 8us",
		"costs.kick=erlang 3 40us",
		"costs.interrupt=erlang 2 25us",
		"costs.kworker=exp 9us",
		"costs.complete=uniform 3us 5us",
		"costs.wakeup=exp 12us",
		"service.READ.cpu=const 10us",
		"service.READ.host_io=exp 8us",
		"service.READ.host_io_ns_per_byte=0.3",
		"service.WRITE.cpu=const 12us",
		"service.WRITE.host_io=exp 20us",
	};
	static const enum cost costs[] = {
		COST_SYSCALL,	   COST_READ_PREPARE, COST_WRITE_PREPARE, COST_READ_FINISH,
		COST_WRITE_FINISH, COST_ISSUE,	      COST_ENQUEUE,	  COST_DOORBELL,
		COST_KICK,	   COST_INTERRUPT,    COST_KWORKER,	  COST_COMPLETE,
		COST_WAKEUP,
	};
	struct stack *made = malloc(sizeof(*made)), *found = malloc(sizeof(*found));
	struct loop first, second;

	stack_init(made);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		assert_int_equal(model_set(made, sets[i]), 0);
	simulate(&first, made, 1);
	*found = *made;
	assert_int_equal(calibration_fit(first.c, found), 0);
	for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
		double want = dist_mean(&made->cost[costs[i]]);
		double got = dist_mean(&found->cost[costs[i]]);

		if (got < 0.93 * want || got > 1.07 * want)
			fail_msg("%s: %g, was made as %g", cost_name(costs[i]), got, want);
	}
	expect_near(found->service[FUSE_READ].host_io_ns_per_byte, 0.3, 0.05);
	expect_near(dist_mean(&found->service[FUSE_READ].cpu), 10000, 0.05);
	expect_near(dist_mean(&found->service[FUSE_WRITE].host_io), 20000, 0.1);
	simulate(&second, found, 2);
	expect_near(hist_mean(&second.reads), hist_mean(&first.reads), 0.03);
	expect_near(hist_quantile(&second.reads, 0.5), hist_quantile(&first.reads, 0.5), 0.04);
	expect_near(hist_quantile(&second.reads, 0.99), hist_quantile(&first.reads, 0.99), 0.08);
	calibration_free(first.c);
	calibration_free(second.c);
	free(made);
	free(found);
}

/* What the recorder says its programs took is in no cost of the model. */
static void recorder_is_taken_out(void **state)
{
	json_t *cost = json_pack("{s:{s:I s:I} s:{s:I s:I} s:{s:I s:I}}", "ring_add", "runs",
				 (json_int_t)10, "ns", (json_int_t)3000, "notify_begin", "runs",
				 (json_int_t)4, "ns", (json_int_t)800, "waiter_woke", "runs",
				 (json_int_t)0, "ns", (json_int_t)0);
	struct stack *stack = malloc(sizeof(*stack));
	struct maker m;

	begin(&m);
	stack_init(stack);
	calibration_set_probe_cost(m.c, cost);
	for (int i = 0; i < 2000; i++)
		add_op(&m, OP_READ, 4096);
	assert_int_equal(calibration_fit(m.c, stack), 0);
	expect_near(dist_mean(&stack->cost[COST_KICK]), KICK - 300 - 200, 0.02);
	expect_near(dist_mean(&stack->cost[COST_DOORBELL]), DOORBELL - 200, 0.02);
	expect_near(dist_mean(&stack->cost[COST_READ_FINISH]), FINISH, 0.02);
	json_decref(cost);
	calibration_free(m.c);
	free(stack);
}

/* A CPU still in the doorbell cannot take the interrupt: that wait is the doorbell's. */
static void doorbells_do_not_inflate_what_follows(void **state)
{
	struct stack *stack = malloc(sizeof(*stack));
	struct maker m;

	begin(&m);
	stack_init(stack);
	for (int i = 0; i < 1000; i++)
		add_op(&m, OP_READ, 4096);
	for (size_t i = 0; i < m.c->nr_spans; i += 2) {
		m.c->spans[i].doorbell_ns = 100 * (KICK + CPU + HOST_IO);
		m.c->spans[i].stage_ns[STAGE_INTERRUPT] += 50 * INTERRUPT;
		m.c->spans[i].stage_ns[STAGE_WAKEUP] += 50 * WAKEUP;
	}
	assert_int_equal(calibration_fit(m.c, stack), 0);
	expect_near(dist_mean(&stack->cost[COST_INTERRUPT]), INTERRUPT, 0.02);
	expect_near(dist_mean(&stack->cost[COST_WAKEUP]), WAKEUP, 0.02);
	calibration_free(m.c);
	free(stack);
}

/* One odd op must not stand for what another cost has seen many times. */
static void a_few_samples_do_not_decide(void **state)
{
	struct stack *stack = malloc(sizeof(*stack));
	struct maker m;

	begin(&m);
	stack_init(stack);
	add_op(&m, OP_READ, 4096);
	m.c->ops[m.c->nr_ops - 1].t_end_ns += 1000000;
	for (int i = 0; i < 100; i++)
		add_op(&m, OP_WRITE, 4096);
	assert_int_equal(calibration_fit(m.c, stack), 0);
	assert_int_equal(find_row(m.c, "read_finish")->source, CALIBRATED_NEAREST);
	expect_near(dist_mean(&stack->cost[COST_READ_FINISH]), FINISH, 0.02);
	calibration_free(m.c);
	free(stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recovers_costs),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(queueing_does_not_inflate_the_kick),
		cmocka_unit_test(tells_the_second_hop),
		cmocka_unit_test(waits_for_read_ahead_are_no_hits),
		cmocka_unit_test(nothing_to_calibrate),
		cmocka_unit_test(slope_withstands_outliers),
		cmocka_unit_test(dax_from_header),
		cmocka_unit_test(closes_the_loop),
		cmocka_unit_test(recorder_is_taken_out),
		cmocka_unit_test(doorbells_do_not_inflate_what_follows),
		cmocka_unit_test(a_few_samples_do_not_decide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
