/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Maps, settings and small helpers of the guest's programs. Included by guest.bpf.c alone.
 */
#ifndef VFSCOPE_BPF_GUEST_MAPS_BPF_H
#define VFSCOPE_BPF_GUEST_MAPS_BPF_H

#include "bpf/kernel_types.h"
#include "bpf/guest_abi.h"
#include "bpf/losses.bpf.h"
#include "bpf/slots.bpf.h"
#include "lib/op.h"

/* Settings, constant after load. */
const volatile bool filter_mounts = false; /* record only connections in mount_filter */
const volatile bool record_ops = true;
const volatile __u32 flag_o_direct = 0; /* these differ between architectures */
const volatile __u32 flag_o_creat = 0;
const volatile __u32 flag_o_trunc = 0;
const volatile bool record_pages = false; /* pages_missed is counted */
const volatile bool record_dax = false; /* this machine has a DAX window */
const volatile bool record_doorbell = false; /* virtqueue_notify is probed */
/*
 * A copy of a program, which runs after it for each call and does what that has not done, since the
 * kernel skipped it (trace/guest_probes.h).
 */
const volatile bool stand_in = false;
const volatile __u64 wakeup_bytes = 0; /* wake the reader when this much waits in the ring buffer */

/* Set when every probe is attached: before that a request would be seen half. */
bool enabled = false;
__u64 last_op_id = 0;
__u64 stood_in = 0; /* skipped runs that a stand-in made up for */

/* When and where a request was issued, by address of its struct fuse_args; until its first enqueue.
 */
struct issue {
	u64 key;
	u64 t_ns;
	u64 op_id;
	u32 task;
	u32 flags; /* enum guest_request_flags */
};

/* What a task is queueing, by thread id: ties the doorbell, and a FORGET's kick, to the request. */
struct enqueue {
	u64 key;
	struct guest_request_name name;
	u64 req;
	u64 vq;
	u64 t_notify_ns;
};

enum queue_ring {
	QUEUE_RING_UNKNOWN,
	QUEUE_RING_SPLIT,
	QUEUE_RING_OTHER,
};

/* By address of struct virtqueue. */
struct queue_state {
	u64 key;
	u64 t_irq_ns;
	u64 t_work_ns;
	u64 adding; /* request whose buffers were added, until the kick is decided: under the lock
		     */
	u32 ring; /* enum queue_ring */
	u32 noted_conn; /* connection + 1 that is in connections */
};

/*
 * Requests in flight by address of their struct fuse_req or virtio_fs_forget. Addresses are reused
 * at once, but an entry is gone before its request is freed, and the first enqueue makes a new one.
 */
SLOT_TABLE(requests, struct guest_request_entry, 16384)
SLOT_TABLE(issues, struct issue, 16384)
SLOT_TABLE(enqueues, struct enqueue, 4096)
SLOT_TABLE(ops, struct guest_op_entry, 16384)
SLOT_TABLE(queues, struct queue_state, GUEST_MAX_QUEUES)

/* Requests that ended while their task still rang the doorbell: it emits them when it returns. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct guest_request_name);
	__type(value, struct guest_request_entry);
} ended_early SEC(".maps");

/* A bit for each connection that is recorded. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUEST_FILTER_WORDS);
	__type(key, u32);
	__type(value, u64);
} mount_filter SEC(".maps");

/* Connections with requests that there was no room to describe. User space counts them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GUEST_MAX_LEFT_OUT);
	__type(key, u32);
	__type(value, u32);
} left_out SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");

/*
 * No room for the begin of something. Its end will count as one whose begin was not seen, which
 * this makes up for; user space takes a sum below zero (it has not ended) for none.
 */
static __always_inline void begin_lost(void)
{
	u32 loss_class = LOSS_END_NO_START;
	u64 *count = bpf_map_lookup_elem(&losses, &loss_class);

	count_loss(LOSS_MAP_FULL, 1);
	if (count)
		(*count)--;
}

/* What this program is about to do was left undone by the one that it stands in for. */
static __always_inline void made_up_for(void)
{
	if (stand_in)
		__sync_fetch_and_add(&stood_in, 1);
}

#ifdef GUEST_KPROBE
static __always_inline void kept_call_lost(void)
{
	count_loss(LOSS_MAP_FULL, 1);
}
#endif

static __always_inline u32 current_task(void)
{
	return (u32)bpf_get_current_pid_tgid();
}

static __always_inline bool conn_wanted(u32 conn)
{
	u32 at = conn / GUEST_FILTER_BITS;
	u64 *word;

	if (!filter_mounts)
		return true;
	word = bpf_map_lookup_elem(&mount_filter, &at);
	return word && *word >> conn % GUEST_FILTER_BITS & 1;
}

/* The op that the current task is in, or NULL. */
static __always_inline struct guest_op_entry *current_op(void)
{
	return SLOT_FIND(ops, current_task());
}

/*
 * Copied here and not by the kernel, whose memcpy goes byte by byte until it is fast. The reader
 * polls in any case; waking it for each event would cost more than the event.
 */
static __always_inline void emit(const void *event, u32 size)
{
	u64 flags = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wakeup_bytes
			    ? BPF_RB_FORCE_WAKEUP
			    : BPF_RB_NO_WAKEUP;
	u64 *to = bpf_ringbuf_reserve(&events, size, 0);
	const u64 *from = event;

	if (!to) {
		count_loss(LOSS_RINGBUF, 1);
		return;
	}
#pragma unroll
	for (u32 i = 0; i < size / sizeof(*to); i++)
		to[i] = from[i];
	bpf_ringbuf_submit(to, flags);
}

#endif
