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
#include "lib/compiler.h"
#include "lib/units.h"
#include "models/calibrate.h"
#include "models/samples.h"

#define PAGE_BYTES 4096u
/* Enough undisturbed samples to do without the others. */
#define MIN_QUIET 30
/* Pauses longer than this many medians are the application's, not the system call's. */
#define MAX_GAP_MEDIANS 50

/*
 * quiet: taken while nothing else was in flight, so that no queueing is in it. Used alone if there
 * are enough, else all are used.
 */
struct cost_samples {
	struct samples quiet, all;
};

struct service_samples {
	struct samples cpu, host_io;
};

#define MAX_ROWS (NR_COSTS + 3 + 4 * (FUSE_OPCODE_LIMIT + 1))

struct calibration {
	struct span *spans;
	size_t nr_spans;
	struct op_record *ops;
	size_t nr_ops;
	struct cost_samples cost[NR_COSTS];
	struct service_samples service[FUSE_OPCODE_LIMIT + 1]; /* the last: all without data */
	uint64_t gaps_dropped;
	uint64_t hits_waiting; /* cached reads that waited for a read-ahead under way */
	struct calibration_row rows[MAX_ROWS];
	size_t nr_rows;
};

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
	void *more;

	if (!(*count & (*count - 1)) && (!*count || *count >= 64)) {
		more = reallocarray(*array, *count ? 2 * *count : 64, size);
		if (!more)
			return -ENOMEM;
		*array = more;
	}
	memcpy((char *)*array + (*count)++ * size, element, size);
	return 0;
}

int calibration_add_span(struct calibration *c, const struct span *span)
{
	return append((void **)&c->spans, &c->nr_spans, sizeof(*span), span);
}

int calibration_add_op(struct calibration *c, const struct op_record *op)
{
	return append((void **)&c->ops, &c->nr_ops, sizeof(*op), op);
}

static void add_cost(struct calibration *c, enum cost cost, uint64_t ns, uint64_t size, bool quiet)
{
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

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* What one request tells about the transport: kick, interrupt, completion, wake-up. */
static void sample_transport(struct calibration *c, const struct span *s)
{
	bool alone = !s->inflight && !s->ring_full_retries;

	if (known(s, STAGE_RING_WAIT) && !s->ring_full_retries)
		add_cost(c, COST_ENQUEUE, s->stage_ns[STAGE_RING_WAIT] + s->enqueue_ns, 0, alone);
	if (s->flags & SPAN_KICKED && s->doorbell_ns)
		add_cost(c, COST_DOORBELL, s->doorbell_ns, 0, alone);
	/* Kicked while others are in flight means that the daemon was not idle: no sample. */
	if (known(s, STAGE_NOTIFY) && s->flags & SPAN_KICKED && alone)
		add_cost(c, COST_KICK, less(s->stage_ns[STAGE_NOTIFY], s->enqueue_ns), 0, true);
	if (known(s, STAGE_POOL) && s->stage_ns[STAGE_POOL])
		add_cost(c, COST_POOL_HANDOFF, s->stage_ns[STAGE_POOL], 0, alone);
	if (known(s, STAGE_INTERRUPT) && (s->flags & SPAN_SIGNALLED || alone))
		add_cost(c, COST_INTERRUPT, s->stage_ns[STAGE_INTERRUPT], 0, alone);
	if (known(s, STAGE_COMPLETION)) {
		if (s->kworker_ns)
			add_cost(c, COST_KWORKER, s->kworker_ns, 0, alone);
		/* Alone, all of the work's time is its own; else only what follows its turn is. */
		add_cost(c, COST_COMPLETE,
			 less(s->stage_ns[STAGE_COMPLETION],
			      s->kworker_ns + (alone ? 0 : s->drain_ns)),
			 s->reply_bytes, alone);
	}
	if (known(s, STAGE_WAKEUP) && !(s->flags & SPAN_BACKGROUND))
		add_cost(c, COST_WAKEUP, s->stage_ns[STAGE_WAKEUP], 0, alone);
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
	add_cost(c, is_read ? COST_READ_PREPARE : COST_WRITE_PREPARE,
		 less(spans[0].t_issue_ns, op->t_start_ns), 0, true);
	for (size_t i = 1; i < count; i++)
		if (end_of(&spans[i]) > end_of(last))
			last = &spans[i];
	if (end_of(last) > op->t_end_ns)
		return;
	if (last->flags & SPAN_BACKGROUND && !(last->flags & SPAN_ASYNC_DIO) &&
	    (count > 1 || !covers(last, op)))
		return;
	add_cost(c, is_read ? COST_READ_FINISH : COST_WRITE_FINISH, op->t_end_ns - end_of(last), 0,
		 !(last->flags & SPAN_BACKGROUND));
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

static int index_reads(const struct calibration *c, struct end_index *index)
{
	index->count = 0;
	index->at = reallocarray(NULL, c->nr_spans + 1, sizeof(*index->at));
	if (!index->at)
		return -ENOMEM;
	for (size_t i = 0; i < c->nr_spans; i++)
		if (c->spans[i].opcode == FUSE_READ)
			index->at[index->count++] = &c->spans[i];
	qsort(index->at, index->count, sizeof(*index->at), by_end);
	return 0;
}

static bool waited_for_read(const struct end_index *index, const struct op_record *op)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (end_of(index->at[mid]) < op->t_start_ns)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < index->count && end_of(index->at[low]) <= op->t_end_ns; low++)
		if (covers(index->at[low], op))
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
		add_cost(c, COST_WRITE_HIT, ns, pages_of(op), true);
	} else if (op->type == OP_READ) {
		if (waited_for_read(index, op))
			c->hits_waiting++;
		else
			add_cost(c, COST_READ_HIT, ns, pages_of(op), true);
	}
}

