/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run workloads on a stack in simulated time: the simulator's front door.
 *
 * Deterministic: equal stack, workload and seed give byte-identical spans in the same order.
 * Files and workload streams are read, never kept; nothing is global.
 */
#ifndef VFSCOPE_SIM_SIM_H
#define VFSCOPE_SIM_SIM_H

#include "lib/op.h"
#include "lib/span.h"
#include "lib/workload.h"
#include "sim/stack.h"

struct sim_sink {
	void *ctx;
	/*
	 * Each request at its end, each op at its end; either may be NULL. Non-zero stops the run.
	 * task is an index into the workload's tasks, or UINT32_MAX for a kernel thread; span->task
	 * and op->task count from 1. Ops that start in their task's ramp time are not told, its
	 * requests are: they are in the traced VM, too.
	 */
	int (*span)(void *ctx, const struct span *span, uint32_t task);
	int (*op)(void *ctx, const struct op_record *op, uint32_t task);
};

struct sim_options {
	uint64_t seed;
	uint64_t max_time_ns; /* stop here in simulated time; 0: when the workload ends */
	uint64_t max_requests; /* 0: no limit */
};

/* Of the DAX window; all zero in other modes. */
struct dax_stats {
	uint64_t ranges; /* of 2 MiB; at the end of the run so many are */
	uint64_t free;
	uint64_t busy;
	uint64_t setups;
	uint64_t upgrades;
	uint64_t removed_worker; /* ranges, by who sent REMOVEMAPPING */
	uint64_t removed_inline;
	uint64_t removed_evict;
	uint64_t waits; /* of tasks for a free range */
	uint64_t wait_ns;
	uint64_t ept_faults; /* pages that the host had to map */
	uint64_t pte_faults; /* of mapped memory, for 4 KiB */
	uint64_t pmd_faults; /* for 2 MiB */
};

/* Adds up the counters of VMs or of runs. */
void dax_stats_add(struct dax_stats *into, const struct dax_stats *from);

/* Of the host's page cache and its device; all zero without one. */
struct storage_stats {
	uint64_t pages_hit; /* of what READs asked for */
	uint64_t pages_missed;
	uint64_t ops[3]; /* of the device: read, write, flush */
	uint64_t bytes[3];
	uint64_t busy_ns; /* its channels, added up */
	uint64_t throttled; /* WRITEs that waited at the dirty limit */
	uint64_t throttled_ns;
};

void storage_stats_add(struct storage_stats *into, const struct storage_stats *from);

struct sim_stats {
	uint64_t end_ns; /* simulated time at the end */
	uint64_t events;
	uint64_t requests;
	uint64_t ops;
	uint64_t kicks;
	uint64_t kicks_suppressed;
	uint64_t ring_full;
	struct dax_stats dax;
	struct storage_stats storage;
	uint64_t
		host_cpu_ns; /* host CPUs busy, added up; 0 if they are never short (host.cpus=0) */
};

/*
 * stack->host.vms VMs, each with a workload of its own (streams are not shared), until all have
 * ended. span->conn and op->conn are the VM's number, from 0; the VMs' random numbers are
 * independent, those of VM 0 are what it draws when alone.
 */
int sim_run_vms(const struct stack *stack, struct workload *const *workloads,
		const struct sim_options *options, const struct sim_sink *sink,
		struct sim_stats *stats);

/* The seed from which VM number vm draws, and from which its workload should. */
uint64_t sim_vm_seed(uint64_t seed, uint32_t vm);

/* One VM. 0; -EINVAL after a message (impossible setting); -ENOMEM; or what a sink or stream
 * returned. */
int sim_run(const struct stack *stack, struct workload *workload, const struct sim_options *options,
	    const struct sim_sink *sink, struct sim_stats *stats);

#endif
