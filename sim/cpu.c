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

static void queue_append(struct sim *sim, struct cpu_pool *pool, uint32_t slot)
{
	sim->runners[slot].next = EVENTQ_NONE;
	if (pool->last == EVENTQ_NONE)
		pool->first = slot;
	else
		sim->runners[pool->last].next = slot;
	pool->last = slot;
}

static uint32_t queue_take(struct sim *sim, struct cpu_pool *pool)
{
	uint32_t slot = pool->first;

	if (slot == EVENTQ_NONE)
		return EVENTQ_NONE;
	pool->first = sim->runners[slot].next;
	if (pool->first == EVENTQ_NONE)
		pool->last = EVENTQ_NONE;
	return slot;
}

static void start_running(struct sim *sim, uint32_t slot)
{
	struct runner *runner = &sim->runners[slot];

	runner->on_cpu = true;
	eventq_arm(&sim->events, slot, sim->now_ns + runner->burst_ns);
}

static void want_host_cpu(struct sim *sim, uint32_t slot)
{
	struct cpu_pool *host = &sim->host_cpus;

	if (host->nr && host->busy == host->nr) {
		queue_append(sim, host, slot);
		return;
	}
	host->busy++;
	start_running(sim, slot);
}

bool cpu_burst(struct sim *sim, uint32_t slot, uint64_t ns)
{
	struct runner *runner = &sim->runners[slot];

	runner->burst_ns = ns;
	if (runner->on_guest) {
		struct cpu_pool *guest = &sim->guest_cpus;

		if (guest->nr && guest->busy == guest->nr) {
			queue_append(sim, guest, slot);
			return true;
		}
		guest->busy++;
	}
	want_host_cpu(sim, slot);
	return true;
}

bool cpu_wait_turn(struct sim *sim, uint32_t slot)
{
	const struct cpu_pool *guest = &sim->guest_cpus, *host = &sim->host_cpus;
	bool guest_free = !sim->runners[slot].on_guest || !guest->nr || guest->busy < guest->nr;
	bool host_free = !host->nr || host->busy < host->nr;

	if (guest_free && host_free)
		return false;
	return cpu_burst(sim, slot, 0);
}

/* The burst is over: its CPUs go to whoever waits longest. */
void cpu_release(struct sim *sim, struct runner *runner)
{
	uint32_t next;

	runner->on_cpu = false;
	next = queue_take(sim, &sim->host_cpus);
	if (next == EVENTQ_NONE)
		sim->host_cpus.busy--;
	else
		start_running(sim, next);
	if (!runner->on_guest)
		return;
	next = queue_take(sim, &sim->guest_cpus);
	if (next == EVENTQ_NONE)
		sim->guest_cpus.busy--;
	else
		want_host_cpu(sim, next);
}
