/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest's page cache did for the ops of a recording: part of a summary (lib/summary.h).
 */
#ifndef VFSCOPE_LIB_CACHE_SUMMARY_H
#define VFSCOPE_LIB_CACHE_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/hist.h"
#include "lib/op.h"
#include "lib/span.h"

struct cache_summary {
	uint64_t reads; /* buffered, of which it is known */
	uint64_t cached_reads; /* no page was missing */
	uint64_t read_pages;
	uint64_t read_missed;
	uint64_t faults;
	uint64_t cached_faults;
	uint64_t pauses; /* of writers, in nr throttled.count ops */
	struct hist throttled; /* ns of each op that was */
	uint64_t later_linked; /* WRITEs of write-back that no op's task issued: to an op */
	uint64_t later_unlinked;
	uint64_t pass_pages;
	uint64_t passes_in_ops; /* fsync, close; else by the kernel's flusher */
	struct hist passes; /* of write-back over one inode, ns */
};

/* These make *cache when there is first anything to fold. 0 or -ENOMEM. */
int cache_summary_add_op(struct cache_summary **cache, const struct op_record *op);
int cache_summary_add_span(struct cache_summary **cache, const struct span *span);
/* Of a pass of write-back; op_id: that it was part of, or 0. */
int cache_summary_add_pass(struct cache_summary **cache, uint64_t ns, uint64_t pages,
			   uint64_t op_id);
int cache_summary_merge(struct cache_summary **into, const struct cache_summary *from);

/* Under 100 columns; nothing if there is nothing. has_ops: false if no op was recorded. */
void cache_summary_print(const struct cache_summary *cache, bool has_ops, FILE *out);

#endif
