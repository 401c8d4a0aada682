// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Summaries: folding spans and ops into histograms. Printing is summary_print.c's and
 * summary_json.c's.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "lib/summary.h"

#define ALL_STAGES ((1u << NR_STAGES) - 1)

struct summary *summary_new(void)
{
	struct summary *s = calloc(1, sizeof(*s));

	if (s)
		s->first_ns = UINT64_MAX;
	return s;
}

void summary_free(struct summary *s)
{
	if (!s)
		return;
	for (int i = 0; i < FUSE_OPCODE_LIMIT; i++)
		free(s->opcode[i]);
	for (int i = 0; i < NR_OP_TYPES; i++)
		free(s->op[i]);
	for (int i = 0; i < SUMMARY_MAX_QUEUES; i++)
		free(s->depth[i]);
	free(s->cache);
	free(s->dax);
	free(s);
}

/* Numbers that no table knows are counted under opcode 0, which FUSE does not use. */
static struct opcode_summary *get_opcode(struct summary *s, uint32_t opcode)
{
	struct opcode_summary **slot = &s->opcode[opcode < FUSE_OPCODE_LIMIT ? opcode : 0];

	if (*slot)
		return *slot;
	*slot = calloc(1, sizeof(**slot));
	if (!*slot)
		return NULL;
	hist_init(&(*slot)->latency);
	hist_init(&(*slot)->host_io);
	hist_init(&(*slot)->cpu_wait);
	hist_init(&(*slot)->unsplit);
	for (int i = 0; i < NR_STAGES; i++)
		hist_init(&(*slot)->stage[i]);
	return *slot;
}

static struct op_summary *get_op(struct summary *s, enum op_type type)
{
	if (!s->op[type]) {
		s->op[type] = calloc(1, sizeof(*s->op[type]));
		if (s->op[type])
			hist_init(&s->op[type]->latency);
	}
	return s->op[type];
}

static struct hist *get_depth(struct summary *s, unsigned int queue)
{
	struct hist **slot = &s->depth[min_u64(queue, SUMMARY_MAX_QUEUES - 1)];

	if (!*slot) {
		*slot = malloc(sizeof(**slot));
		if (*slot)
			hist_init(*slot);
	}
	return *slot;
}

/* Payload that went over the wire; the reply of a WRITE is a count, not data. */
static uint64_t moved_bytes(const struct span *span)
{
	if (span->error)
		return 0;
	if (span->opcode == FUSE_READ)
		return span->reply_bytes;
	return span->opcode == FUSE_WRITE ? span->size_bytes : 0;
}

static void add_stages(struct opcode_summary *o, const struct span *span)
{
	/* What a span books under a stage that it does not know could not be told apart either. */
	uint64_t unsplit = span->unsplit_ns;

	for (int i = 0; i < NR_STAGES; i++) {
		if (span->stages_known & (1u << i))
			hist_add(&o->stage[i], span->stage_ns[i]);
		else
			unsplit += span->stage_ns[i];
	}
	if ((span->stages_known & ALL_STAGES) == ALL_STAGES)
		o->full_stages++;
	if ((span->stages_known & ALL_STAGES) != ALL_STAGES || unsplit)
		hist_add(&o->unsplit, unsplit);
	if (span->stages_known & (1u << STAGE_SERVICE))
		hist_add(&o->host_io, span->host_io_ns);
	if (span->cpu_wait_ns)
		hist_add(&o->cpu_wait, span->cpu_wait_ns);
}

static void count_sides(struct summary *s, const struct span *span)
{
	bool guest = span->flags & SPAN_HAS_GUEST, host = span->flags & SPAN_HAS_HOST;

	s->nr_spans++;
	s->nr_both += guest && host;
	s->nr_guest_only += guest && !host;
	s->nr_host_only += host && !guest;
	if (span->flags & SPAN_KICKED)
		s->kicks++;
	else if (guest || !host) /* a host half alone cannot tell */
		s->kicks_suppressed++;
	s->signals += !!(span->flags & SPAN_SIGNALLED);
	s->ring_full_retries += span->ring_full_retries;
}

