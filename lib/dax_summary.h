/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of the DAX window, folded into histograms: the part of a summary that only mounts
 * with a window have. Traced or simulated alike.
 */
#ifndef VFSCOPE_LIB_DAX_SUMMARY_H
#define VFSCOPE_LIB_DAX_SUMMARY_H

#include <jansson.h>
#include <stdio.h>
#include "lib/aggregate.h"
#include "lib/hist.h"
#include "lib/op.h"
#include "lib/span.h"

/* Classes from SPAN_SETUP to SPAN_EVICT. */
#define DAX_NR_REASONS (SPAN_EVICT - SPAN_SETUP + 1)

struct dax_summary {
	struct {
		uint64_t ranges;
		struct hist latency; /* of the requests */
	} reason[DAX_NR_REASONS];
	uint64_t reads, writes; /* ops on files that go through the window */
	uint64_t write_faults; /* of both kinds */
	struct hist page_faults; /* of 4 KiB */
	struct hist huge_faults; /* of more */
	struct hist range_waits; /* of ops that found no free range */
};

/* The next four make *dax when there is first anything to fold. 0 or -ENOMEM. */
int dax_summary_add_span(struct dax_summary **dax, const struct span *span);
int dax_summary_add_op(struct dax_summary **dax, const struct op_record *op);
/* The same of an aggregated recording: what it counted under a key (lib/aggregate.h). */
int dax_summary_count(struct dax_summary **dax, const struct aggregate_key *key,
		      const struct aggregate_count *added);
int dax_summary_merge(struct dax_summary **into, const struct dax_summary *from);

/* Under 100 columns; nothing if there is nothing. */
void dax_summary_print(const struct dax_summary *dax, FILE *out);

#endif
