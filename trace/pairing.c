// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A symmetric hash join: each half looks for its other half among those that wait, else waits.
 *
 * Waiting halves lie in a pool and are found through two chained hash tables, by unique and by ring
 * entry. They are named by index, so the pool may grow.
 */
#include <errno.h>
#include <stdlib.h>
#include "trace/pairing.h"

#define TABLE_BITS 15
#define TABLE_SIZE (1u << TABLE_BITS)
#define NONE UINT32_MAX

enum slot_kind {
	SLOT_FREE,
	SLOT_GUEST,
	SLOT_HOST,
};

enum table {
	BY_UNIQUE,
	BY_RING,
	NR_TABLES
};

struct slot {
	union {
		struct guest_request_event guest;
		struct host_half host;
	};
	uint64_t arrival;
	enum slot_kind kind;
	uint32_t next[NR_TABLES]; /* BY_UNIQUE also links the free slots */
};

struct pairing {
	struct pairing_ops ops;
	void *ctx;
	enum table nr_tables; /* NR_TABLES, or without BY_RING if nothing is paired by it */
	struct slot *slots;
	uint32_t nr_slots, size, free;
	uint64_t arrivals;
	uint64_t last_guest, last_host; /* unique */
	struct pairing_stats stats;
	uint32_t head[NR_TABLES][TABLE_SIZE];
};

int pairing_new(struct pairing **out, const struct pairing_ops *ops, void *ctx)
{
	struct pairing *p = calloc(1, sizeof(*p));

	*out = p;
	if (!p)
		return -ENOMEM;
	p->ops = *ops;
	p->ctx = ctx;
	p->nr_tables = ops->plausible ? NR_TABLES : BY_RING;
	p->free = NONE;
	for (int t = 0; t < NR_TABLES; t++)
		for (uint32_t i = 0; i < TABLE_SIZE; i++)
			p->head[t][i] = NONE;
	return 0;
}

void pairing_free(struct pairing *p)
{
	if (p)
		free(p->slots);
	free(p);
}

static uint32_t hash(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> (64 - TABLE_BITS));
}

static uint64_t slot_key(const struct slot *s, enum table t)
{
	if (s->kind == SLOT_GUEST)
		return t == BY_UNIQUE ? s->guest.unique
				      : (uint64_t)s->guest.queue << 16 | s->guest.avail_idx;
	return t == BY_UNIQUE ? s->host.unique : (uint64_t)s->host.queue << 16 | s->host.avail_idx;
}

/* A half is in the table by ring only if its ring entry may have to name it. */
static bool slot_is_in(const struct slot *s, enum table t)
{
	bool headless = s->kind == SLOT_HOST && s->host.flags & HHALF_NO_HEADER;

	if (t == BY_UNIQUE)
		return !headless;
	return headless || (s->kind == SLOT_GUEST && s->guest.avail_idx_known);
}

static struct slot *new_slot(struct pairing *p, enum slot_kind kind)
{
	uint32_t i = p->free;

	if (i != NONE) {
		p->free = p->slots[i].next[BY_UNIQUE];
	} else {
		if (p->nr_slots == p->size) {
			uint32_t size = p->size ? 2 * p->size : 1024;
			struct slot *grown = realloc(p->slots, size * sizeof(*grown));

			if (!grown)
				return NULL;
			p->slots = grown;
			p->size = size;
		}
		i = p->nr_slots++;
	}
	p->slots[i].kind = kind;
	p->slots[i].arrival = p->arrivals;
	return &p->slots[i];
}

static void insert(struct pairing *p, struct slot *s)
{
	for (enum table t = 0; t < p->nr_tables; t++) {
		uint32_t *head = &p->head[t][hash(slot_key(s, t))];

		if (!slot_is_in(s, t))
			continue;
		s->next[t] = *head;
		*head = (uint32_t)(s - p->slots);
	}
}

static void drop(struct pairing *p, uint32_t i)
{
	struct slot *s = &p->slots[i];

	for (enum table t = 0; t < p->nr_tables; t++) {
		uint32_t *at = &p->head[t][hash(slot_key(s, t))];

		if (!slot_is_in(s, t))
			continue;
		while (*at != i)
			at = &p->slots[*at].next[t];
		*at = s->next[t];
	}
	s->kind = SLOT_FREE;
	s->next[BY_UNIQUE] = p->free;
	p->free = i;
}

static bool agree(const struct guest_request_event *g, const struct host_half *h)
{
	return g->opcode == h->opcode && g->nodeid == h->nodeid;
}

