// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A binary heap by issue time; ties keep the order in which they came. It moves keys only: the
 * spans lie in a pool until they are handed out.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include "trace/span_order.h"

struct key {
	uint64_t t_issue_ns;
	uint64_t number; /* order of arrival */
	size_t slot; /* in the pool */
};

struct span_order {
	span_fn emit;
	void *ctx;
	struct key *heap; /* behind the first count: keys whose slots are free */
	struct span *pool;
	size_t count, size;
	uint64_t added;
};

struct span_order *span_order_new(span_fn emit, void *ctx)
{
	struct span_order *o = calloc(1, sizeof(*o));

	if (o) {
		o->emit = emit;
		o->ctx = ctx;
	}
	return o;
}

void span_order_free(struct span_order *o)
{
	if (!o)
		return;
	free(o->heap);
	free(o->pool);
	free(o);
}

static bool before(const struct key *a, const struct key *b)
{
	if (a->t_issue_ns != b->t_issue_ns)
		return a->t_issue_ns < b->t_issue_ns;
	return a->number < b->number;
}

static int grow(struct span_order *o)
{
	size_t size = o->size ? 2 * o->size : 256;
	struct key *heap = realloc(o->heap, size * sizeof(*heap));
	struct span *pool;

	if (!heap)
		return -ENOMEM;
	o->heap = heap;
	pool = realloc(o->pool, size * sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	o->pool = pool;
	for (size_t i = o->size; i < size; i++)
		o->heap[i].slot = i;
	o->size = size;
	return 0;
}

int span_order_add(struct span_order *o, const struct span *span)
{
	struct key key = {.t_issue_ns = span->t_issue_ns, .number = o->added++};
	size_t i = o->count;

	if (o->count == o->size && grow(o))
		return -ENOMEM;
	key.slot = o->heap[o->count++].slot;
	o->pool[key.slot] = *span;
	for (; i && before(&key, &o->heap[(i - 1) / 2]); i = (i - 1) / 2)
		o->heap[i] = o->heap[(i - 1) / 2];
	o->heap[i] = key;
	return 0;
}

/* Its slot is free from now on, but keeps the span until the next is added. */
static const struct span *take_first(struct span_order *o)
{
	struct key first = o->heap[0], last = o->heap[--o->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < o->count) {
		if (child + 1 < o->count && before(&o->heap[child + 1], &o->heap[child]))
			child++;
		if (!before(&o->heap[child], &last))
			break;
		o->heap[i] = o->heap[child];
		i = child;
	}
	o->heap[i] = last;
	o->heap[o->count] = first;
	return &o->pool[first.slot];
}

int span_order_advance(struct span_order *o, uint64_t t_issue_ns)
{
	int err = 0;

	while (!err && o->count && o->heap[0].t_issue_ns < t_issue_ns)
		err = o->emit(o->ctx, take_first(o));
	return err;
}

int span_order_finish(struct span_order *o)
{
	int err = 0;

	while (!err && o->count)
		err = o->emit(o->ctx, take_first(o));
	return err;
}
