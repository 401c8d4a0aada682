// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ftruncate(2): fuse_do_setattr() of a size (fs/fuse/dir.c, the same in 6.1.192 and 7.2.12).
 *
 * SETATTR goes out when no WRITE of dirty pages is on its way. If the size has changed, pages
 * behind the new end go, dirty or not, and those before it are dropped as well, each dirty one
 * after a WRITE of its own: also where the file became longer.
 */
#include "sim/flow.h"
#include "sim/mmap.h"
#include "sim/page_cache.h"

bool file_drop_range(struct sim *sim, struct thread *th, struct file *file, uint64_t first,
		     uint64_t end)
{
	struct page *page;

	FLOW_BEGIN(th->launder.at);
	th->launder.page = first;
	while (!sim->stop && (page = page_next(sim, file, th->launder.page)) && page->index < end) {
		th->launder.page = page->index;
		if (page->req) {
			FLOW_WAIT(th->launder.at, page_wait(th, page));
			FLOW_WAIT(th->launder.at, cpu_wait_turn(sim, th->slot));
			continue;
		}
		if (page->flags & PAGE_DIRTY)
			page_clear_dirty(sim, file, page);
		page_remove(sim, file, page->index);
	}
	FLOW_END(th->launder.at);
}

bool file_drop_behind(struct sim *sim, struct thread *th, struct file *file)
{
	return file_drop_range(sim, th, file, (file->size_bytes + PAGE_BYTES - 1) / PAGE_BYTES,
			       UINT64_MAX);
}

bool file_truncate(struct sim *sim, struct thread *th)
{
	struct file *file = th->file;

	FLOW_BEGIN(th->meta.at);
	FLOW_CALL(th->meta.at, file_remove_privs(sim, th, file));
	FLOW_WAIT(th->meta.at, inode_lock(th, file));
	FLOW_CALL(th->meta.at, writeback_wait(sim, th, file));
	FLOW_CALL(th->meta.at, send_about(sim, th, FUSE_SETATTR, file,
					  (struct request_subject){.has_handle = true}));
	/* The reply's mtime is taken without dropping what is older. */
	file->host_newer = false;
	file_take_attributes(sim, file);
	file->host_size_bytes = th->op.offset_bytes;
	if (file->size_bytes != th->op.offset_bytes) {
		file->size_bytes = th->op.offset_bytes;
		FLOW_CALL(th->meta.at, file_drop_behind(sim, th, file));
		FLOW_CALL(th->meta.at, invalidate_pages(sim, th, file));
	}
	inode_unlock(sim, file);
	FLOW_END(th->meta.at);
}
