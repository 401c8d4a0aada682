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
#include "sim/daemon.h"

static bool is_rust(const struct sim *sim)
{
	return sim->stack->daemon.kind == DAEMON_RUST;
}

void daemon_init(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->nr_daemons; i++) {
		struct daemon_thread *d = &sim->daemons[i];

		d->server.slot = sim->first_slot[RUN_DAEMON] + i;
		d->nr_workers = sim->stack->daemon.thread_pool_size;
		d->first_worker = i * d->nr_workers;
		d->idle_worker = EVENTQ_NONE;
		runner_rng_init(sim, &d->server.rng, d->server.slot);
		for (uint32_t w = d->first_worker + d->nr_workers; w-- > d->first_worker;) {
			struct worker *worker = &sim->workers[w];

			worker->server.slot = sim->first_slot[RUN_WORKER] + w;
			worker->daemon = d;
			worker->next_idle = d->idle_worker;
			d->idle_worker = w;
			runner_rng_init(sim, &worker->server.rng, worker->server.slot);
		}
	}
}

static void hand_to_pool(struct sim *sim, struct daemon_thread *d, struct request *req)
{
	struct server *server;
	struct worker *w;

	if (d->idle_worker == EVENTQ_NONE) {
		list_append(&d->backlog, req);
		return;
	}
	w = &sim->workers[d->idle_worker];
	d->idle_worker = w->next_idle;
	server = &w->server;
	server->req = req;
	eventq_arm(&sim->host->events, server->slot,
		   sim->host->now_ns + sim_cost(sim, &server->rng, COST_POOL_HANDOFF));
}

/* A thread that woke up waits for a host CPU before it looks at anything; says whether it must. */
static bool wait_turn(struct sim *sim, struct server *server)
{
	if (server->has_turn)
		return false;
	server->has_turn = true;
	return cpu_wait_turn(sim, server->slot);
}

/* Handed a request, or going on with it; what waits for a worker is taken without a hand-off. */
void worker_run(struct sim *sim, struct worker *w)
{
	struct daemon_thread *d = w->daemon;

	if (wait_turn(sim, &w->server))
		return;
	while (w->server.req) {
		if (!serve(sim, &w->server))
			return;
		virtqueue_publish(sim, w->server.req);
		w->server.req = list_take(&d->backlog);
	}
	w->server.has_turn = false;
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

/* Woken, or going on with a request: serve the batch, take the next one, or sleep. */
void daemon_thread_run(struct sim *sim, struct daemon_thread *d)
{
	struct server *server = &d->server;

	if (wait_turn(sim, server))
		return;
	for (;;) {
		if (server->req) {
			if (!serve(sim, server))
				return;
			virtqueue_publish(sim, server->req);
			server->req = NULL;
			if (is_rust(sim) && !polls(sim) && !d->batch.first)
				arm_kick(d->queue);
		}
		if (!next_batch(sim, d))
			break;
		server->req = list_take(&d->batch);
		server->req->t_taken_ns = sim->host->now_ns;
	}
	d->awake = false;
	server->has_turn = false;
}

void daemon_kicked(struct sim *sim, struct virtqueue *vq)
{
	struct daemon_thread *d = &sim->daemons[vq->daemon];

	if (d->awake)
		return;
	d->awake = true;
	eventq_arm(&sim->host->events, d->server.slot,
		   sim->host->now_ns + sim_cost(sim, &d->server.rng, COST_KICK));
}
