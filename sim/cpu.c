// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processors: guest CPUs shared by tasks and kworkers, host CPUs shared by vCPUs and daemon
 * threads.
 *
 * Work comes in bursts of microseconds. A burst waits for a free CPU in order of arrival and then
 * runs to its end (FIFO, several servers, no preemption). A task runs where it ran last if that
 * guest CPU is idle, else on any idle one, as select_idle_sibling() has it. A kworker is bound to
 * the CPU on which its work was queued (system_wq; system_percpu_wq in 7.2) and competes there,
 * whatever other CPUs are idle. A guest burst needs a guest CPU and then,
 * where host CPUs are limited, a host CPU: while it waits for that, its guest CPU stays taken, as a
 * vCPU that the host does not run. The order guest CPU before host CPU is always the same, so
 * nothing can deadlock.
 */
#include <errno.h>
#include <stdlib.h>
#include "sim/model.h"

static void queue_append(struct host *host, struct cpu_pool *pool, uint32_t slot)
{
	host->runners[slot].next = EVENTQ_NONE;
	if (pool->last == EVENTQ_NONE)
		pool->first = slot;
	else
		host->runners[pool->last].next = slot;
	pool->last = slot;
}

static uint32_t queue_take(struct host *host, struct cpu_pool *pool)
{
	uint32_t slot = pool->first;

	if (slot == EVENTQ_NONE)
		return EVENTQ_NONE;
	pool->first = host->runners[slot].next;
	if (pool->first == EVENTQ_NONE)
		pool->last = EVENTQ_NONE;
	return slot;
}

static void start_running(struct host *host, uint32_t slot)
{
	struct runner *runner = &host->runners[slot];

	runner->on_cpu = true;
	eventq_arm(&host->events, slot, host->now_ns + runner->burst_ns);
}

static void want_host_cpu(struct host *host, uint32_t slot)
{
	struct cpu_pool *cpus = &host->cpus;

	if (cpus->nr && cpus->busy == cpus->nr) {
		queue_append(host, cpus, slot);
		return;
	}
	cpus->busy++;
	start_running(host, slot);
}

int guest_cpus_init(struct sim *sim)
{
	struct guest_cpus *cpus = &sim->guest_cpus;

	cpus->nr = sim->stack->guest.vcpus;
	cpus->own = malloc(cpus->nr * sizeof(*cpus->own));
	if (!cpus->own)
		return -ENOMEM;
	cpus->any = (struct cpu_pool){cpus->nr, 0, EVENTQ_NONE, EVENTQ_NONE};
	for (uint32_t i = 0; i < cpus->nr; i++) {
		cpus->own[i] = (struct cpu_pool){1, 0, EVENTQ_NONE, EVENTQ_NONE};
		cpus->idle[i / 64] |= 1ULL << i % 64;
	}
	return 0;
}

void guest_cpus_release(struct sim *sim)
{
	free(sim->guest_cpus.own);
}

/* home if it is idle, else the next one behind it that is, or EVENTQ_NONE. */
static uint32_t find_idle(const struct guest_cpus *cpus, uint32_t home)
{
	uint32_t nr_words = (cpus->nr + 63) / 64, word = home / 64;
	uint64_t bits = cpus->idle[word] >> home % 64;

	if (bits)
		return home + __builtin_ctzll(bits);
	for (uint32_t i = 1; i <= nr_words; i++) {
		word = (home / 64 + i) % nr_words;
		if (cpus->idle[word])
			return word * 64 + __builtin_ctzll(cpus->idle[word]);
	}
	return EVENTQ_NONE;
}

/* The idle guest CPU that the runner would get now, or EVENTQ_NONE. */
static uint32_t idle_cpu(const struct sim *sim, const struct runner *runner)
{
	if (runner->bound)
		return sim->guest_cpus.own[runner->cpu].busy ? EVENTQ_NONE : runner->cpu;
	return find_idle(&sim->guest_cpus, runner->cpu);
}

static void take_cpu(struct sim *sim, struct runner *runner, uint32_t cpu)
{
	struct guest_cpus *cpus = &sim->guest_cpus;

	cpus->own[cpu].busy = 1;
	cpus->idle[cpu / 64] &= ~(1ULL << cpu % 64);
	runner->cpu = cpu;
}

static void wait_for_cpu(struct sim *sim, struct runner *runner, uint32_t slot)
{
	struct guest_cpus *cpus = &sim->guest_cpus;

	runner->wait_order = ++cpus->nr_waits;
	queue_append(sim->host, runner->bound ? &cpus->own[runner->cpu] : &cpus->any, slot);
}

/* The CPU goes to whoever waits longest of those who wait for it and those who wait for any. */
static void pass_cpu_on(struct sim *sim, uint32_t cpu)
{
	struct guest_cpus *cpus = &sim->guest_cpus;
	struct host *host = sim->host;
	uint32_t here = cpus->own[cpu].first, any = cpus->any.first, next;

	if (here == EVENTQ_NONE && any == EVENTQ_NONE) {
		cpus->own[cpu].busy = 0;
		cpus->idle[cpu / 64] |= 1ULL << cpu % 64;
		return;
	}
	if (any == EVENTQ_NONE ||
	    (here != EVENTQ_NONE && host->runners[here].wait_order < host->runners[any].wait_order))
		next = queue_take(host, &cpus->own[cpu]);
	else
		next = queue_take(host, &cpus->any);
	host->runners[next].cpu = cpu;
	want_host_cpu(host, next);
}

bool cpu_burst(struct sim *sim, uint32_t slot, uint64_t ns)
{
	struct host *host = sim->host;
	struct runner *runner = &host->runners[slot];

	runner->burst_ns = ns;
	if (runner->has_turn) {
		runner->has_turn = false;
		start_running(host, slot);
		return true;
	}
	if (runner->on_guest) {
		uint32_t cpu = idle_cpu(sim, runner);

		if (cpu == EVENTQ_NONE) {
			wait_for_cpu(sim, runner, slot);
			return true;
		}
		take_cpu(sim, runner, cpu);
	}
	want_host_cpu(host, slot);
	return true;
}

/* A thread that need not wait goes on where it would run, also if what it does takes no time. */
bool cpu_wait_turn(struct sim *sim, uint32_t slot)
{
	const struct cpu_pool *host = &sim->host->cpus;
	struct runner *runner = &sim->host->runners[slot];

	if (runner->has_turn)
		return false;
	if (runner->on_guest) {
		uint32_t cpu = idle_cpu(sim, runner);

		if (cpu == EVENTQ_NONE)
			return cpu_burst(sim, slot, 0);
		runner->cpu = cpu;
	}
	return host->nr && host->busy == host->nr && cpu_burst(sim, slot, 0);
}

/* Its host CPU goes to whoever waits longest, of whatever VM. */
static void give_up(struct host *host, struct runner *runner)
{
	uint32_t next;

	next = queue_take(host, &host->cpus);
	if (next == EVENTQ_NONE)
		host->cpus.busy--;
	else
		start_running(host, next);
	if (runner->on_guest)
		pass_cpu_on(runner->vm, runner->cpu);
}

void cpu_release(struct host *host, struct runner *runner)
{
	runner->on_cpu = false;
	host->cpu_ns += runner->burst_ns;
	if (runner->burst_ns)
		give_up(host, runner);
	else
		runner->has_turn = true;
}

void cpu_release_turn(struct host *host, struct runner *runner)
{
	runner->has_turn = false;
	give_up(host, runner);
}