static uint32_t find_by_unique(struct pairing *p, enum slot_kind kind,
			       const struct guest_request_event *g, const struct host_half *h)
{
	uint64_t unique = kind == SLOT_HOST ? g->unique : h->unique;

	for (uint32_t i = p->head[BY_UNIQUE][hash(unique)]; i != NONE;
	     i = p->slots[i].next[BY_UNIQUE]) {
		const struct slot *s = &p->slots[i];

		if (s->kind != kind || slot_key(s, BY_UNIQUE) != unique)
			continue;
		if (kind == SLOT_HOST ? agree(g, &s->host) : agree(&s->guest, h))
			return i;
		p->stats.contradicting++;
	}
	return NONE;
}

static uint32_t find_by_ring(struct pairing *p, enum slot_kind kind,
			     const struct guest_request_event *g, const struct host_half *h)
{
	uint64_t key = kind == SLOT_HOST ? (uint64_t)g->queue << 16 | g->avail_idx
					 : (uint64_t)h->queue << 16 | h->avail_idx;

	if (!p->ops.plausible)
		return NONE;
	for (uint32_t i = p->head[BY_RING][hash(key)]; i != NONE; i = p->slots[i].next[BY_RING]) {
		const struct slot *s = &p->slots[i];

		if (s->kind != kind || slot_key(s, BY_RING) != key)
			continue;
		if (kind == SLOT_HOST ? p->ops.plausible(p->ctx, g, &s->host)
				      : p->ops.plausible(p->ctx, &s->guest, h))
			return i;
	}
	return NONE;
}

static int give_up(struct pairing *p, uint32_t i)
{
	const struct slot *s = &p->slots[i];
	int err = s->kind == SLOT_GUEST ? p->ops.emit(p->ctx, &s->guest, NULL)
					: p->ops.emit(p->ctx, NULL, &s->host);

	drop(p, i);
	return err;
}

/* Now and then, those that waited too long; arrivals_before: who came before that waited enough. */
static int sweep(struct pairing *p, uint64_t arrivals_before)
{
	int err = 0;

	for (uint32_t i = 0; i < p->nr_slots && !err; i++)
		if (p->slots[i].kind != SLOT_FREE && p->slots[i].arrival < arrivals_before)
			err = give_up(p, i);
	return err;
}

static int count_arrival(struct pairing *p)
{
	p->arrivals++;
	if (p->arrivals % (PAIRING_PATIENCE / 2) || p->arrivals <= PAIRING_PATIENCE)
		return 0;
	return sweep(p, p->arrivals - PAIRING_PATIENCE);
}

int pairing_add_guest(struct pairing *p, const struct guest_request_event *g)
{
	uint32_t i = find_by_unique(p, SLOT_HOST, g, NULL);
	struct slot *s;
	int err;

	p->last_guest = g->unique;
	if (i != NONE)
		p->stats.by_unique++;
	else if (g->avail_idx_known && (i = find_by_ring(p, SLOT_HOST, g, NULL)) != NONE)
		p->stats.by_ring++;
	if (i != NONE) {
		err = p->ops.emit(p->ctx, g, &p->slots[i].host);
		drop(p, i);
		return err ? err : count_arrival(p);
	}
	s = new_slot(p, SLOT_GUEST);
	if (!s)
		return -ENOMEM;
	s->guest = *g;
	insert(p, s);
	return count_arrival(p);
}

int pairing_add_host(struct pairing *p, const struct host_half *h)
{
	bool headless = h->flags & HHALF_NO_HEADER;
	uint32_t i = headless ? find_by_ring(p, SLOT_GUEST, NULL, h)
			      : find_by_unique(p, SLOT_GUEST, NULL, h);
	struct slot *s;
	int err;

	if (!headless)
		p->last_host = h->unique;
	if (i != NONE) {
		p->stats.by_ring += headless;
		p->stats.by_unique += !headless;
		err = p->ops.emit(p->ctx, &p->slots[i].guest, h);
		drop(p, i);
		return err ? err : count_arrival(p);
	}
	s = new_slot(p, SLOT_HOST);
	if (!s)
		return -ENOMEM;
	s->host = *h;
	insert(p, s);
	return count_arrival(p);
}

int pairing_finish(struct pairing *p)
{
	return sweep(p, UINT64_MAX);
}

const struct pairing_stats *pairing_stats(const struct pairing *p)
{
	return &p->stats;
}

bool pairing_wants_guest(const struct pairing *p)
{
	return p->last_guest <= p->last_host;
}
