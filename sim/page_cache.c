// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page cache bookkeeping: page_cache.h. Read-ahead, reads and writes build on it.
 */
#include <errno.h>
#include <stdlib.h>
#include "sim/page_cache.h"

#define POOL_SHIFT 12 /* pages allocated at a time: 4096 */
#define POOL_PAGES (1u << POOL_SHIFT)
#define CHUNK_SHIFT 9
#define CHUNK_PAGES (1u << CHUNK_SHIFT)
#define MAX_FILE_PAGES (1ULL << 32)
#define PAGE_BUSY_OR_REFERENCED (PAGE_DIRTY | PAGE_WRITEBACK | PAGE_LOCKED | PAGE_REFERENCED)

/* Page numbers of 512 neighbouring pages of a file; 0: not cached. */
struct page_chunk {
	uint32_t nr_cached;
	uint32_t nr_dirty;
	uint32_t page[CHUNK_PAGES];
};

struct page_cache {
	struct page **pool;
	uint32_t nr_pool; /* blocks allocated */
	uint32_t max_pages;
	uint32_t nr_used; /* page numbers ever handed out; number 0 is none */
	uint32_t free; /* through newer */
	uint32_t newest;
	uint32_t oldest;
};

uint64_t page_cache_capacity(const struct sim *sim)
{
	/* Seen on a 1 GiB guest: a limit of 1704 kB, which is 1 % of 20 % of 13/16 of it. */
	return sim->stack->guest.memory_bytes / 16 * 13;
}

int page_cache_init(struct sim *sim)
{
	struct page_cache *cache = calloc(1, sizeof(*cache));
	uint64_t pages = min_u64(page_cache_capacity(sim) / PAGE_BYTES, UINT32_MAX - POOL_PAGES);

	if (!cache)
		return -ENOMEM;
	sim->cache = cache;
	cache->max_pages = pages;
	cache->nr_used = 1;
	cache->pool = calloc(pages / POOL_PAGES + 2, sizeof(*cache->pool));
	return cache->pool ? 0 : -ENOMEM;
}

void page_cache_release(struct sim *sim)
{
	for (uint32_t i = 0; sim->files && i < sim->nr_files; i++) {
		for (uint64_t c = 0; c < sim->files[i].nr_chunks; c++)
			free(sim->files[i].chunks[c]);
		free(sim->files[i].chunks);
		mappings_release(&sim->files[i]);
	}
	if (!sim->cache)
		return;
	for (uint32_t i = 0; sim->cache->pool && i < sim->cache->nr_pool; i++)
		free(sim->cache->pool[i]);
	free(sim->cache->pool);
	free(sim->cache);
}

static struct page *page_of(const struct page_cache *cache, uint32_t number)
{
	return &cache->pool[number >> POOL_SHIFT][number & (POOL_PAGES - 1)];
}

static struct page_chunk *chunk_of(const struct file *file, uint64_t index)
{
	uint64_t nr = index >> CHUNK_SHIFT;

	return nr < file->nr_chunks ? file->chunks[nr] : NULL;
}

static uint32_t *place_of(const struct file *file, uint64_t index)
{
	struct page_chunk *chunk = chunk_of(file, index);

	return chunk ? &chunk->page[index & (CHUNK_PAGES - 1)] : NULL;
}

struct page *page_find(const struct sim *sim, const struct file *file, uint64_t index)
{
	const uint32_t *place = place_of(file, index);

	return place && *place ? page_of(sim->cache, *place) : NULL;
}

static struct page_chunk *chunk_get(struct file *file, uint64_t index)
{
	uint64_t nr = index >> CHUNK_SHIFT;

	if (index >= MAX_FILE_PAGES)
		return NULL;
	if (nr >= file->nr_chunks) {
		uint64_t room = max_u64(nr + 1, 2 * file->nr_chunks);
		struct page_chunk **chunks = realloc(file->chunks, room * sizeof(*chunks));

		if (!chunks)
			return NULL;
		for (uint64_t i = file->nr_chunks; i < room; i++)
			chunks[i] = NULL;
		file->chunks = chunks;
		file->nr_chunks = room;
	}
	if (!file->chunks[nr])
		file->chunks[nr] = calloc(1, sizeof(*file->chunks[nr]));
	return file->chunks[nr];
}

