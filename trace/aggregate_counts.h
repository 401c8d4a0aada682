/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the counters that BPF programs keep in an aggregated recording (lib/aggregate.h), and hands
 * over what was added since the last time.
 */
#ifndef VFSCOPE_TRACE_AGGREGATE_COUNTS_H
#define VFSCOPE_TRACE_AGGREGATE_COUNTS_H

#include <stdint.h>
#include "trace/record_session.h"

/* Buckets of all histograms together; some hundred for each opcode that is in use. */
#define AGGREGATE_MAX_COUNTS 32768

struct aggregate_counts;
struct bpf_map;

/* The maps aggregates and aggregate_cells of bpf/aggregate.bpf.h, before load: give them their sizes. */
void aggregate_counts_size(struct bpf_map *aggregates, struct bpf_map *cells);

/* The same, loaded. 0 or -errno. */
int aggregate_counts_new(struct aggregate_counts **out, const struct bpf_map *aggregates,
			 const struct bpf_map *cells);
void aggregate_counts_free(struct aggregate_counts *a); /* NULL is fine */

/*
 * An EV_AGGREGATE event for each counter that grew, with t_ns as its time. 0, -errno, or what emit
 * returned if not 0.
 */
int aggregate_counts_emit(struct aggregate_counts *a, uint64_t t_ns, capture_event_fn emit,
			  void *ctx);

#endif
