// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * The guest's probes: the life of every virtio-fs request, one event each when it is over.
 *
 * - issue: fuse_simple_request, fuse_simple_background; remembered by its fuse_args
 * - enqueue: virtio_fs_enqueue_req; an entry in requests, by its fuse_req
 * - add, kick, doorbell: virtqueue_add_sgs, virtqueue_kick_prepare, virtqueue_notify; tied to the
 *   request by the task that enqueues
 * - interrupt, work: virtio_fs_vq_done, virtio_fs_requests_done_work; remembered by virtqueue
 * - dequeue: virtqueue_get_buf; gets its queue's interrupt and work times
 * - end: virtio_fs_request_complete, fuse_request_end; a background request's event
 * - wake-up: request_wait_answer returns; a synchronous request's event
 *
 * Where there is a DAX window, guest_dax.bpf.h watches what becomes of its ranges.
 *
 * FORGETs have no fuse_req and no reply: send_forget_request to virtqueue_get_buf. Where kernels
 * differ in a function's name or arguments there is one program for each, and the loader chooses
 * by the kernel's BTF (trace/guest_probes.c).
 *
 * The kernel skips a program that is preempted on the same CPU while it runs. On preemptible
 * kernels that happens, so whatever one program would have done for the event to exist, a later
 * one does if it finds it undone; the event then lacks a time, but is there.
 */
#include "bpf/guest_attach.bpf.h"
#include "bpf/kernel_types.h"
#include "bpf/guest_maps.bpf.h"
#include "bpf/guest_aggregate.bpf.h"
#include "bpf/guest_ops.bpf.h"
#include "bpf/guest_cache.bpf.h"
#include "bpf/guest_names.bpf.h"
#include "bpf/guest_faults.bpf.h"
#include "bpf/guest_dax.bpf.h"
#include "bpf/guest_issue.bpf.h"
#include "bpf/guest_connection.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline void connection_left_out(u32 conn)
{
	u32 one = 1;
	int err = bpf_map_update_elem(&left_out, &conn, &one, BPF_NOEXIST);

	if (err && err != -EEXIST)
		count_loss(LOSS_LEFT_OUT);
}

/* Ties what the task does next on this queue (kick, doorbell) to the request. */
static __always_inline void begin_enqueue(struct virtqueue *vq, u64 req,
					  const struct guest_request_event *ev)
{
	u32 task = current_task();
	struct enqueue enqueue = {
		.name = {.unique = ev->unique, .conn = ev->conn},
		.req = req,
		.vq = (u64)vq,
	};

	/* Nothing that would look at it, or remove it, is attached. */
	if (aggregate)
		return;
	if (bpf_map_update_elem(&enqueues, &task, &enqueue, BPF_ANY))
		count_loss(LOSS_MAP_FULL);
}

static __always_inline u16 others_in_flight(struct virtio_fs_vq *fsvq, bool counted)
{
	long n = KREAD(fsvq, in_flight) - counted;

	return n < 0 ? 0 : n > 0xffff ? 0xffff : n;
}

/* Another try of a request that found the ring full. */
static __always_inline void retry_enqueue(struct virtio_fs_vq *fsvq, u64 key)
{
	struct guest_request_entry *req = bpf_map_lookup_elem(&requests, &key);
	struct guest_request_event *ev;

	if (!req)
		return;
	ev = &req->ev;
	ev->t_queued_ns = bpf_ktime_get_ns();
	if (ev->flags & GREQ_FORGET)
		ev->t_add_ns = ev->t_queued_ns;
	ev->inflight = others_in_flight(fsvq, true);
	if (ev->ring_full_retries < 0xffff)
		ev->ring_full_retries++;
	begin_enqueue(KREAD(fsvq, vq), key, ev);
}

static __always_inline void emit_request(struct guest_request_event *ev)
{
	ev->h.ts_ns = ev->t_wake_ns ? ev->t_wake_ns : ev->t_end_ns;
	if (aggregate)
		aggregate_request(ev);
	else
		emit(ev, sizeof(*ev));
}

/* The last owner of this address is gone, and the program that would have seen it was skipped. */
static __always_inline void replace_request(u64 key)
{
	struct guest_request_entry *last = bpf_map_lookup_elem(&requests, &key);

	if (!last)
		return;
	if (last->ev.t_end_ns)
		emit_request(&last->ev);
	else
		count_loss(LOSS_PROBE_MISSED);
	bpf_map_delete_elem(&requests, &key);
}

