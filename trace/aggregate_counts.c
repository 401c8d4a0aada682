// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counters only grow, so what was added is the difference of two readings. Both are sorted by key
 * and walked side by side: taking entries out of the map instead would lose what a program adds
 * between looking one up and deleting it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "trace/aggregate_counts.h"

/* A hash bucket that does not fit into what is left of a batch is an error: leave room. */
#define COUNTS_ROOM (AGGREGATE_MAX_COUNTS + 1024)

struct counted {
	struct aggregate_key key;
	struct aggregate_count count;
};

struct aggregate_counts {
	int fd;
	int nr_cpus;
	struct aggregate_key *keys; /* COUNTS_ROOM each */
	struct aggregate_count *values; /* nr_cpus for each key */
	struct counted *now, *before;
	size_t nr_now, nr_before;
};

int aggregate_counts_new(struct aggregate_counts **out, int fd)
{
	struct aggregate_counts *a = calloc(1, sizeof(*a));
	int err = -ENOMEM;

	*out = NULL;
	if (!a)
		return -ENOMEM;
	a->fd = fd;
	a->nr_cpus = libbpf_num_possible_cpus();
	if (a->nr_cpus < 0) {
		err = a->nr_cpus;
		goto out;
	}
	a->keys = calloc(COUNTS_ROOM, sizeof(*a->keys));
	a->values = calloc((size_t)COUNTS_ROOM * a->nr_cpus, sizeof(*a->values));
	a->now = calloc(COUNTS_ROOM, sizeof(*a->now));
	a->before = calloc(COUNTS_ROOM, sizeof(*a->before));
	if (a->keys && a->values && a->now && a->before)
		err = 0;
out:
	if (err)
		aggregate_counts_free(a);
	else
		*out = a;
	return err;
}

void aggregate_counts_free(struct aggregate_counts *a)
{
	if (!a)
		return;
	free(a->keys);
	free(a->values);
	free(a->now);
	free(a->before);
	free(a);
}

static int compare_keys(const void *x, const void *y)
{
	return memcmp(&((const struct counted *)x)->key, &((const struct counted *)y)->key,
		      sizeof(struct aggregate_key));
}

/* All keys and values, in as few system calls as the kernel allows. The number of keys or -errno.
 */
static ssize_t read_map(struct aggregate_counts *a)
{
	uint32_t batch, count, total = 0;
	void *at = NULL;
	int err = 0;

	while (!err && total < COUNTS_ROOM) {
		count = COUNTS_ROOM - total;
		err = bpf_map_lookup_batch(a->fd, at, &batch, &a->keys[total],
					   &a->values[(size_t)total * a->nr_cpus], &count, NULL);
		if (err && err != -ENOENT) /* the last batch ends so */
			return err;
		total += count;
		at = &batch;
	}
	return total;
}

static int read_counts(struct aggregate_counts *a)
{
	ssize_t n = read_map(a);

	if (n < 0)
		return (int)n;
	a->nr_now = (size_t)n;
	for (size_t i = 0; i < a->nr_now; i++) {
		const struct aggregate_count *of_cpu = &a->values[i * a->nr_cpus];

		a->now[i] = (struct counted){.key = a->keys[i]};
		for (int cpu = 0; cpu < a->nr_cpus; cpu++) {
			a->now[i].count.count += of_cpu[cpu].count;
			a->now[i].count.sum += of_cpu[cpu].sum;
		}
	}
	qsort(a->now, a->nr_now, sizeof(*a->now), compare_keys);
	return 0;
}

static void swap_readings(struct aggregate_counts *a)
{
	struct counted *before = a->before;

	a->before = a->now;
	a->nr_before = a->nr_now;
	a->now = before;
}

int aggregate_counts_emit(struct aggregate_counts *a, uint64_t t_ns, capture_event_fn emit,
			  void *ctx)
{
	struct aggregate_event event = {
		.h = {.type = EV_AGGREGATE, .size = sizeof(event), .ts_ns = t_ns}};
	int err = read_counts(a);
	size_t b = 0;

	for (size_t i = 0; !err && i < a->nr_now; i++) {
		while (b < a->nr_before && compare_keys(&a->before[b], &a->now[i]) < 0)
			b++;
		event.key = a->now[i].key;
		event.added = a->now[i].count;
		if (b < a->nr_before && !compare_keys(&a->before[b], &a->now[i])) {
			event.added.count -= a->before[b].count.count;
			event.added.sum -= a->before[b].count.sum;
		}
		if (!event.added.count)
			continue;
		err = emit(ctx, &event.h);
	}
	if (!err)
		swap_readings(a);
	return err;
}
