// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writeback of dirty pages: who sends them (fsync, close, the flusher) and in which requests.
 * Background writeback starts when dirty_throttle.c finds too much, and goes on until no more than
 * the background limit is dirty.
 */
#include "sim/flow.h"
#include "sim/page_cache.h"

#define PERIOD_NS (5 * NS_PER_SEC) /* dirty_writeback_centisecs */
#define EXPIRE_NS (30 * NS_PER_SEC) /* dirty_expire_centisecs */

/* A WRITE of the contiguous dirty pages from first to before end that are not in writeback. */
static struct request *make_write(struct sim *sim, struct file *file, uint64_t first, uint64_t end)
{
	uint32_t most = min_u64(min_u64(sim->max_pages, end - first),
				sim->stack->daemon.max_write_bytes / PAGE_BYTES);
	struct request *req = request_new(sim, FUSE_WRITE, file);
	uint64_t offset = first * PAGE_BYTES;
	uint32_t nr = 0;

	if (!req)
		return NULL;
	while (nr < most) {
		struct page *page = page_find(sim, file, first + nr);

		if (!page || !(page->flags & PAGE_DIRTY) || page->req)
			break;
		page_clear_dirty(sim, file, page);
		page->flags |= PAGE_WRITEBACK;
		page->req = req;
		nr++;
	}
	file->nr_writeback += nr;
	sim->nr_writeback += nr;
	req->use = USE_PAGES_WRITTEN;
	req->first_page = first;
	req->span.cls = SPAN_WRITEBACK;
	request_set_data(req, offset, min_u64(nr * PAGE_BYTES, file->size_bytes - offset), nr);
	return req;
}

/* Send the file's dirty pages in order; with wait, also those that are in writeback already. */
static bool send_pages(struct sim *sim, struct thread *th, struct file *file, bool wait)
{
	FLOW_BEGIN(th->pages.at);
	for (th->wb.next = th->wb.first;;) {
		struct page *page;

		th->wb.next = page_next_dirty(sim, file, th->wb.next);
		if (th->wb.next >= th->wb.end || sim->stop)
			break;
		page = page_find(sim, file, th->wb.next);
		if (page->req && wait) {
			FLOW_WAIT(th->pages.at, page_wait(th, page));
			FLOW_WAIT(th->pages.at, cpu_wait_turn(sim, th->slot));
			continue;
		}
		if (page->req) {
			th->wb.next++;
			continue;
		}
		th->background.req = make_write(sim, file, th->wb.next, th->wb.end);
		th->background.force = true;
		if (th->background.req) {
			th->wb.next += th->background.req->nr_pages;
			th->wb.last = th->wb.next - 1;
		}
		FLOW_CALL(th->pages.at, simple_background(sim, th));
	}
	FLOW_END(th->pages.at);
}

/* Some page in writeback, from th->wb.next on. */
static struct page *next_in_writeback(struct sim *sim, struct thread *th, struct file *file)
{
	uint64_t end = min_u64((file->size_bytes + PAGE_BYTES - 1) / PAGE_BYTES, th->wb.end);

	for (; file->nr_writeback && th->wb.next < end; th->wb.next++) {
		struct page *page = page_find(sim, file, th->wb.next);

		if (page && page->flags & PAGE_WRITEBACK)
			return page;
	}
	return NULL;
}

bool send_times(struct sim *sim, struct thread *th, struct file *file)
{
	if (!th->simple.at) {
		file->times_dirty = false;
		th->simple.req = request_new(sim, FUSE_SETATTR, file);
		if (th->simple.req)
			th->simple.req->about.has_handle = file->nr_open != 0;
	}
	return simple_request(sim, th);
}

/*
 * mapping->writeback_index: the flusher (range_cyclic) writes from there to the end of the file,
 * and from the start the next time; whoever writes the whole file leaves it at the last page.
 */
static void keep_index(const struct thread *th, struct file *file, enum writeback_how how)
{
	if (how == WRITEBACK_START)
		file->writeback_index = 0;
	else if (how != WRITEBACK_SEND && !th->wb.first && th->wb.end == UINT64_MAX)
		file->writeback_index = th->wb.last;
}

static bool write_pages(struct sim *sim, struct thread *th, struct file *file,
			enum writeback_how how)
{
	bool wait = how == WRITEBACK_DATA || how == WRITEBACK_SYNC;

	FLOW_BEGIN(th->wb.at);
	th->wb.last = 0;
	FLOW_CALL(th->wb.at, send_pages(sim, th, file, wait));
	keep_index(th, file, how);
	th->wb.next = th->wb.first;
	while (wait && next_in_writeback(sim, th, file) && !sim->stop) {
		FLOW_WAIT(th->wb.at, page_wait(th, next_in_writeback(sim, th, file)));
		FLOW_WAIT(th->wb.at, cpu_wait_turn(sim, th->slot));
	}
	if ((how == WRITEBACK_START || how == WRITEBACK_SYNC) && file->times_dirty)
		FLOW_CALL(th->wb.at, send_times(sim, th, file));
	FLOW_END(th->wb.at);
}

/* Without the writeback cache pages become dirty by writes to mapped memory alone. */
bool writeback_range(struct sim *sim, struct thread *th, struct file *file, uint64_t first,
		     uint64_t end, enum writeback_how how)
{
	if (!th->wb.at) {
		if (sim->stack->daemon.mode != MODE_WRITEBACK && !file->nr_dirty &&
		    !file->nr_writeback)
			return true;
		th->wb.first = first;
		th->wb.end = end;
	}
	return write_pages(sim, th, file, how);
}

