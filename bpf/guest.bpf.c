// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * The guest's probes: the life of every virtio-fs request, one event each when it is over.
 *
 * - issue: fuse_simple_request, fuse_simple_background; remembered by its fuse_args
 * - enqueue: virtio_fs_enqueue_req; an entry in requests, by its fuse_req
 * - add, kick: virtqueue_add_sgs, virtqueue_kick_prepare; both under the queue's lock, so tied to
 * the request by the virtqueue
 * - doorbell: virtqueue_notify, which follows at once; tied to it by the task
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
 * The kernel skips a fentry program while another task is preempted in it on the same CPU. On
 * preemptible kernels that happens, so whatever one program would have done for the event to exist,
 * a later one does if it finds it undone; the event then lacks a time, but is there. That its times
 * are there, too, and ops, is what stand-ins are for (trace/guest_probes.h).
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
#include "bpf/guest_request.bpf.h"
#include "bpf/guest_connection.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Once for each connection, so that each queue remembers which one it told of. */
static __always_inline void note_queue_conn(struct fuse_conn *fc, struct virtio_fs_vq *fsvq,
					    u32 conn)
{
	struct queue_state *queue = queue_state((u64)KREAD(fsvq, vq));

	if (!queue || queue->noted_conn == conn + 1)
		return;
	note_connection(fc, fsvq);
	if (bpf_map_lookup_elem(&connections, &conn))
		queue->noted_conn = conn + 1;
}

/* in_flight: a retry by the dispatch work. bool arguments are only defined in their low byte. */
ON_ENTRY(virtio_fs_enqueue_req, enqueue_begin, struct virtio_fs_vq *fsvq, struct fuse_req *fuse_req,
	 u64 in_flight)
{
	struct guest_request_entry *req;
	struct sent_request sent = {};
	struct fuse_conn *fc;
	u32 conn;

	if (!enabled)
		return 0;
	if (in_flight & 0xff) {
		retry_enqueue(fsvq, (u64)fuse_req);
		return 0;
	}
	if (stand_in && is_begun((u64)fuse_req, KREAD(fuse_req, in.h.unique)))
		return 0;
	fc = fsvq_conn(fsvq);
	if (!fc) { /* nobody has mounted the device: never seen */
		count_loss(LOSS_HEADER, 1);
		return 0;
	}
	conn = minor_of(KREAD(fc, dev));
	if (!conn_wanted(conn))
		return 0;
	note_queue_conn(fc, fsvq, conn);
	if (!read_request(&sent, fuse_req)) {
		count_loss(LOSS_HEADER, 1);
		return 0;
	}
	req = begin_request(KREAD(fsvq, vq), (u64)fuse_req, conn, &sent);
	if (req) {
		made_up_for();
		req->ev.inflight = others_in_flight(fsvq, false);
	}
	return 0;
}

/* The enqueue was not seen: skipped, or before we began. Buffers of hiprio are no fuse_req. */
static __always_inline struct guest_request_entry *begin_at_add(struct virtqueue *vq,
								struct fuse_req *fuse_req)
{
	struct sent_request sent = {};
	u32 conn;

	if (!enabled || !KREAD(vq, index))
		return NULL;
	conn = minor_of(BPF_CORE_READ(req_conn(fuse_req), dev));
	if (!conn_wanted(conn))
		return NULL;
	if (!read_any_request(&sent, fuse_req)) {
		count_loss(LOSS_HEADER, 1);
		return NULL;
	}
	return begin_request(vq, (u64)fuse_req, conn, &sent);
}

/* Of all virtio devices. */
ON_ENTRY(virtqueue_add_sgs, ring_add, struct virtqueue *vq, void *sgs, u32 out_sgs, u32 in_sgs,
	 u64 data)
{
	struct guest_request_entry *req;
	struct queue_state *queue;

	if (!vq_is_virtiofs(vq))
		return 0;
	queue = queue_state((u64)vq);
	if (queue)
		queue->adding = data;
	req = SLOT_FIND(requests, data);
	/* What has ended is the last owner of this address. */
	if (!req || req->ev.t_complete_ns || req->ev.t_end_ns)
		req = begin_at_add(vq, (void *)data);
	if (!req)
		return 0;
	req->retrying = 0;
	req->ev.t_add_ns = bpf_ktime_get_ns();
	req->ev.sg_out = out_sgs;
	req->ev.sg_in = in_sgs;
	return 0;
}

static __always_inline struct enqueue *current_enqueue(struct virtqueue *vq)
{
	struct enqueue *enqueue = SLOT_FIND(enqueues, current_task());

	return enqueue && enqueue->vq == (u64)vq ? enqueue : NULL;
}

/* NULL if it has ended meanwhile, even if its memory serves another request already. */
static __always_inline struct guest_request_entry *enqueued_request(struct enqueue *enqueue)
{
	struct guest_request_entry *req = SLOT_FIND(requests, enqueue->req);

	return req && req->ev.unique == enqueue->name.unique ? req : NULL;
}

