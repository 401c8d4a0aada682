// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From halves to spans: puts a request's times in order and measures its stages.
 *
 * Every stage is the difference of two boundaries of one monotonic chain, so that the sum is the
 * latency by construction. trace/join_files.c finds out which halves belong together.
 */
#include <linux/fuse.h>
#include <string.h>
#include "bpf/guest_chain.h"
#include "lib/compiler.h"
#include "trace/join.h"

static uint16_t flags_of(const struct guest_request_event *g, enum span_class cls)
{
	uint16_t flags = SPAN_HAS_GUEST;

	if (g->flags & GREQ_BACKGROUND)
		flags |= SPAN_BACKGROUND;
	if (g->flags & GREQ_KICKED)
		flags |= SPAN_KICKED;
	if (cls == SPAN_FORGET)
		flags |= SPAN_NO_REPLY;
	if (cls == SPAN_DIRECT && (g->flags & GREQ_BACKGROUND))
		flags |= SPAN_ASYNC_DIO;
	if (g->opcode == FUSE_SETUPMAPPING && (g->fuse_flags & FUSE_SETUPMAPPING_FLAG_WRITE))
		flags |= SPAN_WRITABLE;
	if (g->flags & GREQ_LATER)
		flags |= SPAN_LATER;
	return flags;
}

static void copy_guest(struct span *span, const struct guest_request_event *g)
{
	enum span_class cls = guest_request_class(g);

	*span = (struct span){
		.unique = g->unique,
		.nodeid = g->nodeid,
		.offset_bytes = g->offset_bytes,
		.size_bytes = g->size_bytes,
		.reply_bytes = g->reply_bytes,
		.error = g->error,
		.conn = g->conn,
		.opcode = g->opcode,
		.task = g->task,
		.cpu = g->h.cpu,
		.queue = g->queue,
		.cls = cls,
		.flags = flags_of(g, cls),
		.ring_full_retries = g->ring_full_retries,
		.sg_out = g->sg_out,
		.sg_in = g->sg_in,
		.inflight = g->inflight,
		.window_range = g->window_range,
		.doorbell_ns = g->doorbell_ns,
		.op_id = g->op_id,
	};
}

static uint64_t set_stage(struct span *span, enum stage stage, uint64_t ns)
{
	span->stage_ns[stage] = ns;
	span->stages_known |= 1u << stage;
	return ns;
}

void span_from_guest(struct span *span, const struct guest_request_event *g)
{
	struct guest_chain c = guest_chain(g);
	uint64_t known = 0;

	copy_guest(span, g);
	span->t_issue_ns = c.issue;
	if (c.was_sent && !(g->flags & GREQ_NO_ISSUE))
		known += set_stage(span, STAGE_BG_WAIT, c.send - c.issue);
	if (c.was_sent && c.was_queued)
		known += set_stage(span, STAGE_RING_WAIT, c.queued - c.send);
	if (chain_has_irq(&c, g->t_irq_ns))
		known += set_stage(span, STAGE_COMPLETION, c.end - g->t_irq_ns);
	span->unsplit_ns = c.end - c.issue - known;
	set_stage(span, STAGE_WAKEUP, c.wake - c.end);
}

void span_from_host(struct span *span, const struct host_half *h)
{
	uint64_t taken = max_u64(h->t_visible_ns, h->t_taken_ns);
	uint64_t start = max_u64(taken, h->t_start_ns);
	uint64_t used = max_u64(start, h->t_used_ns);

	*span = (struct span){
		.t_issue_ns = h->t_visible_ns,
		.unique = h->unique,
		.nodeid = h->nodeid,
		.offset_bytes = h->offset_bytes,
		.size_bytes = h->size_bytes,
		.reply_bytes = h->reply_len > sizeof(struct fuse_out_header)
				       ? h->reply_len - (uint32_t)sizeof(struct fuse_out_header)
				       : 0,
		.opcode = h->opcode,
		.queue = h->queue,
		.cls = opcode_is_forget(h->opcode) ? SPAN_FORGET : SPAN_OTHER,
		.flags = SPAN_HAS_HOST,
	};
	if (opcode_is_forget(h->opcode))
		span->flags |= SPAN_NO_REPLY;
	if (h->flags & HHALF_SIGNALLED)
		span->flags |= SPAN_SIGNALLED;
	set_stage(span, STAGE_NOTIFY, taken - h->t_visible_ns);
	set_stage(span, STAGE_POOL, start - taken);
	set_stage(span, STAGE_SERVICE, used - start);
	span->host_io_ns = min_u64(h->host_io_ns, used - start);
}

static uint64_t clamp_u64(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : min_u64(value, high);
}

/* Is x later than y by more than slack? Without wrapping for times near 0. */
static bool later_by_more(uint64_t x, uint64_t y, uint64_t slack)
{
	return x > y && x - y > slack;
}

/* The host's times of a pair on the guest's clock, each moved once, and by how much they may err.
 */
struct moved {
	uint64_t taken, start, used;
	uint64_t io_end; /* 0: there was none */
	uint64_t error;
};

