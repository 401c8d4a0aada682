// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How fast the simulator is, beside what the machine could do at most: bare loops, the event list
 * the model really uses, and the whole model.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "lib/compiler.h"
#include "sim/event_queue.h"
#include "sim/sim.h"

#define REPEATS 3

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static volatile uint64_t sink_value;

static double bare_random(uint64_t n)
{
	struct rng rng;
	double sum = 0, start = now_ns();

	rng_init(&rng, 1, 1);
	for (uint64_t i = 0; i < n; i++)
		sum += rng_exp(&rng);
	sink_value = (uint64_t)sum;
	return (now_ns() - start) / n;
}

/* M/M/1 with its two pending events in two variables: no event list at all. */
static double bare_mm1(uint64_t n)
{
	uint64_t arrival = 0, departure = UINT64_MAX, now, queue = 0;
	struct rng arrivals, services;
	double start;

	rng_init(&arrivals, 1, 1);
	rng_init(&services, 1, 2);
	start = now_ns();
	for (uint64_t i = 0; i < n; i++) {
		if (arrival <= departure) {
			now = arrival;
			arrival = now + (uint64_t)(rng_exp(&arrivals) * 1e6 / 0.9);
			if (!queue++)
				departure = now + (uint64_t)(rng_exp(&services) * 1e6);
		} else {
			now = departure;
			departure =
				--queue ? now + (uint64_t)(rng_exp(&services) * 1e6) : UINT64_MAX;
		}
	}
	sink_value = queue;
	return (now_ns() - start) / n;
}

static double engine_mm1(uint64_t n)
{
	enum {
		ARRIVAL,
		DEPARTURE
	};
	struct rng arrivals, services;
	uint64_t now, queue = 0;
	struct eventq q;
	double start;

	if (eventq_init(&q, 2))
		return -1;
	rng_init(&arrivals, 1, 1);
	rng_init(&services, 1, 2);
	eventq_arm(&q, ARRIVAL, 0);
	start = now_ns();
	for (uint64_t i = 0; i < n; i++) {
		switch (eventq_next(&q, &now)) {
		case ARRIVAL:
			eventq_arm(&q, ARRIVAL, now + (uint64_t)(rng_exp(&arrivals) * 1e6 / 0.9));
			if (!queue++)
				eventq_arm(&q, DEPARTURE,
					   now + (uint64_t)(rng_exp(&services) * 1e6));
			break;
		case DEPARTURE:
			if (--queue)
				eventq_arm(&q, DEPARTURE,
					   now + (uint64_t)(rng_exp(&services) * 1e6));
			break;
		}
	}
	start = (now_ns() - start) / n;
	sink_value = queue;
	eventq_free(&q);
	return start;
}

/* Take the earliest, schedule one: the standard test of event lists. slots 0: no list. */
static double hold(uint64_t n, uint32_t slots)
{
	struct eventq q;
	struct rng rng;
	uint64_t now = 0;
	double start;

	rng_init(&rng, 1, 1);
	if (eventq_init(&q, slots ? slots : 1))
		return -1;
	for (uint32_t i = 0; i < slots; i++)
		eventq_arm(&q, i, (uint64_t)(rng_exp(&rng) * 1e6));
	start = now_ns();
	for (uint64_t i = 0; i < n; i++) {
		if (slots) {
			uint32_t slot = eventq_next(&q, &now);

			eventq_arm(&q, slot, now + (uint64_t)(rng_exp(&rng) * 1e6));
		} else {
			now += (uint64_t)(rng_exp(&rng) * 1e6);
		}
	}
	start = (now_ns() - start) / n;
	sink_value = now;
	eventq_free(&q);
	return start;
}

struct random_reads {
	struct op_stream stream;
	struct rng rng;
	uint64_t left;
};

static int reads_next(struct op_stream *stream, uint64_t now, struct workload_op *op)
{
	struct random_reads *s = (struct random_reads *)stream;

	if (!s->left--)
		return OP_STREAM_END;
	memset(op, 0, sizeof(*op));
	op->type = OP_READ;
	op->flags = OP_DIRECT;
	op->size_bytes = 4096;
	op->offset_bytes = rng_below(&s->rng, 1 << 18) * 4096;
	return OP_STREAM_OP;
}

