// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ops and steps around the data: open, close, fsync, attributes, privileges and the inode lock.
 *
 * Files lie in the root of the mount. The path walk checks the root's attributes (virtio-fs always
 * mounts with default_permissions), then the name's entry, each within its timeout.
 */
#include <stdlib.h>
#include "sim/dax.h"
#include "sim/flow.h"
#include "sim/page_cache.h"

bool inode_lock(struct thread *th, struct file *file)
{
	return rw_lock_exclusive(th, &file->lock);
}

void inode_unlock(struct sim *sim, struct file *file)
{
	rw_unlock_exclusive(sim, &file->lock);
}

static bool send_simple(struct sim *sim, struct thread *th, uint32_t opcode,
			const struct file *file)
{
	if (!th->simple.at)
		th->simple.req = request_new(sim, opcode, file);
	return simple_request(sim, th);
}

/*
 * fuse_time_to_jiffies() and time_before64(): good up to the end of the timer tick in which the
 * timeout, rounded up to ticks, ends; not at all if it is zero.
 */
static uint64_t until(const struct sim *sim, uint64_t timeout_ns)
{
	uint64_t tick = (sim->host->now_ns + sim->jiffy_phase_ns) / sim->jiffy_ns;
	uint64_t ticks = timeout_ns / sim->jiffy_ns + (timeout_ns % sim->jiffy_ns != 0);

	if (!timeout_ns)
		return sim->host->now_ns;
	if (ticks >= UINT64_MAX / sim->jiffy_ns - tick - 1)
		return UINT64_MAX;
	return (tick + ticks + 1) * sim->jiffy_ns - sim->jiffy_phase_ns;
}

/* What a reply with attributes tells: pages older than the host's file are dropped. */
static void take_attributes(struct sim *sim, struct file *file)
{
	file->attr_until_ns = until(sim, sim->stack->daemon.attr_timeout_ns);
	file->attr_stale = false;
	file->stat_stale = false;
	if (file->host_newer && sim->stack->daemon.mode == MODE_WRITETHROUGH)
		file->outdated = true;
	file->host_newer = false;
}

/* A newer mtime than the guest's: invalidate_inode_pages2(). */
static bool drop_outdated(struct sim *sim, struct thread *th, struct file *file)
{
	if (!th->launder.at && !file->outdated)
		return true;
	file->outdated = false;
	return invalidate_pages(sim, th, file);
}

bool file_update_attr(struct sim *sim, struct thread *th, struct file *file)
{
	if (!th->launder.at) {
		if (!th->simple.at && !file->attr_stale && sim->host->now_ns < file->attr_until_ns)
			return true;
		if (!send_simple(sim, th, FUSE_GETATTR, file))
			return false;
		take_attributes(sim, file);
	}
	return drop_outdated(sim, th, file);
}

/* fuse_permission() looks at mode and owner, which only time makes stale. */
static bool check_permission(struct sim *sim, struct thread *th, struct file *file)
{
	if (!th->simple.at && !th->launder.at && sim->host->now_ns < file->attr_until_ns)
		return true;
	return file_update_attr(sim, th, file);
}

/* security.capability is asked for before each write until the daemon answers ENOSYS. */
bool file_remove_privs(struct sim *sim, struct thread *th, struct file *file)
{
	if (!th->simple.at && sim->no_getxattr)
		return true;
	if (!send_simple(sim, th, FUSE_GETXATTR, file))
		return false;
	if (!sim->stack->daemon.xattr)
		sim->no_getxattr = true;
	return true;
}

static bool update_root_attr(struct sim *sim, struct thread *th)
{
	if (!th->simple.at && !sim->root_attr_stale && sim->host->now_ns < sim->root_attr_until_ns)
		return true;
	if (!send_simple(sim, th, FUSE_GETATTR, NULL))
		return false;
	sim->root_attr_stale = false;
	sim->root_attr_until_ns = until(sim, sim->stack->daemon.attr_timeout_ns);
	return true;
}

static void looked_up(struct sim *sim, struct file *file)
{
	file->entry_until_ns = until(sim, sim->stack->daemon.entry_timeout_ns);
	file->is_known = true;
	take_attributes(sim, file);
}

