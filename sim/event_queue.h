/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event list of the simulator: a tournament (winner) tree over fixed slots.
 *
 * An entity owns one slot and has at most one pending event, so arming, re-arming and cancelling
 * are all the same walk from a leaf to the root, without handles, tombstones or allocation.
 *
 * Order: by time, then in the order of arming (a re-armed event counts as armed anew). The three
 * are one 128-bit key: time << 64 | sequence << SLOT_BITS | slot; the slot only names the owner.
 * The sequence has 44 bits: at ten million events per second it lasts twenty days of running, and
 * eventq_arm() then renumbers.
 *
 * Four nodes have one parent: node i's rivals are i ^ 1, i ^ 2 and i ^ 3, which share its cache
 * line, and their parent is i / 4; only the root may have two children. Half the levels of a binary
 * tree, and two thirds of its memory walked (the indices in between are never used).
 *
 * The event being handled stays in the tree until its owner re-arms it or the next one is asked
 * for: an owner that re-arms costs one walk, not two.
 */
#ifndef VFSCOPE_SIM_EVENT_QUEUE_H
#define VFSCOPE_SIM_EVENT_QUEUE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define EVENTQ_SLOT_BITS 20
#define EVENTQ_MAX_SLOTS (1u << EVENTQ_SLOT_BITS)
#define EVENTQ_NEVER UINT64_MAX
#define EVENTQ_NONE UINT32_MAX
#define EVENTQ_LINE_BYTES 64
#define EVENTQ_SEQUENCE_LIMIT (1ULL << (64 - EVENTQ_SLOT_BITS))

typedef unsigned __int128 eventq_key;

struct eventq {
	eventq_key *node; /* node[1] is the earliest of all; slot s is leaf node[nr_leaves + s] */
	uint64_t sequence;
	uint32_t nr_leaves; /* a power of two */
	uint32_t firing; /* slot whose event is being handled, not re-armed yet; or EVENTQ_NONE */
};

static inline eventq_key eventq_make_key(uint64_t time_ns, uint64_t sequence, uint32_t slot)
{
	return (eventq_key)time_ns << 64 | sequence << EVENTQ_SLOT_BITS | slot;
}

static inline uint64_t eventq_key_time(eventq_key key)
{
	return (uint64_t)(key >> 64);
}

static inline uint32_t eventq_key_slot(eventq_key key)
{
	return (uint32_t)key & (EVENTQ_MAX_SLOTS - 1);
}

/* 0, -EINVAL (no slot, or more than EVENTQ_MAX_SLOTS) or -ENOMEM. */
static inline int eventq_init(struct eventq *q, uint32_t nr_slots)
{
	size_t bytes;

	if (!nr_slots || nr_slots > EVENTQ_MAX_SLOTS)
		return -EINVAL;
	q->nr_leaves = 1;
	while (q->nr_leaves < nr_slots)
		q->nr_leaves *= 2;
	bytes = 2 * (size_t)q->nr_leaves * sizeof(*q->node);
	q->node = aligned_alloc(EVENTQ_LINE_BYTES,
				bytes < EVENTQ_LINE_BYTES ? EVENTQ_LINE_BYTES : bytes);
	if (!q->node)
		return -ENOMEM;
	for (uint32_t i = 0; i < 2 * q->nr_leaves; i++)
		q->node[i] = eventq_make_key(EVENTQ_NEVER, 0, 0);
	q->sequence = 0;
	q->firing = EVENTQ_NONE;
	return 0;
}

static inline void eventq_free(struct eventq *q)
{
	free(q->node);
	q->node = NULL;
}

/*
 * Which of two wins is random, so it must not become a branch. gcc makes two conditional moves of
 * the plain form; clang (14 to 19) branches on it whatever it is told, and takes three times as
 * long.
 */
static inline eventq_key eventq_earlier(eventq_key a, eventq_key b)
{
#ifdef __clang__
	uint64_t a_wins = -(uint64_t)(a < b);
	uint64_t high = (uint64_t)(b >> 64), low = (uint64_t)b;

	high ^= ((uint64_t)(a >> 64) ^ high) & a_wins;
	low ^= ((uint64_t)a ^ low) & a_wins;
	return (eventq_key)high << 64 | low;
#else
	return a < b ? a : b;
#endif
}

/*
 * Put key into the slot's leaf and play its matches up to the root. What key's three rivals come to
 * does not depend on it, so a level costs the walk one comparison.
 */
static inline void eventq_walk(struct eventq *q, uint32_t slot, eventq_key key)
{
	eventq_key *node = q->node;
	uint32_t i = q->nr_leaves + slot;

	node[i] = key;
	while (i >= 4) {
		eventq_key rivals =
			eventq_earlier(node[i ^ 1], eventq_earlier(node[i ^ 2], node[i ^ 3]));

		key = eventq_earlier(rivals, key);
		i >>= 2;
		node[i] = key;
	}
	if (i > 1)
		node[1] = eventq_earlier(node[i ^ 1], key);
}

/* Give pending events the sequence numbers 1, 2, ... in their present order. Out of the hot path.
 */
void eventq_renumber(struct eventq *q);

/* The slot's event happens at time_ns (below EVENTQ_NEVER), instead of when it was armed for. */
static inline void eventq_arm(struct eventq *q, uint32_t slot, uint64_t time_ns)
{
	if (__builtin_expect(++q->sequence == EVENTQ_SEQUENCE_LIMIT, 0))
		eventq_renumber(q);
	if (q->firing == slot)
		q->firing = EVENTQ_NONE;
	eventq_walk(q, slot, eventq_make_key(time_ns, q->sequence, slot));
}

static inline void eventq_cancel(struct eventq *q, uint32_t slot)
{
	if (q->firing == slot)
		q->firing = EVENTQ_NONE;
	eventq_walk(q, slot, eventq_make_key(EVENTQ_NEVER, 0, slot));
}

static inline bool eventq_is_armed(const struct eventq *q, uint32_t slot)
{
	return q->firing != slot && eventq_key_time(q->node[q->nr_leaves + slot]) != EVENTQ_NEVER;
}

/* Take the earliest event: its slot, its time in *time_ns; EVENTQ_NONE if nothing is pending. */
static inline uint32_t eventq_next(struct eventq *q, uint64_t *time_ns)
{
	uint32_t slot;

	if (q->firing != EVENTQ_NONE)
		eventq_cancel(q, q->firing);
	*time_ns = eventq_key_time(q->node[1]);
	if (*time_ns == EVENTQ_NEVER)
		return EVENTQ_NONE;
	slot = eventq_key_slot(q->node[1]);
	q->firing = slot;
	return slot;
}

#endif
