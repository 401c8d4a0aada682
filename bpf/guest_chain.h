/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the times and flags of a guest's half mean: its boundaries in order, and its class. For BPF,
 * which aggregates by them, and for trace/join.c, which makes spans of them.
 */
#ifndef VFSCOPE_BPF_GUEST_CHAIN_H
#define VFSCOPE_BPF_GUEST_CHAIN_H

#include "bpf/events.h"
#include "lib/hist.h"
#include "lib/op.h"
#include "lib/span.h"

/* <linux/fuse.h> does not compile for BPF. */
#define CHAIN_OPCODE_FORGET 2
#define CHAIN_OPCODE_READ 15
#define CHAIN_OPCODE_WRITE 16
#define CHAIN_OPCODE_BATCH_FORGET 42
#define CHAIN_OPCODE_SETUPMAPPING 48
#define CHAIN_OPCODE_REMOVEMAPPING 49

/* Boundaries on one clock; guest_chain() makes them monotonic. */
struct guest_chain {
	__ev_u64 issue, send, queued, complete, end, wake;
	int was_sent, was_queued;
};

static inline __attribute__((always_inline)) __ev_u64 chain_max(__ev_u64 a, __ev_u64 b)
{
	return a > b ? a : b;
}

static inline __attribute__((always_inline)) int opcode_is_forget(__ev_u32 opcode)
{
	return opcode == CHAIN_OPCODE_FORGET || opcode == CHAIN_OPCODE_BATCH_FORGET;
}

/* A time that was not seen takes the one before it. */
static inline __attribute__((always_inline)) struct guest_chain
guest_chain(const struct guest_request_event *g)
{
	struct guest_chain c = {.was_sent = !!g->t_send_ns, .was_queued = !!g->t_queued_ns};
	__ev_u64 end = g->t_end_ns ? g->t_end_ns : g->t_complete_ns ? g->t_complete_ns : g->h.ts_ns;

	c.issue = g->t_issue_ns ? g->t_issue_ns : g->t_send_ns ? g->t_send_ns : g->t_queued_ns;
	if (!c.issue)
		c.issue = end;
	c.send = chain_max(c.issue, g->t_send_ns);
	c.queued = chain_max(c.send, g->t_queued_ns);
	c.end = chain_max(c.queued, end);
	c.complete = g->t_complete_ns ? chain_max(g->t_complete_ns, c.queued) : c.end;
	if (c.complete > c.end)
		c.complete = c.end;
	/* A task that waits for a background request (fsync, say) waits for more than this one. */
	c.wake = g->flags & GREQ_BACKGROUND ? c.end : chain_max(c.end, g->t_wake_ns);
	return c;
}

/* Completion is known if the interrupt is; one from before the request cannot have announced it. */
static inline __attribute__((always_inline)) int chain_has_irq(const struct guest_chain *c,
							       __ev_u64 t_irq_ns)
{
	return c->was_queued && t_irq_ns >= c->queued && t_irq_ns <= c->end;
}

/* Without the probes of the DAX window the reason is not known, nor the size. */
static inline __attribute__((always_inline)) enum span_class
mapping_class(const struct guest_request_event *g)
{
	if (!g->size_bytes)
		return SPAN_OTHER;
	if (g->opcode == CHAIN_OPCODE_SETUPMAPPING)
		return g->flags & GREQ_DAX_UPGRADE ? SPAN_UPGRADE : SPAN_SETUP;
	if (g->opcode != CHAIN_OPCODE_REMOVEMAPPING)
		return SPAN_OTHER;
	/* The worker may drop the last reference to an inode. */
	if (g->flags & GREQ_DAX_EVICT)
		return SPAN_EVICT;
	return g->flags & GREQ_DAX_WORKER ? SPAN_RECLAIM : SPAN_INLINE_RECLAIM;
}

/* Under which key an op counts. */
static inline __attribute__((always_inline)) struct aggregate_key
guest_op_key(const struct guest_op_event *ev)
{
	int fault = ev->op_type == OP_MMAP_FAULT;
	struct aggregate_key key = {
		.what = AGG_OP,
		.of = ev->op_type,
		.bucket = hist_bucket(ev->h.ts_ns - ev->t_start_ns),
	};

	key.part = (ev->nr_requests ? 0 : AGG_OP_NO_REQUEST) |
		   (ev->flags & OP_DAX ? AGG_OP_DAX : 0) |
		   (fault && ev->size_bytes > 4096 ? AGG_OP_HUGE : 0) |
		   (ev->flags & OP_FAULT_WRITE ? AGG_OP_WRITE_FAULT : 0);
	return key;
}

static inline __attribute__((always_inline)) enum span_class
guest_request_class(const struct guest_request_event *g)
{
	if ((g->flags & GREQ_FORGET) || opcode_is_forget(g->opcode))
		return SPAN_FORGET;
	if (g->opcode == CHAIN_OPCODE_READ) {
		/* The kernel names a lock owner in direct reads only. */
		if (g->flags & GREQ_LOCKOWNER)
			return SPAN_DIRECT;
		if (g->flags & GREQ_BACKGROUND)
			return SPAN_READAHEAD;
		if (g->flags & GREQ_IN_WRITE_OP)
			return SPAN_READ_MODIFY;
		return g->flags & GREQ_DIRECT_FILE ? SPAN_DIRECT : SPAN_READAHEAD;
	}
	if (g->opcode == CHAIN_OPCODE_WRITE) {
		if (g->flags & GREQ_WRITE_CACHE)
			return SPAN_WRITEBACK;
		return g->flags & (GREQ_LOCKOWNER | GREQ_DIRECT_FILE) ? SPAN_DIRECT
								      : SPAN_WRITETHROUGH;
	}
	return mapping_class(g);
}

#endif
