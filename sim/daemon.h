/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon of a VM: the threads that wait for kicks, the workers of their pools, and what either
 * does with one request.
 */
#ifndef VFSCOPE_SIM_DAEMON_H
#define VFSCOPE_SIM_DAEMON_H

#include "sim/daemon_locks.h"
#include "sim/model.h"
#include "sim/storage.h"

/* Whoever serves requests, one at a time: a daemon thread without a pool, or a worker. */
struct server {
	uint32_t slot;
	int at; /* position in serve() */
	bool has_turn; /* since it woke it has had a host CPU */
	struct rng rng;
	struct request *req; /* NULL: none */
	struct {
		int at; /* in the tables' locks */
		int handle_at;
		uint32_t table;
		uint32_t taken; /* of this table's */
		enum lock_use use; /* of its handle's */
		bool shared; /* wanted, while it waits */
		struct server *next;
		struct daemon_lock *held; /* the handle's, or NULL */
	} lock;
	struct host_io io; /* what it waits for in the host, */
	uint64_t io_ns; /* and how long it did */
};

/* A daemon thread that waits for kicks on one queue or, Rust, on both; with its pool. */
struct daemon_thread {
	struct server server;
	bool awake;
	struct virtqueue *queue; /* whose batch it serves */
	struct request_list batch; /* popped, served in turn (no pool) */
	struct request_list backlog; /* popped, no idle worker (pool) */
	uint32_t first_worker;
	uint32_t nr_workers;
	uint32_t idle_worker; /* index of the first idle worker, or EVENTQ_NONE */
};

struct worker {
	struct server server;
	uint32_t next_idle;
	struct daemon_thread *daemon;
};

/* daemon.c */
void daemon_init(struct sim *sim);
void daemon_kicked(struct sim *sim, struct virtqueue *vq);
void daemon_thread_run(struct sim *sim, struct daemon_thread *d);
void worker_run(struct sim *sim, struct worker *w);

/* service.c, a FLOW: serve the server's request on its thread, up to its reply. */
bool serve(struct sim *sim, struct server *server);
/* Work of this length; always to be waited for. */
bool server_burst(struct sim *sim, struct server *server, uint64_t ns);

#endif
