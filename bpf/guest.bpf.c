// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * The guest's probes: the life of every virtio-fs request, one event each when it is over.
 *
 *	issue	  fuse_simple_request, fuse_simple_background	remembered by its fuse_args
 *	enqueue	  virtio_fs_enqueue_req				an entry in requests, by its
 *fuse_req add, kick virtqueue_add_sgs, _kick_prepare, _notify	tied to it by the task that enqueues
 *	irq, work virtio_fs_vq_done, ..._done_work		remembered by virtqueue
 *	dequeue	  virtqueue_get_buf				gets its queue's irq and work times
 *	end	  virtio_fs_request_complete, fuse_request_end	background: event
 *	wake-up	  request_wait_answer returns			synchronous: event
 *
 * FORGETs have no fuse_req and no reply: send_forget_request to virtqueue_get_buf. Where kernels
 * differ in a function's name or arguments there is one program for each, and the loader chooses
 * by the kernel's BTF (trace/guest_capture.c).
 */
#include "bpf/kernel_types.h"
#include "bpf/guest_maps.bpf.h"
#include "bpf/guest_ops.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline void note_issue(struct fuse_conn *fc, struct fuse_args *args)
{
	u64 key = (u64)args;
	struct issue issue = {};
	struct op_state *op;

	issue.task = current_task();
	op = bpf_map_lookup_elem(&ops, &issue.task);
	if (op && conn_wanted(minor_of(fc->dev))) {
		op->ev.nr_requests++;
		issue.op_id = op->ev.op_id;
		issue.flags = op->request_flags;
	}
	issue.t_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&issues, &key, &issue, BPF_ANY))
		count_loss(LOSS_MAP_FULL);
}

/* Most issues are matched and gone by now; this is for those that never reached a queue. */
static __always_inline void drop_issue(struct fuse_args *args)
{
	u64 key = (u64)args;

	bpf_map_delete_elem(&issues, &key);
}

/* Until 6.11. */
SEC("fentry/fuse_simple_request")
int BPF_PROG(issue_sync_v61, struct fuse_mount *fm, struct fuse_args *args)
{
	if (enabled && conn_is_virtiofs(fm->fc))
		note_issue(fm->fc, args);
	return 0;
}

SEC("fexit/fuse_simple_request")
int BPF_PROG(issued_sync_v61, struct fuse_mount *fm, struct fuse_args *args)
{
	if (conn_is_virtiofs(fm->fc))
		drop_issue(args);
	return 0;
}

/* 6.12 (idmapped mounts, aaa3e8e4ce5b) made fuse_simple_request an inline wrapper. */
SEC("fentry/__fuse_simple_request")
int BPF_PROG(issue_sync_v612, void *idmap, struct fuse_mount *fm, struct fuse_args *args)
{
	if (enabled && conn_is_virtiofs(fm->fc))
		note_issue(fm->fc, args);
	return 0;
}

SEC("fexit/__fuse_simple_request")
int BPF_PROG(issued_sync_v612, void *idmap, struct fuse_mount *fm, struct fuse_args *args)
{
	if (conn_is_virtiofs(fm->fc))
		drop_issue(args);
	return 0;
}

/* 7.2: __fuse_simple_request only jumps here, so one of the two must be probed, not both. */
SEC("fentry/fuse_chan_send")
int BPF_PROG(issue_sync_v72, struct fuse_chan *chan, struct fuse_args *args)
{
	if (enabled && chan_is_virtiofs(chan))
		note_issue(chan->conn, args);
	return 0;
}

SEC("fexit/fuse_chan_send")
int BPF_PROG(issued_sync_v72, struct fuse_chan *chan, struct fuse_args *args)
{
	if (chan_is_virtiofs(chan))
		drop_issue(args);
	return 0;
}

SEC("fentry/fuse_simple_background")
int BPF_PROG(issue_bg_v61, struct fuse_mount *fm, struct fuse_args *args)
{
	if (enabled && conn_is_virtiofs(fm->fc))
		note_issue(fm->fc, args);
	return 0;
}

