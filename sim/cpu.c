// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processors: guest CPUs shared by tasks and kworkers, host CPUs shared by vCPUs and daemon
 * threads.
 *
 * Work comes in bursts of microseconds. A burst waits for a free CPU in order of arrival and then
 * runs to its end (FIFO, several servers, no preemption). A guest burst needs a guest CPU and then,
 * where host CPUs are limited, a host CPU: while it waits for that, its guest CPU stays taken, as a
 * vCPU that the host does not run. The order guest CPU before host CPU is always the same, so
 * nothing can deadlock.
 */
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

bool cpu_burst(struct sim *sim, uint32_t slot, uint64_t ns)
{
	struct host *host = sim->host;
	struct runner *runner = &host->runners[slot];

	runner->burst_ns = ns;
	if (runner->on_guest) {
		struct cpu_pool *guest = &sim->guest_cpus;

		if (guest->nr && guest->busy == guest->nr) {
			queue_append(host, guest, slot);
			return true;
		}
		guest->busy++;
	}
	want_host_cpu(host, slot);
	return true;
}

bool cpu_wait_turn(struct sim *sim, uint32_t slot)
{
	const struct cpu_pool *guest = &sim->guest_cpus, *host = &sim->host->cpus;
	bool guest_free =
		!sim->host->runners[slot].on_guest || !guest->nr || guest->busy < guest->nr;
	bool host_free = !host->nr || host->busy < host->nr;

	if (guest_free && host_free)
		return false;
	return cpu_burst(sim, slot, 0);
}

/* The burst is over: its host CPU goes to whoever waits longest, of whatever VM. */
void cpu_release(struct sim *sim, struct runner *runner)
{
	struct host *host = sim->host;
	uint32_t next;

	runner->on_cpu = false;
	next = queue_take(host, &host->cpus);
	if (next == EVENTQ_NONE)
		host->cpus.busy--;
	else
		start_running(host, next);
	if (!runner->on_guest)
		return;
	next = queue_take(host, &sim->guest_cpus);
	if (next == EVENTQ_NONE)
		sim->guest_cpus.busy--;
	else
		want_host_cpu(host, next);
}
