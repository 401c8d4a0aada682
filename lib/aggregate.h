/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an aggregated recording counts instead of keeping every request: how many values fell into
 * each bucket of lib/hist.h. Plain data, stored as is in .vft files; BPF programs count under the
 * same keys.
 */
#ifndef VFSCOPE_LIB_AGGREGATE_H
#define VFSCOPE_LIB_AGGREGATE_H

#ifndef __bpf__
#include <stdint.h>
typedef uint8_t __agg_u8;
typedef uint16_t __agg_u16;
typedef uint32_t __agg_u32;
typedef uint64_t __agg_u64;
#else
typedef unsigned char __agg_u8;
typedef unsigned short __agg_u16;
typedef unsigned int __agg_u32;
typedef unsigned long long __agg_u64;
#endif

enum aggregate_what {
	AGG_LATENCY, /* of: opcode; part: enum span_class */
	AGG_STAGE, /* of: opcode; part: enum stage */
	AGG_UNSPLIT, /* of: opcode */
	AGG_HOST_IO, /* of: opcode */
	AGG_DEPTH, /* of: queue; values: others in flight */
	AGG_COUNTER, /* of: opcode; part: enum aggregate_counter; bucket: 0 */
	AGG_OP, /* of: enum op_type; part: enum aggregate_op_flags */
	AGG_OP_BYTES, /* of: enum op_type; bucket: 0; sum: bytes that reads and writes moved */
	AGG_RANGES, /* of: opcode; part: enum span_class; bucket: 0; sum: ranges of the DAX window */
	NR_AGG_WHAT
};

enum aggregate_op_flags {
	AGG_OP_NO_REQUEST = 1u << 0, /* it needed none: the page cache answered, say */
	AGG_OP_DAX = 1u << 1, /* through the DAX window */
	AGG_OP_HUGE = 1u << 2, /* a fault of more than a page */
	AGG_OP_WRITE_FAULT = 1u << 3,
};

/* count: requests that had any; sum: of them all. */
enum aggregate_counter {
	AGG_ERRORS,
	AGG_BYTES, /* moved, as reports count them */
	AGG_RETRIES, /* tries that found the ring full */
	NR_AGG_COUNTERS
};

struct aggregate_key {
	__agg_u8 what; /* enum aggregate_what */
	__agg_u8 part;
	__agg_u16 of;
	__agg_u32 bucket; /* of lib/hist.h */
};

struct aggregate_count {
	__agg_u64 count;
	__agg_u64 sum; /* of the values: exact, where a bucket's bounds are not */
};

/* What BPF programs keep of the keys that they met first: cells of an array, one key each. */
#define AGGREGATE_CELL_BITS 12
#define AGGREGATE_CELLS ((1u << AGGREGATE_CELL_BITS) + 1) /* the first is not used */

struct aggregate_cell {
	__agg_u64 key; /* aggregate_cell_key(), or 0: nobody's */
	struct aggregate_count count;
};

#define AGGREGATE_CELL_TAKEN (1ull << 63)

/* Buckets are few: the key's highest bit is free to tell it from none. */
static inline __attribute__((always_inline)) __agg_u64
aggregate_cell_key(const struct aggregate_key *key)
{
	return AGGREGATE_CELL_TAKEN | (__agg_u64)key->bucket << 32 | (__agg_u64)key->of << 16 |
	       (__agg_u64)key->part << 8 | key->what;
}

static inline struct aggregate_key aggregate_key_of_cell(const struct aggregate_cell *cell)
{
	return (struct aggregate_key){
		.what = (__agg_u8)cell->key,
		.part = (__agg_u8)(cell->key >> 8),
		.of = (__agg_u16)(cell->key >> 16),
		.bucket = (__agg_u32)((cell->key & ~AGGREGATE_CELL_TAKEN) >> 32),
	};
}

#endif
