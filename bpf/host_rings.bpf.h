/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The daemons' virtqueues: what is new in them is reported, each entry once. Included by host.bpf.c
 * alone.
 *
 * Several threads look at the same ring. Each ring position is claimed by compare-and-exchange, so
 * every entry is reported once. That exchange is also the barrier between reading a ring's index
 * and reading what the index covers (value-returning atomics are full barriers on every
 * architecture).
 *
 * Guest pages that the daemon has not touched since it mapped them cannot be read from here, as a
 * BPF program may not fault. Such headers are tried again at the next system calls: before it
 * serves a request, the daemon reads the header itself and so brings the page in.
 */
#ifndef VFSCOPE_BPF_HOST_RINGS_BPF_H
#define VFSCOPE_BPF_HOST_RINGS_BPF_H

#include "bpf/host_maps.bpf.h"
#include "bpf/host_request.bpf.h"
#include "bpf/guest_chain.h"
#include "bpf/host_aggregate.bpf.h"

#define MAX_ENTRIES_PER_SCAN 256

/* Offsets in both rings, virtio 1.2 2.7.6 and 2.7.8. */
#define RING_IDX 2
#define RING_ENTRIES 4

struct wire_used_elem {
	u32 id;
	u32 len;
};

/* What a scan of one queue works on. */
struct scan {
	struct host_daemon *daemon;
	struct host_queue *queue;
	struct host_queue_state *state;
	u64 ts_ns;
	u32 queue_index;
	u32 chain_flags;
	u16 idx; /* the ring's index as just read */
	u32 retries; /* unread headers that were not tried again yet */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HOST_MAX_DAEMONS *HOST_MAX_QUEUES);
	__type(key, u32);
	__type(value, struct host_queue_state);
} queue_states SEC(".maps");

/* True if elements were used that no scan has reported: what was just read may be stale. */
static __always_inline bool used_moved(const struct scan *scan)
{
	u16 idx;

	if (bpf_probe_read_user(&idx, sizeof(idx), (void *)(scan->queue->used + RING_IDX)))
		return true;
	return idx != (u16)scan->state->used_next;
}

/*
 * A burst on memory that the daemon has not touched yet leaves as many unread headers as the ring
 * has entries. A head is unique while in flight, so it is also the slot; only in rings longer than
 * there are slots two may want the same.
 */
static __always_inline void remember_unread(struct host_queue_state *state, u16 avail_idx, u16 head)
{
	struct host_retry *retry = &state->retries[head & (HOST_MAX_RETRIES - 1)];

	if (__sync_val_compare_and_swap(&retry->state, HOST_RETRY_FREE, HOST_RETRY_BUSY) !=
	    HOST_RETRY_FREE) {
		count_loss(LOSS_HEADER, 1);
		return;
	}
	retry->avail_idx = avail_idx;
	retry->head = head;
	__sync_fetch_and_add(&state->nr_retries, 1);
	__sync_val_compare_and_swap(&retry->state, HOST_RETRY_BUSY, HOST_RETRY_READY);
}

static __always_inline struct aggregate_chain_name chain_name(const struct scan *scan, u16 head)
{
	return (struct aggregate_chain_name){
		.daemon = scan->daemon->slot,
		.queue = scan->queue_index,
		.head = head,
	};
}

static __always_inline void send_chain(struct scan *scan, u16 type,
				       const struct host_chain_event *from)
{
	struct host_chain_event *event;

	if (aggregate) {
		if (type == EV_HOST_HEADER)
			aggregate_header_seen(chain_name(scan, from->head), from);
		else
			aggregate_chain_seen(chain_name(scan, from->head), from);
		return;
	}
	event = new_event(type, sizeof(*event), from->h.ts_ns);
	if (!event)
		return;
	event->unique = from->unique;
	event->nodeid = from->nodeid;
	event->offset_bytes = from->offset_bytes;
	event->data_addr = from->data_addr;
	event->opcode = from->opcode;
	event->size_bytes = from->size_bytes;
	event->in_len = from->in_len;
	event->tid = (u32)bpf_get_current_pid_tgid();
	event->flags = from->flags;
	event->queue = scan->queue_index;
	event->head = from->head;
	event->avail_idx = from->avail_idx;
	event->daemon = scan->daemon->slot;
	event->pad = 0;
	bpf_ringbuf_submit(event, wake_flag());
}

