// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking ranges of the DAX window away: by the worker that keeps a fifth of them free, by a task
 * that finds none free (inline, of the same file), and when an inode leaves the cache.
 *
 * All three hold the file's invalidate lock and its dax semaphore exclusively until the daemon has
 * answered REMOVEMAPPING. Flushing what was written is free: nothing is sent for it, the pages are
 * the host's. The kernel takes no lock at eviction, for nobody else has the inode then; here a
 * worker that still has it is waited for, where there it would evict the inode itself.
 */
#include "sim/dax.h"
#include "sim/flow.h"

#define CHUNK_RANGES 10 /* FUSE_DAX_RECLAIM_CHUNK */
#define BATCH_RANGES (PAGE_BYTES / 16) /* FUSE_REMOVEMAPPING_MAX_ENTRY */
/*
 * One turn of alloc_dax_mapping_reclaim()'s loop, which spins while other tasks use all ranges of
 * the file: two locks and a list. How long only decides how soon it sees that one is through.
 */
#define SPIN_NS 500

bool dax_prepare(struct sim *sim, struct thread *th)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	if (!th->spec || f->op.prepared)
		return false;
	f->op.prepared = true;
	return thread_spend_cost(sim, th, f->map.write ? COST_WRITE_PREPARE : COST_READ_PREPARE);
}

static bool send_remove(struct sim *sim, struct thread *th, struct file *file, uint32_t range,
			uint32_t nr, enum span_class cls)
{
	if (!th->simple.at) {
		struct request *req = request_new(sim, FUSE_REMOVEMAPPING, file);

		th->simple.req = req;
		if (!req)
			return true;
		req->span.cls = cls;
		req->span.window_range = range;
		req->span.size_bytes = nr * FUSE_DAX_RANGE_BYTES;
		req->nr_ranges = nr;
	}
	return simple_request(sim, th);
}

static bool lock_to_reclaim(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);
	struct dax_inode *inode = dax_inode_of(sim, file);

	FLOW_BEGIN(f->lock.at);
	FLOW_CALL(f->lock.at, rw_lock_steal(sim, th, &inode->invalidate));
	FLOW_CALL(f->lock.at, rw_lock_steal(sim, th, &inode->sem));
	FLOW_END(f->lock.at);
}

static void unlock_reclaimed(struct sim *sim, struct file *file)
{
	rw_unlock_exclusive(sim, &dax_inode_of(sim, file)->sem);
	rw_unlock_exclusive(sim, &dax_inode_of(sim, file)->invalidate);
}

/*
 * inode_inline_reclaim_one_dmap(): reclaim.range, in transit, or DAX_NONE, if nothing of the file
 * can be taken. The semaphore is taken once where the kernel takes it shared, then exclusively:
 * nobody else can take the range in between.
 */
static bool reclaim_inline(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	FLOW_BEGIN(f->reclaim.at);
	FLOW_CALL(f->reclaim.at, lock_to_reclaim(sim, th, file));
	f->reclaim.range = dax_find_idle(sim, file, 0);
	if (f->reclaim.range != DAX_NONE) {
		dax_unmap(sim, f->reclaim.range);
		FLOW_WAIT(f->reclaim.at, dax_prepare(sim, th));
		FLOW_CALL(f->reclaim.at,
			  send_remove(sim, th, file, f->reclaim.range, 1, SPAN_INLINE_RECLAIM));
		dax_unlist(sim, f->reclaim.range);
		sim->dax->stats.removed_inline++;
	}
	unlock_reclaimed(sim, file);
	FLOW_END(f->reclaim.at);
}

bool dax_wait_range(struct sim *sim, struct thread *th, bool exclusive)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	FLOW_BEGIN(f->wait.at);
	f->wait.t_began_ns = sim->host->now_ns;
	sim->dax->stats.waits += !sim->dax->free.count;
	while (!sim->dax->free.count && !sim->stop) {
		FLOW_WAIT(f->wait.at, dax_wait_free(sim, th, exclusive));
		FLOW_WAIT(f->wait.at, cpu_wait_turn(sim, th->slot));
	}
	sim->dax->stats.wait_ns += sim->host->now_ns - f->wait.t_began_ns;
	FLOW_END(f->wait.at);
}

/* alloc_dax_mapping_reclaim() */
bool dax_allocate(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	FLOW_BEGIN(f->alloc.at);
	while ((f->alloc.range = dax_take_free(sim)) == DAX_NONE && !sim->stop) {
		FLOW_CALL(f->alloc.at, reclaim_inline(sim, th, file));
		f->alloc.range = f->reclaim.range;
		if (f->alloc.range != DAX_NONE)
			break;
		if (dax_inode_of(sim, file)->nr) {
			FLOW_WAIT(f->alloc.at, thread_spend(sim, th, SPIN_NS));
			continue;
		}
		FLOW_CALL(f->alloc.at, dax_wait_range(sim, th, true));
	}
	FLOW_END(f->alloc.at);
}

