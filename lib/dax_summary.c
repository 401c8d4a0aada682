// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The DAX part of a summary: see dax_summary.h. As JSON it is printed by summary_json.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include "lib/dax_summary.h"
#include "lib/fuse_opcode.h"
#include "lib/summary_table.h"

#define PAGE_BYTES 4096

static struct dax_summary *get(struct dax_summary **dax)
{
	if (*dax)
		return *dax;
	*dax = calloc(1, sizeof(**dax));
	if (!*dax)
		return NULL;
	for (int i = 0; i < DAX_NR_REASONS; i++)
		hist_init(&(*dax)->reason[i].latency);
	hist_init(&(*dax)->page_faults);
	hist_init(&(*dax)->huge_faults);
	hist_init(&(*dax)->range_waits);
	return *dax;
}

int dax_summary_add_span(struct dax_summary **dax, const struct span *span)
{
	int reason = (int)span->cls - SPAN_SETUP;
	struct dax_summary *d;

	if (reason < 0 || reason >= DAX_NR_REASONS)
		return 0;
	d = get(dax);
	if (!d)
		return -ENOMEM;
	d->reason[reason].ranges += span->size_bytes / FUSE_DAX_RANGE_BYTES;
	hist_add(&d->reason[reason].latency, span_latency_ns(span));
	return 0;
}

static void add_fault(struct dax_summary *d, const struct op_record *op)
{
	uint64_t ns = op->t_end_ns > op->t_start_ns ? op->t_end_ns - op->t_start_ns : 0;

	hist_add(op->size_bytes > PAGE_BYTES ? &d->huge_faults : &d->page_faults, ns);
	d->write_faults += !!(op->flags & OP_FAULT_WRITE);
}

int dax_summary_add_op(struct dax_summary **dax, const struct op_record *op)
{
	struct dax_summary *d;

	if (!(op->flags & OP_DAX))
		return 0;
	d = get(dax);
	if (!d)
		return -ENOMEM;
	d->reads += op->type == OP_READ;
	d->writes += op->type == OP_WRITE;
	if (op->type == OP_MMAP_FAULT)
		add_fault(d, op);
	if (op->range_wait_ns)
		hist_add(&d->range_waits, op->range_wait_ns);
	return 0;
}

static void count_op(struct dax_summary *d, const struct aggregate_key *key,
		     const struct aggregate_count *added)
{
	d->reads += key->of == OP_READ ? added->count : 0;
	d->writes += key->of == OP_WRITE ? added->count : 0;
	if (key->of != OP_MMAP_FAULT)
		return;
	hist_add_bucket(key->part & AGG_OP_HUGE ? &d->huge_faults : &d->page_faults, key->bucket,
			added->count, added->sum);
	d->write_faults += key->part & AGG_OP_WRITE_FAULT ? added->count : 0;
}

int dax_summary_count(struct dax_summary **dax, const struct aggregate_key *key,
		      const struct aggregate_count *added)
{
	bool of_class = key->what == AGG_LATENCY || key->what == AGG_RANGES;
	int reason = (int)key->part - SPAN_SETUP;
	struct dax_summary *d;

	if (of_class ? reason < 0 || reason >= DAX_NR_REASONS
		     : key->what != AGG_OP || !(key->part & AGG_OP_DAX))
		return 0;
	d = get(dax);
	if (!d)
		return -ENOMEM;
	if (key->what == AGG_OP)
		count_op(d, key, added);
	else if (key->what == AGG_RANGES)
		d->reason[reason].ranges += added->sum;
	else
		hist_add_bucket(&d->reason[reason].latency, key->bucket, added->count, added->sum);
	return 0;
}

int dax_summary_merge(struct dax_summary **into, const struct dax_summary *from)
{
	struct dax_summary *d;

	if (!from)
		return 0;
	d = get(into);
	if (!d)
		return -ENOMEM;
	for (int i = 0; i < DAX_NR_REASONS; i++) {
		d->reason[i].ranges += from->reason[i].ranges;
		hist_merge(&d->reason[i].latency, &from->reason[i].latency);
	}
	d->reads += from->reads;
	d->writes += from->writes;
	d->write_faults += from->write_faults;
	hist_merge(&d->page_faults, &from->page_faults);
	hist_merge(&d->huge_faults, &from->huge_faults);
	hist_merge(&d->range_waits, &from->range_waits);
	return 0;
}

static void print_row(FILE *out, const char *what, const struct hist *h, const uint64_t *ranges)
{
	if (!h->count)
		return;
	fprintf(out, "  %-16s %8" PRIu64, what, h->count);
	if (ranges)
		fprintf(out, " %8" PRIu64, *ranges);
	else
		fprintf(out, " %8s", "-");
	summary_print_ns(out, hist_mean(h));
	summary_print_quantiles(out, h);
}

void dax_summary_print(const struct dax_summary *dax, FILE *out)
{
	static const char *const names[DAX_NR_REASONS] = {
		[SPAN_SETUP - SPAN_SETUP] = "setup",
		[SPAN_UPGRADE - SPAN_SETUP] = "upgrade",
		[SPAN_RECLAIM - SPAN_SETUP] = "remove: worker",
		[SPAN_INLINE_RECLAIM - SPAN_SETUP] = "remove: inline",
		[SPAN_EVICT - SPAN_SETUP] = "remove: evict",
	};

	uint64_t faults, ops;

	if (!dax)
		return;
	faults = dax->page_faults.count + dax->huge_faults.count;
	ops = dax->reads + dax->writes + faults;
	fprintf(out, "\nDAX window");
	if (ops)
		fprintf(out,
			": %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " faults (%" PRIu64
			" for writing) of its files",
			dax->reads, dax->writes, faults, dax->write_faults);
	fprintf(out, "\n  %-16s %8s %8s %7s" SUMMARY_QUANTILE_HEADER, "", "count", "ranges",
		"mean");
	for (int i = 0; i < DAX_NR_REASONS; i++)
		print_row(out, names[i], &dax->reason[i].latency, &dax->reason[i].ranges);
	print_row(out, "wait for a range", &dax->range_waits, NULL);
	print_row(out, "fault, 4 KiB", &dax->page_faults, NULL);
	print_row(out, "fault, larger", &dax->huge_faults, NULL);
}
