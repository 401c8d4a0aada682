// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of the transport, each in a run so small that its times can be reckoned by hand: which
 * queue a CPU sends to and interrupts, where completion work runs, what takes a work item of its
 * own, descriptors, the full ring, and what is left of suppression without EVENT_IDX.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "sim_script.h"

#define US 1000u
#define MAX_TASKS 40

struct plan {
	struct stack stack;
	struct workload_op ops[MAX_TASKS][4];
	uint32_t nr_ops[MAX_TASKS];
	uint32_t nr_tasks;
	bool async;
	struct record_sink r;
	struct sim_stats stats;
};

static void set_cost(struct stack *stack, enum cost cost, double ns)
{
	dist_const(&stack->cost[cost], ns);
}

static struct plan *plan_new(uint32_t kernel, uint32_t vcpus)
{
	struct plan *p = calloc(1, sizeof(*p));

	stack_init(&p->stack);
	p->stack.guest.kernel = kernel;
	p->stack.guest.vcpus = vcpus;
	p->stack.daemon.mode = MODE_DIRECT;
	p->stack.daemon.thread_pool_size = 64;
	dist_const(&p->stack.service_default.cpu, 10 * US);
	return p;
}

static void plan_free(struct plan *p)
{
	record_free(&p->r);
	free(p);
}

static struct workload_op *add(struct plan *p, uint32_t task, enum op_type type, uint32_t pages)
{
	struct workload_op *op = &p->ops[task][p->nr_ops[task]++];

	*op = (struct workload_op){.type = type, .size_bytes = pages * 4096};
	p->nr_tasks = max_u64(p->nr_tasks, task + 1);
	return op;
}

static void run(struct plan *p)
{
	struct workload *w = script_workload_new(p->nr_tasks, 1ULL << 30);

	for (uint32_t i = 0; i < p->nr_tasks; i++) {
		w->tasks[i].stream = script_stream_new(p->ops[i], p->nr_ops[i]);
		w->tasks[i].async = p->async;
		w->tasks[i].iodepth = p->async ? 4 : 1;
	}
	record_free(&p->r);
	assert_int_equal(record_run(&p->stack, w, 1, &p->r, &p->stats), 0);
	workload_free(w);
}

/* The task's nth request of that opcode. */
static const struct span *request(const struct plan *p, uint32_t task, uint32_t opcode, uint32_t n)
{
	for (uint32_t i = 0; i < p->r.nr_spans; i++)
		if (p->r.spans[i].task == task + 1 && p->r.spans[i].opcode == opcode && !n--)
			return &p->r.spans[i];
	fail_msg("task %u has no such request", task);
	return NULL;
}

static uint64_t end_of(const struct span *s)
{
	return s->t_issue_ns + span_latency_ns(s);
}

