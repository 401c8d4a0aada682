/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The entry of a request under way: how it begins, what it says of itself, what ties a task and a
 * queue to it, and how its event leaves. Included by guest.bpf.c alone, whose programs set its
 * times.
 */
#ifndef VFSCOPE_BPF_GUEST_REQUEST_BPF_H
#define VFSCOPE_BPF_GUEST_REQUEST_BPF_H

#include "bpf/guest_issue.bpf.h"
#include "bpf/guest_maps.bpf.h"
#include "bpf/guest_aggregate.bpf.h"

static __always_inline void connection_left_out(u32 conn)
{
	u32 one = 1;
	int err = bpf_map_update_elem(&left_out, &conn, &one, BPF_NOEXIST);

	if (err && err != -EEXIST)
		count_loss(LOSS_LEFT_OUT, 1);
}

/* Ties what the task does next on this queue to the request. */
static __always_inline struct enqueue *begin_enqueue(u64 vq, const struct guest_request_entry *req)
{
	struct enqueue *enqueue = SLOT_NEW(enqueues, current_task());

	if (!enqueue) {
		count_loss(LOSS_MAP_FULL, 1);
		return NULL;
	}
	enqueue->name = (struct guest_request_name){.unique = req->ev.unique, .conn = req->ev.conn};
	enqueue->req = req->key;
	enqueue->vq = vq;
	enqueue->t_notify_ns = 0;
	return enqueue;
}

static __always_inline void end_enqueue(void)
{
	SLOT_REMOVE(enqueues, current_task());
}

/* NULL if there are too many queues: each time that is not kept of one counts as lost. */
static __always_inline struct queue_state *queue_state(u64 vq)
{
	struct queue_state *state = SLOT_FIND(queues, vq);

	if (state)
		return state;
	state = SLOT_NEW(queues, vq);
	if (state)
		__builtin_memset(&state->t_irq_ns, 0, sizeof(*state) - sizeof(state->key));
	else
		count_loss(LOSS_MAP_FULL, 1);
	return state;
}

static __always_inline u16 others_in_flight(struct virtio_fs_vq *fsvq, bool counted)
{
	long n = KREAD(fsvq, in_flight) - counted;

	return n < 0 ? 0 : n > 0xffff ? 0xffff : n;
}

/* Another try of a request that found the ring full. */
static __always_inline void retry_enqueue(struct virtio_fs_vq *fsvq, u64 key)
{
	struct guest_request_entry *req = SLOT_FIND(requests, key);
	struct guest_request_event *ev;

	if (!req || (stand_in && req->retrying))
		return;
	made_up_for();
	req->retrying = 1;
	ev = &req->ev;
	ev->t_queued_ns = bpf_ktime_get_ns();
	ev->inflight = others_in_flight(fsvq, true);
	if (ev->ring_full_retries < 0xffff)
		ev->ring_full_retries++;
	if (!(ev->flags & GREQ_FORGET))
		return;
	ev->t_add_ns = ev->t_queued_ns;
	if (!aggregate)
		begin_enqueue((u64)KREAD(fsvq, vq), req);
}

static __always_inline void emit_request(struct guest_request_event *ev)
{
	ev->h.ts_ns = ev->t_wake_ns ? ev->t_wake_ns : ev->t_end_ns;
	if (aggregate)
		aggregate_request(ev);
	else
		emit(ev, sizeof(*ev));
}

/*
 * An entry for a request that begins, all zero. What is there is the last owner of this address:
 * the program that would have seen its end was skipped.
 */
static __always_inline struct guest_request_entry *new_request(u64 key)
{
	struct guest_request_entry *req = SLOT_FIND(requests, key);

	if (req && (req->ev.t_complete_ns || req->ev.t_end_ns)) {
		if (!req->ev.t_end_ns)
			req->ev.t_end_ns = req->ev.t_complete_ns;
		emit_request(&req->ev);
	} else if (req) {
		count_loss(LOSS_PROBE_MISSED, 1);
	}
	req = SLOT_NEW(requests, key);
	if (req)
		__builtin_memset(&req->ev, 0, sizeof(*req) - sizeof(req->key));
	else
		begin_lost();
	return req;
}

/* Of a request that is being sent: it has its entry. */
static __always_inline bool is_begun(u64 key, u64 unique)
{
	struct guest_request_entry *req = SLOT_FIND(requests, key);

	return req && req->ev.unique == unique;
}

