// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calibration's bookkeeping: keeps spans and ops, sorts them into samples of each cost, fits, and
 * fills what was not seen from the nearest cost. Which boundary gives which cost is decided here;
 * docs/calibration.md gives the reasons.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "lib/array.h"
#include "models/calibrate_internal.h"

#define PAGE_BYTES 4096u

int calibration_new(struct calibration **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void clear_samples(struct calibration *c)
{
	for (int i = 0; i < NR_COSTS; i++) {
		samples_free(&c->cost[i].quiet);
		samples_free(&c->cost[i].all);
	}
	for (int i = 0; i <= FUSE_OPCODE_LIMIT; i++) {
		samples_free(&c->service[i].cpu);
		samples_free(&c->service[i].host_io);
	}
	c->gaps_dropped = c->hits_waiting = 0;
	c->nr_rows = 0;
}

void calibration_free(struct calibration *c)
{
	if (!c)
		return;
	clear_samples(c);
	free(c->spans);
	free(c->ops);
	free(c);
}

static int append(void **array, size_t *count, size_t size, const void *element)
{
	int err = array_grow(array, *count, size);

	if (err)
		return err;
	memcpy((char *)*array + (*count)++ * size, element, size);
	return 0;
}

int calibration_add_span(struct calibration *c, const struct span *span)
{
	struct span copy = *span;

	/* What is written later is no part of what the op cost. */
	if (span->flags & SPAN_LATER)
		copy.op_id = 0;
	return append((void **)&c->spans, &c->nr_spans, sizeof(copy), &copy);
}

int calibration_add_op(struct calibration *c, const struct op_record *op)
{
	return append((void **)&c->ops, &c->nr_ops, sizeof(*op), op);
}

void calibration_add_cost(struct calibration *c, enum cost cost, uint64_t ns, uint64_t size,
			  bool quiet)
{
	/* Known is only a program's mean; in a fast sample it was fast too, and not all of it. */
	ns -= min_u64((uint64_t)c->probe_ns[cost], ns / 2);
	samples_add(&c->cost[cost].all, ns, size);
	if (quiet)
		samples_add(&c->cost[cost].quiet, ns, size);
}

static bool known(const struct span *s, enum stage stage)
{
	return s->stages_known & 1u << stage;
}

static uint64_t end_of(const struct span *s)
{
	return s->t_issue_ns + span_latency_ns(s);
}

/*
 * The answer was there while the guest CPU was still inside the doorbell's VM exit: interrupt,
 * completion and wake-up then contain the rest of the doorbell, which is a cost of its own.
 */
static bool answered_within_doorbell(const struct span *s)
{
	uint64_t used_ns = 0;

	for (enum stage stage = STAGE_NOTIFY; stage <= STAGE_SERVICE; stage++)
		used_ns += s->stage_ns[stage];
	return s->enqueue_ns + s->doorbell_ns > used_ns;
}

/* What one request tells about the transport: kick, interrupt, completion, wake-up. */
static void sample_transport(struct calibration *c, const struct span *s)
{
	bool alone = !s->inflight && !s->ring_full_retries;
	bool back = alone && !answered_within_doorbell(s);
	/* virtio_fs_complete_req_work(): it is entered a work item later. */
	bool hops = s->opcode == FUSE_READ && s->flags & SPAN_ASYNC_DIO, own;

	/* A background request may have waited for others: only one that found none tells. */
	if (known(s, STAGE_BG_WAIT) && (alone || !(s->flags & SPAN_BACKGROUND)))
		calibration_add_cost(c, COST_ISSUE, s->stage_ns[STAGE_BG_WAIT], 0, alone);
	if (known(s, STAGE_RING_WAIT) && !s->ring_full_retries)
		calibration_add_cost(c, COST_ENQUEUE, s->stage_ns[STAGE_RING_WAIT] + s->enqueue_ns,
				     0, alone);
	if (s->flags & SPAN_KICKED && s->doorbell_ns)
		calibration_add_cost(c, COST_DOORBELL, s->doorbell_ns, 0, alone);
	/* Kicked while others are in flight means that the daemon was not idle: no sample. */
	if (known(s, STAGE_NOTIFY) && s->flags & SPAN_KICKED && alone)
		calibration_add_cost(c, COST_KICK, less(s->stage_ns[STAGE_NOTIFY], s->enqueue_ns),
				     0, true);
	if (known(s, STAGE_POOL) && s->stage_ns[STAGE_POOL])
		calibration_add_cost(c, COST_POOL_HANDOFF, s->stage_ns[STAGE_POOL], 0, alone);
	if (known(s, STAGE_INTERRUPT) && (s->flags & SPAN_SIGNALLED || alone))
		calibration_add_cost(c, COST_INTERRUPT, s->stage_ns[STAGE_INTERRUPT], 0, back);
	if (known(s, STAGE_COMPLETION)) {
		if (s->kworker_ns)
			calibration_add_cost(c, COST_KWORKER, s->kworker_ns, 0, back);
		if (hops && alone && s->drain_ns)
			calibration_add_cost(c, COST_COMPLETE_HOP, s->drain_ns, 0, true);
		/* Alone, all of the work's time is its own; else only what follows its turn is. */
		own = alone && !hops;
		calibration_add_cost(c, COST_COMPLETE,
				     less(s->stage_ns[STAGE_COMPLETION],
					  s->kworker_ns + (own ? 0 : s->drain_ns)),
				     s->reply_bytes, own);
	}
	if (known(s, STAGE_WAKEUP) && !(s->flags & SPAN_BACKGROUND))
		calibration_add_cost(c, COST_WAKEUP, s->stage_ns[STAGE_WAKEUP], 0, back);
}

static void sample_service(struct calibration *c, const struct span *s)
{
	bool moves_data = s->opcode == FUSE_READ || s->opcode == FUSE_WRITE;
	uint64_t size = s->opcode == FUSE_READ ? s->reply_bytes : s->size_bytes;
	uint64_t cpu, host_io;

	if (!known(s, STAGE_SERVICE) || s->opcode >= FUSE_OPCODE_LIMIT)
		return;
	host_io = min_u64(s->host_io_ns, s->stage_ns[STAGE_SERVICE]);
	cpu = s->stage_ns[STAGE_SERVICE] - host_io;
	size = moves_data ? size : 0;
	samples_add(&c->service[s->opcode].cpu, cpu, size);
	samples_add(&c->service[s->opcode].host_io, host_io, size);
	if (!moves_data && s->opcode != FUSE_FSYNC) {
		samples_add(&c->service[FUSE_OPCODE_LIMIT].cpu, cpu, 0);
		samples_add(&c->service[FUSE_OPCODE_LIMIT].host_io, host_io, 0);
	}
}

static int by_op_and_issue(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->op_id != y->op_id)
		return x->op_id < y->op_id ? -1 : 1;
	return (x->t_issue_ns > y->t_issue_ns) - (x->t_issue_ns < y->t_issue_ns);
}

