// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cached writes. Write-through (fuse_perform_write): the inode's lock is held while each part goes
 * to the daemon; a page that is neither uptodate nor wholly written ends the part. Writeback
 * (generic_perform_write): pages are made dirty, after reading those that are only partly written;
 * writeback.c sends them.
 */
#include "sim/flow.h"
#include "sim/page_cache.h"

static void start(struct thread *th)
{
	th->io.pos = th->op.offset_bytes;
	th->io.left = th->op.size_bytes;
	th->io.page = th->io.pos / PAGE_BYTES;
	th->io.nr_pages = 0;
	th->io.prepared = false;
	th->io.waited = false;
}

static uint32_t bytes_in_page(const struct thread *th, uint64_t pos, uint64_t left)
{
	return min_u64(PAGE_BYTES - pos % PAGE_BYTES, left);
}

/*
 * fuse_fill_write_pages(): copy into pages until the part is full; its WRITE. A page left not
 * uptodate stays locked by the request.
 */
static struct request *fill_part(struct sim *sim, struct thread *th, struct file *file)
{
	struct request *req = request_new(sim, FUSE_WRITE, file);
	uint64_t pos = th->io.pos, limit = sim->stack->daemon.max_write_bytes;
	uint32_t nr = 0;

	if (!req)
		return NULL;
	th->io.count = 0;
	do {
		uint32_t bytes = bytes_in_page(th, pos, th->io.left - th->io.count);
		struct page *page = page_find(sim, file, pos / PAGE_BYTES);

		bytes = min_u64(bytes, limit - th->io.count);
		if (!page)
			page = page_add(sim, file, pos / PAGE_BYTES);
		if (!page)
			break;
		if (bytes == PAGE_BYTES)
			page->flags |= PAGE_UPTODATE;
		th->io.count += bytes;
		pos += bytes;
		nr++;
		if (!(page->flags & PAGE_UPTODATE)) {
			page->req = req;
			req->use = USE_PAGES_LOCKED;
			break;
		}
	} while (th->io.count < th->io.left && th->io.count < limit && nr < sim->max_pages &&
		 pos % PAGE_BYTES == 0);
	req->span.cls = SPAN_WRITETHROUGH;
	req->first_page = th->io.pos / PAGE_BYTES;
	request_set_data(req, th->io.pos, th->io.count, nr);
	th->io.nr_pages += nr;
	return req;
}

/* The first page of the coming part that is in I/O, or NULL: grab_cache_page() waits for it. */
static struct page *busy_page(struct sim *sim, const struct thread *th, const struct file *file)
{
	uint64_t end = (th->io.pos + th->io.left + PAGE_BYTES - 1) / PAGE_BYTES;

	end = min_u64(end, th->io.pos / PAGE_BYTES + sim->max_pages);
	for (uint64_t index = th->io.pos / PAGE_BYTES; index < end; index++) {
		struct page *page = page_find(sim, file, index);

		if (page && page->req)
			return page;
	}
	return NULL;
}

static uint64_t copy_cost(const struct sim *sim, const struct thread *th)
{
	uint64_t first = th->op.offset_bytes / PAGE_BYTES;
	uint64_t last = (th->op.offset_bytes + th->op.size_bytes - 1) / PAGE_BYTES;

	return (uint64_t)((last - first) * sim->stack->write_hit_ns_per_page);
}

/* Copying a part's pages: the op's first page is in WRITE_PREPARE. */
static uint64_t fill_cost(const struct sim *sim, const struct thread *th)
{
	uint64_t first = th->io.pos / PAGE_BYTES;
	uint64_t pages = (th->io.pos + th->io.count + PAGE_BYTES - 1) / PAGE_BYTES - first;

	if (th->io.pos == th->op.offset_bytes)
		pages--;
	return (uint64_t)(pages * sim->stack->write_prepare_ns_per_page);
}

static bool write_through(struct sim *sim, struct thread *th, struct file *file)
{
	FLOW_BEGIN(th->fill.at);
	FLOW_WAIT(th->fill.at, thread_spend_cost(sim, th, COST_WRITE_PREPARE));
	while (th->io.left && !sim->stop) {
		while (busy_page(sim, th, file)) {
			FLOW_WAIT(th->fill.at, page_wait(th, busy_page(sim, th, file)));
			FLOW_WAIT(th->fill.at, cpu_wait_turn(sim, th->slot));
		}
		th->simple.req = fill_part(sim, th, file);
		FLOW_WAIT(th->fill.at, thread_spend(sim, th, fill_cost(sim, th)));
		FLOW_CALL(th->fill.at, simple_request(sim, th));
		th->io.pos += th->io.count;
		th->io.left -= th->io.count;
		file->size_bytes = max_u64(file->size_bytes, th->io.pos);
	}
	/* fuse_write_update_attr(): size and times are asked for again. */
	file->attr_stale = true;
	file->host_newer = true;
	FLOW_END(th->fill.at);
}

