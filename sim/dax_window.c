// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The books of the DAX window: which ranges are free, busy and whose, and which of their pages the
 * host has mapped. No time passes here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "sim/dax.h"

#define FREE_PERCENT 20 /* FUSE_DAX_RECLAIM_THRESHOLD */
#define WORD_BITS 64

static void append(struct dax *dax, struct dax_list *list, uint32_t range)
{
	dax->ranges[range].next = DAX_NONE;
	dax->ranges[range].prev = list->last;
	if (list->last == DAX_NONE)
		list->first = range;
	else
		dax->ranges[list->last].next = range;
	list->last = range;
	list->count++;
}

static void unlink_range(struct dax *dax, struct dax_list *list, uint32_t range)
{
	const struct dax_range *r = &dax->ranges[range];

	if (r->prev == DAX_NONE)
		list->first = r->next;
	else
		dax->ranges[r->prev].next = r->next;
	if (r->next == DAX_NONE)
		list->last = r->prev;
	else
		dax->ranges[r->next].prev = r->prev;
	list->count--;
}

/* A fault of a page cache page is what is known of faults if nothing better is. */
static const struct dist *cost_of(const struct stack *stack, enum dax_cost cost)
{
	if (cost != DAX_EPT_FAULT && !(stack->dax.given & 1u << cost))
		return &stack->cost[COST_FAULT];
	return &stack->dax.cost[cost];
}

int dax_init(struct sim *sim)
{
	const struct dax_settings *settings = &sim->stack->dax;
	struct dax *dax;

	if (sim->stack->daemon.mode != MODE_DAX)
		return 0;
	dax = sim->dax = calloc(1, sizeof(*dax));
	if (!dax)
		return -ENOMEM;
	dax->nr_ranges = settings->window_bytes / FUSE_DAX_RANGE_BYTES;
	dax->worker_below = max_u64((uint64_t)dax->nr_ranges * FREE_PERCENT / 100, 1);
	dax->ranges = calloc(dax->nr_ranges, sizeof(*dax->ranges));
	dax->inodes = calloc(sim->nr_files ? sim->nr_files : 1, sizeof(*dax->inodes));
	dax->flows = calloc(sim->nr_threads, sizeof(*dax->flows));
	if (!dax->ranges || !dax->inodes || !dax->flows)
		return -ENOMEM;
	dax->free = dax->busy = (struct dax_list){DAX_NONE, DAX_NONE, 0};
	for (uint32_t i = 0; i < dax->nr_ranges; i++)
		append(dax, &dax->free, i);
	for (int i = 0; i < NR_DAX_COSTS; i++)
		sampler_init(&dax->cost[i], cost_of(sim->stack, i));
	dax->worker.thread =
		&sim->threads[sim->first_slot[RUN_DAX_WORKER] - sim->first_slot[RUN_TASK]];
	return 0;
}

void dax_release(struct sim *sim)
{
	struct dax *dax = sim->dax;

	if (!dax)
		return;
	for (uint32_t i = 0; dax->inodes && i < sim->nr_files; i++) {
		free(dax->inodes[i].range);
		free(dax->inodes[i].mapped);
	}
	free(dax->inodes);
	free(dax->flows);
	free(dax->ranges);
	free(dax);
}

void dax_add_stats(const struct sim *sim, struct dax_stats *all)
{
	struct dax_stats stats;

	if (!sim->dax)
		return;
	stats = sim->dax->stats;
	stats.ranges = sim->dax->nr_ranges;
	stats.free = sim->dax->free.count;
	stats.busy = sim->dax->busy.count;
	dax_stats_add(all, &stats);
}

void dax_stats_add(struct dax_stats *into, const struct dax_stats *from)
{
	into->ranges += from->ranges;
	into->free += from->free;
	into->busy += from->busy;
	into->setups += from->setups;
	into->upgrades += from->upgrades;
	into->removed_worker += from->removed_worker;
	into->removed_inline += from->removed_inline;
	into->removed_evict += from->removed_evict;
	into->waits += from->waits;
	into->wait_ns += from->wait_ns;
	into->ept_faults += from->ept_faults;
	into->pte_faults += from->pte_faults;
	into->pmd_faults += from->pmd_faults;
}

uint32_t dax_find(const struct sim *sim, const struct file *file, uint64_t index)
{
	const struct dax_inode *inode = dax_inode_of(sim, file);

	if (index >= inode->nr_slots || !inode->range[index])
		return DAX_NONE;
	return inode->range[index] - 1;
}

uint32_t dax_find_idle(const struct sim *sim, const struct file *file, uint64_t index)
{
	const struct dax_inode *inode = dax_inode_of(sim, file);

	while (index < inode->nr_slots) {
		uint64_t word = inode->mapped[index / WORD_BITS] >> index % WORD_BITS;
		uint32_t range;

		if (!word) {
			index = (index / WORD_BITS + 1) * WORD_BITS;
			continue;
		}
		index += __builtin_ctzll(word);
		range = inode->range[index] - 1;
		if (!sim->dax->ranges[range].refs)
			return range;
		index++;
	}
	return DAX_NONE;
}

