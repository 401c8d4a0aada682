/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that a daemon has taken or could take and has not answered yet, by queue and descriptor
 * head. host_assemble.c fills them from events and finds out who serves them.
 */
#ifndef VFSCOPE_TRACE_HOST_INFLIGHT_H
#define VFSCOPE_TRACE_HOST_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "trace/halves.h"

#define MAX_QUEUES 64
#define MAX_TAKERS 4

/* A request that the daemon has not answered yet. */
struct host_chain {
	TAILQ_ENTRY(host_chain) unkicked; /* in its queue's list: no kick has been seen for it */
	struct host_chain *next; /* of the same head: seen before this one was seen used */
	struct host_half half;
	uint64_t data_addr;
	uint64_t cpu_wait_ns; /* of the thread whose kick that was, from its wait on */
	uint64_t kick_ns; /* receipt of the kick after which it was taken; 0: none was needed */
	uint32_t seen_by;
	bool at_wait; /* seen_by was about to wait */
	bool listed;
};

struct host_queue {
	struct host_chain **in_flight; /* by head, oldest first */
	TAILQ_HEAD(, host_chain) unkicked;
	struct taker {
		uint32_t tid;
		uint64_t votes;
	} takers[MAX_TAKERS];
	uint32_t first_taker; /* the one with the most votes */
	bool has_pool;
	bool avail_known;
	bool used_known;
	uint16_t next_avail;
	uint16_t next_used;
};

struct host_inflight {
	struct host_queue *queues[MAX_QUEUES]; /* NULL: nothing seen on it */
	struct host_chain *spare; /* linked by next, for the next chain */
	struct host_assembler_stats *stats; /* borrowed */
};

void host_inflight_free(struct host_inflight *f); /* what it holds, not itself */

struct host_queue *host_queue_new(struct host_inflight *f, uint16_t index);

/* Makes it at first use. NULL: no memory, or index is not below MAX_QUEUES. */
static inline struct host_queue *host_queue_get(struct host_inflight *f, uint16_t index)
{
	if (index >= MAX_QUEUES)
		return NULL;
	return f->queues[index] ? f->queues[index] : host_queue_new(f, index);
}

/* A new chain in flight, counted. NULL: no memory. */
struct host_chain *host_chain_add(struct host_inflight *f, struct host_queue *q,
				  const struct host_chain_event *e);
/* What the header in guest memory says. */
void host_chain_fill(struct host_chain *c, const struct host_chain_event *e);
struct host_chain *host_chain_find(const struct host_queue *q, uint16_t head, uint16_t avail_idx);
/* The chain that this element ends, counted; NULL if its event was lost. */
struct host_chain *host_chain_used(struct host_inflight *f, struct host_queue *q,
				   const struct host_used_event *e);
/* c is the oldest of its head. */
void host_chain_drop(struct host_inflight *f, struct host_queue *q, struct host_chain *c);

uint64_t host_inflight_count(const struct host_inflight *f);

#endif
