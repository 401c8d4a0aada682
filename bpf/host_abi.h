/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What user space tells host.bpf.c before it attaches, and the ring positions it reads back.
 *
 * Not stored in files: only the two builds of one vfscope have to agree.
 */
#ifndef VFSCOPE_BPF_HOST_ABI_H
#define VFSCOPE_BPF_HOST_ABI_H

#include "bpf/events.h"

#define HOST_MAX_DAEMONS 16
#define HOST_MAX_QUEUES 16 /* of one daemon; a power of two */
#define HOST_MAX_REGIONS 8 /* of guest memory; the most that libvhost-user took before 8.1 */
#define HOST_MAX_RETRIES 256 /* unread headers of a queue: a power of two */
#define HOST_MAX_SYSCALL_NR 512 /* a power of two */

/* Guest physical [gpa, gpa + size) is at addr in the daemon. */
struct host_region {
	__ev_u64 gpa;
	__ev_u64 size;
	__ev_u64 addr;
};

/* One split virtqueue, by the daemon's addresses. */
struct host_queue {
	__ev_u64 desc;
	__ev_u64 avail;
	__ev_u64 used;
	__ev_u32 size; /* descriptors: a power of two */
	__ev_u32 pad;
};

/* Value of the map "daemons", whose key is the process id. */
struct host_daemon {
	__ev_u32 slot; /* its queues' states start at slot * HOST_MAX_QUEUES */
	__ev_u32 nr_queues;
	__ev_u32 nr_regions;
	__ev_u32 pad;
	struct host_region regions[HOST_MAX_REGIONS];
	struct host_queue queues[HOST_MAX_QUEUES];
};

enum host_retry_state {
	HOST_RETRY_FREE,
	HOST_RETRY_BUSY, /* one thread reads or writes the slot */
	HOST_RETRY_READY,
};

struct host_retry {
	__ev_u32 state; /* enum host_retry_state */
	__ev_u16 avail_idx;
	__ev_u16 head;
};

#define HOST_POSITION_KNOWN (1u << 31)

/* Value of the map "queue_states". Positions are mod 2^16, with HOST_POSITION_KNOWN once set. */
struct host_queue_state {
	__ev_u32 avail_next; /* first avail entry not reported yet */
	__ev_u32 used_next; /* first used element not reported yet */
	__ev_u64 absent_ns; /* when used_next was last seen not to be there */
	__ev_u64 chains; /* reported, or lost for want of buffer */
	__ev_u64 used;
	__ev_u64 unreadable; /* headers that could not be read at first sight */
	__ev_u64 recovered; /* of these, read later */
	__ev_u32 under_way_at_start; /* chains in flight when recording began */
	__ev_u32 idle_at; /* set by user space: both indices, if they were equal, and the flag */
	__ev_u32 nr_retries; /* slots of retries[] in use */
	__ev_u32 pad;
	struct host_retry retries[HOST_MAX_RETRIES];
};

/* Value of the map "sched_totals", by slot. */
struct host_sched_total {
	__ev_u64 waits; /* a thread of the daemon was runnable, but did not run at once */
	__ev_u64 waited_ns;
};

/* How a system call is classed, one per number. */
struct host_syscall_rule {
	unsigned char cls; /* enum syscall_class */
	unsigned char buffer; /* enum host_syscall_buffer */
	unsigned char eventfd_cls; /* class instead, if the count is 8; SYSC_OTHER: none */
	unsigned char ends_thread; /* never returns */
};

enum host_syscall_buffer {
	HOST_BUFFER_NONE,
	HOST_BUFFER_PLAIN, /* second argument is the buffer */
	HOST_BUFFER_IOVEC, /* second argument is an array of struct iovec */
};

#endif
