// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Queueing truth: with every other cost zero the model is a textbook queue. Simulated means must
 * lie in the 99 % confidence interval (batch means) around the closed forms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "queueing.h"
#include "sim_script.h"

struct open_case {
	const char *name;
	const char *service;
	double rho; /* per server */
	uint32_t pool; /* 0: the queue's own thread */
	enum daemon_kind kind;
	double wait; /* Wq in service times */
	double found; /* L; 0: not looked at */
	double crowded; /* P(N >= CROWD) */
};

/* Kleinrock 1975; what a Poisson arrival finds has the distribution of all times (PASTA). */
static const struct open_case open_cases[] = {
	{"M/M/1 0.5", "exp 10us", 0.5, 0, DAEMON_C, 1, 0, 0},
	{"M/M/1 0.8", "exp 10us", 0.8, 0, DAEMON_C, 4, 4, 0.107374182},
	{"M/M/1 0.8, batches", "exp 10us", 0.8, 0, DAEMON_RUST, 4, 0, 0},
	{"M/D/1 0.5", "const 10us", 0.5, 0, DAEMON_C, 0.5, 0, 0},
	{"M/D/1 0.8", "const 10us", 0.8, 0, DAEMON_RUST, 2, 0, 0},
	{"M/M/1 0.8, pool of 1", "exp 10us", 0.8, 1, DAEMON_C, 4, 0, 0},
	{"M/M/2 0.7", "exp 10us", 0.7, 2, DAEMON_C, 0.960784314, 0, 0},
	{"M/M/4 0.9", "exp 10us", 0.9, 4, DAEMON_RUST, 1.96938316, 0, 0},
	{"M/M/8 0.9", "exp 10us", 0.9, 8, DAEMON_C, 0.876916238, 0, 0},
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
		if (c->found > 0) {
			assert_in_interval("found", b.found_sum, per_batch, c->found);
			assert_in_interval("found 10", b.crowded, per_batch, c->crowded);
		}
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
