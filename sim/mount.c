// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What concerns the whole share: mounting and unmounting it, sync(2), dropping caches.
 */
#include <errno.h>
#include "sim/flow.h"
#include "sim/page_cache.h"

/* sync(2): every inode with WB_SYNC_ALL, then fuse_sync_fs(). */
static bool sync_files(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->sync.at);
	for (th->sync.file = 0; th->sync.file < sim->nr_files; th->sync.file++)
		FLOW_CALL(th->sync.at,
			  writeback_file(sim, th, &sim->files[th->sync.file], WRITEBACK_SYNC));
	FLOW_CALL(th->sync.at, send_simple(sim, th, FUSE_SYNCFS, sim->root));
	FLOW_END(th->sync.at);
}

bool sync_all(struct sim *sim, struct thread *th)
{
	return sync_files(sim, th);
}

static void shed(struct sim *sim, struct file *file)
{
	page_cache_shed(sim, file, 0, UINT64_MAX);
	if (file->directory)
		listing_lose_pages(file->directory);
}

/* Then what nobody uses is dropped: pages, names, and with them inodes. */
bool drop_caches(struct sim *sim, struct thread *th)
{
	struct entry *entry;

	FLOW_BEGIN(th->meta.at);
	FLOW_CALL(th->meta.at, sync_files(sim, th));
	for (uint32_t i = 0; i < sim->nr_files; i++)
		shed(sim, &sim->files[i]);
	for (th->path.bucket = 0; (entry = names_idle(sim, &th->path.bucket));) {
		th->path.dropped = entry;
		FLOW_CALL(th->meta.at, entry_drop(sim, th, th->path.dropped));
	}
	FLOW_END(th->meta.at);
}

/* INIT goes to the background, and the first that looks at the share waits for its reply. */
bool share_mount(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->meta.at);
	FLOW_CALL(th->meta.at, send_simple(sim, th, FUSE_INIT, sim->root));
	FLOW_CALL(th->meta.at, check_permission(sim, th, sim->root));
	FLOW_END(th->meta.at);
}

/* Since 6.12 FORGETs are made for a queue that takes no more, where those that trace see them. */
static void forget_in_vain(struct sim *sim, struct thread *th, struct file *file)
{
	struct request *req = request_new(sim, FUSE_FORGET, file);

	if (!req)
		return;
	forget_issue(sim, th, req);
	sim->queues[HIPRIO_QUEUE].in_flight--;
	req->t_added_ns = req->t_visible_ns = req->t_taken_ns = req->t_left_ns;
	req->t_started_ns = req->t_used_ns = req->t_irq_ns = req->t_left_ns;
	req->t_work_ns = req->t_turn_ns = req->t_end_ns = req->t_left_ns;
	request_report(sim, req, 0);
	request_free(sim, req);
}

static void forget_file(struct sim *sim, struct thread *th, struct file *file)
{
	page_cache_drop(sim, file);
	file->attr_until_ns = 0;
	if (file->directory)
		listing_forget(file->directory);
	if ((file->nr_names_cached || file == sim->root) && sim->rules.umount_forgets)
		forget_in_vain(sim, th, file);
}

/* All entries go, those with others below them last. */
static void forget_all(struct sim *sim, struct thread *th)
{
	struct entry *entry, *above;

	for (th->path.bucket = 0; (entry = names_idle(sim, &th->path.bucket));) {
		for (; entry && entry->cached && !entry->refs; entry = above) {
			above = entry->dir->directory->entry;
			if (entry->file->nr_names_cached == 1)
				forget_file(sim, th, entry->file);
			entry->file->nr_names_cached--;
			entry->cached = false;
			if (above)
				above->refs--;
		}
	}
	forget_file(sim, th, sim->root);
}

bool share_umount(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->meta.at);
	FLOW_CALL(th->meta.at, send_simple(sim, th, FUSE_DESTROY, sim->root));
	forget_all(sim, th);
	sim->no_getxattr = sim->no_copy_64 = false;
	FLOW_END(th->meta.at);
}
