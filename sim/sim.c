// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A run from beginning to end: check the stack, lay out the VMs and their runners, hand out events,
 * clean up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/msg.h"
#include "sim/daemon.h"
#include "sim/dax.h"
#include "sim/page_cache.h"
#include "sim/storage.h"

/* Random streams that belong to no runner. */
#define STREAM_JIFFY (RUNNER_STREAMS - 1)
/* Seeds of the VMs after the first. */
#define STREAM_VMS (0x766d73ULL << 32)

/* What mount -o dax refuses. */
static int check_dax(const struct stack *stack)
{
	struct kernel_rules rules;

	kernel_rules_get(stack->guest.kernel, &rules);
	if (!rules.dax) {
		msg_error("cannot simulate stack '%s' in mode dax: guest kernels before 5.10 have "
			  "no DAX; set guest.kernel",
			  stack->name);
		return -EINVAL;
	}
	if (stack->dax.window_bytes < FUSE_DAX_RANGE_BYTES) {
		msg_error("cannot simulate stack '%s' in mode dax: its device has no DAX window; "
			  "set dax.window_bytes to at least 2m, like --set dax.window_bytes=1g",
			  stack->name);
		return -EINVAL;
	}
	return 0;
}

static int check_cpus(const struct stack *stack)
{
	if (stack->guest.vcpus <= MAX_VCPUS && stack->guest.irq_cpu < stack->guest.vcpus)
		return 0;
	msg_error("cannot simulate stack '%s': guest.vcpus=%u must be at most %u and "
		  "guest.irq_cpu=%u below it: CPUs are numbered from 0",
		  stack->name, stack->guest.vcpus, MAX_VCPUS, stack->guest.irq_cpu);
	return -EINVAL;
}

static int check_daemon(const struct stack *stack)
{
	if (stack->daemon.queue_order == QUEUE_ORDER_KICKED ||
	    (stack->daemon.kind == DAEMON_RUST && !stack->daemon.thread_pool_size))
		return 0;
	msg_error("cannot simulate stack '%s': daemon.queue_order=priority needs one thread that "
		  "serves all queues; set daemon.kind=rust and daemon.thread_pool_size=0",
		  stack->name);
	return -EINVAL;
}

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
	if (stack->daemon.mode == MODE_DAX && check_dax(stack))
		return -EINVAL;
	if (check_cpus(stack) || check_daemon(stack))
		return -EINVAL;
	if (stack->guest.hz > 10000 || workload->nr_tasks > EVENTQ_MAX_SLOTS / 2 ||
	    stack->daemon.thread_pool_size > 65536 || stack->transport.request_queues > 1024) {
		msg_error("cannot simulate stack '%s' with %u tasks: at most %u tasks, 65536 pool "
			  "threads, 1024 request queues and 10000 ticks a second are possible",
			  stack->name, workload->nr_tasks, EVENTQ_MAX_SLOTS / 2);
		return -EINVAL;
	}
	if (stack->daemon.inode_file_handles != FILE_HANDLES_NEVER &&
	    stack->daemon.kind != DAEMON_RUST) {
		msg_error("cannot simulate stack '%s': the C daemon has no file handles; choose "
			  "daemon.kind=rust or daemon.inode_file_handles=never",
			  stack->name);
		return -EINVAL;
	}
	if (stack->storage.bandwidth && !stack->storage.channels) {
		msg_error("cannot simulate stack '%s': storage.bandwidth is of a device, and "
			  "storage.channels=0 says that there is none",
			  stack->name);
		return -EINVAL;
	}
	if (!workload->nr_tasks) {
		msg_error("cannot simulate: the workload has no task");
		return -EINVAL;
	}
	return 0;
}

