// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ops and steps around the data: open, close, fsync, attributes, privileges and the inode lock.
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

bool send_simple(struct sim *sim, struct thread *th, uint32_t opcode, const struct file *file)
{
	if (!th->simple.at)
		th->simple.req = request_new(sim, opcode, file);
	return simple_request(sim, th);
}

bool send_about(struct sim *sim, struct thread *th, uint32_t opcode, const struct file *file,
		struct request_subject about)
{
	if (!th->simple.at) {
		th->simple.req = request_new(sim, opcode, file);
		if (th->simple.req)
			th->simple.req->about = about;
	}
	return simple_request(sim, th);
}

/*
 * fuse_time_to_jiffies() and time_before64(): good up to the end of the timer tick in which the
 * timeout, rounded up to ticks, ends; not at all if it is zero.
 */
uint64_t valid_until(const struct sim *sim, uint64_t timeout_ns)
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
void file_take_attributes(struct sim *sim, struct file *file)
{
	file->attr_until_ns = valid_until(sim, sim->stack->daemon.attr_timeout_ns);
	file->attr_stale = false;
	file->mode_stale = false;
	file->stat_stale = false;
	/* auto_inval_data; in mode direct private mappings have cached pages. */
	if (file->host_newer && sim->stack->daemon.mode != MODE_WRITEBACK)
		file->outdated = true;
	file->host_newer = false;
}

/* A newer mtime than the guest's: invalidate_inode_pages2(). */
bool file_drop_outdated(struct sim *sim, struct thread *th, struct file *file)
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
		file_take_attributes(sim, file);
	}
	return file_drop_outdated(sim, th, file);
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

/*
 * fuse_truncate_update_attr() (6.1: fuse_finish_open()) and truncate_pagecache(): OPEN has cut the
 * file off, so the SETATTR for which handle_truncate() asks then is not sent (ATTR_OPEN with
 * fc->atomic_o_trunc); but what may need privileges dropped is looked at.
 */
static bool opened_truncated(struct sim *sim, struct thread *th, struct file *file)
{
	FLOW_BEGIN(th->path.make.at);
	file->size_bytes = file->host_size_bytes = 0;
	file->stat_stale = true; /* FUSE_STATX_MODSIZE */
	file->attr_stale |= sim->stack->daemon.mode != MODE_WRITEBACK;
	file->host_newer = true;
	file_update_time(sim, file);
	FLOW_CALL(th->path.make.at, file_drop_behind(sim, th, file));
	if (sim->stack->daemon.mode == MODE_WRITEBACK)
		inode_unlock(sim, file);
	FLOW_CALL(th->path.make.at, file_remove_privs(sim, th, file));
	FLOW_END(th->path.make.at);
}

bool file_open(struct sim *sim, struct thread *th)
{
	struct place *place = &th->path.place[0];

	FLOW_BEGIN(th->meta.at);
	FLOW_CALL(th->meta.at, path_open(sim, th, place));
	if (place->file && !sim->stop) {
		/* fuse_open(): truncate_pagecache() or invalidate_inode_pages2() */
		if (opens_truncating(th))
			FLOW_CALL(th->meta.at, opened_truncated(sim, th, place->file));
		else if (!sim->stack->daemon.keep_cache)
			FLOW_CALL(th->meta.at, invalidate_pages(sim, th, place->file));
		if (sim->dax)
			file_unmap_dax(place->file, 0, UINT64_MAX / 2);
		task_file_opened(sim, th, place);
	}
	FLOW_CALL(th->meta.at, walk_leave(sim, th, place));
	FLOW_END(th->meta.at);
}

bool file_evict(struct sim *sim, struct thread *th, struct file *file)
{
	FLOW_BEGIN(th->evict.at);
	page_cache_drop(sim, file);
	file->attr_until_ns = 0;
	file->is_listed = false;
	if (file->directory)
		listing_forget(file->directory);
	if (sim->dax)
		FLOW_CALL(th->evict.at, dax_evict(sim, th, file));
	FLOW_CALL(th->evict.at, send_forget(sim, th, file));
	FLOW_END(th->evict.at);
}

bool send_release(struct sim *sim, struct thread *th, uint32_t opcode, const struct file *file)
{
	if (!sim->rules.release_async)
		return send_simple(sim, th, opcode, file);
	if (!th->background.at) {
		th->background.req = request_new(sim, opcode, file);
		th->background.force = true;
	}
	return simple_background(sim, th);
}

bool file_release(struct sim *sim, struct thread *th, struct file *file, struct open_file *open)
{
	FLOW_BEGIN(th->release.at);
	FLOW_CALL(th->release.at, send_release(sim, th, FUSE_RELEASE, file));
	if (file->nr_open)
		file->nr_open--;
	th->release.entry = open->entry;
	open->entry = NULL;
	if (open != th->files[open->path])
		free(open);
	FLOW_CALL(th->release.at, entry_put(sim, th, &th->release.entry));
	FLOW_END(th->release.at);
}

bool file_close(struct sim *sim, struct thread *th)
{
	struct file *file = th->file;
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
	struct file *file = th->file;

	FLOW_BEGIN(th->meta.at);
	FLOW_WAIT(th->meta.at, inode_lock(th, file));
	FLOW_CALL(th->meta.at, writeback_range(sim, th, file, first, end, WRITEBACK_SYNC));
	FLOW_CALL(th->meta.at, send_simple(sim, th, FUSE_FSYNC, file));
	inode_unlock(sim, file);
	FLOW_END(th->meta.at);
}
