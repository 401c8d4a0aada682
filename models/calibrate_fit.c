// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calibration's second half: samples to distributions and slopes, stand-ins for what the trace does
 * not show, and the table that says where everything came from.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "lib/units.h"
#include "models/calibrate_internal.h"

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
	case COST_READ_PREPARE:
		return &stack->read_prepare_ns_per_page;
	case COST_WRITE_PREPARE:
		return &stack->write_prepare_ns_per_page;
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

/* For a cost that no sample shows, or very few: the first of these that was found. */
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
	{COST_ISSUE, {COST_ISSUE}, 0, "time from issue to sending not recorded"},
	{COST_ENQUEUE, {COST_ENQUEUE}, 0, "time in the guest's enqueue not recorded"},
	{COST_DOORBELL, {COST_DOORBELL}, 0, "no time inside virtqueue_notify recorded"},
	{COST_KICK, {COST_KICK}, 0, "no kick of an idle daemon"},
	{COST_INTERRUPT, {COST_INTERRUPT}, 0, "no request with both halves"},
	{COST_KWORKER, {COST_KWORKER}, 0, "start of completion work not recorded"},
	{COST_COMPLETE, {COST_COMPLETE}, 0, "no completion recorded"},
	{COST_COMPLETE_HOP, {COST_COMPLETE}, 1, "no asynchronous direct READ by itself"},
	{COST_WAKEUP, {COST_PAGE_WAKEUP}, 1, "no request that a task waited for"},
	{COST_FAULT, {COST_FAULT}, 0, "page faults are not recorded"},
	{COST_PAGE_WAKEUP, {COST_WAKEUP}, 1, "no read that waited for read-ahead"},
};

/* A handful of samples, while a cost like it has many: one odd request must not decide. */
static bool better_known(const struct calibration *c, enum cost cost)
{
	if (c->cost[cost].all.count >= MIN_OWN)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(stand_ins); i++)
		for (int k = 0; stand_ins[i].cost == cost && k < stand_ins[i].nr_nearest; k++)
			if (c->cost[stand_ins[i].nearest[k]].all.count >= MIN_QUIET)
				return true;
	return false;
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

	*found = s->count > 0 && !better_known(c, cost);
	if (!slope)
		slope = &none;
	*slope = 0;
	if (!*found)
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
	if (cost == COST_READ_PREPARE && nearest == COST_WRITE_PREPARE)
		stack->read_prepare_ns_per_page = stack->write_prepare_ns_per_page;
	if (cost == COST_WRITE_PREPARE && nearest == COST_READ_PREPARE)
		stack->write_prepare_ns_per_page = stack->read_prepare_ns_per_page;
	if (cost == COST_WRITE_HIT && nearest == COST_READ_HIT)
		stack->write_hit_ns_per_page = stack->read_hit_ns_per_page;
	if (cost == COST_READ_HIT && nearest == COST_WRITE_HIT)
		stack->read_hit_ns_per_page = stack->write_hit_ns_per_page;
	row = new_row(c, nearest == NR_COSTS ? CALIBRATED_ZERO : CALIBRATED_NEAREST,
		      c->cost[cost].all.count, &stack->cost[cost]);
	snprintf(row->name, sizeof(row->name), "%s", cost_name(cost));
	snprintf(row->note, sizeof(row->note), "%s%s: %s%s",
		 c->cost[cost].all.count ? "too few: " : "", stand_ins[i].why,
		 nearest == NR_COSTS ? "0" : cost_name(nearest),
		 nearest == NR_COSTS ? "" : " stands in");
}

int calibration_fit_costs(struct calibration *c, struct stack *stack)
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

/* What a device with a window needs besides, and what a trace does not show of it. */
void calibration_fill_dax(struct calibration *c, struct stack *stack)
{
	static const uint32_t opcodes[] = {FUSE_SETUPMAPPING, FUSE_REMOVEMAPPING};
	struct calibration_row *row;

	for (int i = 0; i < NR_DAX_COSTS && stack->dax.window_bytes; i++) {
		row = new_row(c, CALIBRATED_DEFAULT, 0, &stack->dax.cost[i]);
		snprintf(row->name, sizeof(row->name), "dax %s", dax_cost_name(i));
		snprintf(row->note, sizeof(row->note), "not seen apart: %s stands in",
			 i == DAX_EPT_FAULT ? "its default" : "fault");
	}
	for (size_t i = 0; i < ARRAY_SIZE(opcodes) && stack->dax.window_bytes; i++) {
		const char *name = fuse_opcode_name(opcodes[i]);

		if (stack->service[opcodes[i]].known)
			continue;
		row = new_row(c, CALIBRATED_NEAREST, 0, &stack->service_default.cpu);
		row->mean_ns += dist_mean(&stack->service_default.host_io);
		snprintf(row->name, sizeof(row->name), "%s service", name);
		snprintf(row->note, sizeof(row->note), "not in this trace: default stands in");
	}
}

int calibration_fit_services(struct calibration *c, struct stack *stack)
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

const struct calibration_row *calibration_rows(const struct calibration *c, size_t *count)
{
	*count = c->nr_rows;
	return c->rows;
}

/* The request's path has each of these once; a program may be in two rows of the table. */
static void print_probe_cost(const struct calibration *c, FILE *out)
{
	static const enum cost path[] = {
		COST_ISSUE, COST_ENQUEUE, COST_KICK, COST_KWORKER, COST_COMPLETE, COST_WAKEUP,
	};
	double sum = 0;
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(path); i++)
		sum += c->probe_ns[path[i]];
	if (sum > 0)
		fprintf(out,
			"the guest recorder's own programs took %s of each request: taken out\n",
			format_ns(sum, text, sizeof(text)));
	else
		fprintf(out, "what the guest recorder cost is not in the trace: left in\n");
}

void calibration_print(const struct calibration *c, FILE *out)
{
	static const char *const words[] = {"measured", "nearest", "zero", "default"};
	char mean[32], p99[32];

	fprintf(out, "%-17s %-8s %8s %9s %9s  %s\n", "cost", "source", "samples", "mean", "p99",
		"note");
	for (size_t i = 0; i < c->nr_rows; i++) {
		const struct calibration_row *row = &c->rows[i];

		fprintf(out, "%-17s %-8s %8" PRIu64 " %9s %9s  %s\n", row->name, words[row->source],
			row->samples, format_ns(row->mean_ns, mean, sizeof(mean)),
			format_ns(row->p99_ns, p99, sizeof(p99)), row->note);
	}
	print_probe_cost(c, out);
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
