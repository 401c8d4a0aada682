// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Read-ahead: the kernel's state machine (mm/readahead.c) and the READs that fuse_readahead() makes
 * of its windows. Kernels before 6.12 decide in ondemand_readahead() about misses and markers
 * alike, later ones in page_cache_sync_ra() and page_cache_async_ra().
 */
#include "sim/flow.h"
#include "sim/mmap.h"
#include "sim/page_cache.h"

#define IO_PAGES 32u /* bdi->io_pages: not changed by read_ahead_kb */
#define FORCED_CHUNK_PAGES 512u /* force_page_cache_ra() reads 2 MiB at a time */

void read_ahead_advise(struct sim *sim, struct read_ahead *ra, uint32_t flags)
{
	ra->random = flags & OP_HINT_RANDOM;
	/* RANDOM leaves the window as it is. */
	if (ra->random)
		return;
	ra->max_pages = sim->stack->guest.read_ahead_bytes / PAGE_BYTES;
	if (flags & OP_HINT_SEQUENTIAL)
		ra->max_pages *= 2;
}

void read_ahead_init(struct sim *sim, struct read_ahead *ra, uint32_t open_flags)
{
	*ra = (struct read_ahead){.prev_pos = UINT64_MAX};
	read_ahead_advise(sim, ra, 0);
	read_ahead_advise(sim, ra, open_flags);
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

/*
 * page_cache_prev_miss() as count_history_pages() uses it: cached pages right before index. Whether
 * none is missing among max pages its first form does not tell: then it counts one less.
 */
static uint32_t history(const struct sim *sim, const struct file *file, uint64_t index,
			uint32_t max)
{
	uint32_t nr = 0;

	while (nr < max && index > nr && page_find(sim, file, index - 1 - nr))
		nr++;
	return nr == max && !sim->rules.history_counts_all ? max - 1 : nr;
}

/*
 * Where the next window starts when a marker is hit whose window is not the current one: at the
 * first page that is not cached. 6.1's page_cache_next_miss() does not tell that there is none, but
 * returns the last page it looked at.
 */
static bool interleaved(const struct sim *sim, const struct file *file, struct read_ahead *ra,
			uint64_t index, uint32_t asked, uint32_t max)
{
	uint64_t start = index + 1;

	while (start - index <= max && page_find(sim, file, start))
		start++;
	if (start - index > max) {
		if (sim->rules.read_ahead_split)
			return false;
		start = index + max;
	}
	ra->start = start;
	ra->size = next_size(start - index + asked, max);
	ra->async_size = ra->size;
	return true;
}

static void initial_window(const struct sim *sim, struct read_ahead *ra, uint64_t index,
			   uint32_t asked, uint32_t max)
{
	ra->start = index;
	ra->size = first_size(asked, max);
	ra->async_size = ra->size > asked ? ra->size - asked : ra->size;
	if (sim->rules.read_ahead_split && ra->size <= asked)
		ra->async_size = ra->size / 2;
}

static void next_window(struct read_ahead *ra, uint32_t max)
{
	ra->start += ra->size;
	ra->size = max_u64(ra->size, next_size(ra->size, max));
	ra->async_size = ra->size;
}

static bool is_oversize_or_sequential(const struct read_ahead *ra, uint64_t index, uint32_t asked,
				      uint32_t max)
{
	return asked > max || index - ra->prev_pos / PAGE_BYTES <= 1;
}

/*
 * Cached pages right before a miss are taken for the trace of a sequential reader. False: there are
 * too few, the read is random.
 */
static bool window_by_history(const struct sim *sim, const struct file *file, struct read_ahead *ra,
			      uint64_t index, uint32_t asked, uint32_t max)
{
	uint32_t nr_before = history(sim, file, index, max);

	if (nr_before <= asked)
		return false;
	if (nr_before >= index)
		nr_before *= 2;
	ra->start = index;
	ra->size = min_u64(nr_before + asked, max);
	ra->async_size = 1;
	return true;
}

/* What a decision comes to. */
enum window {
	WINDOW_NONE, /* read nothing */
	WINDOW_AS_ASKED, /* the pages asked for; the state stays as it is: a random read */
	WINDOW_OF_STATE, /* what the state says now */
};

/* Would this read hit its own marker? Then ondemand_readahead() merges the next window into it. */
static void merge_next_window(struct read_ahead *ra, uint64_t index, uint32_t max)
{
	uint32_t more = next_size(ra->size, max);

	if (index != ra->start || ra->size != ra->async_size)
		return;
	if (ra->size + more <= max) {
		ra->async_size = more;
		ra->size += more;
	} else {
		ra->size = max;
		ra->async_size = max / 2;
	}
}

/* ondemand_readahead() of 6.1 */
static enum window decide_on_demand(const struct sim *sim, const struct file *file,
				    struct read_ahead *ra, uint64_t index, uint32_t asked,
				    bool marker, uint32_t max)
{
	if (!index) {
		initial_window(sim, ra, index, asked, max);
	} else if (index == ra->start + ra->size - ra->async_size ||
		   index == ra->start + ra->size) {
		next_window(ra, max);
	} else if (marker) {
		if (!interleaved(sim, file, ra, index, asked, max))
			return WINDOW_NONE;
	} else if (is_oversize_or_sequential(ra, index, asked, max)) {
		initial_window(sim, ra, index, asked, max);
	} else if (!window_by_history(sim, file, ra, index, asked, max)) {
		return WINDOW_AS_ASKED;
	}
	merge_next_window(ra, index, max);
	return WINDOW_OF_STATE;
}

/* page_cache_sync_ra() of 6.12 */
static enum window decide_at_miss(const struct sim *sim, const struct file *file,
				  struct read_ahead *ra, uint64_t index, uint32_t asked,
				  uint32_t max)
{
	if (!index || is_oversize_or_sequential(ra, index, asked, max))
		initial_window(sim, ra, index, asked, max);
	else if (!window_by_history(sim, file, ra, index, asked, max))
		return WINDOW_AS_ASKED;
	return WINDOW_OF_STATE;
}

/* 6.18: as folios of order 2 would end, which is the least that a marker asks for. */
static void round_end(struct read_ahead *ra, uint32_t max)
{
	uint32_t align = min_u64(4, max & -max);
	uint64_t end = ra->start + ra->size, aligned_end = end - end % align;

	if (aligned_end > ra->start)
		ra->size -= end - aligned_end;
	ra->async_size = ra->size;
}

/* page_cache_async_ra() of 6.12 */
static enum window decide_at_marker(const struct sim *sim, const struct file *file,
				    struct read_ahead *ra, uint64_t index, uint32_t asked,
				    uint32_t max)
{
	if (index == ra->start + ra->size - ra->async_size)
		next_window(ra, max);
	else if (!interleaved(sim, file, ra, index, asked, max))
		return WINDOW_NONE;
	if (sim->rules.read_ahead_rounds_end)
		round_end(ra, max);
	return WINDOW_OF_STATE;
}

static enum window decide(const struct sim *sim, const struct file *file, struct read_ahead *ra,
			  uint64_t index, uint32_t asked, bool marker)
{
	uint32_t max = ra->max_pages;

	if (asked > max && IO_PAGES > max)
		max = min_u64(asked, IO_PAGES);
	if (!sim->rules.read_ahead_split)
		return decide_on_demand(sim, file, ra, index, asked, marker, max);
	if (marker)
		return decide_at_marker(sim, file, ra, index, asked, max);
	return decide_at_miss(sim, file, ra, index, asked, max);
}

/* Take back pages that a congested connection will not read. */
static void skip_pages(struct sim *sim, struct file *file, struct read_ahead *ra, uint64_t first,
		       uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		page_remove(sim, file, first + i);
	if (sim->rules.read_ahead_keeps_size)
		return;
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
	if (nr > last - start) {
		nr = last - start + 1;
		if (sim->rules.no_marker_at_end)
			lookahead = 0;
	}
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

	if (!ra->max_pages && marker)
		return;
	if (!marker && (!ra->max_pages || ra->random)) {
		force_pages(sim, th, file, index, ra->max_pages ? asked : 1);
		return;
	}
	switch (decide(sim, file, ra, index, asked, marker)) {
	case WINDOW_NONE:
		break;
	case WINDOW_AS_ASKED:
		add_pages(sim, th, file, index, asked, 0);
		break;
	case WINDOW_OF_STATE:
		add_pages(sim, th, file, ra->start, ra->size, ra->async_size);
		break;
	}
}

/* Allocating the pages: the first is part of READ_PREPARE. */
static uint64_t pages_cost(const struct sim *sim, const struct thread *th)
{
	uint64_t pages = 0;

	for (const struct request *req = th->ra.made.first; req; req = req->next)
		pages += req->nr_pages;
	return pages > 1 ? (uint64_t)((pages - 1) * sim->stack->read_prepare_ns_per_page) : 0;
}

/* Send the READs that were made. */
static bool send_made(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->ra.at);
	FLOW_WAIT(th->ra.at, thread_spend(sim, th, pages_cost(sim, th)));
	while (th->ra.made.first) {
		th->background.req = list_take(&th->ra.made);
		th->background.force = false;
		FLOW_CALL(th->ra.at, simple_background(sim, th));
	}
	FLOW_END(th->ra.at);
}