static __noinline int report_chain(struct scan *scan, u16 avail_idx, u16 head)
{
	struct host_chain_event event = {};

	event.h.ts_ns = scan->ts_ns;
	event.head = head;
	event.avail_idx = avail_idx;
	event.flags = scan->chain_flags;
	__sync_fetch_and_add(&scan->state->chains, 1);
	if (read_request(scan->daemon, scan->queue, &event)) {
		event.flags |= HCHAIN_NO_HEADER;
		__sync_fetch_and_add(&scan->state->unreadable, 1);
	} else if (used_moved(scan)) {
		event.flags |= HCHAIN_LATE;
	}
	send_chain(scan, EV_HOST_CHAIN, &event);
	if (event.flags & HCHAIN_NO_HEADER)
		remember_unread(scan->state, avail_idx, head);
	return 0;
}

/* bpf_loop callback: take one avail entry. Returns 1 to end. */
static long follow_avail(u32 i, struct scan *scan)
{
	struct host_queue_state *state = scan->state;
	struct host_queue *queue = scan->queue;
	u32 seen = *(volatile u32 *)&state->avail_next;
	u16 next = seen, behind = scan->idx - next, head;

	if (!behind || behind > 0x8000)
		return 1; /* another thread is ahead of what we read */
	if (behind > queue->size) {
		/* The guest has reused entries that nobody looked at. */
		next = scan->idx - queue->size;
		if (__sync_val_compare_and_swap(&state->avail_next, seen,
						next | HOST_POSITION_KNOWN) == seen)
			count_loss(LOSS_RING_OVERRUN, behind - queue->size);
		return 0;
	}
	if (bpf_probe_read_user(&head, sizeof(head),
				(void *)(queue->avail + RING_ENTRIES +
					 sizeof(head) * (u64)(next & (queue->size - 1)))))
		return 1;
	if (__sync_val_compare_and_swap(&state->avail_next, seen,
					(u16)(next + 1) | HOST_POSITION_KNOWN) != seen)
		return 0;
	report_chain(scan, next, head);
	return 0;
}

/* How many are left behind; only if none, used elements may be looked at. */
static __always_inline u32 scan_avail(struct scan *scan)
{
	u16 left;

	if (bpf_probe_read_user(&scan->idx, sizeof(scan->idx),
				(void *)(scan->queue->avail + RING_IDX)))
		return 1;
	/* After the index: a time at which the entries certainly were there. */
	scan->ts_ns = bpf_ktime_get_ns();
	if (scan->idx == (u16)scan->state->avail_next)
		return 0;
	bpf_loop(MAX_ENTRIES_PER_SCAN, follow_avail, scan, 0);
	left = scan->idx - (u16) * (volatile u32 *)&scan->state->avail_next;
	return left > 0x8000 ? 0 : left;
}