static int by_task_and_start(const void *a, const void *b)
{
	const struct op_record *x = a, *y = b;

	if (x->task != y->task)
		return x->task < y->task ? -1 : 1;
	return (x->t_start_ns > y->t_start_ns) - (x->t_start_ns < y->t_start_ns);
}

/* The spans of an op, which are sorted by op_id. */
static const struct span *find_spans(const struct calibration *c, uint64_t op_id, size_t *count)
{
	size_t low = 0, high = c->nr_spans, first;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->spans[mid].op_id < op_id)
			low = mid + 1;
		else
			high = mid;
	}
	first = low;
	while (low < c->nr_spans && c->spans[low].op_id == op_id)
		low++;
	*count = low - first;
	return c->spans + first;
}

static bool covers(const struct span *s, const struct op_record *op)
{
	return s->nodeid == op->nodeid && s->offset_bytes < op->offset_bytes + op->size_bytes &&
	       op->offset_bytes < s->offset_bytes + s->size_bytes;
}

/* Pages of a READ or WRITE; what an op sends first may be a request without data. */
static uint64_t pages_of_span(const struct span *s)
{
	uint64_t end = s->offset_bytes + s->size_bytes;

	if (s->opcode != FUSE_READ && s->opcode != FUSE_WRITE)
		return 1;
	return (end + PAGE_BYTES - 1) / PAGE_BYTES - s->offset_bytes / PAGE_BYTES;
}

/*
 * Prepare is op start to first issue. Finish is last end to op end, if the op waited for it: a
 * synchronous request always, a background one if it is the op's only one and has its data.
 */
static void sample_op_with_requests(struct calibration *c, const struct op_record *op,
				    const struct span *spans, size_t count)
{
	bool is_read = op->type == OP_READ;
	const struct span *last = &spans[0];

	if (op->type != OP_READ && op->type != OP_WRITE)
		return;
	calibration_add_cost(c, is_read ? COST_READ_PREPARE : COST_WRITE_PREPARE,
			     less(spans[0].t_issue_ns, op->t_start_ns), pages_of_span(&spans[0]),
			     true);
	for (size_t i = 1; i < count; i++)
		if (end_of(&spans[i]) > end_of(last))
			last = &spans[i];
	if (end_of(last) > op->t_end_ns)
		return;
	if (last->flags & SPAN_BACKGROUND && !(last->flags & SPAN_ASYNC_DIO) &&
	    (count > 1 || !covers(last, op)))
		return;
	if (last->flags & SPAN_BACKGROUND && is_read)
		calibration_add_cost(c, COST_PAGE_WAKEUP, op->t_end_ns - end_of(last), 0, true);
	else
		calibration_add_cost(c, is_read ? COST_READ_FINISH : COST_WRITE_FINISH,
				     op->t_end_ns - end_of(last), 0, true);
}

static uint64_t pages_of(const struct op_record *op)
{
	uint64_t end = op->offset_bytes + op->size_bytes;

	return (end + PAGE_BYTES - 1) / PAGE_BYTES - op->offset_bytes / PAGE_BYTES;
}