/* A background request that was accepted owns its args: they may be gone already. */
SEC("fexit/fuse_simple_background")
int BPF_PROG(issued_bg_v61, struct fuse_mount *fm, struct fuse_args *args, u32 gfp, int ret)
{
	if (ret && conn_is_virtiofs(fm->fc))
		drop_issue(args);
	return 0;
}

SEC("fentry/fuse_chan_send_bg")
int BPF_PROG(issue_bg_v72, struct fuse_chan *chan, struct fuse_args *args)
{
	if (enabled && chan_is_virtiofs(chan))
		note_issue(chan->conn, args);
	return 0;
}

SEC("fexit/fuse_chan_send_bg")
int BPF_PROG(issued_bg_v72, struct fuse_chan *chan, struct fuse_args *args, u32 gfp, int ret)
{
	if (ret && chan_is_virtiofs(chan))
		drop_issue(args);
	return 0;
}

static __always_inline void note_connection(struct fuse_conn *fc, struct virtio_fs_vq *fsvq)
{
	struct guest_connection c = {};
	struct virtio_fs *fs;

	c.conn = minor_of(fc->dev);
	if (bpf_map_lookup_elem(&connections, &c.conn))
		return;
	c.proto_minor = fc->minor;
	/* The first request is INIT, if we see it: then nothing is negotiated yet. */
	if (!c.proto_minor)
		return;
	c.max_read = fc->max_read;
	c.max_write = fc->max_write;
	c.max_pages = fc->max_pages;
	c.congestion_threshold = fc->congestion_threshold;
	c.max_background = conn_max_background(fc);
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, writeback_cache))
		c.flags |= GCONN_WRITEBACK;
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, async_read))
		c.flags |= GCONN_ASYNC_READ;
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, async_dio))
		c.flags |= GCONN_ASYNC_DIO;
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, auto_inval_data))
		c.flags |= GCONN_AUTO_INVAL;
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, do_readdirplus))
		c.flags |= GCONN_READDIRPLUS;
	/* Both exist only with CONFIG_FUSE_DAX. */
	if (bpf_core_field_exists(fc->inode_dax) && BPF_CORE_READ_BITFIELD_PROBED(fc, inode_dax))
		c.flags |= GCONN_INODE_DAX;
	if (bpf_core_field_exists(fc->dax) && BPF_CORE_READ(fc, dax))
		c.flags |= GCONN_DAX;
	fs = conn_transport(fc);
	c.nr_request_queues = BPF_CORE_READ(fs, num_request_queues);
	if (c.flags & GCONN_DAX)
		c.dax_window_bytes = BPF_CORE_READ(fs, window_len);
	c.virtio_features = BPF_CORE_READ(fsvq, vq, vdev, features);
	c.queue_size = vq_size(fsvq->vq);
	bpf_map_update_elem(&connections, &c.conn, &c, BPF_NOEXIST);
}

/* Ties what the task does next on this queue (kick, doorbell) to the request. */
static __always_inline void begin_enqueue(struct virtio_fs_vq *fsvq, u64 req, u64 unique)
{
	u32 task = current_task();
	struct enqueue enqueue = {.req = req, .unique = unique, .vq = (u64)fsvq->vq};

	if (bpf_map_update_elem(&enqueues, &task, &enqueue, BPF_ANY))
		count_loss(LOSS_MAP_FULL);
}

static __always_inline u16 others_in_flight(struct virtio_fs_vq *fsvq, bool counted)
{
	long n = fsvq->in_flight - counted;

	return n < 0 ? 0 : n > 0xffff ? 0xffff : n;
}

/* Another try of a request that found the ring full. */
static __always_inline void retry_enqueue(struct virtio_fs_vq *fsvq, u64 key)
{
	struct guest_request_event *ev = bpf_map_lookup_elem(&requests, &key);

	if (!ev)
		return;
	ev->t_queued_ns = bpf_ktime_get_ns();
	if (ev->flags & GREQ_FORGET)
		ev->t_add_ns = ev->t_queued_ns;
	ev->inflight = others_in_flight(fsvq, true);
	if (ev->ring_full_retries < 0xffff)
		ev->ring_full_retries++;
	begin_enqueue(fsvq, key, ev->unique);
}