static bool moves_data(const struct op_record *op)
{
	return op->type == OP_READ || op->type == OP_WRITE;
}

static int sample_ops(struct calibration *c)
{
	struct end_index index;
	int err = index_reads(c, &index);

	if (err)
		return err;
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
			sample_hit(c, &index, op);
		if (i && c->ops[i - 1].task == op->task && c->ops[i - 1].nodeid == op->nodeid &&
		    moves_data(op) && moves_data(&c->ops[i - 1]) &&
		    op->t_start_ns >= c->ops[i - 1].t_end_ns)
			add_cost(c, COST_SYSCALL, op->t_start_ns - c->ops[i - 1].t_end_ns, 0, true);
	}
	free(index.at);
	return 0;
}

static struct calibration_row *new_row(struct calibration *c, enum calibration_source source,
				       uint64_t samples, const struct dist *dist)
{
	struct calibration_row *row = &c->rows[c->nr_rows++];

	*row = (struct calibration_row){.source = source, .samples = samples};
	if (dist) {
		row->mean_ns = dist_mean(dist);
		row->p99_ns = dist_quantile(dist, 0.99);
	}
	return row;
}

/* The slope that goes with a cost, and the size at which its distribution stands. */
static double *slope_of(struct stack *stack, enum cost cost, uint64_t *base)
{
	*base = cost == COST_COMPLETE ? 0 : 1;
	switch (cost) {
	case COST_READ_HIT:
		return &stack->read_hit_ns_per_page;
	case COST_WRITE_HIT:
		return &stack->write_hit_ns_per_page;
	case COST_COMPLETE:
		return &stack->complete_ns_per_byte;
	default:
		return NULL;
	}
}

static int fit_cost(struct calibration *c, struct stack *stack, enum cost cost, bool *found)
{
	struct cost_samples *cs = &c->cost[cost];
	bool quiet = cs->quiet.count >= MIN_QUIET || cs->quiet.count == cs->all.count;
	struct samples *s = quiet ? &cs->quiet : &cs->all;
	uint64_t base, limit;
	double none = 0, *slope = slope_of(stack, cost, &base);
	bool many_sizes = false;
	struct calibration_row *row;
	int err;

	*found = s->count > 0;
	if (!slope)
		slope = &none;
	*slope = 0;
	if (!s->count)
		return cs->all.no_memory ? -ENOMEM : 0;
	if (cost == COST_SYSCALL) {
		limit = samples_median(s);
		c->gaps_dropped = samples_drop_above(s, max_u64(limit, 1) * MAX_GAP_MEDIANS);
	}
	if (slope != &none)
		many_sizes = samples_slope(s, slope);
	err = samples_fit(s, *slope, base, &stack->cost[cost]);
	if (err)
		return err;
	row = new_row(c, CALIBRATED, s->count, &stack->cost[cost]);
	snprintf(row->name, sizeof(row->name), "%s", cost_name(cost));
	if (slope != &none && many_sizes)
		snprintf(row->note, sizeof(row->note), "plus %.3g ns per %s", *slope,
			 cost == COST_COMPLETE ? "byte" : "further page");
	else if (slope != &none)
		snprintf(row->note, sizeof(row->note),
			 "one size only: growth with size not identified, 0");
	else if (!quiet)
		snprintf(row->note, sizeof(row->note), "too few undisturbed ones: all used");
	return 0;
}

