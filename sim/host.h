/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host of a run: what all VMs on it share, the clock and the event list first of all.
 *
 * Everything that acts has a runner, its slot in the event queue: guest threads (tasks and
 * kworkers), interrupt lines, daemon threads and pool workers. The runners of a VM follow one
 * another, those of one kind are numbered from that kind's first slot.
 */
#ifndef VFSCOPE_SIM_HOST_H
#define VFSCOPE_SIM_HOST_H

#include "sim/event_queue.h"
#include "sim/sampler.h"
#include "sim/sim.h"

struct sim;
struct storage;

enum runner_kind {
	RUN_TASK, /* guest: application thread */
	RUN_DONE_WORK, /* guest: completion kworker of a queue */
	RUN_DISPATCH_WORK, /* guest: kworker that retries what found the ring full */
	RUN_FLUSHER, /* guest: writeback kworker */
	RUN_DAX_WORKER, /* guest: kworker that keeps ranges of the DAX window free; mode dax only */
	RUN_IRQ, /* a queue's interrupt on its way */
	RUN_DAEMON, /* host: daemon thread that waits for kicks */
	RUN_WORKER, /* host: pool worker */
	/* of no VM */
	RUN_CHANNEL, /* storage: an operation's latency is over */
	RUN_LINK, /* storage: its data is through */
	RUN_HOST_FLUSHER, /* dirty pages are to be written */
	NR_RUNNER_KINDS
};

struct runner {
	enum runner_kind kind;
	bool on_guest; /* its bursts need a guest CPU first */
	bool on_cpu; /* its pending event is the end of a burst */
	bool bound; /* may run on no other guest CPU */
	bool has_turn; /* it waited for its CPUs and has them for what it does now */
	uint32_t cpu; /* guest: the CPU it runs on, or ran on last */
	uint32_t index; /* within its kind and VM */
	uint32_t next; /* slot behind it in a CPU's queue */
	uint64_t wait_order; /* in a queue for guest CPUs: who came first */
	uint64_t burst_ns;
	struct sim *vm;
	void *self; /* its struct thread, virtqueue, daemon_thread or worker */
};

struct cpu_pool {
	uint32_t nr; /* 0: never short */
	uint32_t busy;
	uint32_t first; /* slots waiting, FIFO; EVENTQ_NONE */
	uint32_t last;
};

struct service_sampler {
	struct sampler cpu;
	struct sampler host_io;
	double cpu_ns_per_byte;
	double host_io_ns_per_byte;
};

struct host {
	struct eventq events;
	uint64_t now_ns;
	const struct stack *stack;
	const struct sim_options *options;
	const struct sim_sink *sink;
	struct sampler cost[NR_COSTS];
	struct service_sampler service[FUSE_OPCODE_LIMIT];

	struct sim *vms;
	uint32_t nr_vms;
	struct runner *runners;
	uint32_t nr_runners;
	struct cpu_pool cpus;
	uint64_t cpu_ns; /* of bursts that ended */
	struct storage *storage; /* NULL: host_io is as measured */

	/* of all VMs */
	uint32_t tasks_left;
	uint32_t nr_requests_alive;
	uint64_t nr_requests; /* ended */
	uint64_t nr_events;
	uint64_t next_op_id;
};

/* End the run for an error that is of no VM. */
void host_stop(struct host *host, int rc);

#endif