/* d_revalidate of a name that is there: LOOKUP once its time is over. */
static bool look_up(struct sim *sim, struct thread *th, struct file *file)
{
	if (!th->launder.at) {
		if (!th->simple.at && sim->host->now_ns < file->entry_until_ns)
			return true;
		if (!send_simple(sim, th, FUSE_LOOKUP, NULL))
			return false;
		looked_up(sim, file);
	}
	return drop_outdated(sim, th, file);
}

/*
 * O_CREAT of a name that is not there: a negative entry is always looked up again. With a timeout
 * of zero the root's attributes are checked once more for the write permission, and the new file's
 * after CREATE.
 */
static bool create(struct sim *sim, struct thread *th, struct file *file)
{
	FLOW_BEGIN(th->create.at);
	if (!sim->stack->daemon.attr_timeout_ns)
		FLOW_CALL(th->create.at, update_root_attr(sim, th));
	FLOW_CALL(th->create.at, send_simple(sim, th, FUSE_LOOKUP, NULL));
	FLOW_CALL(th->create.at, send_simple(sim, th, FUSE_CREATE, NULL));
	file->exists = true;
	file->size_bytes = 0;
	file->host_size_bytes = 0;
	sim->root_attr_stale |= sim->rules.dir_change_drops_attr;
	looked_up(sim, file);
	FLOW_CALL(th->create.at, check_permission(sim, th, file));
	FLOW_END(th->create.at);
}

static bool open_existing(struct sim *sim, struct thread *th, struct file *file)
{
	FLOW_BEGIN(th->create.at);
	FLOW_CALL(th->create.at, look_up(sim, th, file));
	FLOW_CALL(th->create.at, check_permission(sim, th, file));
	FLOW_CALL(th->create.at, send_simple(sim, th, FUSE_OPEN, file));
	FLOW_END(th->create.at);
}

bool file_open(struct sim *sim, struct thread *th)
{
	struct file *file = &sim->files[th->op.file];

	FLOW_BEGIN(th->meta.at);
	FLOW_CALL(th->meta.at, update_root_attr(sim, th));
	th->meta.creates = !file->exists;
	if (th->meta.creates)
		FLOW_CALL(th->meta.at, create(sim, th, file));
	else
		FLOW_CALL(th->meta.at, open_existing(sim, th, file));
	if (sim->stop)
		FLOW_RETURN(th->meta.at);
	/* Without FOPEN_KEEP_CACHE */
	FLOW_CALL(th->meta.at, invalidate_pages(sim, th, file));
	task_file_opened(sim, th);
	FLOW_END(th->meta.at);
}

/* The last name and opener of the inode are gone: it leaves the cache, and is forgotten. */
static bool evict(struct sim *sim, struct thread *th, struct file *file)
{
	FLOW_BEGIN(th->evict.at);
	if (sim->dax)
		FLOW_CALL(th->evict.at, dax_evict(sim, th, file));
	FLOW_CALL(th->evict.at, send_forget(sim, th, file));
	page_cache_drop(sim, file);
	file->is_known = false;
	file->entry_until_ns = 0;
	file->attr_until_ns = 0;
	file->unlinked = false;
	FLOW_END(th->evict.at);
}

static bool release(struct sim *sim, struct thread *th, struct file *file)
{
	if (!sim->rules.release_async)
		return send_simple(sim, th, FUSE_RELEASE, file);
	if (!th->background.at) {
		th->background.req = request_new(sim, FUSE_RELEASE, file);
		th->background.force = true;
	}
	return simple_background(sim, th);
}

bool file_release(struct sim *sim, struct thread *th, struct file *file, struct open_file *open)
{
	FLOW_BEGIN(th->release.at);
	FLOW_CALL(th->release.at, release(sim, th, file));
	if (file->nr_open)
		file->nr_open--;
	if (open && open != th->files[file->index])
		free(open);
	if (!file->nr_open && (file->unlinked || !sim->stack->daemon.entry_timeout_ns))
		FLOW_CALL(th->release.at, evict(sim, th, file));
	FLOW_END(th->release.at);
}

