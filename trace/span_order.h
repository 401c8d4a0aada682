/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts spans that come almost in order of t_issue_ns into that order, holding back no more of them
 * than needed.
 */
#ifndef VFSCOPE_TRACE_SPAN_ORDER_H
#define VFSCOPE_TRACE_SPAN_ORDER_H

#include <stdint.h>
#include "lib/span.h"

struct span_order;

typedef int (*span_fn)(void *ctx, const struct span *span);

struct span_order *span_order_new(span_fn emit, void *ctx); /* NULL: out of memory */
void span_order_free(struct span_order *o);
int span_order_add(struct span_order *o, const struct span *span);
/* No span issued before this will be added any more. Not 0 if emit says so. */
int span_order_advance(struct span_order *o, uint64_t t_issue_ns);
int span_order_finish(struct span_order *o);

#endif