static void age_insert(struct page_cache *cache, uint32_t number)
{
	struct page *page = page_of(cache, number);

	page->newer = 0;
	page->older = cache->newest;
	if (cache->newest)
		page_of(cache, cache->newest)->newer = number;
	else
		cache->oldest = number;
	cache->newest = number;
}

static void age_remove(struct page_cache *cache, uint32_t number)
{
	struct page *page = page_of(cache, number);

	if (page->newer)
		page_of(cache, page->newer)->older = page->older;
	else
		cache->newest = page->older;
	if (page->older)
		page_of(cache, page->older)->newer = page->newer;
	else
		cache->oldest = page->newer;
}

/* Reclaim: the oldest page that is clean, idle and was not read again. Few are passed over. */
static void evict_one(struct sim *sim)
{
	struct page_cache *cache = sim->cache;

	for (uint32_t tries = 0; tries < 2 * cache->max_pages; tries++) {
		uint32_t number = cache->oldest;
		struct page *page;

		if (!number)
			return;
		page = page_of(cache, number);
		if (!page->req && !(page->flags & PAGE_BUSY_OR_REFERENCED)) {
			page_remove(sim, &sim->files[page->file], page->index);
			return;
		}
		page->flags &= ~PAGE_REFERENCED;
		age_remove(cache, number);
		age_insert(cache, number);
	}
}

/* A free page number, or 0 when out of memory. */
static uint32_t number_new(struct sim *sim)
{
	struct page_cache *cache = sim->cache;
	uint32_t number;

	if (!cache->free && cache->nr_used > cache->max_pages)
		evict_one(sim);
	if (cache->free) {
		number = cache->free;
		cache->free = page_of(cache, number)->newer;
		return number;
	}
	/* All are dirty or in I/O: room for one block more, the dirty limits keep it there. */
	if (cache->nr_used >= cache->max_pages + POOL_PAGES)
		return 0;
	number = cache->nr_used;
	if (number >> POOL_SHIFT >= cache->nr_pool) {
		cache->pool[cache->nr_pool] = malloc(POOL_PAGES * sizeof(struct page));
		if (!cache->pool[cache->nr_pool])
			return 0;
		cache->nr_pool++;
	}
	cache->nr_used++;
	return number;
}

struct page *page_add(struct sim *sim, struct file *file, uint64_t index)
{
	struct page_chunk *chunk = chunk_get(file, index);
	uint32_t number = chunk ? number_new(sim) : 0;
	struct page *page;

	if (!number) {
		sim->stop = -ENOMEM;
		return NULL;
	}
	page = page_of(sim->cache, number);
	*page = (struct page){.file = file->index, .index = index};
	chunk->page[index & (CHUNK_PAGES - 1)] = number;
	chunk->nr_cached++;
	file->nr_cached++;
	age_insert(sim->cache, number);
	return page;
}

void page_remove(struct sim *sim, struct file *file, uint64_t index)
{
	struct page_chunk *chunk = chunk_of(file, index);
	uint32_t *place = &chunk->page[index & (CHUNK_PAGES - 1)];
	struct page *page = page_of(sim->cache, *place);

	if (page->flags & PAGE_MAPPED)
		page_unmap(file, page);
	age_remove(sim->cache, *place);
	page->newer = sim->cache->free;
	sim->cache->free = *place;
	*place = 0;
	chunk->nr_cached--;
	file->nr_cached--;
}

void page_set_dirty(struct sim *sim, struct file *file, struct page *page)
{
	if (page->flags & PAGE_DIRTY)
		return;
	page->flags |= PAGE_DIRTY;
	chunk_of(file, page->index)->nr_dirty++;
	if (!file->nr_dirty++)
		file->dirtied_when_ns = sim->host->now_ns;
	sim->nr_dirty++;
	sim->dirty.dirtied++;
}

void page_clear_dirty(struct sim *sim, struct file *file, struct page *page)
{
	page->flags &= ~PAGE_DIRTY;
	if (page->flags & PAGE_MAPPED)
		page_write_protect(file, page);
	chunk_of(file, page->index)->nr_dirty--;
	file->nr_dirty--;
	sim->nr_dirty--;
}

