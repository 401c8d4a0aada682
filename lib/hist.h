/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log-linear histogram of nanoseconds (or bytes, or depths): the one source of printed percentiles.
 *
 * Values below 64 are counted exactly; above, each power of two has 64 buckets, so a bucket is at
 * most 1/64 (1.6 %) of its value wide. Histograms of equal layout merge by adding counts, exactly.
 * hist_bucket() and the limits are also compiled into BPF programs: no libc, no division, no loop.
 */
#ifndef VFSCOPE_LIB_HIST_H
#define VFSCOPE_LIB_HIST_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define HIST_SUB_BITS 6
#define HIST_SUB_COUNT (1u << HIST_SUB_BITS)
/* Values from 2^HIST_MAX_BITS ns (18 minutes) on are counted in the last bucket. */
#define HIST_MAX_BITS 40
#define HIST_NR_BUCKETS ((HIST_MAX_BITS - HIST_SUB_BITS + 1) * HIST_SUB_COUNT)

static inline __attribute__((always_inline)) unsigned int hist_bucket(unsigned long long value)
{
	unsigned int msb;

	if (value < HIST_SUB_COUNT)
		return (unsigned int)value;
	if (value >> HIST_MAX_BITS)
		return HIST_NR_BUCKETS - 1;
#ifndef __bpf__
	msb = 63 - __builtin_clzll(value);
#else
	/* Binary search for the top bit: BPF (v1-v3) has no count-leading-zeros instruction. */
	msb = 0;
	if (value >> 32)
		msb += 32;
	if (value >> (msb + 16))
		msb += 16;
	if (value >> (msb + 8))
		msb += 8;
	if (value >> (msb + 4))
		msb += 4;
	if (value >> (msb + 2))
		msb += 2;
	if (value >> (msb + 1))
		msb += 1;
#endif
	return (msb - HIST_SUB_BITS + 1) * HIST_SUB_COUNT +
	       (unsigned int)((value >> (msb - HIST_SUB_BITS)) - HIST_SUB_COUNT);
}

#ifndef __bpf__

struct hist {
	uint64_t count;
	uint64_t sum; /* exact; wraps only after 584 years of summed latency */
	uint64_t min; /* exact; UINT64_MAX while empty */
	uint64_t max; /* exact */
	uint64_t bucket[HIST_NR_BUCKETS];
};

void hist_init(struct hist *h);
void hist_add(struct hist *h, uint64_t value);
void hist_add_n(struct hist *h, uint64_t value, uint64_t n);
/*
 * n values of one bucket, of which only their sum is known. The minimum and maximum are then known
 * to the bucket's bounds. A bucket out of range counts as the last.
 */
void hist_add_bucket(struct hist *h, unsigned int bucket, uint64_t n, uint64_t sum);
void hist_merge(struct hist *into, const struct hist *from);
double hist_mean(const struct hist *h); /* 0 while empty */

/*
 * Value below or at which a fraction q (0..1) of the samples lie: midpoint of the bucket that holds
 * the ceil(q * count)-th smallest, clamped to [min, max]. Rank definition as numpy's
 * "inverted_cdf". 0 while empty.
 */
uint64_t hist_quantile(const struct hist *h, double q);

/* Bucket bounds: values v with low <= v < high are counted in it. Out of range: the last one's. */
uint64_t hist_bucket_low(unsigned int bucket);
uint64_t hist_bucket_high(unsigned int bucket);

#endif
#endif