static int grow(struct dax_inode *inode, uint64_t index)
{
	uint64_t room = max_u64(index / WORD_BITS + 1, 2 * (inode->nr_slots / WORD_BITS));
	uint64_t old = inode->nr_slots / WORD_BITS;
	uint32_t *range = reallocarray(inode->range, room * WORD_BITS, sizeof(*range));
	uint64_t *mapped;

	if (!range)
		return -ENOMEM;
	inode->range = range;
	mapped = reallocarray(inode->mapped, room, sizeof(*mapped));
	if (!mapped)
		return -ENOMEM;
	inode->mapped = mapped;
	memset(mapped + old, 0, (room - old) * sizeof(*mapped));
	memset(range + inode->nr_slots, 0, (room - old) * WORD_BITS * sizeof(*range));
	inode->nr_slots = room * WORD_BITS;
	return 0;
}

int dax_map(struct sim *sim, uint32_t range, struct file *file, uint64_t index, bool writable)
{
	struct dax_inode *inode = dax_inode_of(sim, file);
	struct dax_range *r = &sim->dax->ranges[range];

	if (index >= inode->nr_slots && grow(inode, index)) {
		sim->stop = -ENOMEM;
		return -ENOMEM;
	}
	inode->range[index] = range + 1;
	inode->mapped[index / WORD_BITS] |= 1ULL << index % WORD_BITS;
	inode->nr++;
	r->file = file->index;
	r->index = index;
	r->writable = writable;
	dax_forget_touched(sim, range);
	append(sim->dax, &sim->dax->busy, range);
	return 0;
}

void dax_unmap(struct sim *sim, uint32_t range)
{
	const struct dax_range *r = &sim->dax->ranges[range];
	struct dax_inode *inode = &sim->dax->inodes[r->file];

	inode->range[r->index] = 0;
	inode->mapped[r->index / WORD_BITS] &= ~(1ULL << r->index % WORD_BITS);
	inode->nr--;
	/* invalidate_inode_pages2_range() */
	file_unmap_dax(&sim->files[r->file], r->index * DAX_RANGE_PAGES, DAX_RANGE_PAGES);
}

void dax_unlist(struct sim *sim, uint32_t range)
{
	unlink_range(sim->dax, &sim->dax->busy, range);
}

uint32_t dax_take_free(struct sim *sim)
{
	uint32_t range = sim->dax->free.first;

	if (range != DAX_NONE)
		unlink_range(sim->dax, &sim->dax->free, range);
	dax_kick_worker(sim, false);
	return range;
}

/* wake_up() of range_waitq: all that are not exclusive up to the first that is, and that one. */
static void wake_waiters(struct sim *sim)
{
	struct dax *dax = sim->dax;
	bool exclusive = false;

	while (dax->waiters_first && !exclusive) {
		struct thread *th = dax->waiters_first;

		dax->waiters_first = th->wait_next;
		if (!dax->waiters_first)
			dax->waiters_last = NULL;
		exclusive = dax_flow_of(sim, th)->exclusive;
		thread_wake_after(sim, th, sim_cost(sim, &th->rng, COST_WAKEUP));
	}
}

void dax_put_free(struct sim *sim, uint32_t range)
{
	append(sim->dax, &sim->dax->free, range);
	wake_waiters(sim);
}

/* Those that are not exclusive are put before all others, as add_wait_queue() does. */
bool dax_wait_free(struct sim *sim, struct thread *th, bool exclusive)
{
	struct dax *dax = sim->dax;

	if (dax->free.count)
		return false;
	dax_flow_of(sim, th)->exclusive = exclusive;
	th->wait_next = NULL;
	if (!dax->waiters_first) {
		dax->waiters_first = dax->waiters_last = th;
	} else if (exclusive) {
		dax->waiters_last->wait_next = th;
		dax->waiters_last = th;
	} else {
		th->wait_next = dax->waiters_first;
		dax->waiters_first = th;
	}
	return thread_block(th);
}

uint32_t dax_rotate_busy(struct sim *sim)
{
	struct dax *dax = sim->dax;

	for (uint32_t i = dax->busy.first; i != DAX_NONE; i = dax->ranges[i].next) {
		if (dax->ranges[i].refs)
			continue;
		unlink_range(dax, &dax->busy, i);
		append(dax, &dax->busy, i);
		return i;
	}
	return DAX_NONE;
}

/*
 * A page that was read is in the host's tables for reading only: its file system wants to know of
 * the first write. Whoever writes may read.
 */
uint32_t dax_touch(struct sim *sim, uint32_t range, uint32_t first, uint32_t nr, bool write)
{
	struct dax_range *r = &sim->dax->ranges[range];
	uint32_t faults = 0;

	if (sim->stack->dax.host_huge_pages) {
		first = 0;
		nr = 1;
	}
	for (uint32_t page = first; page < first + nr; page++) {
		uint64_t bit = 1ULL << page % WORD_BITS;
		uint64_t *have = write ? &r->written[page / WORD_BITS] : &r->read[page / WORD_BITS];

		faults += !(*have & bit);
		*have |= bit;
		r->read[page / WORD_BITS] |= bit;
	}
	return faults;
}

void dax_forget_touched(struct sim *sim, uint32_t range)
{
	memset(sim->dax->ranges[range].read, 0, sizeof(sim->dax->ranges[range].read));
	memset(sim->dax->ranges[range].written, 0, sizeof(sim->dax->ranges[range].written));
}

uint64_t dax_costs(struct sim *sim, struct rng *rng, enum dax_cost cost, uint32_t nr)
{
	const struct sampler *sampler = &sim->dax->cost[cost];
	uint64_t sum = 0;

	if (sampler->kind == DIST_CONST)
		return nr * sampler->constant_ns;
	while (nr--)
		sum += sampler_draw(sampler, rng);
	return sum;
}