static __always_inline void remember_request(struct virtqueue *vq, u64 key,
					     struct guest_request_entry *req)
{
	int err = bpf_map_update_elem(&requests, &key, req, BPF_NOEXIST);

	if (err == -EEXIST) {
		replace_request(key);
		err = bpf_map_update_elem(&requests, &key, req, BPF_ANY);
	}
	if (err)
		begin_lost();
	else
		begin_enqueue(vq, key, &req->ev);
}

static __always_inline void describe_io(struct guest_request_event *ev, struct fuse_args *args)
{
	struct wire_rw_in in = {};

	if (record_dax)
		describe_mapping(ev, args);
	if (ev->opcode != WIRE_OPCODE_READ && ev->opcode != WIRE_OPCODE_WRITE)
		return;
	if (bpf_probe_read_kernel(&in, sizeof(in), BPF_CORE_READ(args, in_args[0].value))) {
		count_loss(LOSS_HEADER);
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
	u64 key = (u64)args;
	struct issue *issue = bpf_map_lookup_elem(&issues, &key);

	if (!issue) {
		ev->flags |= GREQ_NO_ISSUE;
		ev->t_issue_ns = ev->t_send_ns;
		return;
	}
	ev->t_issue_ns = issue->t_ns;
	ev->op_id = issue->op_id;
	ev->task = issue->task;
	ev->flags |= issue->flags;
	bpf_map_delete_elem(&issues, &key);
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

/* conn, inflight and SGs are in the event already. */
static __always_inline void begin_request(struct guest_request_entry *entry, struct virtqueue *vq,
					  struct fuse_req *req)
{
	struct guest_request_event *ev = &entry->ev;
	struct fuse_args *args = BPF_CORE_READ(req, args);
	struct wire_in_header in;

	if (!conn_wanted(ev->conn)) {
		drop_issue(args);
		return;
	}
	if (bpf_probe_read_kernel(&in, sizeof(in), &req->in.h)) {
		count_loss(LOSS_HEADER);
		return;
	}
	init_event(ev, vq, &in);
	/* The current task may be a worker that sends what others issued. */
	ev->task = in.pid;
	if (BPF_CORE_READ(req, flags) & (1ul << FR_BACKGROUND))
		ev->flags |= GREQ_BACKGROUND;
	match_issue(ev, args);
	describe_io(ev, args);
	remember_request(vq, (u64)req, entry);
}

/* in_flight: a retry by the dispatch work. bool arguments are only defined in their low byte. */
ON_ENTRY(virtio_fs_enqueue_req, enqueue_begin, struct virtio_fs_vq *fsvq, struct fuse_req *req,
	 u64 in_flight)
{
	struct guest_request_entry entry = {};
	struct fuse_conn *fc;

	if (!enabled)
		return 0;
	if (in_flight & 0xff) {
		retry_enqueue(fsvq, (u64)req);
		return 0;
	}
	fc = fsvq_conn(fsvq);
	if (!fc) { /* nobody has mounted the device: never seen */
		count_loss(LOSS_HEADER);
		return 0;
	}
	entry.ev.conn = minor_of(KREAD(fc, dev));
	entry.ev.inflight = others_in_flight(fsvq, false);
	if (conn_wanted(entry.ev.conn))
		note_connection(fc, fsvq);
	begin_request(&entry, KREAD(fsvq, vq), req);
	return 0;
}

ON_RETURN(virtio_fs_enqueue_req, 0, enqueue_end)
{
	u32 task = current_task();

	bpf_map_delete_elem(&enqueues, &task);
	return 0;
}

/* The enqueue was not seen: skipped, or before we began. Buffers of hiprio are no fuse_req. */
static __always_inline void begin_at_add(struct virtqueue *vq, struct fuse_req *req, u16 sg_out,
					 u16 sg_in)
{
	struct guest_request_entry entry = {};

	if (!enabled || !KREAD(vq, index))
		return;
	entry.ev.conn = minor_of(BPF_CORE_READ(req_conn(req), dev));
	entry.ev.t_add_ns = bpf_ktime_get_ns();
	entry.ev.sg_out = sg_out;
	entry.ev.sg_in = sg_in;
	begin_request(&entry, vq, req);
}

/* Of all virtio devices. */
ON_ENTRY(virtqueue_add_sgs, ring_add, struct virtqueue *vq, void *sgs, u32 out_sgs, u32 in_sgs,
	 u64 data)
{
	struct guest_request_entry *req;

	if (!vq_is_virtiofs(vq))
		return 0;
	req = bpf_map_lookup_elem(&requests, &data);
	/* What has ended is the last owner of this address. */
	if (!req || req->ev.t_end_ns) {
		begin_at_add(vq, (void *)data, out_sgs, in_sgs);
		return 0;
	}
	req->ev.t_add_ns = bpf_ktime_get_ns();
	req->ev.sg_out = out_sgs;
	req->ev.sg_in = in_sgs;
	return 0;
}

static __always_inline struct enqueue *current_enqueue(struct virtqueue *vq)
{
	u32 task = current_task();
	struct enqueue *enqueue;

	if (!vq_is_virtiofs(vq))
		return NULL;
	enqueue = bpf_map_lookup_elem(&enqueues, &task);
	return enqueue && enqueue->vq == (u64)vq ? enqueue : NULL;
}

/* NULL if it has ended meanwhile, even if its memory serves another request already. */
static __always_inline struct guest_request_entry *enqueued_request(struct enqueue *enqueue)
{
	struct guest_request_entry *req = bpf_map_lookup_elem(&requests, &enqueue->req);

	return req && req->ev.unique == enqueue->name.unique ? req : NULL;
}

/* Only called after a buffer was added, still under the queue's lock. */
ON_RETURN(virtqueue_kick_prepare, 1, kick_prepared, struct virtqueue *vq, u64 ret)
{
	struct enqueue *enqueue = current_enqueue(vq);
	struct guest_request_entry *req;
	u16 idx;

	if (!enqueue)
		return 0;
	req = enqueued_request(enqueue);
	if (!req)
		return 0;
	req->ev.flags |= GREQ_KICK_KNOWN;
	if (ret & 0xff)
		req->ev.flags |= GREQ_KICKED;
	if (vq_last_avail_idx(vq, &idx)) {
		req->ev.avail_idx = idx;
		req->ev.avail_idx_known = 1;
	}
	return 0;
}

ON_ENTRY(virtqueue_notify, notify_begin, struct virtqueue *vq)
{
	struct enqueue *enqueue = current_enqueue(vq);
	struct guest_request_entry *req;

	if (!enqueue)
		return 0;
	req = enqueued_request(enqueue);
	if (!req)
		return 0;
	enqueue->t_notify_ns = bpf_ktime_get_ns();
	req->ev.t_kick_ns = enqueue->t_notify_ns;
	__sync_fetch_and_or(&req->state, REQUEST_NOTIFYING);
	return 0;
}

/*
 * The request may have ended on another CPU meanwhile. Of notify_end() and finish_request(), the
 * one that sets its bit second emits the event, which then has everything.
 */
ON_RETURN(virtqueue_notify, 1, notify_end, struct virtqueue *vq)
{
	struct enqueue *enqueue = current_enqueue(vq);
	struct guest_request_entry *req;
	u64 spent;

	if (!enqueue || !enqueue->t_notify_ns)
		return 0;
	spent = bpf_ktime_get_ns() - enqueue->t_notify_ns;
	req = enqueued_request(enqueue);
	if (req) {
		req->ev.doorbell_ns = spent;
		if (!(__sync_fetch_and_or(&req->state, REQUEST_NOTIFIED) & REQUEST_ENDED))
			return 0;
	}
	req = bpf_map_lookup_elem(&ended_early, &enqueue->name);
	if (!req)
		return 0;
	req->ev.doorbell_ns = spent;
	emit_request(&req->ev);
	bpf_map_delete_elem(&ended_early, &enqueue->name);
	return 0;
}

/* NULL if there are too many queues: each time that is not kept of one counts as lost. */
static __always_inline struct queue_state *queue_state(u64 vq)
{
	struct queue_state fresh = {}, *state = bpf_map_lookup_elem(&queues, &vq);

	if (state)
		return state;
	bpf_map_update_elem(&queues, &vq, &fresh, BPF_NOEXIST);
	state = bpf_map_lookup_elem(&queues, &vq);
	if (!state)
		count_loss(LOSS_MAP_FULL);
	return state;
}

ON_ENTRY(virtio_fs_vq_done, queue_irq, struct virtqueue *vq)
{
	struct queue_state *state = queue_state((u64)vq);

	if (state)
		state->t_irq_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void note_work(struct work_struct *work)
{
	struct virtio_fs_vq *fsvq = fsvq_of_done_work(work);
	struct queue_state *state = queue_state((u64)BPF_CORE_READ(fsvq, vq));

	if (state)
		state->t_work_ns = bpf_ktime_get_ns();
}

ON_ENTRY(virtio_fs_requests_done_work, requests_work, struct work_struct *work)
{
	note_work(work);
	return 0;
}

ON_ENTRY(virtio_fs_hiprio_done_work, hiprio_work, struct work_struct *work)
{
	note_work(work);
	return 0;
}

/* True if the task that still rings the doorbell will emit the event. */
static __always_inline bool leave_to_notifier(struct guest_request_entry *req)
{
	struct guest_request_name name = {.unique = req->ev.unique, .conn = req->ev.conn};

	if ((req->state & (REQUEST_NOTIFYING | REQUEST_NOTIFIED)) != REQUEST_NOTIFYING)
		return false;
	/* Too many: then without the doorbell's time. */
	if (bpf_map_update_elem(&ended_early, &name, req, BPF_ANY)) {
		count_loss(LOSS_MAP_FULL);
		return false;
	}
	if (!(__sync_fetch_and_or(&req->state, REQUEST_ENDED) & REQUEST_NOTIFIED))
		return true;
	bpf_map_delete_elem(&ended_early, &name);
	return false;
}

static __always_inline void finish_request(u64 key, struct guest_request_entry *req)
{
	struct guest_request_event *ev = &req->ev;

	/* Only an add that succeeded is followed by a kick decision. */
	if (!(ev->flags & GREQ_KICK_KNOWN) && !ev->t_complete_ns) {
		ev->flags |= GREQ_ABORTED;
		ev->t_add_ns = 0;
	}
	if (!leave_to_notifier(req))
		emit_request(ev);
	bpf_map_delete_elem(&requests, &key);
}

/* A FORGET, which nothing else tells the end of, or a request, which request_complete() will count. */
static __always_inline void got_unseen(struct virtqueue *vq)
{
	struct fuse_conn *fc;

	if (!enabled || KREAD(vq, index))
		return;
	fc = hiprio_conn(vq);
	if (fc && conn_wanted(minor_of(BPF_CORE_READ(fc, dev))))
		count_loss(LOSS_END_NO_START);
}

ON_RETURN(virtqueue_get_buf, 2, ring_get, struct virtqueue *vq, void *len, u64 ret)
{
	struct queue_state *state;
	struct guest_request_entry *req;

	if (!ret || !vq_is_virtiofs(vq))
		return 0;
	req = bpf_map_lookup_elem(&requests, &ret);
	if (!req) {
		got_unseen(vq);
		return 0;
	}
	state = queue_state((u64)vq);
	if (state) {
		req->ev.t_irq_ns = state->t_irq_ns;
		req->ev.t_work_ns = state->t_work_ns;
	}
	if (req->ev.flags & GREQ_FORGET) {
		req->ev.t_end_ns = bpf_ktime_get_ns();
		req->ev.t_complete_ns = req->ev.t_end_ns;
		req->ev.end_cpu = bpf_get_smp_processor_id();
		finish_request(ret, req);
	}
	return 0;
}

/* Without its dequeue: that of a later batch, if the queue was interrupted again meanwhile. */
static __always_inline void note_last_irq(struct guest_request_event *ev, u64 vq)
{
	struct queue_state *state = queue_state(vq);

	if (state)
		ev->t_irq_ns = state->t_irq_ns;
}

/* The device wrote the reply's header into the request. */
static __always_inline void note_reply(struct guest_request_event *ev, struct fuse_req *req)
{
	u32 len = KREAD(req, out.h.len);

	ev->error = KREAD(req, out.h.error);
	ev->reply_bytes = len > WIRE_OUT_HEADER_BYTES ? len - WIRE_OUT_HEADER_BYTES : 0;
	ev->end_cpu = bpf_get_smp_processor_id();
}

ON_ENTRY(virtio_fs_request_complete, request_complete, struct fuse_req *fuse_req,
	 struct virtio_fs_vq *fsvq)
{
	u64 key = (u64)fuse_req;
	struct guest_request_entry *req = bpf_map_lookup_elem(&requests, &key);
	struct fuse_conn *fc;

	if (req) {
		req->ev.t_complete_ns = bpf_ktime_get_ns();
		note_reply(&req->ev, fuse_req);
		if (aggregate)
			note_last_irq(&req->ev, (u64)KREAD(fsvq, vq));
		return 0;
	}
	fc = fsvq_conn(fsvq);
	if (enabled && fc && conn_wanted(minor_of(KREAD(fc, dev))))
		count_loss(LOSS_END_NO_START);
	return 0;
}

/* fuse_request_end was skipped. The request is freed: only its address may be used. */
ON_RETURN(virtio_fs_request_complete, 1, request_completed, struct fuse_req *fuse_req)
{
	u64 key = (u64)fuse_req;
	struct guest_request_entry *req = bpf_map_lookup_elem(&requests, &key);

	/* Another request has this address by now if it was not completed. */
	if (!req || !req->ev.t_complete_ns || req->ev.t_end_ns)
		return 0;
	if (!(req->ev.flags & GREQ_BACKGROUND))
		return 0;
	req->ev.t_end_ns = bpf_ktime_get_ns();
	finish_request(key, req);
	return 0;
}

/* Called a second time for an aborted request; FR_FINISHED is what the kernel itself tests. */
ON_ENTRY(fuse_request_end, request_end, struct fuse_req *fuse_req)
{
	u64 key = (u64)fuse_req;
	struct guest_request_entry *req = bpf_map_lookup_elem(&requests, &key);

	if (!req) {
		drop_issue(KREAD(fuse_req, args)); /* aborted in the background queue */
		return 0;
	}
	if (KREAD(fuse_req, flags) & (1ul << FR_FINISHED))
		return 0;
	req->ev.t_end_ns = bpf_ktime_get_ns();
	note_reply(&req->ev, fuse_req);
	if (req->ev.flags & GREQ_BACKGROUND)
		finish_request(key, req);
	return 0;
}

ON_RETURN(request_wait_answer, 1, waiter_woke, struct fuse_req *fuse_req)
{
	u64 key = (u64)fuse_req;
	struct guest_request_entry *req = bpf_map_lookup_elem(&requests, &key);

	/* If it has not finished, the waiter was killed and the request goes on. */
	if (!req || !(KREAD(fuse_req, flags) & (1ul << FR_FINISHED)))
		return 0;
	req->ev.t_wake_ns = bpf_ktime_get_ns();
	if (!req->ev.t_end_ns) {
		note_reply(&req->ev, fuse_req);
		req->ev.t_end_ns =
			req->ev.t_complete_ns ? req->ev.t_complete_ns : req->ev.t_wake_ns;
	}
	finish_request(key, req);
	return 0;
}

ON_ENTRY(send_forget_request, forget_begin, struct virtio_fs_vq *fsvq,
	 struct virtio_fs_forget *forget, u64 in_flight)
{
	struct guest_request_entry entry = {};
	struct guest_request_event *ev = &entry.ev;
	struct wire_in_header in;
	struct fuse_conn *fc;

	if (!enabled)
		return 0;
	if (in_flight & 0xff) {
		retry_enqueue(fsvq, (u64)forget);
		return 0;
	}
	fc = fsvq_conn(fsvq);
	if (!fc) { /* nobody has mounted the device: never seen */
		count_loss(LOSS_HEADER);
		return 0;
	}
	ev->conn = minor_of(KREAD(fc, dev));
	if (!conn_wanted(ev->conn))
		return 0;
	ev->inflight = others_in_flight(fsvq, false);
	note_connection(fc, fsvq);
	if (bpf_probe_read_kernel(&in, sizeof(in), &forget->req.ih)) {
		count_loss(LOSS_HEADER);
		return 0;
	}
	init_event(ev, KREAD(fsvq, vq), &in);
	ev->task = current_task();
	ev->flags = GREQ_FORGET;
	ev->t_issue_ns = ev->t_send_ns;
	ev->t_add_ns = ev->t_send_ns;
	/* One buffer that the device reads, nothing to write. */
	ev->sg_out = 1;
	if (aggregate) {
		ev->t_end_ns = ev->t_send_ns; /* nobody waits for its end, nor do we */
		emit_request(ev);
		return 0;
	}
	remember_request(KREAD(fsvq, vq), (u64)forget, &entry);
	return 0;
}

/* ret 1: ring full, will be tried again. Otherwise sent, or dropped because of an error. */
ON_RETURN(send_forget_request, 3, forget_end, struct virtio_fs_vq *fsvq,
	  struct virtio_fs_forget *forget, u64 in_flight, int ret)
{
	u32 task = current_task();
	struct enqueue *enqueue = bpf_map_lookup_elem(&enqueues, &task);
	struct guest_request_entry *req;

	if (!enqueue)
		return 0;
	req = enqueued_request(enqueue);
	if (ret != 1 && req && !(req->ev.flags & GREQ_KICK_KNOWN)) {
		req->ev.t_end_ns = bpf_ktime_get_ns();
		finish_request((u64)forget, req);
	}
	bpf_map_delete_elem(&enqueues, &task);
	return 0;
}