/* group_cpus_evenly(): 7 CPUs among 5 queues are 2, 2, 1, 1, 1; never more queues than CPUs. */
static void test_queue_of_cpu(void **state)
{
	static const struct {
		uint32_t kernel, vcpus, queues, want[7];
	} cases[] = {
		{KERNEL(6, 18), 7, 5, {1, 1, 2, 2, 3, 4, 5}},
		{KERNEL(6, 12), 7, 3, {1, 1, 1, 2, 2, 3, 3}},
		{KERNEL(6, 12), 3, 8, {1, 2, 3}},
		{KERNEL(7, 2), 4, 1, {1, 1, 1, 1}},
		{KERNEL(6, 1), 4, 4, {1, 1, 1, 1}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct plan *p = plan_new(cases[i].kernel, cases[i].vcpus);

		p->stack.transport.request_queues = cases[i].queues;
		for (uint32_t t = 0; t < cases[i].vcpus; t++)
			add(p, t, OP_READ, 1);
		run(p);
		for (uint32_t t = 0; t < cases[i].vcpus; t++) {
			assert_int_equal(request(p, t, FUSE_READ, 0)->cpu, t);
			assert_int_equal(request(p, t, FUSE_READ, 0)->queue, cases[i].want[t]);
		}
		plan_free(p);
	}
}

/* Task 0 pins 101 pages, 1 us each after the first, on CPU 0; task 1 reads one page on CPU 1. */
static uint64_t latency_beside_busy_cpu0(uint32_t kernel, uint32_t queues, uint32_t irq_cpu)
{
	struct plan *p = plan_new(kernel, 2);
	uint64_t latency;

	p->stack.guest.irq_cpu = irq_cpu;
	p->stack.transport.request_queues = queues;
	p->stack.read_prepare_ns_per_page = US;
	set_cost(&p->stack, COST_COMPLETE, US);
	add(p, 0, OP_READ, 101);
	add(p, 1, OP_READ, 1);
	run(p);
	latency = span_latency_ns(request(p, 1, FUSE_READ, 0));
	plan_free(p);
	return latency;
}

/* Completion work runs on the CPU that was interrupted, though another is idle. */
static void test_completion_work_is_bound(void **state)
{
	assert_int_equal(latency_beside_busy_cpu0(KERNEL(6, 1), 1, 0), 101 * US);
	assert_int_equal(latency_beside_busy_cpu0(KERNEL(6, 1), 1, 1), 11 * US);
	/* From 6.12 on each queue interrupts a CPU of its own, whatever irq_cpu is. */
	assert_int_equal(latency_beside_busy_cpu0(KERNEL(6, 12), 2, 0), 11 * US);
	assert_int_equal(latency_beside_busy_cpu0(KERNEL(6, 12), 1, 1), 101 * US);
}

/* A task that finds its CPU busy goes to an idle one and sends to that one's queue from then on. */
static void test_tasks_move(void **state)
{
	struct plan *p = plan_new(KERNEL(6, 18), 2);

	p->stack.transport.request_queues = 2;
	p->stack.read_prepare_ns_per_page = US;
	add(p, 0, OP_READ, 101);
	add(p, 1, OP_READ, 1);
	add(p, 2, OP_READ, 11)->think_ns = US; /* began on CPU 0, as task 0 did */
	run(p);
	assert_int_equal(request(p, 0, FUSE_READ, 0)->queue, 1);
	assert_int_equal(request(p, 2, FUSE_READ, 0)->cpu, 1);
	assert_int_equal(request(p, 2, FUSE_READ, 0)->queue, 2);
	assert_int_equal(request(p, 2, FUSE_READ, 0)->t_issue_ns, 11 * US);
	plan_free(p);
}

/* Asynchronous direct READs are completed in a work item of their own, writes are not. */
static void test_second_hop(void **state)
{
	struct plan *p = plan_new(KERNEL(6, 1), 4);
	const struct span *s;

	p->async = true;
	set_cost(&p->stack, COST_KWORKER, 3 * US);
	set_cost(&p->stack, COST_COMPLETE_HOP, 5 * US);
	set_cost(&p->stack, COST_COMPLETE, 2 * US);
	add(p, 0, OP_READ, 1)->flags = OP_DIRECT;
	add(p, 0, OP_WRITE, 1)->flags = OP_DIRECT;
	p->ops[0][1].think_ns = 100 * US;
	add(p, 0, OP_READ, 1)->think_ns = 200 * US; /* 6.1 wants O_DIRECT for asynchronous I/O */
	run(p);
	s = request(p, 0, FUSE_READ, 0);
	assert_true(s->flags & SPAN_ASYNC_DIO);
	assert_int_equal(s->kworker_ns, 3 * US);
	assert_int_equal(s->drain_ns, 5 * US);
	assert_int_equal(s->stage_ns[STAGE_COMPLETION], 10 * US);
	assert_int_equal(request(p, 0, FUSE_WRITE, 0)->stage_ns[STAGE_COMPLETION], 5 * US);
	assert_int_equal(request(p, 0, FUSE_READ, 1)->stage_ns[STAGE_COMPLETION], 5 * US);
	plan_free(p);
}

/* Work items run after the completion work that queued them: the write overtakes the reads. */
static void test_hop_order(void **state)
{
	struct plan *p = plan_new(KERNEL(6, 1), 4);
	uint64_t write_end;

	p->async = true;
	set_cost(&p->stack, COST_KWORKER, 100 * US);
	set_cost(&p->stack, COST_COMPLETE_HOP, 5 * US);
	set_cost(&p->stack, COST_COMPLETE, 2 * US);
	for (uint32_t t = 0; t < 3; t++) {
		add(p, t, t < 2 ? OP_READ : OP_WRITE, 1)->flags = OP_DIRECT;
		p->ops[t][0].think_ns = t * US; /* so their replies come in this order */
	}
	run(p);
	/* Served at 10, 11 and 12 us; the work begins at 110 us. */
	write_end = end_of(request(p, 2, FUSE_WRITE, 0));
	assert_int_equal(write_end, 112 * US);
	assert_int_equal(end_of(request(p, 0, FUSE_READ, 0)), write_end + 7 * US);
	assert_int_equal(end_of(request(p, 1, FUSE_READ, 0)), write_end + 14 * US);
	plan_free(p);
}

/* Of an asynchronous direct write; with_pages: to a file of which a far page was read and cached.
 */
static uint64_t aio_write_latency(uint32_t kernel, bool with_pages)
{
	struct plan *p = plan_new(kernel, 4);
	struct workload_op *op;
	uint64_t latency;

	p->async = true;
	p->stack.daemon.mode = MODE_WRITEBACK;
	set_cost(&p->stack, COST_COMPLETE_HOP, 5 * US);
	op = add(p, 0, OP_READ, 1);
	op->offset_bytes = 1 << 20;
	op->flags = with_pages ? 0 : OP_DIRECT;
	op = add(p, 0, OP_WRITE, 1);
	op->flags = OP_DIRECT;
	op->think_ns = 1000 * US;
	run(p);
	latency = p->r.ops[p->r.nr_ops - 1].t_end_ns - p->r.ops[p->r.nr_ops - 1].t_start_ns;
	assert_int_equal(request(p, 0, FUSE_WRITE, 0)->stage_ns[STAGE_COMPLETION], 0);
	plan_free(p);
	return latency;
}

static void test_aio_write_hop(void **state)
{
	uint64_t plain = aio_write_latency(KERNEL(6, 18), false);

	assert_int_equal(aio_write_latency(KERNEL(6, 18), true), plain);
	assert_int_equal(aio_write_latency(KERNEL(7, 2), false), plain);
	assert_int_equal(aio_write_latency(KERNEL(7, 2), true), plain + 5 * US);
}

/* 7.2 also drops what was read of the range while the write was under way. */
static void test_aio_write_drops_pages(void **state)
{
	const uint32_t kernels[] = {KERNEL(6, 18), KERNEL(7, 2)};

	for (uint32_t k = 0; k < 2; k++) {
		struct plan *p = plan_new(kernels[k], 4);
		uint32_t reads = 0;

		p->async = true;
		p->stack.daemon.mode = MODE_WRITEBACK;
		dist_const(&p->stack.service[FUSE_WRITE].cpu, 5000 * US);
		dist_const(&p->stack.service[FUSE_WRITE].host_io, 0);
		p->stack.service[FUSE_WRITE].known = true;
		add(p, 0, OP_WRITE, 1)->flags = OP_DIRECT;
		add(p, 0, OP_READ, 1);
		add(p, 0, OP_READ, 1);
		p->ops[0][1].think_ns = 100 * US;
		p->ops[0][2].think_ns = 10000 * US;
		run(p);
		for (uint32_t i = 0; i < p->r.nr_spans; i++)
			reads += p->r.spans[i].opcode == FUSE_READ;
		assert_int_equal(reads, 1 + k);
		plan_free(p);
	}
}

/* A READ of 16 pages has 1 + 1 and 1 + 16 descriptors; six of them fit into a ring of 128. */
static void test_descriptors(void **state)
{
	for (uint32_t tasks = 6; tasks <= 7; tasks++) {
		for (int indirect = 0; indirect < 2; indirect++) {
			struct plan *p = plan_new(KERNEL(6, 12), 64);

			p->stack.transport.indirect_desc = indirect;
			for (uint32_t t = 0; t < tasks; t++)
				add(p, t, OP_READ, 16);
			run(p);
			assert_int_equal(request(p, 0, FUSE_READ, 0)->sg_out +
						 request(p, 0, FUSE_READ, 0)->sg_in,
					 19);
			assert_int_equal(p->stats.ring_full > 0, !indirect && tasks == 7);
			plan_free(p);
		}
	}
}

/*
 * Ring of 8, served one by one every 100 us, completion 1 us. The ninth finds it full at late_us
 * and rings for 20 us, during which the ring's lock is held.
 */
static struct plan *full_ring(uint32_t kernel, uint32_t late_us)
{
	struct plan *p = plan_new(kernel, 64);

	p->stack.daemon.thread_pool_size = 0;
	p->stack.transport.queue_size = 8;
	dist_const(&p->stack.service_default.cpu, 100 * US);
	set_cost(&p->stack, COST_COMPLETE, US);
	set_cost(&p->stack, COST_DOORBELL, 20 * US);
	for (uint32_t t = 0; t < 9; t++)
		add(p, t, OP_READ, 1);
	p->ops[8][0].think_ns = (uint64_t)late_us * US;
	run(p);
	return p;
}

static void test_ring_full_dispatch(void **state)
{
	struct plan *p = full_ring(KERNEL(6, 12), 50);

	/* The first reply comes at 100 us and is completed 1 us later, which starts the dispatch.
	 */
	assert_int_equal(request(p, 8, FUSE_READ, 0)->ring_full_retries, 1);
	assert_int_equal(request(p, 8, FUSE_READ, 0)->stage_ns[STAGE_RING_WAIT], 51 * US);
	plan_free(p);

	/* Found full at 90 us: the reply at 100 us is not collected before the doorbell's end. */
	p = full_ring(KERNEL(6, 12), 90);
	assert_int_equal(request(p, 0, FUSE_READ, 0)->stage_ns[STAGE_COMPLETION], 11 * US);
	assert_int_equal(request(p, 8, FUSE_READ, 0)->stage_ns[STAGE_RING_WAIT], 21 * US);
	plan_free(p);

	/* 6.1 waits for the next tick of 4 ms, when all others have long ended. */
	p = full_ring(KERNEL(6, 1), 50);
	assert_true(request(p, 8, FUSE_READ, 0)->stage_ns[STAGE_RING_WAIT] < 4000 * US);
	assert_true(request(p, 8, FUSE_READ, 0)->stage_ns[STAGE_RING_WAIT] > 801 * US ||
		    request(p, 8, FUSE_READ, 0)->ring_full_retries > 1);
	plan_free(p);
}

/* Who comes later finds room first, since new requests do not look at those that wait. */
static void test_ring_full_overtaking(void **state)
{
	struct plan *p = plan_new(KERNEL(6, 1), 64);
	const struct span *waits, *overtakes;

	p->stack.transport.queue_size = 8;
	dist_const(&p->stack.service_default.cpu, 100 * US);
	for (uint32_t t = 0; t < 9; t++)
		add(p, t, OP_READ, 1);
	add(p, 9, OP_READ, 1)->think_ns = 150 * US;
	run(p);
	waits = request(p, 8, FUSE_READ, 0);
	overtakes = request(p, 9, FUSE_READ, 0);
	assert_true(waits->unique < overtakes->unique);
	assert_int_equal(overtakes->ring_full_retries, 0);
	assert_int_equal(end_of(overtakes), 250 * US);
	assert_true(end_of(waits) > end_of(overtakes));
	plan_free(p);
}

/*
 * Without EVENT_IDX only flags suppress: the C daemon never sets its own, Rust does while it serves
 * a batch; neither looks at the driver's in time to spare an interrupt.
 */
static void test_no_event_idx(void **state)
{
	for (int variant = 0; variant < 4; variant++) {
		struct plan *p = plan_new(KERNEL(6, 1), 64);
		uint32_t signalled = 0;
		bool idx = variant & 1, rust = variant & 2;

		p->stack.daemon.kind = rust ? DAEMON_RUST : DAEMON_C;
		p->stack.daemon.thread_pool_size = 0;
		p->stack.transport.event_idx = idx;
		set_cost(&p->stack, COST_INTERRUPT, 50 * US);
		for (uint32_t t = 0; t < 30; t++)
			add(p, t, OP_READ, 1)->think_ns = t * US;
		run(p);
		for (uint32_t i = 0; i < p->r.nr_spans; i++)
			signalled += !!(p->r.spans[i].flags & SPAN_SIGNALLED);
		assert_int_equal(signalled == 30, !idx);
		assert_int_equal(p->stats.kicks == 30, !idx && !rust);
		/* One on its way stands for those behind it, and none of them delays it. */
		assert_int_equal(request(p, 0, FUSE_READ, 0)->stage_ns[STAGE_INTERRUPT], 50 * US);
		plan_free(p);
	}
}

/*
 * Five reads of 100 us each are in the ring when the guest forgets a file at 150 us, at the end of a
 * SYNCFS. The Rust daemon then takes them as one batch; one that asks hiprio before each does not.
 */
static uint64_t forget_taken(enum queue_order order)
{
	struct plan *p = plan_new(KERNEL(6, 1), 64);
	struct workload *w = script_workload_new(6, 1ULL << 30);
	uint64_t taken = 0;

	w->files = realloc(w->files, 2 * sizeof(*w->files));
	w->files[1] = w->files[0];
	w->nr_files = 2;
	p->stack.daemon.kind = DAEMON_RUST;
	p->stack.daemon.thread_pool_size = 0;
	p->stack.daemon.queue_order = order;
	dist_const(&p->stack.service[FUSE_READ].cpu, 100 * US);
	dist_const(&p->stack.service[FUSE_READ].host_io, 0);
	p->stack.service[FUSE_READ].known = true;
	p->stack.service[FUSE_SYNCFS] = p->stack.service[FUSE_READ];
	dist_const(&p->stack.service[FUSE_SYNCFS].cpu, 150 * US);
	dist_const(&p->stack.service_default.cpu, 0);
	for (uint32_t t = 0; t < 5; t++)
		add(p, t, OP_READ, 1)->think_ns = US;
	add(p, 5, OP_STAT, 0)->file = 1;
	add(p, 5, OP_DROP_CACHES, 0);
	for (uint32_t t = 0; t < 6; t++)
		w->tasks[t].stream = script_stream_new(p->ops[t], p->nr_ops[t]);
	assert_int_equal(record_run(&p->stack, w, 1, &p->r, &p->stats), 0);
	workload_free(w);
	for (uint32_t i = 0; i < p->r.nr_spans; i++)
		if (p->r.spans[i].opcode == FUSE_FORGET)
			taken = p->r.spans[i].t_issue_ns + p->r.spans[i].stage_ns[STAGE_NOTIFY];
	plan_free(p);
	return taken;
}

static void test_hiprio_order(void **state)
{
	assert_int_equal(forget_taken(QUEUE_ORDER_KICKED), 650 * US);
	assert_int_equal(forget_taken(QUEUE_ORDER_PRIORITY), 250 * US);
}

static void test_impossible_settings(void **state)
{
	struct plan *p = plan_new(KERNEL(6, 1), 2);
	struct workload *w = script_workload_new(1, 4096);

	p->stack.guest.irq_cpu = 2;
	w->tasks[0].stream = script_stream_new(p->ops[0], 0);
	assert_int_equal(record_run(&p->stack, w, 1, &p->r, &p->stats), -EINVAL);
	p->stack.guest.irq_cpu = 0;
	p->stack.daemon.queue_order = QUEUE_ORDER_PRIORITY; /* of threads of their own */
	assert_int_equal(record_run(&p->stack, w, 1, &p->r, &p->stats), -EINVAL);
	workload_free(w);
	plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_of_cpu),
		cmocka_unit_test(test_completion_work_is_bound),
		cmocka_unit_test(test_tasks_move),
		cmocka_unit_test(test_second_hop),
		cmocka_unit_test(test_hop_order),
		cmocka_unit_test(test_aio_write_hop),
		cmocka_unit_test(test_aio_write_drops_pages),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_ring_full_dispatch),
		cmocka_unit_test(test_ring_full_overtaking),
		cmocka_unit_test(test_no_event_idx),
		cmocka_unit_test(test_hiprio_order),
		cmocka_unit_test(test_impossible_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