/* Only partly written, not uptodate, and the file has data there: it must be read first. */
static bool needs_read(const struct sim *sim, const struct thread *th, const struct file *file,
		       const struct page *page)
{
	return !(page && page->flags & PAGE_UPTODATE) && th->io.count < PAGE_BYTES &&
	       file->size_bytes > th->io.page * PAGE_BYTES;
}

static bool must_wait(const struct sim *sim, const struct page *page)
{
	if (!page || !page->req)
		return false;
	return !(page->flags & PAGE_WRITEBACK) || sim->rules.rewrite_waits_for_writeback;
}

static void make_dirty(struct sim *sim, struct thread *th, struct file *file)
{
	struct page *page = page_find(sim, file, th->io.page);

	if (!page)
		page = page_add(sim, file, th->io.page);
	if (!page)
		return;
	page->flags |= PAGE_UPTODATE | PAGE_REFERENCED;
	/* folio_account_dirtied(): a page that is dirty already counts for nobody. */
	th->throttle.nr_dirtied += !(page->flags & PAGE_DIRTY);
	page_set_dirty(sim, file, page);
	writeback_dirtied(sim);
	th->io.pos += th->io.count;
	th->io.left -= th->io.count;
	th->io.page++;
	file->size_bytes = max_u64(file->size_bytes, th->io.pos);
}

static uint64_t prepare_cost(struct sim *sim, struct thread *th)
{
	if (th->io.prepared)
		return 0;
	th->io.prepared = true;
	return sim_cost(sim, &th->rng, COST_WRITE_PREPARE);
}

/* The clock of file times ticks once per jiffy. Without the writeback cache: S_NOCMTIME. */
void file_update_time(struct sim *sim, struct file *file)
{
	uint64_t tick = sim->host->now_ns / sim->jiffy_ns + 1;

	if (sim->stack->daemon.mode != MODE_WRITEBACK)
		return;
	if (file->mtime_tick != tick)
		file->times_dirty = true;
	file->mtime_tick = tick;
}

static bool write_back(struct sim *sim, struct thread *th, struct file *file)
{
	FLOW_BEGIN(th->fill.at);
	file_update_time(sim, file);
	while (th->io.left && !sim->stop) {
		th->io.count = bytes_in_page(th, th->io.pos, th->io.left);
		while (must_wait(sim, page_find(sim, file, th->io.page))) {
			FLOW_WAIT(th->fill.at, page_wait(th, page_find(sim, file, th->io.page)));
			FLOW_WAIT(th->fill.at, cpu_wait_turn(sim, th->slot));
		}
		if (needs_read(sim, th, file, page_find(sim, file, th->io.page))) {
			th->io.waited = true;
			FLOW_WAIT(th->fill.at, thread_spend(sim, th, prepare_cost(sim, th)));
			FLOW_CALL(th->fill.at,
				  read_page(sim, th, file, th->io.page, SPAN_READ_MODIFY));
		}
		make_dirty(sim, th, file);
		FLOW_CALL(th->fill.at, dirty_throttle(sim, th));
	}
	FLOW_WAIT(th->fill.at, thread_spend(sim, th, copy_cost(sim, th)));
	FLOW_END(th->fill.at);
}

bool cached_write(struct sim *sim, struct thread *th)
{
	struct file *file = th->file;
	bool later = sim->stack->daemon.mode == MODE_WRITEBACK;

	FLOW_BEGIN(th->io.at);
	if (later)
		FLOW_CALL(th->io.at, file_update_attr(sim, th, file));
	FLOW_WAIT(th->io.at, inode_lock(th, file));
	FLOW_CALL(th->io.at, file_remove_privs(sim, th, file));
	start(th);
	if (later)
		FLOW_CALL(th->io.at, write_back(sim, th, file));
	else
		FLOW_CALL(th->io.at, write_through(sim, th, file));
	if (later && !th->io.waited)
		FLOW_WAIT(th->io.at, thread_spend_cost(sim, th, COST_WRITE_HIT));
	inode_unlock(sim, file);
	if (!later || th->io.waited)
		FLOW_WAIT(th->io.at, thread_spend_cost(sim, th, COST_WRITE_FINISH));
	th->record.result = th->op.size_bytes;
	FLOW_END(th->io.at);
}
