// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several VMs on one host: each is what it would be alone where nothing is short, they draw
 * differently, and what they share is shared as queueing theory says.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "queueing.h"
#include "sim_script.h"
#include "stderr_of.h"

#define MAX_VMS 64

/* Workloads of nr VMs, each one task with think times; VM i draws from stream i. */
static void closed_workloads(struct workload **w, uint32_t nr, uint64_t per_vm, double think_ns)
{
	for (uint32_t i = 0; i < nr; i++) {
		struct source_stream *source = source_stream_new(5, i, per_vm);

		source->mean_think_ns = think_ns;
		w[i] = script_workload_new(1, 1ULL << 30);
		w[i]->tasks[0].stream = &source->stream;
	}
}

static void free_workloads(struct workload **w, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		workload_free(w[i]);
}

static void all_costs(struct stack *stack, const char *dist)
{
	char err[100];

	stack_init(stack);
	stack->daemon.mode = MODE_DIRECT;
	for (int i = 0; i < NR_COSTS; i++)
		assert_int_equal(dist_parse(&stack->cost[i], dist, err, sizeof(err)), 0);
	stack->service_default.cpu = stack->cost[0];
	stack->service_default.host_io = stack->cost[0];
}

static void run_vms(const struct stack *stack, struct workload **w, struct record_sink *r,
		    struct sim_stats *stats)
{
	struct sim_options options = {.seed = 11};
	struct sim_sink sink = {.ctx = r, .span = record_span, .op = record_op};

	assert_int_equal(sim_run_vms(stack, w, &options, &sink, stats), 0);
}

/* Requests of one VM in order of their end, without what numbers ops over all VMs. */
static uint32_t spans_of(const struct record_sink *r, uint32_t vm, struct span *out)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < r->nr_spans; i++) {
		if (r->spans[i].conn != vm)
			continue;
		out[nr] = r->spans[i];
		out[nr++].op_id = 0;
	}
	return nr;
}

static void test_vm_0_is_what_it_is_alone(void **state)
{
	struct record_sink alone = {0}, together = {0};
	struct span *a = malloc(2000 * sizeof(*a)), *b = malloc(2000 * sizeof(*b));
	struct workload *w[3];
	struct sim_stats stats, stats3;
	struct stack stack;
	uint32_t nr;

	all_costs(&stack, "exp 3us");
	closed_workloads(w, 1, 500, 20000);
	run_vms(&stack, w, &alone, &stats);
	free_workloads(w, 1);
	stack.host.vms = 3;
	closed_workloads(w, 3, 500, 20000);
	run_vms(&stack, w, &together, &stats3);
	free_workloads(w, 3);

	nr = spans_of(&alone, 0, a);
	assert_int_equal(nr, alone.nr_spans);
	assert_true(nr >= 500);
	assert_int_equal(spans_of(&together, 0, b), nr);
	assert_memory_equal(a, b, nr * sizeof(*a));
	/* The others send as much, but at other times. */
	for (uint32_t vm = 1; vm < 3; vm++) {
		assert_int_equal(spans_of(&together, vm, b), nr);
		assert_int_not_equal(a[nr - 1].t_issue_ns, b[nr - 1].t_issue_ns);
	}
	assert_int_equal(stats3.requests, 3 * stats.requests);
	assert_int_equal(stats3.ops, 3 * stats.ops);
	assert_true(stats3.events > 2 * stats.events);
	record_free(&alone);
	record_free(&together);
	free(a);
	free(b);
}

static void test_ops_are_numbered_over_all_vms(void **state)
{
	struct record_sink r = {0};
	struct workload *w[4];
	struct sim_stats stats;
	struct stack stack;
	bool *seen;

	all_costs(&stack, "exp 3us");
	stack.host.vms = 4;
	closed_workloads(w, 4, 100, 20000);
	run_vms(&stack, w, &r, &stats);
	free_workloads(w, 4);
	seen = calloc(r.nr_ops + 1, sizeof(*seen));
	for (uint32_t i = 0; i < r.nr_ops; i++) {
		assert_in_range(r.ops[i].op_id, 1, r.nr_ops);
		assert_false(seen[r.ops[i].op_id]);
		seen[r.ops[i].op_id] = true;
		assert_in_range(r.ops[i].conn, 0, 3);
	}
	free(seen);
	record_free(&r);
}

struct shared_case {
	const char *name;
	const char *service;
	uint32_t vms;
	uint32_t cpus;
	uint32_t pool;
	double rho; /* of each CPU, by all VMs */
	double wait; /* Wq in service times: mm1, md1, mmc of closed-forms.csv */
};

/*
 * Only the daemons' service takes time. Whose turn it is among the VMs does not change the mean
 * wait: no order that knows nothing of the services to come does.
 */