/* For a cost that no sample shows: the first of these that was found. */
static const struct {
	enum cost cost, nearest[3];
	int nr_nearest;
	const char *why;
} stand_ins[] = {
	{COST_READ_PREPARE, {COST_WRITE_PREPARE}, 1, "no read op with a request"},
	{COST_WRITE_PREPARE, {COST_READ_PREPARE}, 1, "no write op with a request"},
	{COST_READ_FINISH, {COST_WRITE_FINISH}, 1, "no read op that waited for a request"},
	{COST_WRITE_FINISH, {COST_READ_FINISH}, 1, "no write op that waited for a request"},
	{COST_READ_HIT, {COST_WRITE_HIT, COST_READ_PREPARE}, 2, "no read from the page cache"},
	{COST_WRITE_HIT,
	 {COST_READ_HIT, COST_WRITE_PREPARE, COST_READ_PREPARE},
	 3,
	 "no write into the page cache"},
	{COST_POOL_HANDOFF, {COST_KICK}, 1, "no thread pool"},
	{COST_SYSCALL, {COST_SYSCALL}, 0, "no two ops in a row of one task"},
	{COST_ENQUEUE, {COST_ENQUEUE}, 0, "time in the guest's enqueue not recorded"},
	{COST_DOORBELL, {COST_DOORBELL}, 0, "no time inside virtqueue_notify recorded"},
	{COST_KICK, {COST_KICK}, 0, "no kick of an idle daemon"},
	{COST_INTERRUPT, {COST_INTERRUPT}, 0, "no request with both halves"},
	{COST_KWORKER, {COST_KWORKER}, 0, "start of completion work not recorded"},
	{COST_COMPLETE, {COST_COMPLETE}, 0, "no completion recorded"},
	{COST_WAKEUP, {COST_WAKEUP}, 0, "no request that a task waited for"},
};

static void fill_cost(struct calibration *c, struct stack *stack, const bool *found, size_t i)
{
	enum cost cost = stand_ins[i].cost, nearest = NR_COSTS;
	struct calibration_row *row;

	for (int k = stand_ins[i].nr_nearest - 1; k >= 0; k--)
		if (found[stand_ins[i].nearest[k]])
			nearest = stand_ins[i].nearest[k];
	if (nearest == NR_COSTS)
		dist_const(&stack->cost[cost], 0);
	else
		stack->cost[cost] = stack->cost[nearest];
	if (cost == COST_WRITE_HIT && nearest == COST_READ_HIT)
		stack->write_hit_ns_per_page = stack->read_hit_ns_per_page;
	if (cost == COST_READ_HIT && nearest == COST_WRITE_HIT)
		stack->read_hit_ns_per_page = stack->write_hit_ns_per_page;
	row = new_row(c, nearest == NR_COSTS ? CALIBRATED_ZERO : CALIBRATED_NEAREST, 0,
		      &stack->cost[cost]);
	snprintf(row->name, sizeof(row->name), "%s", cost_name(cost));
	snprintf(row->note, sizeof(row->note), "%s: %s%s", stand_ins[i].why,
		 nearest == NR_COSTS ? "0" : cost_name(nearest),
		 nearest == NR_COSTS ? "" : " stands in");
}

static int fit_costs(struct calibration *c, struct stack *stack)
{
	bool found[NR_COSTS];
	int err;

	_Static_assert(ARRAY_SIZE(stand_ins) == NR_COSTS, "each cost says what to do without it");
	for (int i = 0; i < NR_COSTS; i++) {
		err = fit_cost(c, stack, i, &found[i]);
		if (err)
			return err;
	}
	for (size_t i = 0; i < ARRAY_SIZE(stand_ins); i++)
		if (!found[stand_ins[i].cost])
			fill_cost(c, stack, found, i);
	return 0;
}

