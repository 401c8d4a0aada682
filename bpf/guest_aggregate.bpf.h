/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a guest's request adds to the counters of an aggregated recording. Included by guest.bpf.c
 * alone.
 */
#ifndef VFSCOPE_BPF_GUEST_AGGREGATE_BPF_H
#define VFSCOPE_BPF_GUEST_AGGREGATE_BPF_H

#include "bpf/aggregate.bpf.h"
#include "bpf/guest_chain.h"
#include "bpf/guest_maps.bpf.h"
#include "lib/stage.h"

static __always_inline void aggregate_lost(void)
{
	count_loss(LOSS_MAP_FULL, 1);
}

static __always_inline u64 moved_bytes(const struct guest_request_event *ev)
{
	if (ev->error)
		return 0;
	if (ev->opcode == WIRE_OPCODE_READ)
		return ev->reply_bytes;
	return ev->opcode == WIRE_OPCODE_WRITE ? ev->size_bytes : 0;
}

static __always_inline void aggregate_ranges(u8 cls, u16 opcode, u32 bytes)
{
	struct aggregate_key key = {.what = AGG_RANGES, .part = cls, .of = opcode};

	if (cls >= SPAN_SETUP && cls <= SPAN_EVICT)
		aggregate_add(key, bytes / DAX_RANGE_BYTES);
}

/* The same stages as span_from_guest() of trace/join.c. */
static __always_inline void aggregate_request(const struct guest_request_event *ev)
{
	struct guest_chain c = guest_chain(ev);
	u16 opcode = ev->opcode;
	u64 known = 0;

	aggregate_value(AGG_LATENCY, guest_request_class(ev), opcode, c.wake - c.issue);
	if (c.was_sent && !(ev->flags & GREQ_NO_ISSUE)) {
		aggregate_value(AGG_STAGE, STAGE_BG_WAIT, opcode, c.send - c.issue);
		known += c.send - c.issue;
	}
	if (c.was_sent && c.was_queued) {
		aggregate_value(AGG_STAGE, STAGE_RING_WAIT, opcode, c.queued - c.send);
		known += c.queued - c.send;
	}
	if (chain_has_irq(&c, ev->t_irq_ns)) {
		aggregate_value(AGG_STAGE, STAGE_COMPLETION, opcode, c.end - ev->t_irq_ns);
		known += c.end - ev->t_irq_ns;
	}
	aggregate_value(AGG_STAGE, STAGE_WAKEUP, opcode, c.wake - c.end);
	aggregate_value(AGG_UNSPLIT, 0, opcode, c.end - c.issue - known);
	aggregate_value(AGG_DEPTH, 0, ev->queue, ev->inflight);
	aggregate_counter(AGG_ERRORS, opcode, ev->error ? 1 : 0);
	aggregate_counter(AGG_BYTES, opcode, moved_bytes(ev));
	aggregate_counter(AGG_RETRIES, opcode, ev->ring_full_retries);
	aggregate_ranges(guest_request_class(ev), opcode, ev->size_bytes);
}

static __always_inline void aggregate_op(const struct guest_op_event *ev)
{
	struct aggregate_key bytes = {.what = AGG_OP_BYTES, .of = ev->op_type};
	u64 moved = ev->flags & OP_ASYNC ? ev->size_bytes : ev->result > 0 ? ev->result : 0;

	aggregate_add(guest_op_key(ev), ev->h.ts_ns - ev->t_start_ns);
	if (moved && (ev->op_type == OP_READ || ev->op_type == OP_WRITE))
		aggregate_add(bytes, moved);
}

/* An op that has ended. */
static __always_inline void emit_op(const struct guest_op_event *ev)
{
	if (aggregate)
		aggregate_op(ev);
	else
		emit(ev, sizeof(*ev));
}

#endif