/* bpf_loop callback: try one slot again. Returns 1 after the last one in use. */
static long retry_header(u32 i, struct scan *scan)
{
	struct host_retry *retry = &scan->state->retries[i & (HOST_MAX_RETRIES - 1)];
	struct host_chain_event event = {};

	if (!scan->retries)
		return 1;
	if (*(volatile u32 *)&retry->state == HOST_RETRY_FREE)
		return 0;
	scan->retries--;
	if (__sync_val_compare_and_swap(&retry->state, HOST_RETRY_READY, HOST_RETRY_BUSY) !=
	    HOST_RETRY_READY)
		return 0;
	event.head = retry->head;
	event.avail_idx = retry->avail_idx;
	if (read_request(scan->daemon, scan->queue, &event)) {
		__sync_val_compare_and_swap(&retry->state, HOST_RETRY_BUSY, HOST_RETRY_READY);
		return 0;
	}
	if (used_moved(scan))
		event.flags = HCHAIN_LATE;
	event.h.ts_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&scan->state->recovered, 1);
	__sync_fetch_and_add(&scan->state->nr_retries, -1);
	__sync_val_compare_and_swap(&retry->state, HOST_RETRY_BUSY, HOST_RETRY_FREE);
	send_chain(scan, EV_HOST_HEADER, &event);
	return 0;
}

/* Its chain was used: what is in the guest's memory now is not its header. */
static __always_inline void give_up_header(struct host_queue_state *state, u16 head)
{
	struct host_retry *retry = &state->retries[head & (HOST_MAX_RETRIES - 1)];

	if (retry->head != head || __sync_val_compare_and_swap(&retry->state, HOST_RETRY_READY,
							       HOST_RETRY_BUSY) != HOST_RETRY_READY)
		return;
	count_loss(LOSS_HEADER, 1);
	__sync_fetch_and_add(&state->nr_retries, -1);
	__sync_val_compare_and_swap(&retry->state, HOST_RETRY_BUSY, HOST_RETRY_FREE);
}

static __always_inline void count_used(struct scan *scan, const struct wire_used_elem *elem)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct host_thread_call *call = bpf_map_lookup_elem(&calls, &tid);

	if (!aggregate_chain_used(chain_name(scan, elem->id), scan->ts_ns, elem->len,
				  call ? call->io_ns : 0))
		count_loss(LOSS_END_NO_START, 1);
	if (call)
		call->io_ns = 0;
}

static __noinline int report_used(struct scan *scan, u16 used_idx, struct wire_used_elem *elem,
				  u64 absent_ns)
{
	struct host_used_event *event;

	__sync_fetch_and_add(&scan->state->used, 1);
	if (scan->state->nr_retries)
		give_up_header(scan->state, elem->id);
	if (aggregate) {
		count_used(scan, elem);
		return 0;
	}
	event = new_event(EV_HOST_USED, sizeof(*event), scan->ts_ns);
	if (!event)
		return 0;
	event->tid = (u32)bpf_get_current_pid_tgid();
	event->len = elem->len;
	event->queue = scan->queue_index;
	event->head = elem->id;
	event->used_idx = used_idx;
	event->daemon = scan->daemon->slot;
	event->t_absent_ns = absent_ns;
	bpf_ringbuf_submit(event, wake_flag());
	return 0;
}

/* bpf_loop callback: take one used element. Returns 1 to end. */
static long follow_used(u32 i, struct scan *scan)
{
	struct host_queue_state *state = scan->state;
	struct host_queue *queue = scan->queue;
	/* Read before claiming: later scans may overwrite it with a time after publication. */
	u64 absent_ns = *(volatile u64 *)&state->absent_ns;
	u32 seen = *(volatile u32 *)&state->used_next;
	u16 next = seen, behind = scan->idx - next;
	struct wire_used_elem elem;

	if (!behind || behind > 0x8000)
		return 1;
	if (behind > queue->size) {
		next = scan->idx - queue->size;
		if (__sync_val_compare_and_swap(&state->used_next, seen,
						next | HOST_POSITION_KNOWN) == seen)
			count_loss(LOSS_RING_OVERRUN, behind - queue->size);
		return 0;
	}
	if (bpf_probe_read_user(&elem, sizeof(elem),
				(void *)(queue->used + RING_ENTRIES +
					 sizeof(elem) * (u64)(next & (queue->size - 1)))))
		return 1;
	if (__sync_val_compare_and_swap(&state->used_next, seen,
					(u16)(next + 1) | HOST_POSITION_KNOWN) != seen)
		return 0;
	report_used(scan, next, &elem, absent_ns);
	return 0;
}