static void samplers_init(struct host *host)
{
	for (int i = 0; i < NR_COSTS; i++)
		sampler_init(&host->cost[i], &host->stack->cost[i]);
	for (int i = 0; i < FUSE_OPCODE_LIMIT; i++) {
		const struct service_cost *cost = &host->stack->service[i];
		struct service_sampler *service = &host->service[i];

		if (!cost->known)
			cost = &host->stack->service_default;
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
	if (sim->rules.queue_by_cpu)
		sim->nr_queues = 1 + min_u64(stack->transport.request_queues, stack->guest.vcpus);
	sim->nr_daemons = stack->daemon.kind == DAEMON_RUST ? 1 : sim->nr_queues;
	sim->nr_workers = sim->nr_daemons * stack->daemon.thread_pool_size;
	sim->nr_threads = sim->nr_tasks + 2 * sim->nr_queues + 1 + (stack->daemon.mode == MODE_DAX);
	count[RUN_TASK] = sim->nr_tasks;
	count[RUN_DONE_WORK] = sim->nr_queues;
	count[RUN_DISPATCH_WORK] = sim->nr_queues;
	count[RUN_FLUSHER] = 1;
	count[RUN_DAX_WORKER] = stack->daemon.mode == MODE_DAX;
	count[RUN_IRQ] = sim->nr_queues;
	count[RUN_DAEMON] = sim->nr_daemons;
	count[RUN_WORKER] = sim->nr_workers;
}

/* The VM's runners follow those of the VMs before it. */
static int add_runners(struct sim *sim, const uint32_t count[NR_RUNNER_KINDS])
{
	struct host *host = sim->host;
	struct runner *runners;
	uint64_t total = host->nr_runners;

	for (int kind = 0; kind < NR_RUNNER_KINDS; kind++) {
		sim->first_slot[kind] = total;
		total += count[kind];
	}
	if (total > EVENTQ_MAX_SLOTS) {
		msg_error("cannot simulate stack '%s': %u VMs have more than the %u tasks and "
			  "threads that are possible; choose fewer VMs (host.vms), pool threads, "
			  "queues or jobs",
			  sim->stack->name, host->nr_vms, EVENTQ_MAX_SLOTS);
		return -EINVAL;
	}
	runners = realloc(host->runners, total * sizeof(*runners));
	if (!runners)
		return -ENOMEM;
	host->runners = runners;
	for (int kind = 0; kind < NR_RUNNER_KINDS; kind++)
		for (uint32_t i = 0; i < count[kind]; i++)
			runners[sim->first_slot[kind] + i] = (struct runner){
				.kind = kind,
				.index = i,
				.on_guest = kind < RUN_IRQ,
				.vm = sim,
			};
	host->nr_runners = total;
	return 0;
}

/* Guest threads have the first slots of the VM, in the same order. */
static struct thread *thread_of(const struct sim *sim, uint32_t slot)
{
	return &sim->threads[slot - sim->first_slot[RUN_TASK]];
}

/* system_wq's work runs on the CPU that queued it: for completions, the one that is interrupted. */
static void bind(struct sim *sim, const struct thread *th, uint32_t cpu)
{
	sim->host->runners[th->slot].bound = true;
	sim->host->runners[th->slot].cpu = cpu;
}

static void place_threads(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->nr_tasks; i++)
		sim->host->runners[sim->threads[i].slot].cpu = i % sim->stack->guest.vcpus;
	for (uint32_t i = 0; i < sim->nr_queues; i++) {
		bind(sim, &sim->done_work[i], irq_cpu_of_queue(sim, i));
		bind(sim, &sim->dispatch_work[i], irq_cpu_of_queue(sim, i));
	}
}

static void lay_out(struct sim *sim)
{
	struct runner *runners = sim->host->runners;

	for (uint32_t i = 0; i < sim->nr_threads; i++) {
		struct thread *th = &sim->threads[i];

		th->slot = sim->first_slot[RUN_TASK] + i;
		th->index = runners[th->slot].index;
		runners[th->slot].self = th;
		runner_rng_init(sim, &th->rng, th->slot);
	}
	for (uint32_t i = 0; i < sim->nr_queues; i++)
		runners[sim->first_slot[RUN_IRQ] + i].self = &sim->queues[i];
	for (uint32_t i = 0; i < sim->nr_daemons; i++)
		runners[sim->first_slot[RUN_DAEMON] + i].self = &sim->daemons[i];
	for (uint32_t i = 0; i < sim->nr_workers; i++)
		runners[sim->first_slot[RUN_WORKER] + i].self = &sim->workers[i];
	sim->done_work = thread_of(sim, sim->first_slot[RUN_DONE_WORK]);
	sim->dispatch_work = thread_of(sim, sim->first_slot[RUN_DISPATCH_WORK]);
	sim->flusher = thread_of(sim, sim->first_slot[RUN_FLUSHER]);
	place_threads(sim);
}