struct page *page_next(const struct sim *sim, const struct file *file, uint64_t index)
{
	while (index >> CHUNK_SHIFT < file->nr_chunks) {
		const struct page_chunk *chunk = file->chunks[index >> CHUNK_SHIFT];
		uint64_t end = ((index >> CHUNK_SHIFT) + 1) << CHUNK_SHIFT;

		for (; chunk && chunk->nr_cached && index < end; index++)
			if (chunk->page[index & (CHUNK_PAGES - 1)])
				return page_find(sim, file, index);
		index = end;
	}
	return NULL;
}

uint64_t page_next_dirty(const struct sim *sim, const struct file *file, uint64_t index)
{
	if (!file->nr_dirty)
		return UINT64_MAX;
	while (index >> CHUNK_SHIFT < file->nr_chunks) {
		const struct page_chunk *chunk = file->chunks[index >> CHUNK_SHIFT];
		uint64_t end = ((index >> CHUNK_SHIFT) + 1) << CHUNK_SHIFT;

		for (; chunk && chunk->nr_dirty && index < end; index++) {
			uint32_t number = chunk->page[index & (CHUNK_PAGES - 1)];

			if (number && page_of(sim->cache, number)->flags & PAGE_DIRTY)
				return index;
		}
		index = end;
	}
	return UINT64_MAX;
}

static void drop_range(struct sim *sim, struct file *file, uint64_t first, uint64_t end,
		       uint32_t keep)
{
	end = file->nr_cached ? min_u64(end, file->nr_chunks << CHUNK_SHIFT) : 0;
	while (first < end) {
		const struct page_chunk *chunk = chunk_of(file, first);
		uint64_t chunk_end = min_u64(end, ((first >> CHUNK_SHIFT) + 1) << CHUNK_SHIFT);

		for (; chunk && chunk->nr_cached && first < chunk_end; first++) {
			const struct page *page = page_find(sim, file, first);

			if (page && !page->req && !(page->flags & keep))
				page_remove(sim, file, first);
		}
		first = chunk_end;
	}
}

void page_cache_shed(struct sim *sim, struct file *file, uint64_t first, uint64_t end)
{
	drop_range(sim, file, first, end, PAGE_DIRTY | PAGE_WRITEBACK | PAGE_MAPPED);
}

void page_cache_drop_range(struct sim *sim, struct file *file, uint64_t first, uint64_t end)
{
	drop_range(sim, file, first, end, PAGE_DIRTY | PAGE_WRITEBACK);
}

void page_cache_drop(struct sim *sim, struct file *file)
{
	page_cache_drop_range(sim, file, 0, UINT64_MAX);
}

bool page_wait(struct thread *th, struct page *page)
{
	struct thread **last = &page->req->page_waiters;

	while (*last)
		last = &(*last)->wait_next;
	th->wait_next = NULL;
	*last = th;
	return thread_block(th);
}

void pages_ended(struct sim *sim, struct request *req)
{
	enum cost wakeup = req->use == USE_PAGES_READ ? COST_PAGE_WAKEUP : COST_WAKEUP;
	struct thread *th = req->page_waiters;

	for (uint32_t i = 0; i < req->nr_pages; i++) {
		struct page *page = page_find(sim, req->file, req->first_page + i);

		if (!page || page->req != req)
			continue;
		page->req = NULL;
		if (req->use == USE_PAGES_READ)
			page->flags |= PAGE_UPTODATE;
		if (page->flags & PAGE_WRITEBACK) {
			page->flags &= ~PAGE_WRITEBACK;
			req->file->nr_writeback--;
			sim->nr_writeback--;
		}
	}
	/* fuse_invalidate_atime(), which fuse_write_begin() and iomap's writes do not reach */
	if (req->use == USE_PAGES_READ && req->span.cls != SPAN_READ_MODIFY)
		req->file->stat_stale = true;
	while (th) {
		struct thread *next = th->wait_next;

		thread_wake_after(sim, th, sim_cost(sim, &th->rng, wakeup));
		th = next;
	}
}