/* How many are left behind. */
static __always_inline u32 scan_used(struct scan *scan)
{
	u64 before_ns = bpf_ktime_get_ns();
	u16 left;

	if (bpf_probe_read_user(&scan->idx, sizeof(scan->idx),
				(void *)(scan->queue->used + RING_IDX)))
		return 1;
	if (scan->idx != (u16)scan->state->used_next) {
		scan->ts_ns = bpf_ktime_get_ns();
		bpf_loop(MAX_ENTRIES_PER_SCAN, follow_used, scan, 0);
	}
	/* Nobody is at an element before idx any more, and idx itself was not there yet. */
	left = scan->idx - (u16) * (volatile u32 *)&scan->state->used_next;
	if (!left)
		scan->state->absent_ns = before_ns;
	return left > 0x8000 ? 0 : left;
}

/*
 * First look: begin with the entries that come from now on. An idle daemon makes no system call
 * before its first request is there; that one counts as new if the ring was empty when user space
 * looked and nothing was answered since. Used before avail, so that no chain is reported whose
 * end had already passed.
 */
static __always_inline void start_queue(struct scan *scan)
{
	struct host_queue_state *state = scan->state;
	u16 used, avail;

	if (bpf_probe_read_user(&used, sizeof(used), (void *)(scan->queue->used + RING_IDX)))
		return;
	__sync_val_compare_and_swap(&state->used_next, 0, used | HOST_POSITION_KNOWN);
	if (bpf_probe_read_user(&avail, sizeof(avail), (void *)(scan->queue->avail + RING_IDX)))
		return;
	if (state->idle_at == (used | HOST_POSITION_KNOWN))
		avail = used;
	if (__sync_val_compare_and_swap(&state->avail_next, 0, avail | HOST_POSITION_KNOWN))
		return;
	state->under_way_at_start = (u16)(avail - (u16)state->used_next);
	if (scan->daemon->anew)
		count_loss(LOSS_RING_MOVED, avail);
}

struct scan_all {
	struct host_daemon *daemon;
	u32 chain_flags;
};

/* How many entries it has to leave for the next look. */
static __always_inline u32 scan_rings(struct scan *scan)
{
	u32 left;

	if (!(scan->state->avail_next & HOST_POSITION_KNOWN))
		start_queue(scan);
	if (!(scan->state->avail_next & HOST_POSITION_KNOWN))
		return 1;
	left = scan_avail(scan);
	if (left)
		return left;
	scan->retries = scan->state->nr_retries;
	if (scan->retries)
		bpf_loop(HOST_MAX_RETRIES, retry_header, scan, 0);
	return scan_used(scan);
}

/* bpf_loop callback: one queue. */
static long scan_queue(u32 i, struct scan_all *all)
{
	struct scan scan = {};
	u32 key, left;

	i &= HOST_MAX_QUEUES - 1;
	scan.daemon = all->daemon;
	scan.queue = &all->daemon->queues[i];
	scan.queue_index = i;
	scan.chain_flags = all->chain_flags;
	key = all->daemon->slot * HOST_MAX_QUEUES + i;
	scan.state = bpf_map_lookup_elem(&queue_states, &key);
	if (!scan.state || !scan.queue->used)
		return 0;
	left = scan_rings(&scan);
	if (left != scan.state->left)
		scan.state->left = left;
	return 0;
}

static __always_inline void scan_queues(struct host_daemon *daemon, u32 chain_flags)
{
	struct scan_all all = {.daemon = daemon, .chain_flags = chain_flags};
	struct host_control *control;

	control = bpf_map_lookup_elem(&controls, &daemon->control);
	if (!control || control->messages != daemon->messages)
		return;
	bpf_loop(daemon->nr_queues, scan_queue, &all, 0);
}

#endif