/* Ring index that the last added buffer got. */
static __always_inline void note_avail_idx(struct guest_request_event *ev,
					   struct queue_state *queue, struct virtqueue *vq)
{
	if (queue->ring == QUEUE_RING_UNKNOWN)
		queue->ring = vq_is_split(vq) ? QUEUE_RING_SPLIT : QUEUE_RING_OTHER;
	if (queue->ring != QUEUE_RING_SPLIT)
		return;
	ev->avail_idx = vq_last_avail_idx(vq);
	ev->avail_idx_known = 1;
}

/*
 * The doorbell follows as soon as the lock is released, so that the time of the decision is that of
 * the kick: a program less. The request may end as soon as the lock is released.
 */
static __always_inline void begin_notify(struct virtqueue *vq, struct guest_request_entry *req,
					 struct enqueue *enqueue)
{
	if (!enqueue && record_doorbell)
		enqueue = begin_enqueue((u64)vq, req);
	if (enqueue && record_doorbell)
		req->state |= REQUEST_NOTIFYING;
	req->ev.t_kick_ns = bpf_ktime_get_ns();
	if (enqueue)
		enqueue->t_notify_ns = req->ev.t_kick_ns;
}

/* Only called after a buffer was added, still under the queue's lock. */
ON_RETURN(virtqueue_kick_prepare, 1, kick_prepared, struct virtqueue *vq, u64 ret)
{
	struct guest_request_entry *req = NULL;
	struct enqueue *enqueue = NULL;
	struct queue_state *queue;

	if (!vq_is_virtiofs(vq))
		return 0;
	queue = SLOT_FIND(queues, (u64)vq);
	if (!queue)
		return 0;
	if (KREAD(vq, index)) {
		req = SLOT_FIND(requests, queue->adding);
		queue->adding = 0;
	} else {
		enqueue = current_enqueue(vq);
		if (enqueue)
			req = enqueued_request(enqueue);
	}
	if (!req)
		return 0;
	req->ev.flags |= GREQ_KICK_KNOWN;
	note_avail_idx(&req->ev, queue, vq);
	if (ret & 0xff) {
		req->ev.flags |= GREQ_KICKED;
		begin_notify(vq, req, enqueue);
	}
	return 0;
}

static __always_inline void note_doorbell(struct enqueue *enqueue, u64 spent_ns)
{
	struct guest_request_entry *req = enqueued_request(enqueue);

	/*
	 * The request may have ended on another CPU meanwhile. Of this and finish_request(), the
	 * one that sets its bit second emits the event, which then has everything.
	 */
	if (req) {
		req->ev.doorbell_ns = spent_ns;
		if (!(__sync_fetch_and_or(&req->state, REQUEST_NOTIFIED) & REQUEST_ENDED))
			return;
	}
	req = bpf_map_lookup_elem(&ended_early, &enqueue->name);
	if (!req)
		return;
	req->ev.doorbell_ns = spent_ns;
	emit_request(&req->ev);
	bpf_map_delete_elem(&ended_early, &enqueue->name);
}

ON_RETURN(virtqueue_notify, 1, notify_end, struct virtqueue *vq)
{
	struct enqueue *enqueue;

	if (!vq_is_virtiofs(vq))
		return 0;
	enqueue = current_enqueue(vq);
	if (!enqueue || !enqueue->t_notify_ns)
		return 0;
	note_doorbell(enqueue, bpf_ktime_get_ns() - enqueue->t_notify_ns);
	end_enqueue();
	return 0;
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
		count_loss(LOSS_MAP_FULL, 1);
		return false;
	}
	if (!(__sync_fetch_and_or(&req->state, REQUEST_ENDED) & REQUEST_NOTIFIED))
		return true;
	bpf_map_delete_elem(&ended_early, &name);
	return false;
}

static __always_inline void finish_request(struct guest_request_entry *req)
{
	struct guest_request_event *ev = &req->ev;

	/* Only an add that succeeded is followed by a kick decision. */
	if (!(ev->flags & GREQ_KICK_KNOWN) && !ev->t_complete_ns) {
		ev->flags |= GREQ_ABORTED;
		ev->t_add_ns = 0;
	}
	if (!leave_to_notifier(req))
		emit_request(ev);
	remove_request(req);
}

/* A FORGET, which nothing else tells the end of, or a request, which request_complete() will count.
 */
static __always_inline void got_unseen(struct virtqueue *vq)
{
	struct fuse_conn *fc;

	if (!enabled || KREAD(vq, index))
		return;
	fc = hiprio_conn(vq);
	if (fc && conn_wanted(minor_of(BPF_CORE_READ(fc, dev))))
		count_loss(LOSS_END_NO_START, 1);
}

ON_RETURN(virtqueue_get_buf, 2, ring_get, struct virtqueue *vq, void *len, u64 ret)
{
	struct queue_state *state;
	struct guest_request_entry *req;

	if (!ret || !vq_is_virtiofs(vq))
		return 0;
	req = SLOT_FIND(requests, ret);
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
		finish_request(req);
	}
	return 0;
}

