// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cached reads: filemap_read() over the page cache, with read-ahead at misses and markers.
 */
#include "sim/flow.h"
#include "sim/page_cache.h"

/* PAGEVEC_SIZE: filemap_get_read_batch() */
static uint32_t batch_pages(const struct sim *sim)
{
	return sim->rules.reads_31_pages ? 31 : 15;
}

bool read_page(struct sim *sim, struct thread *th, struct file *file, uint64_t index,
	       enum span_class cls)
{
	if (!th->simple.at) {
		struct request *req = request_new(sim, FUSE_READ, file);
		struct page *page = page_find(sim, file, index);

		th->simple.req = req;
		if (!req)
			return true;
		if (!page)
			page = page_add(sim, file, index);
		if (page)
			page->req = req;
		req->use = USE_PAGES_READ;
		req->first_page = index;
		req->span.cls = cls;
		request_set_data(req, index * PAGE_BYTES, PAGE_BYTES, 1);
	}
	return simple_request(sim, th);
}

/* Pages from th->io.page on that can be copied or waited for together; the last may not be ready.
 */
static uint32_t batch(struct sim *sim, struct thread *th, const struct file *file)
{
	uint32_t nr = 0;

	while (nr < batch_pages(sim) && th->io.page + nr < th->io.end) {
		struct page *page = page_find(sim, file, th->io.page + nr);

		if (!page)
			break;
		nr++;
		page->flags |= PAGE_REFERENCED;
		if (!(page->flags & PAGE_UPTODATE) || page->flags & PAGE_MARKER)
			break;
	}
	return nr;
}

static struct page *last_page(struct sim *sim, struct thread *th, const struct file *file)
{
	return page_find(sim, file, th->io.page + th->io.count - 1);
}

static uint64_t prepare_cost(struct sim *sim, struct thread *th)
{
	if (th->io.prepared)
		return 0;
	th->io.prepared = true;
	return sim_cost(sim, &th->rng, COST_READ_PREPARE);
}

/* A marker is taken off by whoever hits it; it has no effect while the page is written back. */
static bool hits_marker(struct sim *sim, struct thread *th, const struct file *file)
{
	struct page *page = last_page(sim, th, file);

	if (!(page->flags & PAGE_MARKER) || page->flags & PAGE_WRITEBACK)
		return false;
	page->flags &= ~PAGE_MARKER;
	return true;
}

/* Make the next batch of pages uptodate: th->io.count of them. */
static bool get_pages(struct sim *sim, struct thread *th, struct file *file)
{
	FLOW_BEGIN(th->fill.at);
	th->io.count = batch(sim, th, file);
	if (!th->io.count) {
		FLOW_WAIT(th->fill.at, thread_spend(sim, th, prepare_cost(sim, th)));
		FLOW_CALL(th->fill.at, read_ahead(sim, th, file, th->io.page,
						  th->io.asked_end - th->io.page, false));
		th->io.count = batch(sim, th, file);
		if (!th->io.count && !sim->stop) {
			th->io.finish = READ_ENDS_WITH_REQUEST;
			FLOW_CALL(th->fill.at,
				  read_page(sim, th, file, th->io.page, SPAN_READAHEAD));
			th->io.count = 1;
			FLOW_RETURN(th->fill.at);
		}
	}
	if (sim->stop)
		FLOW_RETURN(th->fill.at);
	if (hits_marker(sim, th, file)) {
		FLOW_WAIT(th->fill.at, thread_spend(sim, th, prepare_cost(sim, th)));
		FLOW_CALL(th->fill.at,
			  read_ahead(sim, th, file, th->io.page + th->io.count - 1,
				     th->io.asked_end - (th->io.page + th->io.count - 1), true));
	}
	/* The page may have been dropped while this task slept: then it is read again. */
	while (!sim->stop &&
	       !(last_page(sim, th, file) && last_page(sim, th, file)->flags & PAGE_UPTODATE)) {
		if (last_page(sim, th, file) && last_page(sim, th, file)->req) {
			th->io.finish = READ_ENDS_WITH_PAGE;
			FLOW_WAIT(th->fill.at, page_wait(th, last_page(sim, th, file)));
			FLOW_WAIT(th->fill.at, cpu_wait_turn(sim, th->slot));
			continue;
		}
		th->io.finish = READ_ENDS_WITH_REQUEST;
		FLOW_WAIT(th->fill.at, thread_spend(sim, th, prepare_cost(sim, th)));
		FLOW_CALL(th->fill.at,
			  read_page(sim, th, file, th->io.page + th->io.count - 1, SPAN_READAHEAD));
	}
	FLOW_END(th->fill.at);
}

/* Copying: the first page of an op is part of READ_HIT or READ_FINISH. */
static uint64_t copy_cost(const struct sim *sim, const struct thread *th)
{
	uint32_t pages = th->io.count - (th->io.nr_pages == 0);

	return (uint64_t)(pages * sim->stack->read_hit_ns_per_page);
}

static void copied(struct sim *sim, struct thread *th)
{
	uint64_t end = th->op.offset_bytes + th->io.left;

	th->io.nr_pages += th->io.count;
	th->io.page += th->io.count;
	if (th->io.page == th->io.end || !sim->rules.position_at_read_end)
		task_open_file(sim, th)->ra.prev_pos = min_u64(end, th->io.page * PAGE_BYTES);
}

/* What the end of the op costs: PAGE_WAKEUP has it in it already. */
static uint64_t finish_cost(struct sim *sim, struct thread *th)
{
	switch (th->io.finish) {
	case READ_ENDS_WITH_HIT:
		return sim_cost(sim, &th->rng, COST_READ_HIT);
	case READ_ENDS_WITH_REQUEST:
		return sim_cost(sim, &th->rng, COST_READ_FINISH);
	case READ_ENDS_WITH_PAGE:
		break;
	}
	return 0;
}

bool cached_read(struct sim *sim, struct thread *th)
{
	struct file *file = th->file;

	FLOW_BEGIN(th->io.at);
	FLOW_CALL(th->io.at, file_update_attr(sim, th, file));
	th->io.prepared = false;
	th->io.finish = READ_ENDS_WITH_HIT;
	th->io.nr_pages = 0;
	th->io.left = 0;
	if (th->op.offset_bytes < file->size_bytes)
		th->io.left = min_u64(th->op.size_bytes, file->size_bytes - th->op.offset_bytes);
	th->io.page = th->op.offset_bytes / PAGE_BYTES;
	th->io.end = (th->op.offset_bytes + th->io.left + PAGE_BYTES - 1) / PAGE_BYTES;
	/* filemap_get_pages() tells read-ahead what the caller wants, not what is there. */
	th->io.asked_end = (th->op.offset_bytes + th->op.size_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
	while (th->io.left && th->io.page < th->io.end && !sim->stop) {
		FLOW_CALL(th->io.at, get_pages(sim, th, file));
		FLOW_WAIT(th->io.at, thread_spend(sim, th, copy_cost(sim, th)));
		copied(sim, th);
	}
	FLOW_WAIT(th->io.at, thread_spend(sim, th, finish_cost(sim, th)));
	th->record.result = th->io.left;
	FLOW_END(th->io.at);
}
