/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open files of a task and what it has mapped of them.
 *
 * A mapping holds its open file (struct file of the kernel): RELEASE follows when the file is
 * closed and all that was mapped through it is unmapped. A mapping knows of each of its pages
 * whether the task has it in its page table; a page that leaves the cache leaves all page tables.
 */
#ifndef VFSCOPE_SIM_OPEN_FILE_H
#define VFSCOPE_SIM_OPEN_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct page;
struct sim;
struct thread;

/* Read-ahead state of an open file: struct file_ra_state of the kernel. */
struct read_ahead {
	uint64_t start;
	uint32_t size;
	uint32_t async_size;
	uint32_t max_pages;
	uint32_t mmap_miss;
	uint64_t prev_pos;
	bool random;
};

struct open_file {
	bool is_open;
	uint32_t path; /* by which it was opened */
	struct file *file; /* also when it no longer has that name */
	struct entry *entry; /* pinned */
	uint32_t nr_mappings; /* that hold it */
	struct mapping *mapping; /* the last made and not unmapped */
	struct read_ahead ra;
};

/* A page table's entry for one page of a mapping. */
enum pte {
	PTE_NONE,
	PTE_READ,
	PTE_WRITE, /* shared: the page is dirty */
	PTE_OWN, /* private: a copy that belongs to no file */
};

struct mapping {
	struct mapping *next; /* of its file */
	struct thread *task;
	struct open_file *open;
	struct file *file;
	uint64_t first; /* pages of the file: from first to before end */
	uint64_t end;
	uint32_t advice; /* OP_HINT_* */
	bool private;
	uint8_t **tables; /* enum pte of 512 pages each; NULL: none is mapped */
};

/* Positions of the flows in mmap.c, and what survives waits: members of struct thread. */
struct fault_flow {
	int at, once_at, fill_at, read_at, write_at;
	uint64_t page;
	uint64_t end; /* page behind the last */
	bool retry; /* the fault must be taken again, */
	bool tried; /* and has been (FAULT_FLAG_TRIED) */
};

struct unmap_flow {
	int at;
	struct file *file;
	struct open_file *open;
};

/* NULL with sim->stop set when out of memory. */
struct mapping *mapping_new(struct sim *sim, struct thread *th, struct file *file, uint64_t first,
			    uint64_t end);
/* Nothing of it may be mapped any more. Whether the open file is now held by nobody. */
bool mapping_free(struct mapping *m);
void mappings_release(struct file *file);

enum pte mapping_pte(const struct mapping *m, uint64_t index);
void mapping_set_pte(struct sim *sim, struct mapping *m, uint64_t index, enum pte pte);
/* Empty its page table. */
void mapping_zap(struct sim *sim, struct mapping *m);

/*
 * DAX, where no page is cached: entries from index on, which lie in one 2 MiB. A mapping that was
 * given less than all 512 of them is split there: it has a table of 4 KiB entries, and keeps it.
 */
void mapping_set_dax(struct sim *sim, struct mapping *m, uint64_t index, uint32_t nr, enum pte pte);
bool mapping_is_split(const struct mapping *m, uint64_t index);
/* Some mapping of the file has a 4 KiB entry in these 2 MiB that is not a private copy. */
bool file_has_split_pte(const struct file *file, uint64_t index);
/* Empty page tables of the file: pages from first on, whole 2 MiB. */
void file_unmap_dax(struct file *file, uint64_t first, uint64_t nr);

/* A page with PAGE_MAPPED leaves the cache, or is about to be written back. */
void page_unmap(struct file *file, struct page *page);
void page_write_protect(struct file *file, const struct page *page);

#endif