bool file_close(struct sim *sim, struct thread *th)
{
	struct file *file = &sim->files[th->op.file];
	struct open_file *open = task_open_file(sim, th);

	if (!open)
		return true;
	FLOW_BEGIN(th->meta.at);
	FLOW_CALL(th->meta.at, writeback_file(sim, th, file, WRITEBACK_SYNC));
	FLOW_CALL(th->meta.at, send_simple(sim, th, FUSE_FLUSH, file));
	/* fuse_flush(): the blocks of a writeback file are known only now. */
	file->stat_stale |= sim->stack->daemon.mode == MODE_WRITEBACK;
	/* Replays close what they did not open. */
	file->nr_open += !open->is_open;
	open->is_open = false;
	if (!open->nr_mappings)
		FLOW_CALL(th->meta.at, file_release(sim, th, file, open));
	FLOW_END(th->meta.at);
}

bool file_sync_range(struct sim *sim, struct thread *th, uint64_t first, uint64_t end)
{
	struct file *file = &sim->files[th->op.file];

	FLOW_BEGIN(th->meta.at);
	FLOW_WAIT(th->meta.at, inode_lock(th, file));
	FLOW_CALL(th->meta.at, writeback_range(sim, th, file, first, end, WRITEBACK_SYNC));
	FLOW_CALL(th->meta.at, send_simple(sim, th, FUSE_FSYNC, file));
	inode_unlock(sim, file);
	FLOW_END(th->meta.at);
}

/* Every attribute is asked for, so one that is stale is enough for a GETATTR. */
bool file_stat(struct sim *sim, struct thread *th)
{
	struct file *file = &sim->files[th->op.file];

	FLOW_BEGIN(th->meta.at);
	FLOW_CALL(th->meta.at, update_root_attr(sim, th));
	FLOW_CALL(th->meta.at, look_up(sim, th, file));
	file->attr_stale |= file->stat_stale;
	FLOW_CALL(th->meta.at, file_update_attr(sim, th, file));
	if (!file->nr_open && !sim->stack->daemon.entry_timeout_ns)
		FLOW_CALL(th->meta.at, evict(sim, th, file));
	FLOW_END(th->meta.at);
}

/*
 * fuse_unlink(): with a timeout of zero the root's attributes are checked again for the write
 * permission; a writeback file's ctime is sent at once (fuse_update_ctime_in_cache()).
 */
bool file_unlink(struct sim *sim, struct thread *th)
{
	struct file *file = &sim->files[th->op.file];

	FLOW_BEGIN(th->meta.at);
	FLOW_CALL(th->meta.at, update_root_attr(sim, th));
	FLOW_CALL(th->meta.at, look_up(sim, th, file));
	if (!sim->stack->daemon.attr_timeout_ns)
		FLOW_CALL(th->meta.at, update_root_attr(sim, th));
	FLOW_CALL(th->meta.at, send_simple(sim, th, FUSE_UNLINK, NULL));
	sim->root_attr_stale |= sim->rules.dir_change_drops_attr;
	if (sim->stack->daemon.mode == MODE_WRITEBACK)
		FLOW_CALL(th->meta.at, send_simple(sim, th, FUSE_SETATTR, file));
	file->times_dirty = false;
	file->exists = false;
	file->unlinked = true;
	/* An open file lives on without its name. */
	if (!file->nr_open)
		FLOW_CALL(th->meta.at, evict(sim, th, file));
	FLOW_END(th->meta.at);
}

/* sync(2): every inode with WB_SYNC_ALL, then fuse_sync_fs(). Then what nobody uses is dropped. */
bool drop_caches(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->meta.at);
	for (th->meta.file = 0; th->meta.file < sim->nr_files; th->meta.file++)
		FLOW_CALL(th->meta.at,
			  writeback_file(sim, th, &sim->files[th->meta.file], WRITEBACK_SYNC));
	FLOW_CALL(th->meta.at, send_simple(sim, th, FUSE_SYNCFS, NULL));
	for (th->meta.file = 0; th->meta.file < sim->nr_files; th->meta.file++) {
		page_cache_shed(sim, &sim->files[th->meta.file], 0, UINT64_MAX);
		if (sim->files[th->meta.file].is_known && !sim->files[th->meta.file].nr_open)
			FLOW_CALL(th->meta.at, evict(sim, th, &sim->files[th->meta.file]));
	}
	FLOW_END(th->meta.at);
}
