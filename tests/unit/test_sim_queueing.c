// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Queueing truth: with every other cost zero the model is a textbook queue. Simulated means must
 * lie in the 99 % confidence interval (batch means) around the closed forms.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "sim_script.h"

#define SERVICE_NS 10000.0
#define NR_BATCHES 30
#define T_99_29 2.756 /* Student's t, 29 degrees of freedom, two-sided 99 % */

struct batches {
	uint64_t skip;
	uint64_t per_batch;
	uint64_t seen;
	double wait_sum[NR_BATCHES];
	double stay_sum[NR_BATCHES];
	double stay_total; /* all, for Little's law */
};

static int add_span(void *ctx, const struct span *span, uint32_t task)
{
	struct batches *b = ctx;
	uint64_t nr = b->seen++;
	double stay = span_latency_ns(span);

	b->stay_total += stay;
	if (nr < b->skip || (nr -= b->skip) >= NR_BATCHES * b->per_batch)
		return 0;
	b->stay_sum[nr / b->per_batch] += stay;
	b->wait_sum[nr / b->per_batch] += stay - span->stage_ns[STAGE_SERVICE];
	return 0;
}

static void assert_in_interval(const char *what, const double *sums, double per_batch, double truth)
{
	double mean = 0, variance = 0, half;

	for (int i = 0; i < NR_BATCHES; i++)
		mean += sums[i] / per_batch / NR_BATCHES;
	for (int i = 0; i < NR_BATCHES; i++)
		variance += pow(sums[i] / per_batch - mean, 2) / (NR_BATCHES - 1);
	half = T_99_29 * sqrt(variance / NR_BATCHES);
	print_message("%s: %.5g +- %.2g service times, closed form %.5g\n", what, mean / SERVICE_NS,
		      half / SERVICE_NS, truth);
	assert_true(fabs(mean / SERVICE_NS - truth) <= half / SERVICE_NS);
	/* An interval so wide that it proves nothing is no pass. */
	assert_true(half / SERVICE_NS < 0.2 * truth);
}

static void ideal_stack(struct stack *stack, const char *service)
{
	char err[100];

	stack_init(stack);
	stack->guest.vcpus = 1024;
	stack->daemon.mode = MODE_DIRECT;
	stack->daemon.max_background = 65535;
	stack->transport.queue_size = 32768;
	assert_int_equal(dist_parse(&stack->service_default.cpu, service, err, sizeof(err)), 0);
}

struct open_case {
	const char *name;
	const char *service;
	double rho; /* per server */
	uint32_t pool; /* 0: the queue's own thread */
	enum daemon_kind kind;
	double wait; /* Wq in service times */
};

/* Values of closed-forms.csv (mm1, md1, mmc). */
static const struct open_case open_cases[] = {
	{"M/M/1 0.5", "exp 10us", 0.5, 0, DAEMON_C, 1},
	{"M/M/1 0.8", "exp 10us", 0.8, 0, DAEMON_C, 4},
	{"M/M/1 0.8, batches", "exp 10us", 0.8, 0, DAEMON_RUST, 4},
	{"M/D/1 0.5", "const 10us", 0.5, 0, DAEMON_C, 0.5},
	{"M/D/1 0.8", "const 10us", 0.8, 0, DAEMON_RUST, 2},
	{"M/M/1 0.8, pool of 1", "exp 10us", 0.8, 1, DAEMON_C, 4},
	{"M/M/2 0.7", "exp 10us", 0.7, 2, DAEMON_C, 0.960784314},
	{"M/M/4 0.9", "exp 10us", 0.9, 4, DAEMON_RUST, 1.96938316},
	{"M/M/8 0.9", "exp 10us", 0.9, 8, DAEMON_C, 0.876916238},
};

static void test_open(void **state)
{
	for (size_t i = 0; i < sizeof(open_cases) / sizeof(open_cases[0]); i++) {
		const struct open_case *c = &open_cases[i];
		uint32_t servers = c->pool ? c->pool : 1;
		uint64_t per_batch = c->rho > 0.85 ? 40000 : 20000;
		struct source_stream *source =
			source_stream_new(7 + i, 0, (NR_BATCHES + 2) * per_batch);
		struct workload *w = script_workload_new(1, 1ULL << 30);
		struct batches b = {.skip = per_batch, .per_batch = per_batch};
		struct sim_options options = {.seed = 7 + i};
		struct sim_sink sink = {.ctx = &b, .span = add_span};
		struct sim_stats stats;
		struct stack stack;

		ideal_stack(&stack, c->service);
		stack.daemon.kind = c->kind;
		stack.daemon.thread_pool_size = c->pool;
		source->mean_gap_ns = SERVICE_NS / c->rho / servers;
		w->tasks[0].stream = &source->stream;
		w->tasks[0].iodepth = 30000;
		w->tasks[0].async = true;
		assert_int_equal(sim_run(&stack, w, &options, &sink, &stats), 0);
		assert_int_equal(stats.requests, (NR_BATCHES + 2) * per_batch);
		assert_in_interval(c->name, b.wait_sum, per_batch, c->wait);
		workload_free(w);
	}
}

struct closed_case {
	uint32_t tasks;
	uint32_t pool;
	double think; /* mean, in service times */
	double response; /* R in service times (mrp of closed-forms.csv) */
	uint32_t ring; /* 0: as large as can be */
};

static const struct closed_case closed_cases[] = {
	{1, 0, 4, 1, 0},
	{8, 0, 4, 4.25099577, 0},
	{16, 0, 20, 2.59993855, 0},
	{8, 2, 2, 8 / 1.90733032 - 2, 0},
	{32, 4, 10, 1.25073767, 0},
	{64, 8, 5, 3.00856435, 0},
	/* What finds the ring full goes in at the next completion: no server idles meanwhile. */
	{64, 8, 5, 3.00856435, 16},
};

static void test_closed(void **state)
{
	for (size_t i = 0; i < sizeof(closed_cases) / sizeof(closed_cases[0]); i++) {
		const struct closed_case *c = &closed_cases[i];
		uint64_t per_batch = 20000;
		uint64_t per_task = (NR_BATCHES + 2) * per_batch / c->tasks;
		struct workload *w = script_workload_new(c->tasks, 1ULL << 30);
		struct batches b = {.skip = per_batch / 2, .per_batch = per_batch};
		struct sim_options options = {.seed = 3 + i};
		struct sim_sink sink = {.ctx = &b, .span = add_span};
		struct sim_stats stats;
		struct stack stack;
		char name[50];

		ideal_stack(&stack, "exp 10us");
		stack.daemon.thread_pool_size = c->pool;
		stack.guest.kernel = KERNEL(6, 12);
		if (c->ring)
			stack.transport.queue_size = c->ring;
		for (uint32_t t = 0; t < c->tasks; t++) {
			struct source_stream *source = source_stream_new(3 + i, t, per_task);

			source->mean_think_ns = c->think * SERVICE_NS;
			w->tasks[t].stream = &source->stream;
		}
		assert_int_equal(sim_run(&stack, w, &options, &sink, &stats), 0);
		snprintf(name, sizeof(name), "M/M/%u//%u", c->pool ? c->pool : 1, c->tasks);
		assert_in_interval(name, b.stay_sum, per_batch, c->response);
		assert_true((stats.ring_full > 0) == (c->ring > 0));
		workload_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
