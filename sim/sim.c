// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A run from beginning to end: check the stack, lay out the runners, hand out events, clean up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/msg.h"
#include "sim/page_cache.h"

/* Random streams that belong to no runner. */
#define STREAM_JIFFY (RUNNER_STREAMS - 1)

static int check(const struct stack *stack, const struct workload *workload)
{
	if (!stack->guest.vcpus || !stack->guest.hz || !stack->transport.request_queues ||
	    !stack->daemon.max_pages || !stack->daemon.max_background) {
		msg_error("cannot simulate stack '%s': vcpus, hz, request_queues, max_pages and "
			  "max_background must not be 0; set them in the model or with --set",
			  stack->name);
		return -EINVAL;
	}
	if (stack->transport.queue_size < 8 || stack->daemon.max_write_bytes < PAGE_BYTES) {
		msg_error("cannot simulate stack '%s': transport.queue_size must be at least 8 and "
			  "daemon.max_write at least 4k",
			  stack->name);
		return -EINVAL;
	}
	if (stack->daemon.mode == MODE_DAX) {
		msg_error("cannot simulate stack '%s': daemon.mode=dax is not modelled; choose "
			  "direct, writethrough or writeback",
			  stack->name);
		return -EINVAL;
	}
	if (stack->guest.hz > 10000 || workload->nr_tasks > EVENTQ_MAX_SLOTS / 2 ||
	    stack->daemon.thread_pool_size > 65536 || stack->transport.request_queues > 1024) {
		msg_error("cannot simulate stack '%s' with %u tasks: at most %u tasks, 65536 pool "
			  "threads, 1024 request queues and 10000 ticks a second are possible",
			  stack->name, workload->nr_tasks, EVENTQ_MAX_SLOTS / 2);
		return -EINVAL;
	}
	if (!workload->nr_tasks) {
		msg_error("cannot simulate: the workload has no task");
		return -EINVAL;
	}
	return 0;
}

static void samplers_init(struct sim *sim)
{
	for (int i = 0; i < NR_COSTS; i++)
		sampler_init(&sim->cost[i], &sim->stack->cost[i]);
	for (int i = 0; i < FUSE_OPCODE_LIMIT; i++) {
		const struct service_cost *cost = &sim->stack->service[i];
		struct service_sampler *service = &sim->service[i];

		if (!cost->known)
			cost = &sim->stack->service_default;
		sampler_init(&service->cpu, &cost->cpu);
		sampler_init(&service->host_io, &cost->host_io);
		service->cpu_ns_per_byte = cost->cpu_ns_per_byte;
		service->host_io_ns_per_byte = cost->host_io_ns_per_byte;
	}
}

/* max_pages of a request: what INIT says, and what a ring's indirect table may hold. */
static uint32_t max_pages(const struct stack *stack)
{
	uint32_t limit = min_u64(256, stack->transport.queue_size - 4);

	return min_u64(limit, stack->daemon.max_pages);
}

static void count_entities(struct sim *sim, uint32_t count[NR_RUNNER_KINDS])
{
	const struct stack *stack = sim->stack;

	sim->nr_tasks = sim->workload->nr_tasks;
	sim->nr_queues = 1 + stack->transport.request_queues;
	sim->nr_daemons = stack->daemon.kind == DAEMON_RUST ? 1 : sim->nr_queues;
	sim->nr_workers = sim->nr_daemons * stack->daemon.thread_pool_size;
	sim->nr_files = sim->workload->nr_files;
	sim->nr_threads = sim->nr_tasks + 2 * sim->nr_queues + 1;
	count[RUN_TASK] = sim->nr_tasks;
	count[RUN_DONE_WORK] = sim->nr_queues;
	count[RUN_DISPATCH_WORK] = sim->nr_queues;
	count[RUN_FLUSHER] = 1;
	count[RUN_IRQ] = sim->nr_queues;
	count[RUN_DAEMON] = sim->nr_daemons;
	count[RUN_WORKER] = sim->nr_workers;
	for (int kind = 0; kind < NR_RUNNER_KINDS; kind++) {
		sim->first_slot[kind] = sim->nr_runners;
		sim->nr_runners += count[kind];
	}
}

static void lay_out(struct sim *sim, const uint32_t count[NR_RUNNER_KINDS])
{
	for (int kind = 0; kind < NR_RUNNER_KINDS; kind++) {
		for (uint32_t i = 0; i < count[kind]; i++) {
			struct runner *runner = &sim->runners[sim->first_slot[kind] + i];

			runner->kind = kind;
			runner->index = i;
			runner->on_guest = kind < RUN_IRQ;
		}
	}
	/* Guest threads have the first slots, in the same order. */
	for (uint32_t i = 0; i < sim->nr_threads; i++) {
		struct thread *th = &sim->threads[i];

		th->slot = i;
		th->index = sim->runners[i].index;
		rng_init(&th->rng, sim->options->seed, RUNNER_STREAMS + i);
	}
	sim->done_work = &sim->threads[sim->first_slot[RUN_DONE_WORK]];
	sim->dispatch_work = &sim->threads[sim->first_slot[RUN_DISPATCH_WORK]];
	sim->flusher = &sim->threads[sim->first_slot[RUN_FLUSHER]];
}

static void files_init(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->nr_files; i++) {
		struct file *file = &sim->files[i];

		file->index = i;
		file->nodeid = ROOT_NODEID + 1 + i;
		file->size_bytes = sim->workload->files[i].size_bytes;
		file->host_size_bytes = file->size_bytes;
		file->exists = file->size_bytes != 0;
	}
}

