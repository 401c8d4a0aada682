/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's page cache: which pages of which files are there, and in what state.
 *
 * Page descriptors come from a pool that grows up to the guest's capacity; beyond it the page that
 * was used longest ago goes (second chance), unless it is dirty or in I/O. Pointers to pages are
 * good until the next wait or page_add().
 */
#ifndef VFSCOPE_SIM_PAGE_CACHE_H
#define VFSCOPE_SIM_PAGE_CACHE_H

#include "sim/model.h"

enum page_flags {
	PAGE_UPTODATE = 1u << 0,
	PAGE_DIRTY = 1u << 1,
	PAGE_WRITEBACK = 1u << 2,
	PAGE_MARKER = 1u << 3, /* PG_readahead: reading it starts the next read-ahead */
	PAGE_REFERENCED = 1u << 4, /* read since it was looked at for eviction */
	PAGE_LOCKED = 1u << 5, /* added for a READ that is being made: must not be evicted */
	PAGE_MAPPED = 1u << 6, /* some task has it in its page table */
};

struct page {
	struct request *req; /* that fills it, writes it back or holds it locked; or NULL */
	uint32_t file;
	uint32_t index;
	uint32_t newer; /* page numbers, by age; 0: none */
	uint32_t older;
	uint32_t flags;
};

int page_cache_init(struct sim *sim);
void page_cache_release(struct sim *sim);

struct page *page_find(const struct sim *sim, const struct file *file, uint64_t index);
/* A page that is not there yet, not uptodate. NULL with sim->stop set when out of memory. */
struct page *page_add(struct sim *sim, struct file *file, uint64_t index);
void page_remove(struct sim *sim, struct file *file, uint64_t index);
void page_set_dirty(struct sim *sim, struct file *file, struct page *page);
void page_clear_dirty(struct sim *sim, struct file *file, struct page *page);
/* The first page at or behind index, or NULL. */
struct page *page_next(const struct sim *sim, const struct file *file, uint64_t index);
/* The first dirty page at or behind index, or UINT64_MAX. */
uint64_t page_next_dirty(const struct sim *sim, const struct file *file, uint64_t index);

/* Drop clean pages that are not mapped nor in I/O: invalidate_mapping_pages() of [first, end). */
void page_cache_shed(struct sim *sim, struct file *file, uint64_t first, uint64_t end);
/* Drop mapped ones too: of the whole file, or of [first, end). */
void page_cache_drop(struct sim *sim, struct file *file);
void page_cache_drop_range(struct sim *sim, struct file *file, uint64_t first, uint64_t end);

/* writeback.c: FLOWs */
/* Dirty pages from first to before end. */
bool writeback_range(struct sim *sim, struct thread *th, struct file *file, uint64_t first,
		     uint64_t end, enum writeback_how how);
/* Until none of its pages is being written back. */
bool writeback_wait(struct sim *sim, struct thread *th, struct file *file);
/* invalidate_inode_pages2(): write dirty pages one by one, then drop all. */
bool invalidate_pages(struct sim *sim, struct thread *th, struct file *file);

/* Wait until the page's I/O has ended; says whether the caller must. */
bool page_wait(struct thread *th, struct page *page);
/* A request that carried pages ended: their state, and who waited for them. */
void pages_ended(struct sim *sim, struct request *req);

/* Bytes of memory that may hold page cache: what the kernel calls dirtyable, 13/16 of a small VM.
 */
uint64_t page_cache_capacity(const struct sim *sim);

#endif
