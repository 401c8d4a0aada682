// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A binary heap of spans by issue time; ties keep the order in which they came.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include "trace/span_order.h"

struct held {
	uint64_t number; /* order of arrival */
	struct span span;
};

struct span_order {
	span_fn emit;
	void *ctx;
	struct held *heap;
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
	if (o)
		free(o->heap);
	free(o);
}

static bool before(const struct held *a, const struct held *b)
{
	if (a->span.t_issue_ns != b->span.t_issue_ns)
		return a->span.t_issue_ns < b->span.t_issue_ns;
	return a->number < b->number;
}

int span_order_add(struct span_order *o, const struct span *span)
{
	struct held item = {.number = o->added++, .span = *span};
	size_t i = o->count;

	if (o->count == o->size) {
		size_t size = o->size ? 2 * o->size : 256;
		struct held *grown = realloc(o->heap, size * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		o->heap = grown;
		o->size = size;
	}
	o->count++;
	for (; i && before(&item, &o->heap[(i - 1) / 2]); i = (i - 1) / 2)
		o->heap[i] = o->heap[(i - 1) / 2];
	o->heap[i] = item;
	return 0;
}

static void remove_first(struct span_order *o)
{
	const struct held *last = &o->heap[--o->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < o->count) {
		if (child + 1 < o->count && before(&o->heap[child + 1], &o->heap[child]))
			child++;
		if (!before(&o->heap[child], last))
			break;
		o->heap[i] = o->heap[child];
		i = child;
	}
	o->heap[i] = *last;
}

int span_order_advance(struct span_order *o, uint64_t t_issue_ns)
{
	int err = 0;

	while (!err && o->count && o->heap[0].span.t_issue_ns < t_issue_ns) {
		err = o->emit(o->ctx, &o->heap[0].span);
		remove_first(o);
	}
	return err;
}

int span_order_finish(struct span_order *o)
{
	int err = 0;

	while (!err && o->count) {
		err = o->emit(o->ctx, &o->heap[0].span);
		remove_first(o);
	}
	return err;
}
