/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Counting in BPF instead of handing each event to user space, for guest and host alike.
 *
 * The counters are sparse: one hash map holds a bucket of any histogram, because a whole histogram
 * for each opcode, stage and CPU would take hundreds of MiB of which nearly all stays zero. They
 * are per CPU, and added to atomically nevertheless: on preemptible kernels one program may
 * interrupt another on the same CPU.
 */
#ifndef VFSCOPE_BPF_AGGREGATE_BPF_H
#define VFSCOPE_BPF_AGGREGATE_BPF_H

#include "lib/aggregate.h"
#include "lib/hist.h"

/* Set before load: count in aggregates, emit nothing. */
const volatile bool aggregate = false;

/* The loader gives it its size if it is used. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, struct aggregate_key);
	__type(value, struct aggregate_count);
} aggregates SEC(".maps");

/* No room for another counter: the includer counts the loss. */
static __always_inline void aggregate_lost(void);

static __always_inline void aggregate_add(struct aggregate_key key, u64 value)
{
	struct aggregate_count fresh = {}, *c = bpf_map_lookup_elem(&aggregates, &key);

	if (!c) {
		bpf_map_update_elem(&aggregates, &key, &fresh, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&aggregates, &key);
	}
	if (!c) {
		aggregate_lost();
		return;
	}
	__sync_fetch_and_add(&c->count, 1);
	__sync_fetch_and_add(&c->sum, value);
}

static __always_inline void aggregate_value(u8 what, u8 part, u16 of, u64 value)
{
	struct aggregate_key key = {
		.what = what, .part = part, .of = of, .bucket = hist_bucket(value)};

	aggregate_add(key, value);
}

static __always_inline void aggregate_counter(u8 counter, u16 of, u64 value)
{
	struct aggregate_key key = {.what = AGG_COUNTER, .part = counter, .of = of};

	if (value)
		aggregate_add(key, value);
}

#endif