int summary_add_span(struct summary *s, const struct span *span)
{
	bool host_alone = (span->flags & SPAN_HAS_HOST) && !(span->flags & SPAN_HAS_GUEST);
	struct opcode_summary *o = get_opcode(s, span->opcode);
	struct hist *depth = host_alone ? NULL : get_depth(s, span->queue);
	uint64_t latency = span_latency_ns(span);

	if (!o || (!depth && !host_alone))
		return -ENOMEM;
	count_sides(s, span);
	s->first_ns = min_u64(s->first_ns, span->t_issue_ns);
	s->last_ns = max_u64(s->last_ns, span->t_issue_ns + latency);
	o->count++;
	o->errors += span->error != 0;
	o->bytes += moved_bytes(span);
	o->class_count[span->cls < NR_SPAN_CLASSES ? span->cls : SPAN_OTHER]++;
	hist_add(&o->latency, latency);
	add_stages(o, span);
	if (depth)
		hist_add(depth, span->inflight);
	if (cache_summary_add_span(&s->cache, span))
		return -ENOMEM;
	return dax_summary_add_span(&s->dax, span);
}

/* An asynchronous op returns before its bytes are known: what it asked for is the best guess. */
static uint64_t op_bytes(const struct op_record *op)
{
	if (op->type != OP_READ && op->type != OP_WRITE)
		return 0;
	if (op->flags & OP_ASYNC)
		return op->size_bytes;
	return op->result > 0 ? (uint64_t)op->result : 0;
}

int summary_add_op(struct summary *s, const struct op_record *op)
{
	struct op_summary *o;

	if (op->type >= NR_OP_TYPES)
		return 0; /* from a newer vfscope */
	o = get_op(s, op->type);
	if (!o)
		return -ENOMEM;
	s->first_ns = min_u64(s->first_ns, op->t_start_ns);
	s->last_ns = max_u64(s->last_ns, op->t_end_ns);
	o->count++;
	o->bytes += op_bytes(op);
	o->without_request += !op->nr_requests;
	hist_add(&o->latency, op->t_end_ns > op->t_start_ns ? op->t_end_ns - op->t_start_ns : 0);
	if (cache_summary_add_op(&s->cache, op))
		return -ENOMEM;
	return dax_summary_add_op(&s->dax, op);
}

static void add_requests(struct summary *s, struct opcode_summary *o,
			 const struct aggregate_key *key, const struct aggregate_count *added,
			 bool host)
{
	hist_add_bucket(&o->latency, key->bucket, added->count, added->sum);
	o->count += added->count;
	o->class_count[key->part < NR_SPAN_CLASSES ? key->part : SPAN_OTHER] += added->count;
	s->nr_spans += added->count;
	if (host)
		s->nr_host_only += added->count;
	else
		s->nr_guest_only += added->count;
}

static void add_counter(struct summary *s, struct opcode_summary *o, enum aggregate_counter counter,
			const struct aggregate_count *added)
{
	if (counter == AGG_ERRORS)
		o->errors += added->count;
	else if (counter == AGG_BYTES)
		o->bytes += added->sum;
	else if (counter == AGG_RETRIES)
		s->ring_full_retries += added->sum;
}

static int count_ops(struct summary *s, const struct aggregate_key *key,
		     const struct aggregate_count *added)
{
	struct op_summary *o = key->of < NR_OP_TYPES ? get_op(s, key->of) : NULL;

	if (!o)
		return key->of < NR_OP_TYPES ? -ENOMEM : 0;
	if (key->what == AGG_OP_BYTES) {
		o->bytes += added->sum;
		return 0;
	}
	hist_add_bucket(&o->latency, key->bucket, added->count, added->sum);
	o->count += added->count;
	o->without_request += key->part & AGG_OP_NO_REQUEST ? added->count : 0;
	return dax_summary_count(&s->dax, key, added);
}