static int allocate(struct sim *sim)
{
	uint32_t count[NR_RUNNER_KINDS] = {0};
	int rc;

	kernel_rules_get(sim->stack->guest.kernel, &sim->rules);
	count_entities(sim, count);
	rc = add_runners(sim, count);
	if (!rc)
		rc = guest_cpus_init(sim);
	if (rc)
		return rc;
	sim->threads = calloc(sim->nr_threads, sizeof(*sim->threads));
	sim->queues = calloc(sim->nr_queues, sizeof(*sim->queues));
	sim->daemons = calloc(sim->nr_daemons, sizeof(*sim->daemons));
	sim->workers = calloc(sim->nr_workers ? sim->nr_workers : 1, sizeof(*sim->workers));
	if (!sim->threads || !sim->queues || !sim->daemons || !sim->workers)
		return -ENOMEM;
	lay_out(sim);
	return names_init(sim);
}

static void settings_init(struct sim *sim)
{
	const struct stack *stack = sim->stack;
	struct rng rng;

	sim->max_pages = max_pages(stack);
	sim->congestion_threshold = (uint64_t)stack->daemon.max_background * 3 / 4;
	sim->jiffy_ns = NS_PER_SEC / stack->guest.hz;
	rng_init(&rng, sim->seed, STREAM_JIFFY);
	sim->jiffy_phase_ns = rng_below(&rng, sim->jiffy_ns);
	virtqueues_init(sim);
	dirty_throttle_init(sim);
	daemon_init(sim);
}

static void dispatch(struct host *host, struct runner *runner)
{
	struct sim *sim = runner->vm;

	if (runner->on_cpu)
		cpu_release(host, runner);
	switch (runner->kind) {
	case RUN_TASK:
		task_run(sim, runner->self);
		break;
	case RUN_DONE_WORK:
		done_work_run(sim, runner->self);
		break;
	case RUN_DISPATCH_WORK:
		dispatch_work_run(sim, runner->self);
		break;
	case RUN_FLUSHER:
		flusher_run(sim, runner->self);
		break;
	case RUN_DAX_WORKER:
		dax_worker_run(sim, runner->self);
		break;
	case RUN_IRQ:
		virtqueue_irq(sim, runner->self);
		break;
	case RUN_DAEMON:
		daemon_thread_run(sim, runner->self);
		break;
	case RUN_WORKER:
		worker_run(sim, runner->self);
		break;
	case RUN_CHANNEL:
	case RUN_LINK:
	case RUN_HOST_FLUSHER:
		storage_run(host, runner);
		break;
	case NR_RUNNER_KINDS:
		break;
	}
	if (runner->has_turn)
		cpu_release_turn(host, runner);
}

/* Kworkers go to where they wait for work; then the first group of tasks starts. */
static void start(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->nr_queues; i++) {
		done_work_run(sim, &sim->done_work[i]);
		dispatch_work_run(sim, &sim->dispatch_work[i]);
	}
	flusher_run(sim, sim->flusher);
	if (sim->dax)
		dax_worker_run(sim, sim->dax->worker.thread);
	sim->tasks_left = sim->nr_tasks;
	sim->host->tasks_left += sim->nr_tasks;
	tasks_start_group(sim);
}

/* Until the workloads have ended and their last request with them. 0 or what a VM stopped for. */
static int run(struct host *host)
{
	uint64_t limit_ns = host->options->max_time_ns ? host->options->max_time_ns : UINT64_MAX;

	for (uint32_t i = 0; i < host->nr_vms; i++)
		start(&host->vms[i]);
	while (host->tasks_left || host->nr_requests_alive) {
		uint64_t time_ns;
		uint32_t slot = eventq_next(&host->events, &time_ns);
		struct runner *runner;

		if (slot == EVENTQ_NONE) {
			msg_error("the simulation stopped at %llu ns with %u tasks waiting for an "
				  "event that cannot come; please report this with the model and "
				  "the workload",
				  (unsigned long long)host->now_ns, host->tasks_left);
			return -EDEADLK;
		}
		if (time_ns > limit_ns) {
			host->now_ns = limit_ns;
			break;
		}
		host->now_ns = time_ns;
		host->nr_events++;
		runner = &host->runners[slot];
		dispatch(host, runner);
		if (runner->vm->stop)
			return runner->vm->stop;
	}
	return 0;
}

static void vm_cleanup(struct sim *sim)
{
	guest_cpus_release(sim);
	page_cache_release(sim);
	dax_release(sim);
	tasks_release(sim);
	daemon_locks_free(sim);
	names_release(sim);
	requests_release(sim);
	free(sim->threads);
	free(sim->queues);
	free(sim->daemons);
	free(sim->workers);
}

