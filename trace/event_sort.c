// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A queue of those host events that came in order, and a binary heap of the few that came late.
 *
 * A heap of all would move every event log2(window) times; as almost all come in order, the queue
 * takes each with one copy, and however disordered a file is, an event costs no more than in a
 * heap.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "trace/event_sort.h"

struct entry {
	uint64_t seq;
	union host_event event;
};

struct event_sort {
	uint64_t window_ns;
	uint64_t newest_ns;
	uint64_t next_seq;
	struct entry *queue; /* a ring: what came in order, oldest at first */
	size_t first, queued;
	size_t queue_size; /* a power of two, or 0 */
	uint64_t last_queued_ns;
	struct entry *heap; /* what came late */
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
	free(sort->queue);
	free(sort->heap);
	free(sort);
}

static bool before(const struct entry *a, const struct entry *b)
{
	if (a->event.h.ts_ns != b->event.h.ts_ns)
		return a->event.h.ts_ns < b->event.h.ts_ns;
	return a->seq < b->seq;
}

static RARE void sift_up(struct entry *heap, size_t at)
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

static struct entry *queue_at(const struct event_sort *sort, size_t i)
{
	return &sort->queue[(sort->first + i) & (sort->queue_size - 1)];
}

static RARE int grow_queue(struct event_sort *sort)
{
	size_t size = sort->queue_size ? 2 * sort->queue_size : 1024;
	struct entry *queue = malloc(size * sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	for (size_t i = 0; i < sort->queued; i++)
		queue[i] = *queue_at(sort, i);
	free(sort->queue);
	sort->queue = queue;
	sort->queue_size = size;
	sort->first = 0;
	return 0;
}

static struct entry *queue_append(struct event_sort *sort)
{
	if (sort->queued == sort->queue_size && grow_queue(sort))
		return NULL;
	return queue_at(sort, sort->queued++);
}

static RARE struct entry *heap_append(struct event_sort *sort)
{
	if (sort->count == sort->room) {
		size_t room = sort->room ? 2 * sort->room : 1024;
		struct entry *heap = realloc(sort->heap, room * sizeof(*heap));

		if (!heap)
			return NULL;
		sort->heap = heap;
		sort->room = room;
	}
	return &sort->heap[sort->count++];
}

/* Each of its own size: a copy whose length the compiler knows is a few instructions. */
static void copy_event(union host_event *to, const struct event_header *from)
{
	const void *event = from;

	switch (from->type) {
	case EV_HOST_SYSCALL:
		to->call = *(const struct host_syscall_event *)event;
		break;
	case EV_HOST_USED:
		to->used = *(const struct host_used_event *)event;
		break;
	default:
		to->chain = *(const struct host_chain_event *)event;
	}
}

static bool is_host_event(uint16_t type)
{
	return type == EV_HOST_CHAIN || type == EV_HOST_SYSCALL || type == EV_HOST_USED ||
	       type == EV_HOST_HEADER;
}

int event_sort_push(struct event_sort *sort, const struct event_header *event)
{
	bool late = sort->queued && event->ts_ns < sort->last_queued_ns;
	struct entry *entry;

	if (!is_host_event(event->type))
		return 0;
	entry = late ? heap_append(sort) : queue_append(sort);
	if (!entry)
		return -ENOMEM;
	copy_event(&entry->event, event);
	entry->seq = sort->next_seq++;
	if (late)
		sift_up(sort->heap, sort->count - 1);
	else
		sort->last_queued_ns = event->ts_ns;
	sort->newest_ns = max_u64(sort->newest_ns, event->ts_ns);
	return 0;
}

static bool in_window(const struct event_sort *sort, const struct entry *entry)
{
	return sort->newest_ns - entry->event.h.ts_ns < sort->window_ns;
}

static RARE const union host_event *pop_heap(struct event_sort *sort)
{
	sort->popped = sort->heap[0].event;
	sort->heap[0] = sort->heap[--sort->count];
	if (sort->count)
		sift_down(sort->heap, sort->count);
	return &sort->popped;
}

const union host_event *event_sort_pop(struct event_sort *sort, int all)
{
	struct entry *next = sort->queued ? queue_at(sort, 0) : NULL;
	bool late = sort->count && (!next || before(&sort->heap[0], next));

	if (late)
		next = sort->heap;
	if (!next || (!all && in_window(sort, next)))
		return NULL;
	if (late)
		return pop_heap(sort);
	/* Its place is written to by the next push at the earliest. */
	sort->first = (sort->first + 1) & (sort->queue_size - 1);
	sort->queued--;
	return &next->event;
}
