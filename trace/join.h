/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turn halves into spans: guest and host joined by unique, or one half alone with what it can know.
 */
#ifndef VFSCOPE_TRACE_JOIN_H
#define VFSCOPE_TRACE_JOIN_H

#include "lib/op.h"
#include "lib/span.h"
#include "trace/clock_band.h"
#include "trace/halves.h"

/* Guest half alone: bg_wait, ring_wait, completion, wakeup known; the device's part is unsplit. */
void span_from_guest(struct span *span, const struct guest_request_event *g);

/* Host half alone: pool and service known, notify from visible to taken; t_issue_ns is host time.
 */
void span_from_host(struct span *span, const struct host_half *h);

/*
 * Both: boundaries are put on the guest clock by the band's midpoint and made monotonic; a boundary
 * that must move by more than the band's half width sets SPAN_SKEWED. Stages sum to the latency
 * exactly.
 */
void span_from_both(struct span *span, const struct guest_request_event *g,
		    const struct host_half *h, const struct clock_band *band);

void op_from_event(struct op_record *op, const struct guest_op_event *event);

#endif
