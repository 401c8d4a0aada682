// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How fast the whole model is: simulated requests a second, on one thread and on two, and the
 * memory that a run takes and that each further request adds.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "bench/bench.h"
#include "lib/compiler.h"
#include "lib/rng.h"
#include "sim/sim.h"

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

static void print_model(const char *name, const char *dist)
{
	double ns, events;

	BEST(ns, full_model(1000000, dist, &events));
	printf("%-46s %7.0f ns/request %6.3g M requests/s  %5.1f events/request, %.1f ns each\n",
	       name, ns, 1e3 / ns, events, ns / events);
	fflush(stdout);
}

#define THREADED_REQUESTS 1500000

static void *model_thread(void *arg)
{
	double events;

	full_model(THREADED_REQUESTS, "exp 2us", &events);
	return NULL;
}

/* Two runs on as many threads, in ns per request of both. */
static double on_threads(int nr)
{
	pthread_t thread;
	double start = now_ns();

	if (nr == 2) {
		if (pthread_create(&thread, NULL, model_thread, NULL))
			return -1;
		model_thread(NULL);
		pthread_join(thread, NULL);
	} else {
		model_thread(NULL);
		model_thread(NULL);
	}
	return (now_ns() - start) / (2.0 * THREADED_REQUESTS);
}

static void bench_threads(void)
{
	double one, two;

	BEST(one, on_threads(1));
	BEST(two, on_threads(2));
	printf("%-46s %7.2f times the requests/s of one\n", "two runs on two threads", one / two);
}

static void bench_memory(void)
{
	struct rusage before, after;
	double events;

	getrusage(RUSAGE_SELF, &before);
	full_model(4000000, "exp 2us", &events);
	getrusage(RUSAGE_SELF, &after);
	printf("%-46s %7ld KiB\n", "memory of the process at its largest", after.ru_maxrss);
	printf("%-46s %7.3f bytes/request\n", "memory that 3 million further requests add",
	       (after.ru_maxrss - before.ru_maxrss) * 1024.0 / 3e6);
}

int main(void)
{
	print_model("4 KiB direct reads, depth 16, const costs", "const 2us");
	print_model("4 KiB direct reads, depth 16, exp costs", "exp 2us");
	print_model("4 KiB direct reads, depth 16, 16 quantiles",
		    "quantiles 0=0.5us 0.1=0.8us 0.2=1us 0.3=1.2us 0.4=1.4us 0.5=1.6us 0.6=1.8us "
		    "0.7=2.1us 0.8=2.6us 0.9=3.5us 0.95=5us 0.98=8us 0.99=12us 0.995=18us "
		    "0.999=30us 1=90us");
	bench_memory();
	bench_threads();
	return 0;
}