/* Without its dequeue: that of a later batch, if the queue was interrupted again meanwhile. */
static __always_inline void note_last_irq(struct guest_request_event *ev, u64 vq)
{
	struct queue_state *state = SLOT_FIND(queues, vq);

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
	struct guest_request_entry *req = SLOT_FIND(requests, (u64)fuse_req);
	struct fuse_conn *fc;

	if (stand_in && (!req || req->ev.t_complete_ns))
		return 0;
	if (req) {
		made_up_for();
		req->ev.t_complete_ns = bpf_ktime_get_ns();
		note_reply(&req->ev, fuse_req);
		if (aggregate)
			note_last_irq(&req->ev, (u64)KREAD(fsvq, vq));
		return 0;
	}
	fc = fsvq_conn(fsvq);
	if (enabled && fc && conn_wanted(minor_of(KREAD(fc, dev))))
		count_loss(LOSS_END_NO_START, 1);
	return 0;
}

/* Called a second time for an aborted request; FR_FINISHED is what the kernel itself tests. */
ON_ENTRY(fuse_request_end, request_end, struct fuse_req *fuse_req)
{
	struct guest_request_entry *req = SLOT_FIND(requests, (u64)fuse_req);

	if (!req) {
		drop_issue(KREAD(fuse_req, args)); /* aborted in the background queue */
		return 0;
	}
	if (KREAD(fuse_req, flags) & (1ul << FR_FINISHED))
		return 0;
	if (stand_in && req->ev.t_end_ns)
		return 0;
	made_up_for();
	req->ev.t_end_ns = bpf_ktime_get_ns();
	note_reply(&req->ev, fuse_req);
	if (req->ev.flags & GREQ_BACKGROUND)
		finish_request(req);
	return 0;
}

ON_RETURN(request_wait_answer, 1, waiter_woke, struct fuse_req *fuse_req)
{
	struct guest_request_entry *req = SLOT_FIND(requests, (u64)fuse_req);

	/* If it has not finished, the waiter was killed and the request goes on. */
	if (!req || !(KREAD(fuse_req, flags) & (1ul << FR_FINISHED)))
		return 0;
	made_up_for();
	req->ev.t_wake_ns = bpf_ktime_get_ns();
	if (!req->ev.t_end_ns) {
		note_reply(&req->ev, fuse_req);
		req->ev.t_end_ns =
			req->ev.t_complete_ns ? req->ev.t_complete_ns : req->ev.t_wake_ns;
	}
	finish_request(req);
	return 0;
}

static __always_inline void begin_forget(struct virtio_fs_vq *fsvq, struct fuse_conn *fc, u32 conn,
					 struct virtio_fs_forget *forget)
{
	struct guest_request_entry *req;
	struct guest_request_event *ev;
	struct wire_in_header in;

	note_queue_conn(fc, fsvq, conn);
	if (bpf_probe_read_kernel(&in, sizeof(in), &forget->req.ih)) {
		count_loss(LOSS_HEADER, 1);
		return;
	}
	if (stand_in && (aggregate || is_begun((u64)forget, in.unique)))
		return;
	req = new_request((u64)forget);
	if (!req)
		return;
	made_up_for();
	ev = &req->ev;
	ev->conn = conn;
	init_event(ev, KREAD(fsvq, vq), &in);
	ev->inflight = others_in_flight(fsvq, false);
	ev->task = current_task();
	ev->flags = GREQ_FORGET;
	ev->t_issue_ns = ev->t_send_ns;
	ev->t_add_ns = ev->t_send_ns;
	/* One buffer that the device reads, nothing to write. */
	ev->sg_out = 1;
	if (!aggregate) {
		begin_enqueue((u64)KREAD(fsvq, vq), req);
		return;
	}
	ev->t_end_ns = ev->t_send_ns; /* nobody waits for its end, nor do we */
	emit_request(ev);
	remove_request(req);
}

ON_ENTRY(send_forget_request, forget_begin, struct virtio_fs_vq *fsvq,
	 struct virtio_fs_forget *forget, u64 in_flight)
{
	struct fuse_conn *fc;
	u32 conn;

	if (!enabled)
		return 0;
	if (in_flight & 0xff) {
		if (!stand_in)
			retry_enqueue(fsvq, (u64)forget);
		return 0;
	}
	fc = fsvq_conn(fsvq);
	if (!fc) { /* nobody has mounted the device: never seen */
		count_loss(LOSS_HEADER, 1);
		return 0;
	}
	conn = minor_of(KREAD(fc, dev));
	if (conn_wanted(conn))
		begin_forget(fsvq, fc, conn, forget);
	return 0;
}

/* ret 1: ring full, will be tried again. Otherwise sent, or dropped because of an error. */
ON_RETURN(send_forget_request, 3, forget_end, struct virtio_fs_vq *fsvq,
	  struct virtio_fs_forget *forget, u64 in_flight, int ret)
{
	struct enqueue *enqueue = SLOT_FIND(enqueues, current_task());
	struct guest_request_entry *req;

	if (!enqueue)
		return 0;
	made_up_for();
	req = enqueued_request(enqueue);
	if (ret != 1 && req && !(req->ev.flags & GREQ_KICK_KNOWN)) {
		req->ev.t_end_ns = bpf_ktime_get_ns();
		finish_request(req);
	}
	end_enqueue();
	return 0;
}