/* Index of reads in the order of their ends: to find one that a cached read waited for. */
static int by_end(const void *a, const void *b)
{
	const struct span *x = *(const struct span *const *)a;
	const struct span *y = *(const struct span *const *)b;

	return (end_of(x) > end_of(y)) - (end_of(x) < end_of(y));
}

struct end_index {
	const struct span **at;
	size_t count;
};

static bool is_read(const struct span *s)
{
	return s->opcode == FUSE_READ;
}

static bool is_async(const struct span *s)
{
	return s->flags & SPAN_ASYNC_DIO;
}

static int index_ends(const struct calibration *c, struct end_index *index,
		      bool (*wanted)(const struct span *))
{
	index->count = 0;
	index->at = reallocarray(NULL, c->nr_spans + 1, sizeof(*index->at));
	if (!index->at)
		return -ENOMEM;
	for (size_t i = 0; i < c->nr_spans; i++)
		if (wanted(&c->spans[i]))
			index->at[index->count++] = &c->spans[i];
	qsort(index->at, index->count, sizeof(*index->at), by_end);
	return 0;
}

/* The first of the index that ended at this time or later. */
static size_t first_end(const struct end_index *index, uint64_t from_ns)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (end_of(index->at[mid]) < from_ns)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool waited_for_read(const struct end_index *index, const struct op_record *op)
{
	size_t i = first_end(index, op->t_start_ns);

	for (; i < index->count && end_of(index->at[i]) <= op->t_end_ns; i++)
		if (covers(index->at[i], op))
			return true;
	return false;
}

/* A task of libaio or io_uring sleeps between ops until one of its requests ends. */
static bool slept_between(const struct end_index *index, const struct op_record *before,
			  const struct op_record *after)
{
	size_t i = first_end(index, before->t_end_ns);

	for (; i < index->count && end_of(index->at[i]) <= after->t_start_ns; i++)
		if (index->at[i]->task == after->task)
			return true;
	return false;
}

static void sample_hit(struct calibration *c, const struct end_index *index,
		       const struct op_record *op)
{
	uint64_t ns = op->t_end_ns - op->t_start_ns;

	if (op->result <= 0 || !op->size_bytes || op->flags & (OP_DIRECT | OP_ASYNC))
		return;
	if (op->type == OP_WRITE) {
		calibration_add_cost(c, COST_WRITE_HIT, ns, pages_of(op), true);
	} else if (op->type == OP_READ) {
		if (waited_for_read(index, op))
			c->hits_waiting++;
		else
			calibration_add_cost(c, COST_READ_HIT, ns, pages_of(op), true);
	}
}

static bool moves_data(const struct op_record *op)
{
	return op->type == OP_READ || op->type == OP_WRITE;
}

static int sample_ops(struct calibration *c)
{
	struct end_index reads, async = {};
	int err = index_ends(c, &reads, is_read);

	if (!err)
		err = index_ends(c, &async, is_async);
	if (err)
		goto out;
	for (size_t i = 0; i < c->nr_ops; i++) {
		const struct op_record *op = &c->ops[i];
		const struct span *spans;
		size_t count;

		if (op->t_end_ns < op->t_start_ns)
			continue;
		spans = find_spans(c, op->op_id, &count);
		/* A request whose span was lost would make the rest look like something else. */
		if (count && count >= op->nr_requests)
			sample_op_with_requests(c, op, spans, count);
		else if (!op->nr_requests)
			sample_hit(c, &reads, op);
		if (i && c->ops[i - 1].task == op->task && c->ops[i - 1].nodeid == op->nodeid &&
		    moves_data(op) && moves_data(&c->ops[i - 1]) &&
		    op->t_start_ns >= c->ops[i - 1].t_end_ns)
			calibration_add_cost(c, COST_SYSCALL,
					     op->t_start_ns - c->ops[i - 1].t_end_ns, 0,
					     !slept_between(&async, &c->ops[i - 1], op));
	}
out:
	free(reads.at);
	free(async.at);
	return err;
}

int calibration_fit(struct calibration *c, struct stack *stack)
{
	int err;

	clear_samples(c);
	if (!c->nr_spans)
		return -ENODATA;
	qsort(c->spans, c->nr_spans, sizeof(*c->spans), by_op_and_issue);
	if (c->nr_ops)
		qsort(c->ops, c->nr_ops, sizeof(*c->ops), by_task_and_start);
	for (size_t i = 0; i < c->nr_spans; i++) {
		/* FORGET has no reply and INIT is the mount's: neither is part of a workload. */
		if (c->spans[i].cls == SPAN_FORGET || c->spans[i].opcode == FUSE_INIT)
			continue;
		sample_transport(c, &c->spans[i]);
		sample_service(c, &c->spans[i]);
	}
	err = sample_ops(c);
	if (!err)
		err = calibration_fit_costs(c, stack);
	if (!err)
		err = calibration_fit_services(c, stack);
	if (!err)
		calibration_fill_dax(c, stack);
	return err;
}
