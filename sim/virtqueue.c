// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Virtqueues as the guest's driver sees them: descriptors, the full ring, kicks and interrupts with
 * their suppression, and the completion work.
 *
 * Ring indices are kept without their 16-bit wrap. With EVENT_IDX the two comparisons of
 * vring_need_event() become equalities, because the driver adds, and the daemon publishes, one
 * entry at a time.
 */
#include "sim/daemon.h"
#include "sim/flow.h"

void virtqueues_init(struct sim *sim)
{
	const struct stack *stack = sim->stack;

	for (uint32_t i = 0; i < sim->nr_queues; i++) {
		struct virtqueue *vq = &sim->queues[i];

		vq->index = i;
		vq->nr_free = stack->transport.queue_size;
		vq->call_armed = true;
		vq->daemon = stack->daemon.kind == DAEMON_RUST ? 0 : i;
	}
}

static uint32_t ring_slots_of(const struct sim *sim, const struct request *req)
{
	uint32_t nr = req->span.sg_out + req->span.sg_in;

	return sim->stack->transport.indirect_desc && nr > 1 ? 1 : nr;
}

int virtqueue_add(struct sim *sim, struct request *req, bool *kick)
{
	struct virtqueue *vq = &sim->queues[req->queue];

	req->ring_slots = ring_slots_of(sim, req);
	if (vq->nr_free < req->ring_slots)
		return -ENOSPC;
	vq->nr_free -= req->ring_slots;
	req->t_visible_ns = sim->host->now_ns;
	list_append(&vq->avail, req);
	*kick = sim->stack->transport.event_idx ? vq->avail_event == vq->avail_idx : !vq->no_notify;
	vq->avail_idx++;
	if (*kick) {
		req->span.flags |= SPAN_KICKED;
		sim->stats.kicks++;
	} else {
		sim->stats.kicks_suppressed++;
	}
	return 0;
}

void virtqueue_kick(struct sim *sim, struct virtqueue *vq)
{
	if (!vq->kick_pending) {
		vq->kick_pending = true;
		vq->kick_order = ++sim->kicks_sent;
	}
	daemon_kicked(sim, vq);
}

void virtqueue_publish(struct sim *sim, struct request *req)
{
	struct virtqueue *vq = &sim->queues[req->queue];

	uint32_t irq = sim->first_slot[RUN_IRQ] + vq->index;

	req->t_used_ns = sim->host->now_ns;
	list_append(&vq->used, req);
	if (!vq->call_armed && sim->stack->transport.event_idx)
		return;
	vq->call_armed = false;
	req->span.flags |= SPAN_SIGNALLED;
	/* An interrupt that is on its way already stands for this one too. */
	if (!eventq_is_armed(&sim->host->events, irq))
		eventq_arm(&sim->host->events, irq,
			   sim->host->now_ns +
				   sim_cost(sim, &sim->done_work[vq->index].rng, COST_INTERRUPT));
}

/* virtio_fs_vq_done(): schedule_work(), which does nothing for work that is queued already. */
void virtqueue_irq(struct sim *sim, struct virtqueue *vq)
{
	struct thread *kworker = &sim->done_work[vq->index];

	vq->t_irq_ns = sim->host->now_ns;
	if (!kworker->blocked || vq->collect_waits) {
		vq->irq_again = true;
		return;
	}
	thread_wake_after(sim, kworker, 0);
}

/* virtqueue_get_buf() until there is nothing left; then virtqueue_enable_cb(). */
static void collect(struct sim *sim, struct thread *th, struct virtqueue *vq)
{
	struct request *req;

	while ((req = list_take(&vq->used))) {
		vq->nr_free += req->ring_slots;
		req->t_irq_ns = vq->t_irq_ns;
		req->t_work_ns = sim->host->now_ns;
		if (req->may_block)
			list_append(&th->work.deferred, req);
		else
			list_append(&th->work.inline_list, req);
	}
	vq->call_armed = true;
}

static uint64_t complete_cost(struct sim *sim, struct thread *th, const struct request *req)
{
	return sim_cost(sim, &th->rng, COST_COMPLETE) +
	       (uint64_t)(sim->stack->complete_ns_per_byte * req->span.reply_bytes);
}

/* From 6.12 on the completion work schedules the dispatch of what it sees to have found it full. */
static void start_dispatch(struct sim *sim, struct virtqueue *vq)
{
	struct thread *dispatch = &sim->dispatch_work[vq->index];

	if (dispatch->blocked)
		thread_wake_after(sim, dispatch, 0);
	else
		dispatch->work.again = true;
}

/* A READ's work item completes it; that of a write's last request ends its op. */
static bool complete_flow(struct sim *sim, struct thread *th)
{
	struct request *req = th->work.req;

	FLOW_BEGIN(th->work.complete_at);
	if (th->work.is_hop)
		FLOW_WAIT(th->work.complete_at, thread_spend_cost(sim, th, COST_COMPLETE_HOP));
	if (req->op_is_left) {
		request_end_op(sim, req);
		FLOW_RETURN(th->work.complete_at);
	}
	req->t_turn_ns = sim->host->now_ns;
	FLOW_WAIT(th->work.complete_at, thread_spend(sim, th, complete_cost(sim, th, req)));
	th->flush.background = req->span.flags & SPAN_BACKGROUND;
	if (request_end(sim, req))
		list_append(&th->work.deferred, req);
	if (th->flush.background)
		FLOW_CALL(th->work.complete_at, flush_background(sim, th));
	FLOW_END(th->work.complete_at);
}

