/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What report and simulate print: spans and ops folded into histograms per opcode and stage.
 *
 * Memory does not grow with the number of spans: one pass, histograms only. summary.c folds,
 * summary_print.c prints for people and summary_json.c for programs.
 */
#ifndef VFSCOPE_LIB_SUMMARY_H
#define VFSCOPE_LIB_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>
#include <jansson.h>
#include "lib/aggregate.h"
#include "lib/cache_summary.h"
#include "lib/dax_summary.h"
#include "lib/fuse_opcode.h"
#include "lib/hist.h"
#include "lib/op.h"
#include "lib/span.h"

struct opcode_summary {
	uint64_t count;
	uint64_t errors; /* replies with an error */
	uint64_t bytes; /* moved: READ reply bytes, WRITE size */
	uint64_t full_stages; /* spans in which every stage is known */
	uint64_t class_count[NR_SPAN_CLASSES];
	struct hist latency;
	struct hist stage[NR_STAGES]; /* of the spans in which the stage is known */
	struct hist host_io; /* of the spans whose service is known */
	struct hist cpu_wait; /* of the spans for which a daemon's thread waited for a CPU */
	struct hist unsplit; /* of the spans in which a stage is not known */
};

struct op_summary {
	uint64_t count;
	uint64_t bytes;
	uint64_t without_request; /* answered from the page cache */
	struct hist latency;
};

#define SUMMARY_MAX_QUEUES 64

/*
 * For each opcode: the sums of all stage histograms and unsplit add up to the sum of latency,
 * exactly.
 */
struct summary {
	bool simulated; /* set by whoever folds simulated spans: the report then says so */
	uint64_t first_ns; /* first issue, last end: the time base of rates */
	uint64_t last_ns;
	uint64_t nr_spans;
	uint64_t nr_both; /* halves recorded in guest and host */
	uint64_t nr_guest_only;
	uint64_t nr_host_only;
	uint64_t ring_full_retries;
	uint64_t kicks;
	uint64_t kicks_suppressed;
	uint64_t signals;
	struct opcode_summary *opcode[FUSE_OPCODE_LIMIT]; /* NULL: none seen */
	struct op_summary *op[NR_OP_TYPES];
	struct cache_summary *cache; /* NULL: nothing of the page cache seen */
	struct dax_summary *dax; /* NULL: nothing of DAX seen */
	struct hist *depth[SUMMARY_MAX_QUEUES]; /* in flight as each request found it */
};

struct summary *summary_new(void); /* NULL: out of memory */
void summary_free(struct summary *s);
int summary_add_span(struct summary *s, const struct span *span); /* 0 or -ENOMEM */
int summary_add_op(struct summary *s, const struct op_record *op);
/*
 * Counts of an aggregated recording, made until t_ns. What is of no known kind is left out. The
 * time base begins at the first t_ns, unless first_ns was set before.
 */
int summary_add_aggregate(struct summary *s, uint64_t t_ns, const struct aggregate_key *key,
			  const struct aggregate_count *added, bool host);
int summary_merge(struct summary *into, const struct summary *from);

/* Under 100 columns. */
void summary_print(const struct summary *s, FILE *out);
/* New reference, or NULL when out of memory. Documented in docs/report-json.md. */
json_t *summary_json(const struct summary *s);

#endif
