// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A counter is in the hash map, in each CPU's cells, or in both: they are added up. Counters only
 * grow, so what was added is the difference of two readings. Both are sorted by key and walked side
 * by side: taking entries out of the map instead would lose what a program adds between looking one
 * up and deleting it.
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
	int fd, cells_fd;
	int nr_cpus;
	uint32_t *places; /* AGGREGATE_CELLS; of no interest, but the kernel wants to tell */
	struct aggregate_cell *cells; /* nr_cpus for each place */
	struct aggregate_key *keys; /* COUNTS_ROOM each */
	struct aggregate_count *values; /* nr_cpus for each key */
	struct counted *now, *before; /* room for both kinds */
	size_t nr_now, nr_before;
};

void aggregate_counts_size(struct bpf_map *aggregates, struct bpf_map *cells)
{
	bpf_map__set_max_entries(aggregates, AGGREGATE_MAX_COUNTS);
	bpf_map__set_max_entries(cells, AGGREGATE_CELLS);
}

static int allocate(struct aggregate_counts *a)
{
	size_t nr_cells = (size_t)AGGREGATE_CELLS * a->nr_cpus;

	a->keys = calloc(COUNTS_ROOM, sizeof(*a->keys));
	a->values = calloc((size_t)COUNTS_ROOM * a->nr_cpus, sizeof(*a->values));
	a->places = calloc(AGGREGATE_CELLS, sizeof(*a->places));
	a->cells = calloc(nr_cells, sizeof(*a->cells));
	a->now = calloc(COUNTS_ROOM + nr_cells, sizeof(*a->now));
	a->before = calloc(COUNTS_ROOM + nr_cells, sizeof(*a->before));
	return a->keys && a->values && a->places && a->cells && a->now && a->before ? 0 : -ENOMEM;
}

int aggregate_counts_new(struct aggregate_counts **out, const struct bpf_map *aggregates,
			 const struct bpf_map *cells)
{
	struct aggregate_counts *a = calloc(1, sizeof(*a));
	int err;

	*out = NULL;
	if (!a)
		return -ENOMEM;
	a->fd = bpf_map__fd(aggregates);
	a->cells_fd = bpf_map__fd(cells);
	a->nr_cpus = libbpf_num_possible_cpus();
	err = a->nr_cpus < 0 ? a->nr_cpus : allocate(a);
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
	free(a->places);
	free(a->cells);
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

static int read_hash(struct aggregate_counts *a)
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
	return 0;
}

/* After what the hash map has. */
static int read_cells(struct aggregate_counts *a)
{
	uint32_t batch, count = AGGREGATE_CELLS;
	int err =
		bpf_map_lookup_batch(a->cells_fd, NULL, &batch, a->places, a->cells, &count, NULL);

	if (err && err != -ENOENT) /* that was all */
		return err;
	for (size_t i = 0; i < (size_t)count * a->nr_cpus; i++)
		if (a->cells[i].count.count)
			a->now[a->nr_now++] = (struct counted){
				.key = aggregate_key_of_cell(&a->cells[i]),
				.count = a->cells[i].count,
			};
	return 0;
}

static void add_up_equal_keys(struct aggregate_counts *a)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->nr_now; i++) {
		if (!kept || compare_keys(&a->now[kept - 1], &a->now[i])) {
			a->now[kept++] = a->now[i];
			continue;
		}
		a->now[kept - 1].count.count += a->now[i].count.count;
		a->now[kept - 1].count.sum += a->now[i].count.sum;
	}
	a->nr_now = kept;
}

static int read_counts(struct aggregate_counts *a)
{
	int err = read_hash(a);

	if (!err)
		err = read_cells(a);
	if (err)
		return err;
	qsort(a->now, a->nr_now, sizeof(*a->now), compare_keys);
	add_up_equal_keys(a);
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