bool read_ahead(struct sim *sim, struct thread *th, struct file *file, uint64_t index,
		uint32_t asked, bool marker)
{
	if (!th->ra.at) {
		th->ra.state = &task_open_file(sim, th)->ra;
		make_window(sim, th, file, index, asked, marker);
	}
	return send_made(sim, th);
}

/* do_sync_mmap_readahead(): the window lies around the page, whatever was read before. */
bool read_around(struct sim *sim, struct thread *th, struct file *file, uint64_t index)
{
	if (!th->ra.at) {
		struct read_ahead *ra = &task_open_file(sim, th)->ra;

		th->ra.state = ra;
		ra->start = index - min_u64(index, ra->max_pages / 2);
		ra->size = ra->max_pages;
		ra->async_size = ra->max_pages / 4;
		add_pages(sim, th, file, ra->start, ra->size, ra->async_size);
	}
	return send_made(sim, th);
}

/* force_page_cache_readahead(): no more than one window, however much is wanted. */
bool read_wanted(struct sim *sim, struct thread *th, struct file *file, uint64_t first,
		 uint64_t end)
{
	if (!th->ra.at) {
		th->ra.state = &task_open_file(sim, th)->ra;
		force_pages(sim, th, file, first, min_u64(end - first, UINT32_MAX));
	}
	return send_made(sim, th);
}