static int vm_init(struct sim *sim)
{
	int rc = allocate(sim);

	if (!rc)
		rc = page_cache_init(sim);
	if (!rc)
		rc = tasks_init(sim);
	if (!rc)
		rc = dax_init(sim);
	if (!rc)
		rc = daemon_locks_init(sim);
	if (!rc)
		settings_init(sim);
	return rc;
}

static int host_init(struct host *host, struct workload *const *workloads)
{
	int rc;

	host->vms = calloc(host->nr_vms, sizeof(*host->vms));
	if (!host->vms)
		return -ENOMEM;
	host->cpus = (struct cpu_pool){host->stack->host.cpus, 0, EVENTQ_NONE, EVENTQ_NONE};
	samplers_init(host);
	for (uint32_t i = 0; i < host->nr_vms; i++) {
		struct sim *vm = &host->vms[i];

		*vm = (struct sim){
			.host = host,
			.index = i,
			.seed = sim_vm_seed(host->options->seed, i),
			.stack = host->stack,
			.workload = workloads[i],
			.options = host->options,
			.sink = host->sink,
		};
		rc = vm_init(vm);
		if (rc)
			return rc;
	}
	rc = storage_init(host);
	return rc ? rc : eventq_init(&host->events, host->nr_runners);
}

static void host_stats(const struct host *host, struct sim_stats *stats)
{
	*stats = (struct sim_stats){.end_ns = host->now_ns, .events = host->nr_events};
	/* Daemons take no CPU that is never short, so the sum would be of the guests alone. */
	if (host->cpus.nr)
		stats->host_cpu_ns = host->cpu_ns;
	if (host->storage)
		stats->storage = host->storage->stats;
	for (uint32_t i = 0; i < host->nr_vms; i++) {
		const struct sim_stats *vm = &host->vms[i].stats;

		stats->requests += vm->requests;
		stats->ops += vm->ops;
		stats->kicks += vm->kicks;
		stats->kicks_suppressed += vm->kicks_suppressed;
		stats->ring_full += vm->ring_full;
		dax_add_stats(&host->vms[i], &stats->dax);
	}
}

void storage_stats_add(struct storage_stats *into, const struct storage_stats *from)
{
	into->pages_hit += from->pages_hit;
	into->pages_missed += from->pages_missed;
	for (int i = 0; i < NR_DEVICE_OPS; i++) {
		into->ops[i] += from->ops[i];
		into->bytes[i] += from->bytes[i];
	}
	into->busy_ns += from->busy_ns;
	into->throttled += from->throttled;
	into->throttled_ns += from->throttled_ns;
}

/* Each VM's own stop is what the run looks at. */
void host_stop(struct host *host, int rc)
{
	for (uint32_t i = 0; i < host->nr_vms; i++)
		if (!host->vms[i].stop)
			host->vms[i].stop = rc;
}

static void host_free(struct host *host)
{
	for (uint32_t i = 0; host->vms && i < host->nr_vms; i++)
		vm_cleanup(&host->vms[i]);
	storage_free(host);
	eventq_free(&host->events);
	free(host->runners);
	free(host->vms);
	free(host);
}

uint64_t sim_vm_seed(uint64_t seed, uint32_t vm)
{
	return rng_part_seed(seed, STREAM_VMS, vm);
}

int sim_run_vms(const struct stack *stack, struct workload *const *workloads,
		const struct sim_options *options, const struct sim_sink *sink,
		struct sim_stats *stats)
{
	struct host *host;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < stack->host.vms; i++)
		rc = check(stack, workloads[i]);
	if (rc)
		return rc;
	host = calloc(1, sizeof(*host));
	if (!host)
		return -ENOMEM;
	host->stack = stack;
	host->options = options;
	host->sink = sink;
	host->nr_vms = stack->host.vms;
	rc = host_init(host, workloads);
	if (!rc) {
		rc = run(host);
		host_stats(host, stats);
	}
	host_free(host);
	return rc == -ECANCELED ? 0 : rc;
}

int sim_run(const struct stack *stack, struct workload *workload, const struct sim_options *options,
	    const struct sim_sink *sink, struct sim_stats *stats)
{
	if (stack->host.vms != 1) {
		msg_error("cannot simulate stack '%s': host.vms=%u, but there is a workload for "
			  "one VM",
			  stack->name, stack->host.vms);
		return -EINVAL;
	}
	return sim_run_vms(stack, &workload, options, sink, stats);
}
