// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chains by head, oldest first, reused rather than freed: every request of a trace becomes one.
 */
#include <stdlib.h>
#include "trace/host_inflight.h"

#define NR_HEADS 65536

void host_chain_drop(struct host_inflight *f, struct host_queue *q, struct host_chain *c)
{
	if (!c)
		return;
	if (c->listed)
		TAILQ_REMOVE(&q->unkicked, c, unkicked);
	q->in_flight[c->half.head] = c->next;
	c->next = f->spare;
	f->spare = c;
}

static struct host_chain *new_chain(struct host_inflight *f)
{
	struct host_chain *c = f->spare;

	if (!c)
		return calloc(1, sizeof(*c));
	f->spare = c->next;
	*c = (struct host_chain){0};
	return c;
}

static void free_chains(struct host_chain *c)
{
	while (c) {
		struct host_chain *next = c->next;

		free(c);
		c = next;
	}
}

static void free_queue(struct host_queue *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < NR_HEADS; i++)
		free_chains(q->in_flight[i]);
	free(q->in_flight);
	free(q);
}

struct host_queue *host_queue_new(struct host_inflight *f, uint16_t index)
{
	struct host_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->in_flight = calloc(NR_HEADS, sizeof(struct host_chain *));
	if (!q->in_flight) {
		free(q);
		return NULL;
	}
	TAILQ_INIT(&q->unkicked);
	f->queues[index] = q;
	return q;
}

void host_chain_fill(struct host_chain *c, const struct host_chain_event *e)
{
	c->half.unique = e->unique;
	c->half.nodeid = e->nodeid;
	c->half.offset_bytes = e->offset_bytes;
	c->half.size_bytes = e->size_bytes;
	c->half.opcode = e->opcode;
	c->data_addr = e->data_addr;
	c->half.flags &= (uint16_t)~HHALF_NO_HEADER;
}

/* Count gaps in a ring's positions. One that comes late fills a gap that was counted. */
static void note_position(uint16_t position, bool *known, uint16_t *next, uint64_t *missing)
{
	uint16_t ahead = position - *next;

	if (*known && ahead >= 0x8000) {
		if (*missing)
			--*missing;
		return;
	}
	if (*known)
		*missing += ahead;
	*known = true;
	*next = (uint16_t)(position + 1);
}

struct host_chain *host_chain_find(const struct host_queue *q, uint16_t head, uint16_t avail_idx)
{
	struct host_chain *c = q->in_flight[head];

	while (c && c->half.avail_idx != avail_idx)
		c = c->next;
	return c;
}

/*
 * A head is free once it was used. The guest may use it again before the daemon's next system call,
 * which then sees the new chain first (Linux 6.12 refills a full ring at each completion). What
 * would be the third has outlived the first's event: that was lost.
 */
static void link_chain(struct host_inflight *f, struct host_queue *q, struct host_chain *c,
		       uint16_t head)
{
	struct host_chain *old = q->in_flight[head];

	if (old && old->next) {
		f->stats->without_end++;
		host_chain_drop(f, q, old);
		old = q->in_flight[head];
	}
	if (old)
		old->next = c;
	else
		q->in_flight[head] = c;
}

struct host_chain *host_chain_used(struct host_inflight *f, struct host_queue *q,
				   const struct host_used_event *e)
{
	struct host_chain *c = q->in_flight[e->head];

	note_position(e->used_idx, &q->used_known, &q->next_used, &f->stats->missing_used);
	f->stats->used++;

	/* Not there yet when the next one was: this is that one's end, and the first's was lost. */
	if (c && c->next && e->t_absent_ns >= c->next->half.t_visible_ns) {
		f->stats->without_end++;
		host_chain_drop(f, q, c);
		c = q->in_flight[e->head];
	}
	f->stats->without_start += !c;
	return c;
}

struct host_chain *host_chain_add(struct host_inflight *f, struct host_queue *q,
				  const struct host_chain_event *e)
{
	struct host_chain *c = new_chain(f);

	if (!c)
		return NULL;
	note_position(e->avail_idx, &q->avail_known, &q->next_avail, &f->stats->missing_chains);
	link_chain(f, q, c, e->head);
	f->stats->chains++;
	c->half.daemon = e->daemon;
	c->half.queue = e->queue;
	c->half.head = e->head;
	c->half.avail_idx = e->avail_idx;
	c->half.t_visible_ns = e->h.ts_ns;
	c->seen_by = e->tid;
	c->at_wait = e->flags & HCHAIN_AT_WAIT;
	if (e->flags & HCHAIN_NO_HEADER)
		c->half.flags = HHALF_NO_HEADER;
	else
		host_chain_fill(c, e);
	c->listed = true;
	TAILQ_INSERT_TAIL(&q->unkicked, c, unkicked);
	return c;
}

uint64_t host_inflight_count(const struct host_inflight *f)
{
	uint64_t count = 0;

	for (size_t i = 0; i < MAX_QUEUES; i++)
		for (size_t head = 0; f->queues[i] && head < NR_HEADS; head++)
			for (struct host_chain *c = f->queues[i]->in_flight[head]; c; c = c->next)
				count++;
	return count;
}

void host_inflight_free(struct host_inflight *f)
{
	for (size_t i = 0; i < MAX_QUEUES; i++)
		free_queue(f->queues[i]);
	free_chains(f->spare);
}
