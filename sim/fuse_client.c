// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The FUSE client's request paths: synchronous, background with its limits, and what a request's
 * end sets off.
 */
#include "sim/flow.h"
#include "sim/page_cache.h"

/* Fields that are decided when the request goes to the transport. */
static void assign(struct sim *sim, struct thread *th, struct request *req)
{
	sim->unique += 2; /* FUSE_REQ_ID_STEP */
	req->span.unique = sim->unique;
	req->t_left_ns = sim->host->now_ns;
	req->queue = queue_of_cpu(sim, thread_cpu(sim, th));
	req->span.queue = req->queue;
	req->span.inflight = sim->queues[req->queue].in_flight++;
}

/* Fields that are decided when the request is made. */
static void issue(struct sim *sim, struct thread *th, struct request *req)
{
	req->span.t_issue_ns = sim->host->now_ns;
	req->span.cpu = thread_cpu(sim, th);
	if (!th->spec)
		return;
	req->span.task = th->index + 1;
	req->span.op_id = th->record.op_id;
	req->host_direct = sim->stack->daemon.allow_direct_io && th->record.flags & OP_DIRECT &&
			   req->span.cls == SPAN_DIRECT;
	th->record.nr_requests++;
}

bool simple_request(struct sim *sim, struct thread *th)
{
	struct request *req = th->simple.req;

	if (!req) /* out of memory: the run is being stopped */
		return true;
	FLOW_BEGIN(th->simple.at);
	issue(sim, th, req);
	FLOW_WAIT(th->simple.at, thread_spend_cost(sim, th, COST_ISSUE));
	assign(sim, th, req);
	req->waiter = th;
	th->send.req = req;
	FLOW_CALL(th->simple.at, send_request(sim, th));
	if (!req->ended)
		FLOW_WAIT(th->simple.at, thread_block(th));
	FLOW_WAIT(th->simple.at, cpu_wait_turn(sim, th->slot));
	th->simple.reply_bytes = req->span.reply_bytes;
	request_report(sim, req, sim->host->now_ns - req->t_end_ns);
	request_free(sim, req);
	FLOW_END(th->simple.at);
}

/* flush_bg_queue(): whoever calls it pays for sending, be it a task or the completion work. */
bool flush_background(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->flush.at);
	while (sim->active_background < sim->stack->daemon.max_background &&
	       sim->background_queue.first) {
		th->send.req = list_take(&sim->background_queue);
		sim->active_background++;
		assign(sim, th, th->send.req);
		FLOW_CALL(th->flush.at, send_request(sim, th));
	}
	FLOW_END(th->flush.at);
}

static bool block_on_background(struct sim *sim, struct thread *th)
{
	th->wait_next = NULL;
	if (sim->blocked_last)
		sim->blocked_last->wait_next = th;
	else
		sim->blocked_first = th;
	sim->blocked_last = th;
	return thread_block(th);
}

/* fuse_get_req() with for_background, unless forced; then fuse_request_queue_background(). */
bool simple_background(struct sim *sim, struct thread *th)
{
	struct request *req = th->background.req;

	if (!req)
		return true;
	FLOW_BEGIN(th->background.at);
	issue(sim, th, req);
	req->span.flags |= SPAN_BACKGROUND;
	FLOW_WAIT(th->background.at, thread_spend_cost(sim, th, COST_ISSUE));
	while (!th->background.force && sim->background_blocked)
		FLOW_WAIT(th->background.at, block_on_background(sim, th));
	sim->num_background++;
	if (sim->num_background == sim->stack->daemon.max_background)
		sim->background_blocked = true;
	list_append(&sim->background_queue, req);
	FLOW_CALL(th->background.at, flush_background(sim, th));
	FLOW_END(th->background.at);
}

/* One exclusive waiter is woken by each background request that ends. */
static void wake_background_waiter(struct sim *sim)
{
	struct thread *th = sim->blocked_first;

	if (!th)
		return;
	sim->blocked_first = th->wait_next;
	if (!sim->blocked_first)
		sim->blocked_last = NULL;
	thread_wake_after(sim, th, sim_cost(sim, &th->rng, COST_WAKEUP));
}

static void background_ended(struct sim *sim)
{
	if (sim->num_background == sim->stack->daemon.max_background)
		sim->background_blocked = false;
	if (!sim->background_blocked)
		wake_background_waiter(sim);
	sim->num_background--;
	sim->active_background--;
}

/* fuse_request_end(). The caller then calls flush_background() if it was a background request. */
bool request_end(struct sim *sim, struct request *req)
{
	req->t_end_ns = sim->host->now_ns;
	req->ended = true;
	sim->queues[req->queue].in_flight--;
	if (req->span.flags & SPAN_BACKGROUND)
		background_ended(sim);
	if (req->use == USE_AIO)
		req->op_is_left =
			aio_put_part(sim, req->aio,
				     req->span.opcode == FUSE_READ ? req->span.reply_bytes
								   : req->span.size_bytes);
	else if (req->use != USE_NONE)
		pages_ended(sim, req);
	if (req->use == USE_PAGES_WRITTEN)
		writeback_ended(sim, req);
	if (req->waiter) {
		/* If it is still ringing the doorbell it will find the request ended. */
		if (req->waiter->blocked)
			thread_wake_after(sim, req->waiter,
					  sim_cost(sim, &req->waiter->rng, COST_WAKEUP));
		return false;
	}
	request_report(sim, req, 0);
	if (!req->op_is_left)
		request_free(sim, req);
	return req->op_is_left;
}

/* fuse_aio_invalidate_worker(): pages that were read meanwhile are older than what was written. */
void request_end_op(struct sim *sim, struct request *req)
{
	const struct op_record *op = &req->aio->op;

	page_cache_drop_range(sim, req->file, op->offset_bytes / PAGE_BYTES,
			      (op->offset_bytes + op->size_bytes + PAGE_BYTES - 1) / PAGE_BYTES);
	aio_finish(sim, req->aio);
	request_free(sim, req);
}

void forget_issue(struct sim *sim, struct thread *th, struct request *req)
{
	issue(sim, th, req);
	sim->unique += 2;
	req->span.unique = sim->unique;
	req->span.cls = SPAN_FORGET;
	req->span.flags |= SPAN_NO_REPLY;
	req->t_left_ns = sim->host->now_ns;
	req->queue = HIPRIO_QUEUE;
	req->span.inflight = sim->queues[HIPRIO_QUEUE].in_flight++;
}

/* One message on the high priority queue; nobody waits for it. */
bool send_forget(struct sim *sim, struct thread *th, const struct file *file)
{
	if (!th->send.at) {
		struct request *req = request_new(sim, FUSE_FORGET, file);

		if (!req)
			return true;
		forget_issue(sim, th, req);
		th->send.req = req;
	}
	return send_request(sim, th);
}
