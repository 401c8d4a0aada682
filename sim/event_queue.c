// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rare half of the event list: renumbering when the sequence is used up.
 */
#include <stdlib.h>
#include "sim/event_queue.h"

static int compare_keys(const void *a, const void *b)
{
	const eventq_key *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Sorts the leaves in the upper half of the tree, then rebuilds them: needs no memory of its own.
 */
void eventq_renumber(struct eventq *q)
{
	eventq_key *leaf = q->node + q->nr_leaves;
	uint32_t nr_pending = 0;

	qsort(leaf, q->nr_leaves, sizeof(*leaf), compare_keys);
	while (nr_pending < q->nr_leaves && eventq_key_time(leaf[nr_pending]) != EVENTQ_NEVER)
		nr_pending++;
	/* node[1 .. nr_leaves) is free until the matches are played again; slot 0 of it unused. */
	for (uint32_t i = 0; i < nr_pending; i++)
		leaf[i] =
			eventq_make_key(eventq_key_time(leaf[i]), i + 1, eventq_key_slot(leaf[i]));
	for (uint32_t i = 0; i < nr_pending;) {
		uint32_t slot = eventq_key_slot(leaf[i]);
		eventq_key moved = leaf[i];

		if (slot == i) {
			i++;
			continue;
		}
		/* Put each key into its own leaf; what was there comes here and moves on. */
		leaf[i] = leaf[slot];
		leaf[slot] = moved;
		if (eventq_key_time(leaf[i]) == EVENTQ_NEVER)
			i++;
	}
	/* The matches above a node are played again after the last change below it. */
	for (uint32_t slot = 0; slot < q->nr_leaves; slot++)
		eventq_walk(q, slot, leaf[slot]);
	q->sequence = nr_pending + 1;
}
