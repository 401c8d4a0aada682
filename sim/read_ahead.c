// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Read-ahead: the kernel's state machine (mm/readahead.c, ondemand_readahead) and the READs that
 * fuse_readahead() makes of its windows.
 */
#include "sim/flow.h"
#include "sim/page_cache.h"

#define IO_PAGES 32u /* bdi->io_pages: not changed by read_ahead_kb */
#define FORCED_CHUNK_PAGES 512u /* force_page_cache_ra() reads 2 MiB at a time */

void read_ahead_init(struct sim *sim, struct read_ahead *ra, uint32_t open_flags)
{
	*ra = (struct read_ahead){
		.max_pages = sim->stack->guest.read_ahead_bytes / PAGE_BYTES,
		.prev_pos = UINT64_MAX,
		.random = open_flags & OP_HINT_RANDOM,
	};
	if (open_flags & OP_HINT_SEQUENTIAL)
		ra->max_pages *= 2;
}

static uint32_t round_up_to_power_of_two(uint32_t n)
{
	uint32_t power = 1;

	while (power < n && power < 1u << 31)
		power *= 2;
	return power;
}

/* get_init_ra_size() */
static uint32_t first_size(uint32_t asked, uint32_t max)
{
	uint32_t size = round_up_to_power_of_two(asked);

	if (size <= max / 32)
		return size * 4;
	if (size <= max / 4)
		return size * 2;
	return max;
}

/* get_next_ra_size() */
static uint32_t next_size(uint32_t size, uint32_t max)
{
	if (size < max / 16)
		return 4 * size;
	if (size <= max / 2)
		return 2 * size;
	return max;
}

/* page_cache_prev_miss() as count_history_pages() uses it: cached pages right before index. */
static uint32_t history(const struct sim *sim, const struct file *file, uint64_t index,
			uint32_t max)
{
	uint32_t nr = 0;

	while (nr < max && index > nr && page_find(sim, file, index - 1 - nr))
		nr++;
	return nr;
}

/* Where the next window starts when a marker is hit whose window is not the current one. */
static bool interleaved(const struct sim *sim, const struct file *file, struct read_ahead *ra,
			uint64_t index, uint32_t asked, uint32_t max)
{
	uint64_t start = index + 1;

	while (start - index <= max && page_find(sim, file, start))
		start++;
	if (start - index > max)
		return false;
	ra->start = start;
	ra->size = next_size(start - index + asked, max);
	ra->async_size = ra->size;
	return true;
}

static void initial_window(struct read_ahead *ra, uint64_t index, uint32_t asked, uint32_t max)
{
	ra->start = index;
	ra->size = first_size(asked, max);
	ra->async_size = ra->size > asked ? ra->size - asked : ra->size;
}

/*
 * Decide the next window. False: none is to be read. With *as_is the pages asked for are read and
 * the state stays as it is (a random read).
 */
static bool decide(const struct sim *sim, const struct file *file, struct read_ahead *ra,
		   uint64_t index, uint32_t asked, bool marker, bool *as_is)
{
	uint32_t max = ra->max_pages, nr_before;

	*as_is = false;
	if (asked > max && IO_PAGES > max)
		max = min_u64(asked, IO_PAGES);
	if (!index) {
		initial_window(ra, index, asked, max);
	} else if (index == ra->start + ra->size - ra->async_size ||
		   index == ra->start + ra->size) {
		ra->start += ra->size;
		ra->size = next_size(ra->size, max);
		ra->async_size = ra->size;
	} else if (marker) {
		if (!interleaved(sim, file, ra, index, asked, max))
			return false;
	} else if (asked > max || index - (ra->prev_pos / PAGE_BYTES) <= 1) {
		initial_window(ra, index, asked, max);
	} else {
		nr_before = history(sim, file, index, max);
		if (nr_before <= asked) {
			*as_is = true;
			return true;
		}
		if (nr_before >= index)
			nr_before *= 2;
		ra->start = index;
		ra->size = min_u64(nr_before + asked, max);
		ra->async_size = 1;
	}
	/* Would this read hit its own marker? Then merge the next window into this one. */
	if (index == ra->start && ra->size == ra->async_size) {
		uint32_t more = next_size(ra->size, max);

		if (ra->size + more <= max) {
			ra->async_size = more;
			ra->size += more;
		} else {
			ra->size = max;
			ra->async_size = max / 2;
		}
	}
	return true;
}

