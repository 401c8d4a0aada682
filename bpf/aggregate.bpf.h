/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Counting in BPF instead of handing each event to user space, for guest and host alike.
 *
 * The counters are sparse: a hash map holds a bucket of any histogram, because a whole histogram
 * for each opcode, stage and CPU would take hundreds of MiB of which nearly all stays zero. Before
 * it comes an array of cells, which the keys that are met first take for good, each CPU for itself:
 * finding a cell takes a quarter of the instructions of a look-up in the hash map, which then has
 * the few keys whose cell is another's. All are per CPU, and added to atomically nevertheless: on
 * preemptible kernels one program may interrupt another on the same CPU.
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

/* The same. Cell 0 is not used, so that an array of one is none. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct aggregate_cell);
} aggregate_cells SEC(".maps");

/* No room for another counter: the includer counts the loss. */
static __always_inline void aggregate_lost(void);

static __always_inline struct aggregate_count *aggregate_in_cell(u64 key)
{
	u32 at = 1 + (key * 0x9e3779b97f4a7c15ull >> (64 - AGGREGATE_CELL_BITS));
	struct aggregate_cell *cell = bpf_map_lookup_elem(&aggregate_cells, &at);
	u64 owner;

	if (!cell)
		return NULL;
	if (cell->key == key)
		return &cell->count;
	owner = __sync_val_compare_and_swap(&cell->key, 0, key);
	return !owner || owner == key ? &cell->count : NULL;
}

static __always_inline struct aggregate_count *aggregate_in_hash(struct aggregate_key *key)
{
	struct aggregate_count fresh = {}, *c = bpf_map_lookup_elem(&aggregates, key);

	if (c)
		return c;
	bpf_map_update_elem(&aggregates, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&aggregates, key);
}

static __always_inline void aggregate_add(struct aggregate_key key, u64 value)
{
	struct aggregate_count *c = aggregate_in_cell(aggregate_cell_key(&key));

	if (!c)
		c = aggregate_in_hash(&key);
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
