/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A span: one request with its stages, whether traced on a VM or simulated.
 *
 * The tracer's join and the simulator both produce these; report, calibrate, export and plots
 * consume them and need not know where they came from. Plain data, no pointers, stored as is in
 * .vft files.
 */
#ifndef VFSCOPE_LIB_SPAN_H
#define VFSCOPE_LIB_SPAN_H

#ifndef __bpf__
#include <stdint.h>
#endif
#include "lib/stage.h"

/* What made the kernel send it; READ and WRITE mix several sources (told apart by FUSE flags). */
enum span_class {
	SPAN_OTHER, /* any opcode without data: LOOKUP, GETATTR, FLUSH, ... */
	SPAN_DIRECT, /* READ or WRITE straight from or to the application's pages */
	SPAN_READAHEAD, /* READ that fills the page cache ahead of, or at, a miss */
	SPAN_READ_MODIFY, /* READ of a partly written page before a cached write */
	SPAN_WRITETHROUGH, /* WRITE of a cached write, sent at once */
	SPAN_WRITEBACK, /* WRITE of dirty pages, sent later (FUSE_WRITE_CACHE) */
	SPAN_FORGET, /* FORGET: no reply */
	SPAN_SETUP, /* SETUPMAPPING of a range that was not mapped */
	SPAN_UPGRADE, /* SETUPMAPPING of a range that was mapped for reading, now for writing too */
	SPAN_RECLAIM, /* REMOVEMAPPING by the worker that keeps ranges free */
	SPAN_INLINE_RECLAIM, /* REMOVEMAPPING by a task that found no free range */
	SPAN_EVICT, /* REMOVEMAPPING of all ranges of an inode that leaves the cache */
	NR_SPAN_CLASSES
};

#ifndef __bpf__
const char *span_class_name(enum span_class cls);
#endif

enum span_flags {
	SPAN_BACKGROUND = 1u << 0, /* no task waits: FR_BACKGROUND */
	SPAN_KICKED = 1u << 1, /* this request's enqueue rang the doorbell */
	SPAN_HAS_GUEST = 1u << 2, /* the guest half was recorded */
	SPAN_HAS_HOST = 1u << 3, /* the host half was recorded */
	SPAN_SKEWED = 1u << 4, /* a boundary had to be clamped by more than the clock band */
	SPAN_SIGNALLED = 1u << 5, /* the daemon called the guest for this request */
	SPAN_NO_REPLY = 1u << 6, /* FORGET and the like */
	SPAN_ASYNC_DIO = 1u << 7, /* background request of asynchronous direct I/O */
	SPAN_WRITABLE = 1u << 8, /* SETUPMAPPING for writing too */
	SPAN_LATER = 1u << 9, /* WRITE of what op_id dirtied, issued by no op's task; traced only */
};

#ifndef __bpf__

struct span {
	uint64_t t_issue_ns; /* guest CLOCK_MONOTONIC; simulated time; host clock if host half only
			      */
	uint64_t unique; /* FUSE unique, per connection */
	uint64_t nodeid;
	uint64_t offset_bytes; /* READ, WRITE and SETUPMAPPING */
	uint32_t size_bytes; /* READ and WRITE: asked; SETUPMAPPING, REMOVEMAPPING: all ranges */
	uint32_t reply_bytes; /* payload that came back */
	int32_t error; /* 0 or -errno of the reply */
	uint32_t conn; /* guest st_dev minor of the mount, or simulated VM number */
	uint32_t opcode;
	uint32_t task; /* thread id that issued it; 0 if unknown */
	uint32_t cpu; /* guest CPU that queued it */
	uint16_t queue; /* virtqueue index: 0 hiprio, >= 1 request queues */
	uint16_t cls; /* enum span_class */
	uint16_t flags; /* enum span_flags */
	uint16_t ring_full_retries;
	uint16_t sg_out; /* descriptors the device reads */
	uint16_t sg_in; /* descriptors the device writes */
	uint16_t inflight; /* requests of this queue in flight when it was queued, itself not
			      counted */
	uint16_t stages_known; /* bit i: stage_ns[i] was measured. Unset ones are in unsplit_ns */
	uint32_t window_range; /* SETUPMAPPING, REMOVEMAPPING: (first) range of the DAX window */
	uint64_t stage_ns[NR_STAGES];
	uint64_t unsplit_ns; /* time of stages that could not be told apart; 0 if all are known */
	uint64_t host_io_ns; /* of service: inside the host's file system calls */
	uint64_t
		doorbell_ns; /* of notify: the guest CPU inside virtqueue_notify; 0 if suppressed */
	uint64_t op_id; /* op that caused it, 0 if none is known */
	/* Splits of stages that calibration needs; 0 if unknown. */
	uint64_t enqueue_ns; /* of notify: in virtio_fs_enqueue_req, until the ring could hold it */
	uint64_t kworker_ns; /* of completion: interrupt handler -> completion work runs */
	uint64_t drain_ns; /* of completion: the work's start -> its virtio_fs_request_complete */
	uint64_t cpu_wait_ns; /* of notify: the daemon's thread, woken for it, waited for a CPU */
};

/* Latency: the stages' sum plus what could not be split. Exact, in ns. */
uint64_t span_latency_ns(const struct span *span);

#endif
#endif