/* No probe may find it by its address or name any more. */
static __always_inline void remove_request(struct guest_request_entry *req)
{
	u64 key = req->key;

	req->ev.unique = 0;
	SLOT_REMOVE(requests, key);
}

/* What a request says of itself when it is sent. */
struct sent_request {
	struct wire_in_header in;
	struct fuse_args *args;
	const void *arg; /* the first of its arguments */
	unsigned long flags; /* bits FR_* */
};

/* False if its header cannot be read. */
static __always_inline bool read_any_request(struct sent_request *sent, struct fuse_req *req)
{
	struct fuse_args *args = BPF_CORE_READ(req, args);

	sent->args = args;
	sent->flags = BPF_CORE_READ(req, flags);
	sent->arg = BPF_CORE_READ(args, in_args[0].value);
	return !bpf_probe_read_kernel(&sent->in, sizeof(sent->in), &req->in.h);
}

/* Of a request that is an argument of the probe, which fentry programs may read by loads. */
static __always_inline bool read_request(struct sent_request *sent, struct fuse_req *req)
{
#ifdef GUEST_KPROBE
	return read_any_request(sent, req);
#else
	struct fuse_args *args = KREAD(req, args);

	sent->args = args;
	sent->flags = KREAD(req, flags);
	sent->arg = KREAD(args, in_args[0].value);
	sent->in.len = KREAD(req, in.h.len);
	sent->in.opcode = KREAD(req, in.h.opcode);
	sent->in.unique = KREAD(req, in.h.unique);
	sent->in.nodeid = KREAD(req, in.h.nodeid);
	sent->in.pid = KREAD(req, in.h.pid);
	return sent->in.opcode; /* a load that fails gives 0, which is no opcode */
#endif
}

static __always_inline void describe_io(struct guest_request_event *ev,
					const struct sent_request *sent)
{
	struct wire_rw_in in = {};

	if (record_dax)
		describe_mapping(ev, sent->args);
	if (ev->opcode != WIRE_OPCODE_READ && ev->opcode != WIRE_OPCODE_WRITE)
		return;
	if (bpf_probe_read_kernel(&in, sizeof(in), sent->arg)) {
		count_loss(LOSS_HEADER, 1);
		return;
	}
	ev->offset_bytes = in.offset;
	ev->size_bytes = in.size;
	ev->fuse_flags = in.rw_flags;
	if (in.rw_flags & WIRE_LOCKOWNER)
		ev->flags |= GREQ_LOCKOWNER;
	if (ev->opcode == WIRE_OPCODE_WRITE && (in.rw_flags & WIRE_WRITE_CACHE))
		ev->flags |= GREQ_WRITE_CACHE;
}

static __always_inline void match_issue(struct guest_request_event *ev, struct fuse_args *args)
{
	struct issue *issue = SLOT_FIND(issues, (u64)args);

	if (!issue) {
		ev->flags |= GREQ_NO_ISSUE;
		ev->t_issue_ns = ev->t_send_ns;
		return;
	}
	ev->t_issue_ns = issue->t_ns;
	ev->op_id = issue->op_id;
	ev->task = issue->task;
	ev->flags |= issue->flags;
	drop_issue(args);
}

static __always_inline void init_event(struct guest_request_event *ev, struct virtqueue *vq,
				       const struct wire_in_header *in)
{
	ev->h.type = EV_GUEST_REQUEST;
	ev->h.size = sizeof(*ev);
	ev->h.cpu = bpf_get_smp_processor_id();
	ev->t_send_ns = bpf_ktime_get_ns();
	ev->t_queued_ns = ev->t_send_ns;
	ev->unique = in->unique;
	ev->nodeid = in->nodeid;
	ev->opcode = in->opcode;
	ev->in_len = in->len;
	ev->queue = KREAD(vq, index);
}

/* NULL if there is no room. */
static __always_inline struct guest_request_entry *
begin_request(struct virtqueue *vq, u64 key, u32 conn, const struct sent_request *sent)
{
	struct guest_request_entry *req = new_request(key);
	struct guest_request_event *ev;

	if (!req) {
		drop_issue(sent->args);
		return NULL;
	}
	ev = &req->ev;
	ev->conn = conn;
	init_event(ev, vq, &sent->in);
	/* The current task may be a worker that sends what others issued. */
	ev->task = sent->in.pid;
	if (sent->flags & (1ul << FR_BACKGROUND))
		ev->flags |= GREQ_BACKGROUND;
	match_issue(ev, sent->args);
	describe_io(ev, sent);
	return req;
}

#endif
