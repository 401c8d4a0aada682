// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which pages the host has cached: least recently used first out, page by page, over all files.
 *
 * The kernel's two lists, active and inactive, keep what was used twice against what streams by;
 * here is one, for which the hit ratio of known access patterns is known as well. Dirty pages and
 * those in I/O stay. An open hash finds a page: files of all VMs may be large and sparsely cached.
 */
#include <errno.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "sim/model.h"
#include "sim/storage.h"

#define MIN_BITS 10
#define IDLE(page) (!((page)->flags & (HOST_PAGE_READING | HOST_PAGE_WRITING | HOST_PAGE_DIRTY)))

int host_cache_init(struct storage *st)
{
	st->max_cached = min_u64(st->settings->cache_bytes / PAGE_BYTES, UINT32_MAX / 2);
	st->bucket_bits = MIN_BITS;
	st->buckets = calloc(1u << MIN_BITS, sizeof(*st->buckets));
	st->nr_pages = 1;
	return st->buckets ? 0 : -ENOMEM;
}

void host_cache_free(struct storage *st)
{
	free(st->buckets);
	free(st->pages);
}

static uint32_t *bucket_of(const struct storage *st, uint32_t file, uint64_t index)
{
	uint64_t key = ((uint64_t)file << 40) + index;

	return &st->buckets[key * 0x9e3779b97f4a7c15ULL >> (64 - st->bucket_bits)];
}

struct host_page *host_page_find(const struct storage *st, const struct host_file *file,
				 uint64_t index)
{
	uint32_t number = *bucket_of(st, file->index, index);

	while (number) {
		struct host_page *page = &st->pages[number];

		if (page->index == index && page->file == file->index)
			return page;
		number = page->same_bucket;
	}
	return NULL;
}

void host_page_list_add(struct storage *st, struct host_page_list *list, struct host_page *page)
{
	uint32_t number = page - st->pages;

	page->newer = 0;
	page->older = list->newest;
	if (list->newest)
		st->pages[list->newest].newer = number;
	else
		list->oldest = number;
	list->newest = number;
}

void host_page_list_remove(struct storage *st, struct host_page_list *list, struct host_page *page)
{
	if (page->newer)
		st->pages[page->newer].older = page->older;
	else
		list->newest = page->older;
	if (page->older)
		st->pages[page->older].newer = page->newer;
	else
		list->oldest = page->newer;
}

void host_page_drop(struct storage *st, struct host_page *page)
{
	uint32_t *place = bucket_of(st, page->file, page->index), number = page - st->pages;

	while (*place != number)
		place = &st->pages[*place].same_bucket;
	*place = page->same_bucket;
	host_page_list_remove(st, &st->clean, page);
	page->newer = st->free_page;
	st->free_page = number;
	st->nr_cached--;
}

/* Dirty pages and those in I/O may have made the cache larger than it should be. */
static void make_room(struct storage *st, uint32_t most)
{
	while (st->nr_cached > most && st->clean.oldest)
		host_page_drop(st, &st->pages[st->clean.oldest]);
}

void host_page_now_clean(struct storage *st, struct host_page *page)
{
	host_page_list_add(st, &st->clean, page);
	make_room(st, st->max_cached);
}

void host_page_touch(struct storage *st, struct host_page *page)
{
	if (!IDLE(page))
		return;
	host_page_list_remove(st, &st->clean, page);
	host_page_list_add(st, &st->clean, page);
}

static int grow_pages(struct storage *st)
{
	uint32_t room = st->room ? 2 * st->room : 1u << MIN_BITS;
	struct host_page *pages = realloc(st->pages, room * sizeof(*pages));

	if (!pages)
		return -ENOMEM;
	st->pages = pages;
	st->room = room;
	return 0;
}

static int grow_buckets(struct storage *st)
{
	uint32_t old_nr = 1u << st->bucket_bits, *old = st->buckets;
	uint32_t *more = calloc(2 * (size_t)old_nr, sizeof(*more));

	if (!more)
		return -ENOMEM;
	st->buckets = more;
	st->bucket_bits++;
	for (uint32_t i = 0; i < old_nr; i++) {
		for (uint32_t number = old[i]; number;) {
			struct host_page *page = &st->pages[number];
			uint32_t next = page->same_bucket;
			uint32_t *place = bucket_of(st, page->file, page->index);

			page->same_bucket = *place;
			*place = number;
			number = next;
		}
	}
	free(old);
	return 0;
}

static uint32_t number_new(struct storage *st)
{
	uint32_t number = st->free_page;

	if (number) {
		st->free_page = st->pages[number].newer;
		return number;
	}
	if (st->nr_pages >= st->room && grow_pages(st))
		return 0;
	if (st->nr_pages >= 1u << st->bucket_bits && grow_buckets(st))
		return 0;
	return st->nr_pages++;
}

struct host_page *host_page_add(struct storage *st, const struct host_file *file, uint64_t index)
{
	uint32_t number, *place;
	struct host_page *page;

	make_room(st, st->max_cached ? st->max_cached - 1 : 0);
	number = number_new(st);
	if (!number) {
		host_stop(st->host, -ENOMEM);
		return NULL;
	}
	place = bucket_of(st, file->index, index);
	page = &st->pages[number];
	*page = (struct host_page){.index = index, .file = file->index, .same_bucket = *place};
	*place = number;
	st->nr_cached++;
	return page;
}