static int allocate(struct sim *sim)
{
	uint32_t count[NR_RUNNER_KINDS];

	count_entities(sim, count);
	sim->runners = calloc(sim->nr_runners, sizeof(*sim->runners));
	sim->threads = calloc(sim->nr_threads, sizeof(*sim->threads));
	sim->queues = calloc(sim->nr_queues, sizeof(*sim->queues));
	sim->daemons = calloc(sim->nr_daemons, sizeof(*sim->daemons));
	sim->workers = calloc(sim->nr_workers ? sim->nr_workers : 1, sizeof(*sim->workers));
	sim->files = calloc(sim->nr_files ? sim->nr_files : 1, sizeof(*sim->files));
	if (!sim->runners || !sim->threads || !sim->queues || !sim->daemons || !sim->workers ||
	    !sim->files)
		return -ENOMEM;
	lay_out(sim, count);
	files_init(sim);
	return eventq_init(&sim->events, sim->nr_runners);
}

static void settings_init(struct sim *sim)
{
	const struct stack *stack = sim->stack;
	struct rng rng;

	kernel_rules_get(stack->guest.kernel, &sim->rules);
	sim->max_pages = max_pages(stack);
	sim->congestion_threshold = (uint64_t)stack->daemon.max_background * 3 / 4;
	sim->guest_cpus = (struct cpu_pool){stack->guest.vcpus, 0, EVENTQ_NONE, EVENTQ_NONE};
	sim->host_cpus = (struct cpu_pool){stack->host.cpus, 0, EVENTQ_NONE, EVENTQ_NONE};
	sim->jiffy_ns = NS_PER_SEC / stack->guest.hz;
	rng_init(&rng, sim->options->seed, STREAM_JIFFY);
	sim->jiffy_phase_ns = rng_below(&rng, sim->jiffy_ns);
	samplers_init(sim);
	virtqueues_init(sim);
	dirty_throttle_init(sim);
	daemon_init(sim);
}

static void dispatch(struct sim *sim, uint32_t slot)
{
	struct runner *runner = &sim->runners[slot];

	if (runner->on_cpu)
		cpu_release(sim, runner);
	switch (runner->kind) {
	case RUN_TASK:
		task_run(sim, &sim->threads[slot]);
		break;
	case RUN_DONE_WORK:
		done_work_run(sim, &sim->threads[slot]);
		break;
	case RUN_DISPATCH_WORK:
		dispatch_work_run(sim, &sim->threads[slot]);
		break;
	case RUN_FLUSHER:
		flusher_run(sim, &sim->threads[slot]);
		break;
	case RUN_IRQ:
		virtqueue_irq(sim, &sim->queues[runner->index]);
		break;
	case RUN_DAEMON:
		daemon_thread_run(sim, &sim->daemons[runner->index]);
		break;
	case RUN_WORKER:
		worker_run(sim, &sim->workers[runner->index]);
		break;
	case NR_RUNNER_KINDS:
		break;
	}
}

/* Kworkers go to where they wait for work; then the first group of tasks starts. */
static void start(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->nr_queues; i++) {
		done_work_run(sim, &sim->done_work[i]);
		dispatch_work_run(sim, &sim->dispatch_work[i]);
	}
	flusher_run(sim, sim->flusher);
	sim->tasks_left = sim->nr_tasks;
	tasks_start_group(sim);
}

/* Until the workload has ended and its last request with it. */
static void run(struct sim *sim)
{
	uint64_t limit_ns = sim->options->max_time_ns ? sim->options->max_time_ns : UINT64_MAX;

	start(sim);
	while (!sim->stop && (sim->tasks_left || sim->nr_requests_alive)) {
		uint64_t time_ns;
		uint32_t slot = eventq_next(&sim->events, &time_ns);

		if (slot == EVENTQ_NONE) {
			msg_error("the simulation stopped at %llu ns with %u tasks waiting for an "
				  "event that cannot come; please report this with the model and "
				  "the workload",
				  (unsigned long long)sim->now_ns, sim->tasks_left);
			sim->stop = -EDEADLK;
			break;
		}
		if (time_ns > limit_ns) {
			sim->now_ns = limit_ns;
			break;
		}
		sim->now_ns = time_ns;
		sim->stats.events++;
		dispatch(sim, slot);
	}
	sim->stats.end_ns = sim->now_ns;
}

static void cleanup(struct sim *sim)
{
	page_cache_release(sim);
	tasks_release(sim);
	requests_release(sim);
	eventq_free(&sim->events);
	free(sim->runners);
	free(sim->threads);
	free(sim->queues);
	free(sim->daemons);
	free(sim->workers);
	free(sim->files);
	free(sim);
}

int sim_run(const struct stack *stack, struct workload *workload, const struct sim_options *options,
	    const struct sim_sink *sink, struct sim_stats *stats)
{
	struct sim *sim;
	int rc = check(stack, workload);

	if (rc)
		return rc;
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return -ENOMEM;
	sim->stack = stack;
	sim->workload = workload;
	sim->options = options;
	sim->sink = sink;
	rc = allocate(sim);
	if (!rc)
		rc = page_cache_init(sim);
	if (!rc)
		rc = tasks_init(sim);
	if (!rc) {
		settings_init(sim);
		run(sim);
		*stats = sim->stats;
		rc = sim->stop == -ECANCELED ? 0 : sim->stop;
	}
	cleanup(sim);
	return rc;
}
