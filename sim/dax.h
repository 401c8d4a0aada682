/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DAX: files are read and written through ranges of 2 MiB of the host's page cache that the daemon
 * maps into the device's window (fs/fuse/dax.c).
 *
 * A range of the window is free, busy (mapped for a part of a file) or in transit: taken by a task
 * that has yet to map it, or whose REMOVEMAPPING is under way. dax_window.c keeps the books,
 * dax_reclaim.c takes ranges away, dax.c does the ops. State lives in struct dax alone, so that the
 * other modes pay nothing.
 */
#ifndef VFSCOPE_SIM_DAX_H
#define VFSCOPE_SIM_DAX_H

#include "sim/model.h"

#define DAX_RANGE_PAGES (FUSE_DAX_RANGE_BYTES / PAGE_BYTES)
#define DAX_NONE UINT32_MAX

struct dax_range {
	uint32_t file; /* whose part it maps; meaningless if free */
	uint32_t refs; /* iomaps in use: it must not be reclaimed */
	uint64_t index; /* offset in the file / 2 MiB */
	uint32_t next; /* in the free or the busy list */
	uint32_t prev;
	uint32_t next_gone; /* eviction: behind it among those to be freed */
	bool writable;
	/* Pages that the host has in its tables (EPT) since the range was mapped, by access. */
	uint64_t read[DAX_RANGE_PAGES / 64];
	uint64_t written[DAX_RANGE_PAGES / 64];
};

struct dax_list {
	uint32_t first;
	uint32_t last;
	uint32_t count;
};

/* fi->dax, and the lock of the mapping that goes with it */
struct dax_inode {
	struct rw_lock sem; /* fi->dax->sem */
	struct rw_lock
		invalidate; /* mapping->invalidate_lock: exclusive while a range is taken away */
	uint32_t *range; /* by index: range + 1, or 0 */
	uint64_t *mapped; /* a bit for each index, to find the lowest fast */
	uint64_t nr_slots; /* a multiple of 64 */
	uint64_t nr; /* ranges it owns */
};

/* Where a thread is in the flows of DAX, and what survives their waits. */
struct dax_flow {
	struct {
		int at;
		uint64_t pos;
		uint64_t end;
		uint64_t nr_pages;
		bool prepared; /* it has sent a request */
	} op;
	struct {
		int at;
	} copy;
	struct {
		int at;
		uint32_t range; /* found or set up, with a reference; or DAX_NONE */
		uint64_t pos;
		bool write;
		bool fault; /* nothing may be reclaimed inline */
	} map;
	struct {
		bool huge; /* it is for 2 MiB */
		bool no_huge; /* it was, and found no range */
	} fault;
	struct {
		int at;
	} set_up;
	struct {
		int at;
		uint32_t range; /* what was got, or DAX_NONE */
	} alloc;
	struct {
		int at;
		uint64_t t_began_ns;
	} wait;
	struct {
		int at;
	} lock;
	struct {
		int at;
		uint32_t range;
	} reclaim;
	struct {
		int at;
		uint64_t left; /* parts of the file yet to be looked at */
		uint32_t nr; /* ranges in the batch */
		uint32_t batch; /* its first range */
		uint32_t first_gone;
		uint32_t last_gone;
	} evict;
	bool exclusive; /* it waits for a free range as one of those of whom one is woken */
};

struct dax {
	struct dax_range *ranges;
	uint32_t nr_ranges;
	struct dax_list free; /* FIFO */
	struct dax_list busy; /* oldest first */
	uint32_t worker_below; /* free ranges */
	struct dax_inode *inodes; /* by file */
	struct dax_flow *flows; /* by number in sim->threads */
	struct thread *waiters_first; /* range_waitq */
	struct thread *waiters_last;
	struct sampler cost[NR_DAX_COSTS];
	struct dax_stats stats;
	struct {
		int at;
		struct thread *thread;
		bool idle;
		bool queued; /* its work item is pending: since then nobody queues it again */
		uint64_t due_ns;
		uint32_t nr_tried; /* in this pass */
		uint32_t file; /* which part of which file it takes away */
		uint64_t index;
	} worker;
};