static int fit_part(struct calibration *c, const char *name, const char *part, struct samples *s,
		    struct dist *dist, double *slope)
{
	bool data = !strcmp(name, "READ") || !strcmp(name, "WRITE");
	bool many_sizes = samples_slope(s, slope);
	struct calibration_row *row;
	int err = samples_fit(s, *slope, 0, dist);

	if (err)
		return err;
	row = new_row(c, CALIBRATED, s->count, dist);
	snprintf(row->name, sizeof(row->name), "%s %s", name, part);
	if (data && many_sizes)
		snprintf(row->note, sizeof(row->note), "plus %.3g ns per byte", *slope);
	else if (data)
		snprintf(row->note, sizeof(row->note),
			 "one size only: growth with size not identified, 0");
	return 0;
}

static int fit_service(struct calibration *c, const char *name, struct service_samples *s,
		       struct service_cost *out)
{
	int err;

	err = fit_part(c, name, "cpu", &s->cpu, &out->cpu, &out->cpu_ns_per_byte);
	if (!err)
		err = fit_part(c, name, "host_io", &s->host_io, &out->host_io,
			       &out->host_io_ns_per_byte);
	out->known = !err;
	return err;
}

static void copy_service(struct calibration *c, struct stack *stack, const char *name,
			 struct service_cost *to, const struct service_cost *from,
			 const char *from_name)
{
	struct calibration_row *row;

	*to = *from;
	row = new_row(c, CALIBRATED_NEAREST, 0, &to->cpu);
	row->mean_ns += dist_mean(&to->host_io);
	snprintf(row->name, sizeof(row->name), "%s service", name);
	snprintf(row->note, sizeof(row->note), "not in this trace: %s stands in", from_name);
}

static int fit_services(struct calibration *c, struct stack *stack)
{
	struct service_cost *read = &stack->service[FUSE_READ],
			    *write = &stack->service[FUSE_WRITE];
	int err = 0;

	for (int i = 0; i < FUSE_OPCODE_LIMIT && !err; i++) {
		stack->service[i].known = false;
		if (c->service[i].cpu.count)
			err = fit_service(c, fuse_opcode_name(i), &c->service[i],
					  &stack->service[i]);
	}
	if (err)
		return err;
	if (!read->known && !write->known && !c->service[FUSE_OPCODE_LIMIT].cpu.count)
		return -ENODATA;
	if (c->service[FUSE_OPCODE_LIMIT].cpu.count)
		err = fit_service(c, "default", &c->service[FUSE_OPCODE_LIMIT],
				  &stack->service_default);
	else
		copy_service(c, stack, "default", &stack->service_default,
			     read->known ? read : write, read->known ? "READ" : "WRITE");
	if (!err && !read->known)
		copy_service(c, stack, "READ", read, write->known ? write : &stack->service_default,
			     write->known ? "WRITE" : "default");
	if (!err && !write->known)
		copy_service(c, stack, "WRITE", write, read, "READ");
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
		err = fit_costs(c, stack);
	return err ? err : fit_services(c, stack);
}

const struct calibration_row *calibration_rows(const struct calibration *c, size_t *count)
{
	*count = c->nr_rows;
	return c->rows;
}

void calibration_print(const struct calibration *c, FILE *out)
{
	static const char *const words[] = {"measured", "nearest", "zero"};
	char mean[32], p99[32];

	fprintf(out, "%-17s %-8s %8s %9s %9s  %s\n", "cost", "source", "samples", "mean", "p99",
		"note");
	for (size_t i = 0; i < c->nr_rows; i++) {
		const struct calibration_row *row = &c->rows[i];

		fprintf(out, "%-17s %-8s %8" PRIu64 " %9s %9s  %s\n", row->name, words[row->source],
			row->samples, format_ns(row->mean_ns, mean, sizeof(mean)),
			format_ns(row->p99_ns, p99, sizeof(p99)), row->note);
	}
	if (c->gaps_dropped)
		fprintf(out,
			"syscall: %" PRIu64
			" pauses of more than %d medians left out (think time)\n",
			c->gaps_dropped, MAX_GAP_MEDIANS);
	if (c->hits_waiting)
		fprintf(out,
			"read_hit: %" PRIu64 " cached reads left out: they waited for read-ahead\n",
			c->hits_waiting);
}