static const struct shared_case shared_cases[] = {
	{"M/M/1 0.8, one VM", "exp 10us", 1, 1, 0, 0.8, 4},
	{"M/M/1 0.8, 8 VMs", "exp 10us", 8, 1, 0, 0.8, 4},
	{"M/M/1 0.5, 64 VMs", "exp 10us", 64, 1, 0, 0.5, 1},
	{"M/D/1 0.8, 8 VMs", "const 10us", 8, 1, 0, 0.8, 2},
	{"M/D/1 0.5, 2 VMs, pools", "const 10us", 2, 1, 16, 0.5, 0.5},
	{"M/M/2 0.7, 4 VMs, pools", "exp 10us", 4, 2, 64, 0.7, 0.960784314},
	{"M/M/8 0.9, 16 VMs, pools", "exp 10us", 16, 8, 64, 0.9, 0.876916238},
};

static void open_workloads(struct workload **w, uint32_t nr, uint64_t per_vm, double gap_ns)
{
	for (uint32_t i = 0; i < nr; i++) {
		struct source_stream *source = source_stream_new(5, i, per_vm);

		source->mean_gap_ns = gap_ns;
		w[i] = script_workload_new(1, 1ULL << 30);
		w[i]->tasks[0].stream = &source->stream;
		w[i]->tasks[0].iodepth = 30000;
		w[i]->tasks[0].async = true;
	}
}

static void test_host_cpus_are_shared(void **state)
{
	for (size_t i = 0; i < sizeof(shared_cases) / sizeof(shared_cases[0]); i++) {
		const struct shared_case *c = &shared_cases[i];
		uint64_t per_batch = 10000;
		struct batches b = {.skip = per_batch / 2, .per_batch = per_batch};
		struct sim_options options = {.seed = 3 + i};
		struct sim_sink sink = {.ctx = &b, .span = add_span};
		struct workload *w[MAX_VMS];
		struct sim_stats stats;
		struct stack stack;
		double busy;

		ideal_stack(&stack, c->service);
		stack.host.vms = c->vms;
		stack.host.cpus = c->cpus;
		stack.daemon.thread_pool_size = c->pool;
		open_workloads(w, c->vms, (NR_BATCHES + 2) * per_batch / c->vms,
			       SERVICE_NS * c->vms / c->rho / c->cpus);
		assert_int_equal(sim_run_vms(&stack, w, &options, &sink, &stats), 0);
		free_workloads(w, c->vms);
		assert_in_interval(c->name, b.stay_sum, per_batch, c->wait + 1);
		busy = (double)stats.host_cpu_ns / stats.end_ns;
		assert_true(busy <= c->cpus);
		/* Throughput times service time is the CPUs' use: nothing is lost or made up. */
		assert_true(fabs(busy - stats.requests * SERVICE_NS / stats.end_ns) < 0.02 * busy);
	}
}

/* Guests and daemons that always have work keep every host CPU busy, and no more than that. */
static void test_a_host_cpu_is_never_idle_while_wanted(void **state)
{
	for (uint32_t cpus = 1; cpus <= 4; cpus++) {
		struct record_sink r = {0};
		struct workload *w[8];
		struct sim_stats stats;
		struct stack stack;
		double busy;

		all_costs(&stack, "const 3us");
		for (int i = COST_KICK; i <= COST_INTERRUPT; i++)
			dist_const(&stack.cost[i], 0);
		dist_const(&stack.cost[COST_WAKEUP], 0);
		stack.host.vms = 8;
		stack.host.cpus = cpus;
		closed_workloads(w, 8, 1000, 0);
		run_vms(&stack, w, &r, &stats);
		free_workloads(w, 8);
		record_free(&r);
		busy = (double)stats.host_cpu_ns / stats.end_ns;
		assert_true(busy <= cpus);
		assert_true(busy > 0.99 * cpus);
	}
}

static void test_too_much_is_refused(void **state)
{
	struct workload *w[MAX_VMS];
	struct sim_options options = {.seed = 1};
	struct sim_sink sink = {0};
	struct sim_stats stats;
	struct stack stack;
	struct stderr_of err;
	char said[500];

	stack_init(&stack);
	stack.host.vms = 32;
	stack.daemon.thread_pool_size = 65536;
	closed_workloads(w, 32, 1, 0);
	stderr_begin(&err);
	assert_int_equal(sim_run_vms(&stack, w, &options, &sink, &stats), -EINVAL);
	stderr_end(&err, said, sizeof(said));
	assert_non_null(strstr(said, "host.vms"));
	stderr_begin(&err);
	assert_int_equal(sim_run(&stack, w[0], &options, &sink, &stats), -EINVAL);
	stderr_end(&err, said, sizeof(said));
	assert_non_null(strstr(said, "host.vms=32"));
	free_workloads(w, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vm_0_is_what_it_is_alone),
		cmocka_unit_test(test_ops_are_numbered_over_all_vms),
		cmocka_unit_test(test_host_cpus_are_shared),
		cmocka_unit_test(test_a_host_cpu_is_never_idle_while_wanted),
		cmocka_unit_test(test_too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