/* Take back pages that a congested connection will not read; the state says what happened. */
static void skip_pages(struct sim *sim, struct file *file, struct read_ahead *ra, uint64_t first,
		       uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		page_remove(sim, file, first + i);
	ra->size -= min_u64(ra->size, nr);
	ra->async_size -= min_u64(ra->async_size, nr);
}

/* fuse_readahead(): READs for nr new pages from first on, not sent yet. */
static void make_requests(struct sim *sim, struct thread *th, struct file *file, uint64_t first,
			  uint32_t nr)
{
	struct read_ahead *ra = th->ra.state;

	while (nr) {
		uint32_t part = min_u64(nr, sim->max_pages);
		struct request *req;

		if (sim->num_background >= sim->congestion_threshold && ra->async_size >= nr) {
			skip_pages(sim, file, ra, first, nr);
			return;
		}
		req = request_new(sim, FUSE_READ, file);
		if (!req)
			return;
		req->use = USE_PAGES_READ;
		req->first_page = first;
		req->span.cls = SPAN_READAHEAD;
		request_set_data(req, first * PAGE_BYTES, part * PAGE_BYTES, part);
		for (uint32_t i = 0; i < part; i++) {
			struct page *page = page_find(sim, file, first + i);

			page->req = req;
			page->flags &= ~PAGE_LOCKED;
		}
		list_append(&th->ra.made, req);
		first += part;
		nr -= part;
	}
}

/* page_cache_ra_unbounded(): add the pages that are missing, one READ for each run of them. */
static void add_pages(struct sim *sim, struct thread *th, struct file *file, uint64_t start,
		      uint32_t nr, uint32_t lookahead)
{
	uint64_t last = file->size_bytes ? (file->size_bytes - 1) / PAGE_BYTES : 0;
	uint32_t run = 0;

	if (!file->size_bytes || start > last)
		return;
	if (nr > last - start)
		nr = last - start + 1;
	for (uint32_t i = 0; i < nr && !sim->stop; i++) {
		struct page *page = page_find(sim, file, start + i);

		if (page) {
			make_requests(sim, th, file, start + i - run, run);
			run = 0;
			continue;
		}
		page = page_add(sim, file, start + i);
		if (!page)
			return;
		page->flags |= PAGE_LOCKED;
		if (i == nr - lookahead)
			page->flags |= PAGE_MARKER;
		run++;
	}
	make_requests(sim, th, file, start + nr - run, run);
}

static void force_pages(struct sim *sim, struct thread *th, struct file *file, uint64_t index,
			uint32_t asked)
{
	uint32_t left = min_u64(asked, max_u64(IO_PAGES, th->ra.state->max_pages));

	while (left && !sim->stop) {
		uint32_t part = min_u64(left, FORCED_CHUNK_PAGES);

		add_pages(sim, th, file, index, part, 0);
		index += part;
		left -= part;
	}
}

static void make_window(struct sim *sim, struct thread *th, struct file *file, uint64_t index,
			uint32_t asked, bool marker)
{
	struct read_ahead *ra = th->ra.state;
	bool as_is;

	if (!ra->max_pages && marker)
		return;
	if (!marker && (!ra->max_pages || ra->random)) {
		force_pages(sim, th, file, index, ra->max_pages ? asked : 1);
		return;
	}
	if (!decide(sim, file, ra, index, asked, marker, &as_is))
		return;
	if (as_is)
		add_pages(sim, th, file, index, asked, 0);
	else
		add_pages(sim, th, file, ra->start, ra->size, ra->async_size);
}

/* Allocating the pages: the first is part of READ_PREPARE. */
static uint64_t pages_cost(const struct sim *sim, const struct thread *th)
{
	uint64_t pages = 0;

	for (const struct request *req = th->ra.made.first; req; req = req->next)
		pages += req->nr_pages;
	return pages > 1 ? (uint64_t)((pages - 1) * sim->stack->read_prepare_ns_per_page) : 0;
}

bool read_ahead(struct sim *sim, struct thread *th, struct file *file, uint64_t index,
		uint32_t asked, bool marker)
{
	FLOW_BEGIN(th->ra.at);
	th->ra.state = &task_open_file(sim, th)->ra;
	make_window(sim, th, file, index, asked, marker);
	FLOW_WAIT(th->ra.at, thread_spend(sim, th, pages_cost(sim, th)));
	while (th->ra.made.first) {
		th->background.req = list_take(&th->ra.made);
		th->background.force = false;
		FLOW_CALL(th->ra.at, simple_background(sim, th));
	}
	FLOW_END(th->ra.at);
}
