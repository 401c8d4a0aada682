// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon: threads that wait for kicks, and their pools.
 *
 * C (QEMU's virtiofsd): a thread per queue. It pops until the ring is empty, each pop re-arming the
 * kick, then serves the batch in order, or pushes it to the queue's pool. Rust: one thread for
 * hiprio and request queue, serves the queue kicked first. Without a pool it collects all chains,
 * serves them in turn and re-arms the kick only after the batch; with one it hands each chain to
 * the pool and re-arms when the ring is empty.
 *
 * daemon.queue_order=priority is what a daemon might do instead: its thread polls the queues before
 * each request, hiprio first. That is a queue with priorities that are not preemptive.
 */
#include <stdlib.h>
#include "sim/model.h"

static bool is_rust(const struct sim *sim)
{
	return sim->stack->daemon.kind == DAEMON_RUST;
}

void daemon_init(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->nr_daemons; i++) {
		struct daemon_thread *d = &sim->daemons[i];

		d->slot = sim->first_slot[RUN_DAEMON] + i;
		d->nr_workers = sim->stack->daemon.thread_pool_size;
		d->first_worker = i * d->nr_workers;
		d->idle_worker = EVENTQ_NONE;
		runner_rng_init(sim, &d->rng, d->slot);
		for (uint32_t w = d->first_worker + d->nr_workers; w-- > d->first_worker;) {
			struct worker *worker = &sim->workers[w];

			worker->slot = sim->first_slot[RUN_WORKER] + w;
			worker->daemon = d;
			worker->next_idle = d->idle_worker;
			d->idle_worker = w;
			runner_rng_init(sim, &worker->rng, worker->slot);
		}
	}
}

/* What the daemon does with one request takes this long on its thread. */
static uint64_t service_time(struct sim *sim, struct rng *rng, struct request *req)
{
	const struct service_sampler *service = &sim->host->service[req->span.opcode];
	uint64_t bytes =
		req->span.opcode == FUSE_READ ? req->span.reply_bytes : req->span.size_bytes;
	uint64_t cpu_ns;

	if (req->nr_ranges)
		bytes = 0; /* they are mapped, not moved */
	cpu_ns = sampler_draw(&service->cpu, rng) + (uint64_t)(service->cpu_ns_per_byte * bytes);
	req->span.host_io_ns = sampler_draw(&service->host_io, rng) +
			       (uint64_t)(service->host_io_ns_per_byte * bytes);
	for (uint32_t i = 1; i < req->nr_ranges; i++)
		req->span.host_io_ns += sampler_draw(&service->host_io, rng);
	return cpu_ns + req->span.host_io_ns;
}

/* The effect on the host's file happens when service begins: READ gets what is there. */
static void serve_file(struct request *req)
{
	struct file *file = req->file;
	uint64_t end = req->span.offset_bytes + req->span.size_bytes;

	if (req->span.opcode == FUSE_READ) {
		if (end > file->host_size_bytes)
			end = max_u64(file->host_size_bytes, req->span.offset_bytes);
		req->span.reply_bytes = end - req->span.offset_bytes;
	} else if (req->span.opcode == FUSE_WRITE) {
		file->host_size_bytes = max_u64(file->host_size_bytes, end);
	}
}

static void burst(struct sim *sim, uint32_t slot, uint64_t ns)
{
	if (ns && sim->host->cpus.nr)
		cpu_burst(sim, slot, ns);
	else
		eventq_arm(&sim->host->events, slot, sim->host->now_ns + ns);
}

static void start_service(struct sim *sim, uint32_t slot, struct rng *rng, struct request *req)
{
	req->t_started_ns = sim->host->now_ns;
	serve_file(req);
	burst(sim, slot, service_time(sim, rng, req));
}

static void worker_takes(struct sim *sim, struct worker *w, struct request *req, uint64_t delay_ns)
{
	w->serving = req;
	w->started = w->has_turn;
	if (w->has_turn)
		start_service(sim, w->slot, &w->rng, req);
	else
		eventq_arm(&sim->host->events, w->slot, sim->host->now_ns + delay_ns);
}

static void hand_to_pool(struct sim *sim, struct daemon_thread *d, struct request *req)
{
	struct worker *w;

	if (d->idle_worker == EVENTQ_NONE) {
		list_append(&d->backlog, req);
		return;
	}
	w = &sim->workers[d->idle_worker];
	d->idle_worker = w->next_idle;
	worker_takes(sim, w, req, sim_cost(sim, &w->rng, COST_POOL_HANDOFF));
}

