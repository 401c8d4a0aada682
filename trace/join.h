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

/*
 * Guest half alone. bg_wait and ring_wait are known; completion too if the interrupt came after the
 * request was queued; the device's part is unsplit.
 */
void span_from_guest(struct span *span, const struct guest_request_event *g);

/*
 * Host half alone: notify (only from visible to taken), pool and service are known. t_issue_ns is
 * t_visible_ns, on the host's clock. What made the kernel send a READ or WRITE is unknown here
 * (SPAN_OTHER), and so is its error.
 */
void span_from_host(struct span *span, const struct host_half *h);

/*
 * Both, on the guest's clock: the host's times are moved by the band's line, and boundaries made
 * monotonic between the guest's, which are exact. Stages sum to the latency exactly.
 *
 * The daemon's times are known only as intervals (taken: up to visible; used: from the end of its
 * last system call on), so moving a boundary within its interval is not an error. SPAN_SKEWED says
 * that it had to leave it by more than the band's half width: a wrong pair, or a clock that
 * stepped.
 *
 * interrupt is 0 if no interrupt came after the used element: a completion work that was already
 * running drained it.
 */
void span_from_both(struct span *span, const struct guest_request_event *g,
		    const struct host_half *h, const struct clock_band *band);

void op_from_event(struct op_record *op, const struct guest_op_event *event);

#endif