/*
 * The ranges of the next batch, the last part of the file first. They stay in the busy list until
 * all batches are through.
 */
static uint32_t take_batch(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);
	struct dax_range *ranges = sim->dax->ranges;
	uint32_t nr = 0;

	while (nr < BATCH_RANGES && f->evict.left) {
		uint32_t range = dax_find(sim, file, --f->evict.left);

		/* A file that is unlinked while others use it keeps what they use. */
		if (range == DAX_NONE || ranges[range].refs)
			continue;
		if (!nr++)
			f->evict.batch = range;
		dax_unmap(sim, range);
		ranges[range].next_gone = DAX_NONE;
		if (f->evict.first_gone == DAX_NONE)
			f->evict.first_gone = range;
		else
			ranges[f->evict.last_gone].next_gone = range;
		f->evict.last_gone = range;
	}
	return nr;
}

/* fuse_dax_inode_cleanup() */
bool dax_evict(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	FLOW_BEGIN(f->evict.at);
	FLOW_CALL(f->evict.at, lock_to_reclaim(sim, th, file));
	f->evict.left = dax_inode_of(sim, file)->nr_slots;
	f->evict.first_gone = DAX_NONE;
	while ((f->evict.nr = take_batch(sim, th, file)))
		FLOW_CALL(f->evict.at,
			  send_remove(sim, th, file, f->evict.batch, f->evict.nr, SPAN_EVICT));
	for (uint32_t range = f->evict.first_gone; range != DAX_NONE;
	     range = sim->dax->ranges[range].next_gone) {
		dax_unlist(sim, range);
		dax_put_free(sim, range);
		sim->dax->stats.removed_evict++;
	}
	unlock_reclaimed(sim, file);
	FLOW_END(f->evict.at);
}

void dax_kick_worker(struct sim *sim, bool after_jiffy)
{
	struct dax *dax = sim->dax;
	struct thread *th = dax->worker.thread;

	if (dax->free.count >= dax->worker_below || dax->worker.queued)
		return;
	dax->worker.queued = true;
	dax->worker.due_ns = (after_jiffy ? next_jiffy(sim) : sim->host->now_ns) +
			     sim_cost(sim, &th->rng, COST_KWORKER);
	if (!dax->worker.idle)
		return;
	dax->worker.idle = false;
	thread_wake_after(sim, th, dax->worker.due_ns - sim->host->now_ns);
}

static bool worker_waits(struct sim *sim, struct thread *th)
{
	if (sim->dax->worker.queued)
		return thread_sleep_until(sim, th, sim->dax->worker.due_ns);
	sim->dax->worker.idle = true;
	return thread_block(th);
}

/* The oldest range that nobody uses: which part of which file it is. False: there is none. */
static bool pick(struct sim *sim)
{
	uint32_t range = dax_rotate_busy(sim);

	if (range == DAX_NONE)
		return false;
	sim->dax->worker.file = sim->dax->ranges[range].file;
	sim->dax->worker.index = sim->dax->ranges[range].index;
	return true;
}

/* lookup_and_reclaim_dmap(): while the locks were waited for, it may have gone or come into use. */
static bool reclaim_picked(struct sim *sim, struct thread *th)
{
	struct dax_flow *f = dax_flow_of(sim, th);
	struct file *file = &sim->files[sim->dax->worker.file];

	FLOW_BEGIN(f->reclaim.at);
	FLOW_CALL(f->reclaim.at, lock_to_reclaim(sim, th, file));
	f->reclaim.range = dax_find(sim, file, sim->dax->worker.index);
	if (f->reclaim.range != DAX_NONE && !sim->dax->ranges[f->reclaim.range].refs) {
		dax_unmap(sim, f->reclaim.range);
		FLOW_CALL(f->reclaim.at,
			  send_remove(sim, th, file, f->reclaim.range, 1, SPAN_RECLAIM));
		dax_unlist(sim, f->reclaim.range);
		dax_put_free(sim, f->reclaim.range);
		sim->dax->stats.removed_worker++;
	}
	unlock_reclaimed(sim, file);
	FLOW_END(f->reclaim.at);
}

/* fuse_dax_free_mem_worker() */
static bool worker_flow(struct sim *sim, struct thread *th)
{
	struct dax *dax = sim->dax;

	FLOW_BEGIN(dax->worker.at);
	for (;;) {
		FLOW_WAIT(dax->worker.at, worker_waits(sim, th));
		FLOW_WAIT(dax->worker.at, cpu_wait_turn(sim, th->slot));
		dax->worker.queued = false;
		dax->worker.nr_tried = 0;
		while (dax->worker.nr_tried++ < CHUNK_RANGES && !sim->stop && pick(sim))
			FLOW_CALL(dax->worker.at, reclaim_picked(sim, th));
		dax_kick_worker(sim, true);
	}
	FLOW_END(dax->worker.at);
}

void dax_worker_run(struct sim *sim, struct thread *th)
{
	worker_flow(sim, th);
}