static inline struct dax_flow *dax_flow_of(const struct sim *sim, const struct thread *th)
{
	return &sim->dax->flows[th - sim->threads];
}

static inline struct dax_inode *dax_inode_of(const struct sim *sim, const struct file *file)
{
	return &sim->dax->inodes[file->index];
}

/* dax_window.c */
int dax_init(struct sim *sim); /* 0 or -ENOMEM; nothing unless the mode is dax */
void dax_release(struct sim *sim);
/* Adds the VM's counters, and how many ranges are free and busy now. */
void dax_add_stats(const struct sim *sim, struct dax_stats *all);
/* The range that maps this part of the file, or DAX_NONE. */
uint32_t dax_find(const struct sim *sim, const struct file *file, uint64_t index);
/* The lowest mapped part of the file at or behind index whose range has no references. */
uint32_t dax_find_idle(const struct sim *sim, const struct file *file, uint64_t index);
/* A range in transit becomes the file's, the youngest busy one. -ENOMEM: sim->stop is set. */
int dax_map(struct sim *sim, uint32_t range, struct file *file, uint64_t index, bool writable);
/* The file no longer has it; it stays in the busy list until dax_unlist(). */
void dax_unmap(struct sim *sim, uint32_t range);
void dax_unlist(struct sim *sim, uint32_t range); /* busy -> in transit */
/* alloc_dax_mapping(): free -> in transit, and the worker is told; or DAX_NONE. */
uint32_t dax_take_free(struct sim *sim);
void dax_put_free(struct sim *sim, uint32_t range); /* in transit -> free, who waits is woken */
/* The oldest busy range without references, which becomes the youngest; or DAX_NONE. */
uint32_t dax_rotate_busy(struct sim *sim);
/* Unless one is free: wait until dax_put_free() wakes, of the exclusive ones one at a time. */
bool dax_wait_free(struct sim *sim, struct thread *th, bool exclusive);
/* Pages of the range that the host has not mapped for this access yet; now it has. */
uint32_t dax_touch(struct sim *sim, uint32_t range, uint32_t first, uint32_t nr, bool write);
void dax_forget_touched(struct sim *sim, uint32_t range);
/* nr draws of a cost, added up. */
uint64_t dax_costs(struct sim *sim, struct rng *rng, enum dax_cost cost, uint32_t nr);

/* dax_reclaim.c: FLOWs, but dax_kick_worker() */
/* READ_PREPARE or WRITE_PREPARE before a task's first request of its op. */
bool dax_prepare(struct sim *sim, struct thread *th);
/* A free range, or one taken from the same file, into alloc.range of the flow. */
bool dax_allocate(struct sim *sim, struct thread *th, struct file *file);
/* Until a range is free; another thread may take it before this one looks. */
bool dax_wait_range(struct sim *sim, struct thread *th, bool exclusive);
bool dax_evict(struct sim *sim, struct thread *th, struct file *file);
void dax_kick_worker(struct sim *sim, bool after_jiffy);
void dax_worker_run(struct sim *sim, struct thread *th);

/* dax_fault.c: a fault of the task's op on mapped memory, FLOW; and what its access then costs. */
bool dax_fault(struct sim *sim, struct thread *th, struct mapping *m);
uint64_t dax_access_cost(struct sim *sim, struct thread *th, const struct mapping *m);

/* dax.c: FLOWs; the op is th->op */
/* map.pos of the flow: its range with a reference into map.range; DAX_NONE: none free (fault). */
bool dax_map_range(struct sim *sim, struct thread *th, struct file *file);
bool dax_read(struct sim *sim, struct thread *th);
bool dax_write(struct sim *sim, struct thread *th);

#endif
