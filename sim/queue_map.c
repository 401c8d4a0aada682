// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which request queue a guest CPU sends to, and which CPU a queue interrupts.
 *
 * From 6.12 on (virtio_fs_map_queues) the CPUs are divided among the request queues as evenly as
 * can be, in order (group_cpus_evenly: the first groups have one more), and the managed MSI-X
 * vector of a queue goes to one of its own CPUs: the first, as irq_matrix_alloc_managed() has it on
 * a guest without other users of managed vectors. Hiprio is left out of that (pre_vectors), and
 * before 6.12 all queues are: their interrupts go where the guest put them (guest.irq_cpu).
 *
 * CPUs are taken to be single threads of one node.
 */
#include "sim/model.h"

static uint32_t nr_groups(const struct sim *sim)
{
	return sim->nr_queues - 1;
}

uint32_t queue_of_cpu(const struct sim *sim, uint32_t cpu)
{
	uint32_t each, larger;

	if (!sim->rules.queue_by_cpu)
		return 1; /* VQ_REQUEST */
	each = sim->stack->guest.vcpus / nr_groups(sim);
	larger = sim->stack->guest.vcpus % nr_groups(sim);
	if (cpu < larger * (each + 1))
		return 1 + cpu / (each + 1);
	return 1 + (cpu - larger) / each;
}

uint32_t irq_cpu_of_queue(const struct sim *sim, uint32_t queue)
{
	uint32_t each = sim->stack->guest.vcpus / nr_groups(sim);
	uint32_t larger = sim->stack->guest.vcpus % nr_groups(sim);

	if (!sim->rules.queue_by_cpu || queue == HIPRIO_QUEUE)
		return sim->stack->guest.irq_cpu;
	return (queue - 1) * each + min_u64(queue - 1, larger);
}