int summary_add_aggregate(struct summary *s, uint64_t t_ns, const struct aggregate_key *key,
			  const struct aggregate_count *added, bool host)
{
	struct opcode_summary *o = NULL;
	struct hist *h = NULL;

	s->first_ns = min_u64(s->first_ns, t_ns);
	s->last_ns = max_u64(s->last_ns, t_ns);
	if (key->what >= NR_AGG_WHAT)
		return 0; /* from a newer vfscope */
	if (key->what == AGG_OP || key->what == AGG_OP_BYTES)
		return count_ops(s, key, added);
	if (key->what == AGG_RANGES)
		return dax_summary_count(&s->dax, key, added);
	if (key->what == AGG_DEPTH)
		h = get_depth(s, key->of);
	else
		o = get_opcode(s, key->of);
	if (!o && !h)
		return -ENOMEM;
	if (key->what == AGG_LATENCY)
		add_requests(s, o, key, added, host);
	else if (key->what == AGG_COUNTER)
		add_counter(s, o, key->part, added);
	else if (key->what == AGG_STAGE && key->part < NR_STAGES)
		h = &o->stage[key->part];
	else if (key->what == AGG_UNSPLIT)
		h = &o->unsplit;
	else if (key->what == AGG_HOST_IO)
		h = &o->host_io;
	if (h)
		hist_add_bucket(h, key->bucket, added->count, added->sum);
	return key->what == AGG_LATENCY ? dax_summary_count(&s->dax, key, added) : 0;
}

static void merge_opcode(struct opcode_summary *into, const struct opcode_summary *from)
{
	into->count += from->count;
	into->errors += from->errors;
	into->bytes += from->bytes;
	into->full_stages += from->full_stages;
	for (int i = 0; i < NR_SPAN_CLASSES; i++)
		into->class_count[i] += from->class_count[i];
	for (int i = 0; i < NR_STAGES; i++)
		hist_merge(&into->stage[i], &from->stage[i]);
	hist_merge(&into->latency, &from->latency);
	hist_merge(&into->host_io, &from->host_io);
	hist_merge(&into->cpu_wait, &from->cpu_wait);
	hist_merge(&into->unsplit, &from->unsplit);
}

static int merge_tables(struct summary *into, const struct summary *from)
{
	for (unsigned int i = 0; i < FUSE_OPCODE_LIMIT; i++) {
		if (!from->opcode[i])
			continue;
		if (!get_opcode(into, i))
			return -ENOMEM;
		merge_opcode(into->opcode[i], from->opcode[i]);
	}
	for (unsigned int i = 0; i < NR_OP_TYPES; i++) {
		if (!from->op[i])
			continue;
		if (!get_op(into, i))
			return -ENOMEM;
		into->op[i]->count += from->op[i]->count;
		into->op[i]->bytes += from->op[i]->bytes;
		into->op[i]->without_request += from->op[i]->without_request;
		hist_merge(&into->op[i]->latency, &from->op[i]->latency);
	}
	for (unsigned int i = 0; i < SUMMARY_MAX_QUEUES; i++) {
		if (!from->depth[i])
			continue;
		if (!get_depth(into, i))
			return -ENOMEM;
		hist_merge(into->depth[i], from->depth[i]);
	}
	if (cache_summary_merge(&into->cache, from->cache))
		return -ENOMEM;
	return dax_summary_merge(&into->dax, from->dax);
}

int summary_merge(struct summary *into, const struct summary *from)
{
	into->first_ns = min_u64(into->first_ns, from->first_ns);
	into->last_ns = max_u64(into->last_ns, from->last_ns);
	into->nr_spans += from->nr_spans;
	into->nr_both += from->nr_both;
	into->nr_guest_only += from->nr_guest_only;
	into->nr_host_only += from->nr_host_only;
	into->ring_full_retries += from->ring_full_retries;
	into->kicks += from->kicks;
	into->kicks_suppressed += from->kicks_suppressed;
	into->signals += from->signals;
	return merge_tables(into, from);
}