static __always_inline void remember_request(struct virtio_fs_vq *fsvq, u64 key,
					     struct guest_request_event *ev)
{
	int err = bpf_map_update_elem(&requests, &key, ev, BPF_NOEXIST);

	if (err == -17 /* EEXIST */) {
		/* Its last owner was freed without an end that we know of. */
		count_loss(LOSS_START_NO_END);
		err = bpf_map_update_elem(&requests, &key, ev, BPF_ANY);
	}
	if (err)
		count_loss(LOSS_MAP_FULL);
	else
		begin_enqueue(fsvq, key, ev->unique);
}

static __always_inline void describe_io(struct guest_request_event *ev, struct fuse_args *args)
{
	struct wire_rw_in in = {};

	if (ev->opcode != WIRE_OPCODE_READ && ev->opcode != WIRE_OPCODE_WRITE)
		return;
	if (bpf_probe_read_kernel(&in, sizeof(in), args->in_args[0].value))
		return;
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

static __always_inline void init_event(struct guest_request_event *ev, struct virtio_fs_vq *fsvq,
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
	ev->queue = fsvq->vq->index;
	ev->inflight = others_in_flight(fsvq, false);
}

/* in_flight: a retry by the dispatch work. bool arguments are only defined in their low byte. */
SEC("fentry/virtio_fs_enqueue_req")
int BPF_PROG(enqueue_begin, struct virtio_fs_vq *fsvq, struct fuse_req *req, u64 in_flight)
{
	struct guest_request_event ev = {};
	struct wire_in_header in;
	struct fuse_conn *fc;

	if (!enabled)
		return 0;
	if (in_flight & 0xff) {
		retry_enqueue(fsvq, (u64)req);
		return 0;
	}
	fc = fsvq_conn(fsvq);
	if (!fc)
		return 0;
	ev.conn = minor_of(fc->dev);
	if (!conn_wanted(ev.conn)) {
		drop_issue(req->args);
		return 0;
	}
	note_connection(fc, fsvq);
	if (bpf_probe_read_kernel(&in, sizeof(in), &req->in.h)) {
		count_loss(LOSS_HEADER);
		return 0;
	}
	init_event(&ev, fsvq, &in);
	/* The current task may be a worker that sends what others issued. */
	ev.task = in.pid;
	if (req->flags & (1ul << FR_BACKGROUND))
		ev.flags |= GREQ_BACKGROUND;
	match_issue(&ev, req->args);
	describe_io(&ev, req->args);
	remember_request(fsvq, (u64)req, &ev);
	return 0;
}

SEC("fexit/virtio_fs_enqueue_req")
int BPF_PROG(enqueue_end)
{
	u32 task = current_task();

	bpf_map_delete_elem(&enqueues, &task);
	return 0;
}

/* Shared by all virtio devices: the tokens of others are simply not found. */
SEC("fentry/virtqueue_add_sgs")
int BPF_PROG(ring_add, struct virtqueue *vq, void *sgs, u32 out_sgs, u32 in_sgs, u64 data)
{
	struct guest_request_event *ev;

	if (!vq_is_virtiofs(vq))
		return 0;
	ev = bpf_map_lookup_elem(&requests, &data);
	if (!ev)
		return 0;
	ev->t_add_ns = bpf_ktime_get_ns();
	ev->sg_out = out_sgs;
	ev->sg_in = in_sgs;
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
static __always_inline struct guest_request_event *enqueued_request(struct enqueue *enqueue)
{
	struct guest_request_event *ev = bpf_map_lookup_elem(&requests, &enqueue->req);

	return ev && ev->unique == enqueue->unique ? ev : NULL;
}

/* Only called after a buffer was added, still under the queue's lock. */
SEC("fexit/virtqueue_kick_prepare")
int BPF_PROG(kick_prepared, struct virtqueue *vq, u64 ret)
{
	struct enqueue *enqueue = current_enqueue(vq);
	struct guest_request_event *ev;
	u16 idx;

	if (!enqueue)
		return 0;
	ev = enqueued_request(enqueue);
	if (!ev)
		return 0;
	ev->flags |= GREQ_KICK_KNOWN;
	if (ret & 0xff)
		ev->flags |= GREQ_KICKED;
	if (vq_last_avail_idx(vq, &idx)) {
		ev->avail_idx = idx;
		ev->avail_idx_known = 1;
	}
	return 0;
}

SEC("fentry/virtqueue_notify")
int BPF_PROG(notify_begin, struct virtqueue *vq)
{
	struct enqueue *enqueue = current_enqueue(vq);
	struct guest_request_event *ev;

	if (!enqueue)
		return 0;
	enqueue->t_notify_ns = bpf_ktime_get_ns();
	ev = enqueued_request(enqueue);
	if (ev)
		ev->t_kick_ns = enqueue->t_notify_ns;
	return 0;
}

/* A background request may have ended by now: then its doorbell time stays unknown. */
SEC("fexit/virtqueue_notify")
int BPF_PROG(notify_end, struct virtqueue *vq)
{
	struct enqueue *enqueue = current_enqueue(vq);
	struct guest_request_event *ev;

	if (!enqueue || !enqueue->t_notify_ns)
		return 0;
	ev = enqueued_request(enqueue);
	if (ev)
		ev->doorbell_ns = bpf_ktime_get_ns() - enqueue->t_notify_ns;
	return 0;
}

static __always_inline struct queue_state *queue_state(u64 vq)
{
	struct queue_state fresh = {}, *state = bpf_map_lookup_elem(&queues, &vq);

	if (state)
		return state;
	bpf_map_update_elem(&queues, &vq, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&queues, &vq);
}

SEC("fentry/virtio_fs_vq_done")
int BPF_PROG(queue_irq, struct virtqueue *vq)
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

SEC("fentry/virtio_fs_requests_done_work")
int BPF_PROG(requests_work, struct work_struct *work)
{
	note_work(work);
	return 0;
}

SEC("fentry/virtio_fs_hiprio_done_work")
int BPF_PROG(hiprio_work, struct work_struct *work)
{
	note_work(work);
	return 0;
}

static __always_inline void finish_request(u64 key, struct guest_request_event *ev)
{
	/* Only an add that succeeded is followed by a kick decision. */
	if (!(ev->flags & GREQ_KICK_KNOWN) && !ev->t_complete_ns) {
		ev->flags |= GREQ_ABORTED;
		ev->t_add_ns = 0;
	}
	ev->h.ts_ns = ev->t_wake_ns ? ev->t_wake_ns : ev->t_end_ns;
	emit(ev, sizeof(*ev));
	bpf_map_delete_elem(&requests, &key);
}

SEC("fexit/virtqueue_get_buf")
int BPF_PROG(ring_get, struct virtqueue *vq, void *len, u64 ret)
{
	struct guest_request_event *ev;
	struct queue_state *state;

	if (!ret || !vq_is_virtiofs(vq))
		return 0;
	ev = bpf_map_lookup_elem(&requests, &ret);
	if (!ev)
		return 0;
	state = queue_state((u64)vq);
	if (state) {
		ev->t_irq_ns = state->t_irq_ns;
		ev->t_work_ns = state->t_work_ns;
	}
	if (ev->flags & GREQ_FORGET) {
		ev->t_end_ns = bpf_ktime_get_ns();
		ev->t_complete_ns = ev->t_end_ns;
		ev->end_cpu = bpf_get_smp_processor_id();
		finish_request(ret, ev);
	}
	return 0;
}

SEC("fentry/virtio_fs_request_complete")
int BPF_PROG(request_complete, struct fuse_req *req, struct virtio_fs_vq *fsvq)
{
	u64 key = (u64)req;
	struct guest_request_event *ev = bpf_map_lookup_elem(&requests, &key);
	struct fuse_conn *fc;

	if (ev) {
		ev->t_complete_ns = bpf_ktime_get_ns();
		return 0;
	}
	fc = fsvq_conn(fsvq);
	if (enabled && fc && conn_wanted(minor_of(fc->dev)))
		count_loss(LOSS_END_NO_START);
	return 0;
}

/* Called a second time for an aborted request; FR_FINISHED is what the kernel itself tests. */
SEC("fentry/fuse_request_end")
int BPF_PROG(request_end, struct fuse_req *req)
{
	u64 key = (u64)req;
	struct guest_request_event *ev = bpf_map_lookup_elem(&requests, &key);
	u32 len;

	if (!ev) {
		drop_issue(req->args); /* aborted in the background queue */
		return 0;
	}
	if (req->flags & (1ul << FR_FINISHED))
		return 0;
	ev->t_end_ns = bpf_ktime_get_ns();
	ev->end_cpu = bpf_get_smp_processor_id();
	ev->error = req->out.h.error;
	len = req->out.h.len;
	ev->reply_bytes = len > WIRE_OUT_HEADER_BYTES ? len - WIRE_OUT_HEADER_BYTES : 0;
	if (ev->flags & GREQ_BACKGROUND)
		finish_request(key, ev);
	return 0;
}

SEC("fexit/request_wait_answer")
int BPF_PROG(waiter_woke, struct fuse_req *req)
{
	u64 key = (u64)req;
	struct guest_request_event *ev = bpf_map_lookup_elem(&requests, &key);

	/* Without an end the waiter was killed; the request goes on. */
	if (!ev || !ev->t_end_ns)
		return 0;
	ev->t_wake_ns = bpf_ktime_get_ns();
	finish_request(key, ev);
	return 0;
}

SEC("fentry/send_forget_request")
int BPF_PROG(forget_begin, struct virtio_fs_vq *fsvq, struct virtio_fs_forget *forget,
	     u64 in_flight)
{
	struct guest_request_event ev = {};
	struct wire_in_header in;
	struct fuse_conn *fc;

	if (!enabled)
		return 0;
	if (in_flight & 0xff) {
		retry_enqueue(fsvq, (u64)forget);
		return 0;
	}
	fc = fsvq_conn(fsvq);
	if (!fc)
		return 0;
	ev.conn = minor_of(fc->dev);
	if (!conn_wanted(ev.conn))
		return 0;
	note_connection(fc, fsvq);
	if (bpf_probe_read_kernel(&in, sizeof(in), &forget->req.ih)) {
		count_loss(LOSS_HEADER);
		return 0;
	}
	init_event(&ev, fsvq, &in);
	ev.task = current_task();
	ev.flags = GREQ_FORGET;
	ev.t_issue_ns = ev.t_send_ns;
	ev.t_add_ns = ev.t_send_ns;
	/* One buffer that the device reads, nothing to write. */
	ev.sg_out = 1;
	remember_request(fsvq, (u64)forget, &ev);
	return 0;
}

/* ret 1: ring full, will be tried again. Otherwise sent, or dropped because of an error. */
SEC("fexit/send_forget_request")
int BPF_PROG(forget_end, struct virtio_fs_vq *fsvq, struct virtio_fs_forget *forget, u64 in_flight,
	     int ret)
{
	u32 task = current_task();
	struct enqueue *enqueue = bpf_map_lookup_elem(&enqueues, &task);
	struct guest_request_event *ev;

	if (!enqueue)
		return 0;
	ev = enqueued_request(enqueue);
	if (ret != 1 && ev && !(ev->flags & GREQ_KICK_KNOWN)) {
		ev->t_end_ns = bpf_ktime_get_ns();
		finish_request((u64)forget, ev);
	}
	bpf_map_delete_elem(&enqueues, &task);
	return 0;
}