static struct moved move(const struct host_half *h, const struct clock_band *band,
			 uint64_t t_complete_ns)
{
	return (struct moved){
		.taken = clock_band_to_guest(band, h->t_taken_ns),
		.start = clock_band_to_guest(band, h->t_start_ns),
		.used = clock_band_to_guest(band, h->t_used_ns),
		.io_end = h->t_io_end_ns ? clock_band_to_guest(band, h->t_io_end_ns) : 0,
		.error = clock_band_error_ns(band, t_complete_ns),
	};
}

static bool is_skewed(const struct guest_request_event *g, const struct host_half *h,
		      const struct guest_chain *c, const struct moved *m,
		      const struct clock_band *band)
{
	uint64_t visible = h->t_visible_ns > h->t_taken_ns
				   ? clock_band_to_guest(band, h->t_visible_ns)
				   : m->taken;

	if (later_by_more(max_u64(c->queued, g->t_add_ns), visible, m->error))
		return true;
	return h->t_io_end_ns && later_by_more(m->io_end, c->complete, m->error);
}

/*
 * How far to move the host's times, which the band leaves open, so that the guest's have room for
 * them. A duration on one clock is exact: where the host's work sticks out at one end of what the
 * guest allows, all of it is moved in, as far as the error bar and the other end allow, before any
 * is cut. The used element does not count, since it may be noticed late.
 */
static uint64_t shift_into_guest(const struct host_half *h, const struct guest_chain *c,
				 const struct moved *m)
{
	uint64_t last = h->t_io_end_ns > h->t_start_ns ? m->io_end : m->start;

	if (m->taken < c->queued && last < c->complete)
		return min_u64(m->error, min_u64(c->queued - m->taken, c->complete - last));
	if (last > c->complete && m->taken > c->queued)
		return -min_u64(m->error, min_u64(last - c->complete, m->taken - c->queued));
	return 0;
}

/* Parts of notify and completion, each within its stage. */
static void split_stages(struct span *span, const struct guest_request_event *g,
			 const struct guest_chain *c, uint64_t irq)
{
	uint64_t work = clamp_u64(g->t_work_ns, irq, c->complete);

	if (g->t_add_ns > c->queued)
		span->enqueue_ns = min_u64(g->t_add_ns - c->queued, span->stage_ns[STAGE_NOTIFY]);
	if (!g->t_work_ns)
		return;
	span->kworker_ns = work - irq;
	span->drain_ns = c->complete - work;
}

void span_from_both(struct span *span, const struct guest_request_event *g,
		    const struct host_half *h, const struct clock_band *band)
{
	struct guest_chain c = guest_chain(g);
	struct moved m = move(h, band, c.complete);
	uint64_t shift = shift_into_guest(h, &c, &m);
	uint64_t taken, start, used, irq;

	/* The guest saw the reply at complete: whatever the host did for it was before. */
	taken = clamp_u64(m.taken + shift, c.queued, c.complete);
	start = clamp_u64(m.start + shift, taken, c.complete);
	used = clamp_u64(m.used + shift, start, c.complete);
	irq = g->t_irq_ns > used ? min_u64(g->t_irq_ns, c.complete) : used;

	copy_guest(span, g);
	span->t_issue_ns = c.issue;
	span->flags |= SPAN_HAS_HOST;
	if (h->flags & HHALF_SIGNALLED)
		span->flags |= SPAN_SIGNALLED;
	if (is_skewed(g, h, &c, &m, band))
		span->flags |= SPAN_SKEWED;
	if (g->flags & GREQ_NO_ISSUE)
		span->unsplit_ns = c.send - c.issue;
	else
		set_stage(span, STAGE_BG_WAIT, c.send - c.issue);
	set_stage(span, STAGE_RING_WAIT, c.queued - c.send);
	set_stage(span, STAGE_NOTIFY, taken - c.queued);
	set_stage(span, STAGE_POOL, start - taken);
	set_stage(span, STAGE_SERVICE, used - start);
	set_stage(span, STAGE_INTERRUPT, irq - used);
	set_stage(span, STAGE_COMPLETION, c.end - irq);
	set_stage(span, STAGE_WAKEUP, c.wake - c.end);
	/* A thread that was woken for an earlier request waited longer than this one. */
	span->cpu_wait_ns = min_u64(h->cpu_wait_ns, taken - c.queued);
	span->host_io_ns = min_u64(h->host_io_ns, used - start);
	split_stages(span, g, &c, irq);
}

void op_from_event(struct op_record *op, const struct guest_op_event *event)
{
	*op = (struct op_record){
		.t_start_ns = event->t_start_ns,
		.t_end_ns = event->h.ts_ns,
		.op_id = event->op_id,
		.nodeid = event->nodeid,
		.offset_bytes = event->offset_bytes,
		.result = event->result,
		.size_bytes = event->size_bytes,
		.conn = event->conn,
		.task = event->task,
		.type = event->op_type,
		.flags = event->flags,
		.nr_requests = event->nr_requests,
		.pages_missed = event->pages_missed,
		.range_wait_ns = event->range_wait_ns,
		.dir_nodeid = event->dir_nodeid,
		.throttled_ns = event->throttled_ns,
		.nr_throttled = event->nr_throttled,
	};
}
