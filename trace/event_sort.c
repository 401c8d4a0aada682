// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A binary heap of host events by time, for the assembler of host halves.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "trace/event_size.h"
#include "trace/event_sort.h"

struct entry {
	uint64_t seq;
	union host_event event;
};

struct event_sort {
	uint64_t window_ns;
	uint64_t newest_ns;
	uint64_t next_seq;
	struct entry *heap;
	size_t count;
	size_t room;
	union host_event popped;
};

int event_sort_new(struct event_sort **out, uint64_t window_ns)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->window_ns = window_ns;
	return 0;
}

void event_sort_free(struct event_sort *sort)
{
	if (!sort)
		return;
	free(sort->heap);
	free(sort);
}

static bool before(const struct entry *a, const struct entry *b)
{
	if (a->event.h.ts_ns != b->event.h.ts_ns)
		return a->event.h.ts_ns < b->event.h.ts_ns;
	return a->seq < b->seq;
}

static void sift_up(struct entry *heap, size_t at)
{
	struct entry moved = heap[at];

	while (at && before(&moved, &heap[(at - 1) / 2])) {
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = moved;
}

static void sift_down(struct entry *heap, size_t count)
{
	struct entry moved = heap[0];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < count) {
		if (child + 1 < count && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &moved))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
}

int event_sort_push(struct event_sort *sort, const struct event_header *event)
{
	size_t size = event->type < EV_HOST_CHAIN ? 0 : event_known_size(event->type);
	struct entry *entry;

	if (!size)
		return 0;
	if (sort->count == sort->room) {
		size_t room = sort->room ? 2 * sort->room : 1024;
		struct entry *heap = realloc(sort->heap, room * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		sort->heap = heap;
		sort->room = room;
	}
	entry = &sort->heap[sort->count++];
	memset(entry, 0, sizeof(*entry));
	memcpy(&entry->event, event, event->size < size ? event->size : size);
	entry->seq = sort->next_seq++;
	if (event->ts_ns > sort->newest_ns)
		sort->newest_ns = event->ts_ns;
	sift_up(sort->heap, sort->count - 1);
	return 0;
}

const union host_event *event_sort_pop(struct event_sort *sort, int all)
{
	if (!sort->count)
		return NULL;
	sort->popped = sort->heap[0].event;
	if (!all && sort->newest_ns - sort->popped.h.ts_ns < sort->window_ns)
		return NULL;
	sort->heap[0] = sort->heap[--sort->count];
	if (sort->count)
		sift_down(sort->heap, sort->count);
	return &sort->popped;
}
