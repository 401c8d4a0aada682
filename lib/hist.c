// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log-linear histogram in user space: counting, merging, quantiles. The layout is hist.h's.
 */
#include <math.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/hist.h"

void hist_init(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void hist_add_n(struct hist *h, uint64_t value, uint64_t n)
{
	if (!n)
		return;
	h->count += n;
	h->sum += value * n;
	h->min = min_u64(h->min, value);
	h->max = max_u64(h->max, value);
	h->bucket[hist_bucket(value)] += n;
}

void hist_add(struct hist *h, uint64_t value)
{
	hist_add_n(h, value, 1);
}

void hist_merge(struct hist *into, const struct hist *from)
{
	into->count += from->count;
	into->sum += from->sum;
	into->min = min_u64(into->min, from->min);
	into->max = max_u64(into->max, from->max);
	for (unsigned int i = 0; i < HIST_NR_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

double hist_mean(const struct hist *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}

uint64_t hist_bucket_low(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < HIST_SUB_COUNT)
		return bucket;
	bucket = bucket < HIST_NR_BUCKETS ? bucket : HIST_NR_BUCKETS - 1;
	shift = bucket / HIST_SUB_COUNT - 1;
	return (uint64_t)(HIST_SUB_COUNT + bucket % HIST_SUB_COUNT) << shift;
}

uint64_t hist_bucket_high(unsigned int bucket)
{
	if (bucket + 1 >= HIST_NR_BUCKETS)
		return UINT64_MAX;
	return hist_bucket_low(bucket + 1);
}

void hist_add_bucket(struct hist *h, unsigned int bucket, uint64_t n, uint64_t sum)
{
	if (!n)
		return;
	if (bucket >= HIST_NR_BUCKETS)
		bucket = HIST_NR_BUCKETS - 1;
	h->count += n;
	h->sum += sum;
	h->bucket[bucket] += n;
	h->min = min_u64(h->min, hist_bucket_low(bucket));
	/* Nothing bounds the last bucket from above but what its values sum to. */
	h->max = max_u64(h->max, min_u64(sum, hist_bucket_high(bucket) - 1));
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t rank, seen = 0, value;
	unsigned int i;

	if (!h->count)
		return 0;
	if (q <= 0)
		return h->min;
	rank = (uint64_t)ceil(q * (double)h->count);
	if (rank >= h->count)
		return h->max;
	for (i = 0; i < HIST_NR_BUCKETS - 1; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			break;
	}
	if (i == HIST_NR_BUCKETS - 1)
		return h->max;
	value = hist_bucket_low(i) + (hist_bucket_high(i) - hist_bucket_low(i)) / 2;
	return max_u64(h->min, min_u64(h->max, value));
}