bool writeback_file(struct sim *sim, struct thread *th, struct file *file, enum writeback_how how)
{
	return writeback_range(sim, th, file, how == WRITEBACK_START ? file->writeback_index : 0,
			       UINT64_MAX, how);
}

/* The page's I/O, if it is still there and has some. */
static struct page *page_in_io(struct sim *sim, const struct file *file, uint64_t index)
{
	struct page *page = page_find(sim, file, index);

	return page && page->req ? page : NULL;
}

bool writeback_wait(struct sim *sim, struct thread *th, struct file *file)
{
	struct page *page = NULL;

	FLOW_BEGIN(th->pages.at);
	th->wb.next = 0;
	th->wb.end = UINT64_MAX;
	while ((page = next_in_writeback(sim, th, file)) && !sim->stop) {
		FLOW_WAIT(th->pages.at, page_wait(th, page));
		FLOW_WAIT(th->pages.at, cpu_wait_turn(sim, th->slot));
	}
	FLOW_END(th->pages.at);
}

/* fuse_launder_folio() of each dirty page: a WRITE of its own, waited for. */
static bool launder_pages(struct sim *sim, struct thread *th, struct file *file)
{
	struct page *page = NULL;

	FLOW_BEGIN(th->launder.at);
	while (!sim->stop && page_next_dirty(sim, file, 0) != UINT64_MAX) {
		th->launder.page = page_next_dirty(sim, file, 0);
		if (!page_in_io(sim, file, th->launder.page)) {
			th->background.req =
				make_write(sim, file, th->launder.page, th->launder.page + 1);
			th->background.force = true;
			FLOW_CALL(th->launder.at, simple_background(sim, th));
		}
		while ((page = page_in_io(sim, file, th->launder.page)) && !sim->stop) {
			FLOW_WAIT(th->launder.at, page_wait(th, page));
			FLOW_WAIT(th->launder.at, cpu_wait_turn(sim, th->slot));
		}
	}
	FLOW_CALL(th->launder.at, writeback_wait(sim, th, file));
	FLOW_END(th->launder.at);
}

bool invalidate_pages(struct sim *sim, struct thread *th, struct file *file)
{
	if (!launder_pages(sim, th, file))
		return false;
	page_cache_drop(sim, file);
	return true;
}

/* filemap_write_and_wait_range() before direct I/O: of what it is about to read or replace. */
bool writeback_op_range(struct sim *sim, struct thread *th, struct file *file)
{
	uint64_t end = th->op.offset_bytes + th->op.size_bytes;

	return writeback_range(sim, th, file, th->op.offset_bytes / PAGE_BYTES,
			       (end + PAGE_BYTES - 1) / PAGE_BYTES, WRITEBACK_DATA);
}

void writeback_start_background(struct sim *sim)
{
	struct thread *th = sim->flusher;

	th->flusher.kicked = true;
	if (!th->flusher.idle)
		return;
	th->flusher.idle = false;
	thread_wake_after(sim, th, sim_cost(sim, &th->rng, COST_KWORKER));
}

/* The first dirty page starts the flusher's period, as wb_wakeup_delayed() does. */
void writeback_dirtied(struct sim *sim)
{
	struct thread *th = sim->flusher;

	if (!th->flusher.idle || th->flusher.has_period)
		return;
	th->flusher.has_period = true;
	thread_wake_after(sim, th, PERIOD_NS);
}

void writeback_ended(struct sim *sim, struct request *req)
{
	dirty_written(sim, req->nr_pages);
	if (sim->stack->daemon.mode == MODE_WRITEBACK)
		return;
	/* fuse_writepage_end(): its mtime is the host's, which has moved on. */
	req->file->stat_stale = true;
	req->file->host_newer = true;
}

/* Background writeback takes every dirty file while there is too much; the period the old ones. */
static bool is_due(const struct sim *sim, const struct thread *th, const struct file *file)
{
	if (!file->nr_dirty)
		return false;
	if (th->flusher.over)
		return true;
	return sim->host->now_ns - file->dirtied_when_ns >= EXPIRE_NS;
}

static bool flusher_waits(struct sim *sim, struct thread *th)
{
	if (th->flusher.kicked)
		return false;
	th->flusher.idle = true;
	th->flusher.has_period = sim->nr_dirty != 0;
	if (!sim->nr_dirty)
		return thread_block(th);
	return thread_sleep_until(sim, th, sim->host->now_ns + PERIOD_NS);
}

/*
 * wb_writeback() looks at the limit before it takes all dirty inodes, not between them; also when
 * the period has ended (wb_check_background_flush).
 */
static void begin_pass(const struct sim *sim, struct thread *th)
{
	th->flusher.over = sim->nr_dirty > dirty_background_limit(sim);
	th->flusher.nr_dirty = sim->nr_dirty;
	th->flusher.file = 0;
}

static bool flusher_flow(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->flusher.at);
	for (;;) {
		FLOW_WAIT(th->flusher.at, flusher_waits(sim, th));
		th->flusher.idle = false;
		FLOW_WAIT(th->flusher.at, cpu_wait_turn(sim, th->slot));
		begin_pass(sim, th);
		while (th->flusher.file < sim->nr_files) {
			if (is_due(sim, th, &sim->files[th->flusher.file]))
				FLOW_CALL(th->flusher.at,
					  writeback_file(sim, th, &sim->files[th->flusher.file],
							 WRITEBACK_START));
			th->flusher.file++;
		}
		/* Again as long as that helps and there is still too much. */
		th->flusher.kicked = th->flusher.over && sim->nr_dirty < th->flusher.nr_dirty;
	}
	FLOW_END(th->flusher.at);
}

void flusher_run(struct sim *sim, struct thread *th)
{
	flusher_flow(sim, th);
}