static int count_span(void *ctx, const struct span *span, uint32_t task)
{
	*(uint64_t *)ctx += span_latency_ns(span);
	return 0;
}

/* Costs as a small KVM guest has them. quantiles: each in the form that calibration writes. */
static void bench_stack(struct stack *stack, const char *dist)
{
	char err[100];

	stack_init(stack);
	stack->daemon.mode = MODE_DIRECT;
	stack->daemon.max_background = 65535;
	for (int i = 0; i < NR_COSTS; i++)
		if (dist_parse(&stack->cost[i], dist, err, sizeof(err)))
			abort();
	stack->service_default.cpu = stack->cost[0];
	stack->service_default.host_io = stack->cost[0];
}

/* 4 KiB direct reads at queue depth 16, one asynchronous task. */
static double full_model(uint64_t n, const char *dist, double *events_per_request)
{
	struct random_reads reads = {.stream.next = reads_next, .left = n};
	struct workload_file file = {.name = "f", .size_bytes = 1 << 30};
	struct workload_task task = {.iodepth = 16, .async = true, .stream = &reads.stream};
	struct workload w = {.tasks = &task, .nr_tasks = 1, .files = &file, .nr_files = 1};
	struct sim_options options = {.seed = 1};
	struct sim_stats stats;
	struct stack stack;
	uint64_t sum = 0;
	struct sim_sink sink = {.ctx = &sum, .span = count_span};
	double start;

	rng_init(&reads.rng, 1, 77);
	bench_stack(&stack, dist);
	start = now_ns();
	if (sim_run(&stack, &w, &options, &sink, &stats))
		return -1;
	start = now_ns() - start;
	*events_per_request = (double)stats.events / stats.requests;
	return start / stats.requests;
}

#define BEST(var, expr)                                                                            \
	do {                                                                                       \
		var = expr;                                                                        \
		for (int r = 1; r < REPEATS; r++) {                                                \
			double again = expr;                                                       \
			if (again < var)                                                           \
				var = again;                                                       \
		}                                                                                  \
	} while (0)

static void print_model(const char *name, const char *dist)
{
	double ns, events;

	BEST(ns, full_model(1000000, dist, &events));
	printf("%-44s %8.0f ns/request %8.3g requests/s %6.1f events/request\n", name, ns, 1e9 / ns,
	       events);
}

int main(void)
{
	const uint32_t pending[] = {2, 64, 1024, 65536};
	struct rusage before, after;
	double ns, bare, events;

	BEST(ns, bare_random(20000000));
	printf("%-44s %8.1f ns\n", "limit: one exponential random number", ns);
	BEST(bare, bare_mm1(20000000));
	printf("%-44s %8.1f ns/event\n", "limit: M/M/1 at 0.9, two variables", bare);
	BEST(ns, engine_mm1(20000000));
	printf("%-44s %8.1f ns/event %8.2f x limit\n", "M/M/1 at 0.9", ns, ns / bare);
	BEST(bare, hold(10000000, 0));
	printf("%-44s %8.1f ns/hold\n", "limit: hold without an event list", bare);
	for (size_t i = 0; i < ARRAY_SIZE(pending); i++) {
		char name[64];

		BEST(ns, hold(5000000, pending[i]));
		snprintf(name, sizeof(name), "hold, %u pending", pending[i]);
		printf("%-44s %8.1f ns/hold\n", name, ns);
	}
	print_model("4 KiB direct reads, depth 16, const costs", "const 2us");
	print_model("4 KiB direct reads, depth 16, exp costs", "exp 2us");
	print_model("4 KiB direct reads, depth 16, 16 quantiles",
		    "quantiles 0=0.5us 0.1=0.8us 0.2=1us 0.3=1.2us 0.4=1.4us 0.5=1.6us 0.6=1.8us "
		    "0.7=2.1us 0.8=2.6us 0.9=3.5us 0.95=5us 0.98=8us 0.99=12us 0.995=18us "
		    "0.999=30us 1=90us");
	getrusage(RUSAGE_SELF, &before);
	full_model(4000000, "exp 2us", &events);
	getrusage(RUSAGE_SELF, &after);
	printf("%-44s %8ld KiB\n", "memory growth over 4 million requests",
	       after.ru_maxrss - before.ru_maxrss);
	return 0;
}