void worker_run(struct sim *sim, struct worker *w)
{
	struct daemon_thread *d = w->daemon;
	struct request *next;

	if (!w->has_turn) {
		w->has_turn = true;
		if (cpu_wait_turn(sim, w->slot))
			return;
	}
	if (!w->started) {
		w->started = true;
		start_service(sim, w->slot, &w->rng, w->serving);
		return;
	}
	virtqueue_publish(sim, w->serving);
	next = list_take(&d->backlog);
	if (next) {
		worker_takes(sim, w, next, 0); /* awake already: no hand-off */
		return;
	}
	w->serving = NULL;
	w->has_turn = false;
	w->next_idle = d->idle_worker;
	d->idle_worker = w - sim->workers;
}

/* Take everything visible off the ring. */
static void pop_all(struct sim *sim, struct daemon_thread *d, struct virtqueue *vq)
{
	struct request *req;

	while ((req = list_take(&vq->avail))) {
		req->t_taken_ns = sim->host->now_ns;
		if (d->nr_workers)
			hand_to_pool(sim, d, req);
		else
			list_append(&d->batch, req);
	}
}

/* The queue whose kick is the oldest unread one; reading it takes it. */
static struct virtqueue *next_kicked(struct sim *sim, struct daemon_thread *d)
{
	struct virtqueue *found = NULL;

	for (uint32_t i = 0; i < sim->nr_queues; i++) {
		struct virtqueue *vq = &sim->queues[i];

		if (&sim->daemons[vq->daemon] == d && vq->kick_pending &&
		    (!found || vq->kick_order < found->kick_order))
			found = vq;
	}
	if (found)
		found->kick_pending = false;
	return found;
}

static void arm_kick(struct virtqueue *vq)
{
	vq->avail_event = vq->avail_idx;
	vq->no_notify = false;
}

static bool polls(const struct sim *sim)
{
	return sim->stack->daemon.queue_order == QUEUE_ORDER_PRIORITY;
}

/* One request of the first queue that has any; kicks are wanted again when none has. */
static bool next_by_priority(struct sim *sim, struct daemon_thread *d)
{
	for (uint32_t i = 0; i < sim->nr_queues; i++) {
		struct virtqueue *vq = &sim->queues[i];
		struct request *req = list_take(&vq->avail);

		vq->no_notify = true;
		vq->kick_pending = false;
		if (req) {
			list_append(&d->batch, req);
			return true;
		}
	}
	for (uint32_t i = 0; i < sim->nr_queues; i++)
		arm_kick(&sim->queues[i]);
	return false;
}

/* Start serving a queue that was kicked; false: nothing to do, the thread sleeps. */
static bool next_batch(struct sim *sim, struct daemon_thread *d)
{
	bool keeps_asleep = is_rust(sim) && !d->nr_workers;

	if (polls(sim))
		return next_by_priority(sim, d);
	while (!d->batch.first) {
		/* Rust looks at its ring again after re-arming the kick. */
		if (!(d->queue && keeps_asleep && d->queue->avail.first)) {
			d->queue = next_kicked(sim, d);
			if (!d->queue)
				return false;
		}
		pop_all(sim, d, d->queue);
		if (keeps_asleep)
			d->queue->no_notify = true;
		if (!keeps_asleep || !d->batch.first)
			arm_kick(d->queue);
	}
	return true;
}

/* Woken, or done with a request: go on with the batch, take the next one, or sleep. */
void daemon_thread_run(struct sim *sim, struct daemon_thread *d)
{
	if (!d->has_turn) {
		d->has_turn = true;
		if (cpu_wait_turn(sim, d->slot))
			return;
	}
	if (d->serving) {
		virtqueue_publish(sim, d->serving);
		d->serving = NULL;
		if (is_rust(sim) && !polls(sim) && !d->batch.first)
			arm_kick(d->queue);
	}
	if (!next_batch(sim, d)) {
		d->awake = false;
		d->has_turn = false;
		return;
	}
	d->serving = list_take(&d->batch);
	d->serving->t_taken_ns = sim->host->now_ns;
	start_service(sim, d->slot, &d->rng, d->serving);
}

void daemon_kicked(struct sim *sim, struct virtqueue *vq)
{
	struct daemon_thread *d = &sim->daemons[vq->daemon];

	if (d->awake)
		return;
	d->awake = true;
	eventq_arm(&sim->host->events, d->slot,
		   sim->host->now_ns + sim_cost(sim, &d->rng, COST_KICK));
}