static bool wait_for_lock(struct virtqueue *vq, struct thread *th)
{
	vq->collect_waits = true;
	return thread_block(th);
}

/*
 * A queue's kworker: virtio_fs_requests_done_work() over and over, each time followed by the work
 * items that it queued, in their order.
 */
static bool done_work_flow(struct sim *sim, struct thread *th)
{
	struct virtqueue *vq = &sim->queues[th->index];

	FLOW_BEGIN(th->work.at);
	for (;;) {
		if (!vq->irq_again) {
			FLOW_WAIT(th->work.at, thread_block(th));
			FLOW_WAIT(th->work.at, thread_spend_cost(sim, th, COST_KWORKER));
		}
		vq->irq_again = false;
		while (vq->nr_notifying)
			FLOW_WAIT(th->work.at, wait_for_lock(vq, th));
		collect(sim, th, vq);
		th->work.is_hop = false;
		while ((th->work.req = list_take(&th->work.inline_list)))
			FLOW_CALL(th->work.at, complete_flow(sim, th));
		th->work.starts_dispatch = !sim->rules.ring_full_timer && vq->retry.first;
		th->work.is_hop = true;
		while ((th->work.req = list_take(&th->work.deferred)))
			FLOW_CALL(th->work.at, complete_flow(sim, th));
		if (th->work.starts_dispatch)
			start_dispatch(sim, vq);
	}
	FLOW_END(th->work.at);
}

void done_work_run(struct sim *sim, struct thread *th)
{
	done_work_flow(sim, th);
}

uint64_t next_jiffy(const struct sim *sim)
{
	uint64_t since = sim->host->now_ns + sim->jiffy_phase_ns;

	return sim->host->now_ns + sim->jiffy_ns - since % sim->jiffy_ns;
}

/*
 * virtqueue_add() finds the ring full: it notifies the device by itself, under fsvq->lock, and only
 * then is the request put on queued_reqs. Completion work that looks there meanwhile does not see
 * it; from 6.12 on, which has no timer, it then waits for a completion more.
 */
static bool ring_full_flow(struct sim *sim, struct thread *th)
{
	struct request *req = th->send.req;
	struct virtqueue *vq = &sim->queues[req->queue];
	struct thread *dispatch = &sim->dispatch_work[req->queue];

	FLOW_BEGIN(th->send.full_at);
	sim->stats.ring_full++;
	req->span.ring_full_retries++;
	vq->nr_notifying++;
	virtqueue_kick(sim, vq);
	FLOW_WAIT(th->send.full_at, thread_spend_cost(sim, th, COST_DOORBELL));
	list_append(&vq->retry, req);
	if (!--vq->nr_notifying && vq->collect_waits) {
		vq->collect_waits = false;
		thread_wake_after(sim, &sim->done_work[vq->index], 0);
	}
	if (sim->rules.ring_full_timer && dispatch->blocked) {
		sim->host->runners[dispatch->slot].cpu = thread_cpu(sim, th);
		thread_wake_after(sim, dispatch, next_jiffy(sim) - sim->host->now_ns);
	}
	FLOW_END(th->send.full_at);
}

bool send_request(struct sim *sim, struct thread *th)
{
	struct request *req = th->send.req;
	bool kick;

	FLOW_BEGIN(th->send.at);
	req->t_added_ns = sim->host->now_ns;
	FLOW_WAIT(th->send.at, thread_spend_cost(sim, th, COST_ENQUEUE));
	th->send.is_full = virtqueue_add(sim, req, &kick) != 0;
	if (th->send.is_full) {
		FLOW_CALL(th->send.at, ring_full_flow(sim, th));
		FLOW_RETURN(th->send.at);
	}
	if (!kick)
		FLOW_RETURN(th->send.at);
	req->span.doorbell_ns = sim_cost(sim, &th->rng, COST_DOORBELL);
	th->send.doorbell_ns = req->span.doorbell_ns;
	virtqueue_kick(sim, &sim->queues[req->queue]);
	/* From here on the request may be ended and gone. */
	FLOW_WAIT(th->send.at, thread_spend(sim, th, th->send.doorbell_ns));
	FLOW_END(th->send.at);
}

/* virtio_fs_request_dispatch_work(): FIFO until the ring is full again; that one goes to the tail.
 */
static bool dispatch_work_flow(struct sim *sim, struct thread *th)
{
	struct virtqueue *vq = &sim->queues[th->index];

	FLOW_BEGIN(th->work.at);
	for (;;) {
		if (!th->work.again)
			FLOW_WAIT(th->work.at, thread_block(th));
		th->work.again = false;
		FLOW_WAIT(th->work.at, cpu_wait_turn(sim, th->slot));
		while ((th->send.req = list_take(&vq->retry))) {
			FLOW_CALL(th->work.at, send_request(sim, th));
			if (th->send.is_full)
				break;
		}
		/* ring_full_flow() saw this work running: it waits for its timer from here. */
		if (sim->rules.ring_full_timer && vq->retry.first) {
			FLOW_WAIT(th->work.at, thread_sleep_until(sim, th, next_jiffy(sim)));
			th->work.again = true;
		}
	}
	FLOW_END(th->work.at);
}

void dispatch_work_run(struct sim *sim, struct thread *th)
{
	dispatch_work_flow(sim, th);
}
