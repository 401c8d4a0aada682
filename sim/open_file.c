// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mappings and their page tables: open_file.h. What faults do is in mmap.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "sim/page_cache.h"

#define TABLE_SHIFT 9
#define TABLE_PAGES (1u << TABLE_SHIFT)
#define IS_SPLIT TABLE_PAGES /* behind the entries, for DAX: they are 4 KiB ones */

static uint64_t table_of(const struct mapping *m, uint64_t index)
{
	return (index >> TABLE_SHIFT) - (m->first >> TABLE_SHIFT);
}

static uint64_t nr_tables(const struct mapping *m)
{
	return table_of(m, m->end - 1) + 1;
}

struct mapping *mapping_new(struct sim *sim, struct thread *th, struct file *file, uint64_t first,
			    uint64_t end)
{
	struct mapping *m = calloc(1, sizeof(*m));
	struct open_file *open = task_open_file(sim, th);

	if (m) {
		*m = (struct mapping){
			.task = th, .open = open, .file = file, .first = first, .end = end};
		m->tables = calloc(nr_tables(m), sizeof(*m->tables));
	}
	if (!m || !open || !m->tables) {
		free(m);
		sim->stop = -ENOMEM;
		return NULL;
	}
	m->next = file->mappings;
	file->mappings = m;
	open->mapping = m;
	open->file = file;
	open->nr_mappings++;
	return m;
}

static void free_one(struct mapping *m)
{
	for (uint64_t i = 0; i < nr_tables(m); i++)
		free(m->tables[i]);
	free(m->tables);
	free(m);
}

bool mapping_free(struct mapping *m)
{
	struct mapping **link = &m->file->mappings;
	struct open_file *open = m->open;

	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
	if (open->mapping == m)
		open->mapping = NULL;
	open->nr_mappings--;
	free_one(m);
	return !open->is_open && !open->nr_mappings;
}

void mappings_release(struct file *file)
{
	while (file->mappings) {
		struct mapping *m = file->mappings;
		struct open_file *open = m->open;

		file->mappings = m->next;
		/* The task has opened the file again since: this one is ours alone. */
		if (!--open->nr_mappings && m->task->files[open->path] != open)
			free(open);
		free_one(m);
	}
}

enum pte mapping_pte(const struct mapping *m, uint64_t index)
{
	const uint8_t *table = m->tables[table_of(m, index)];

	return table ? table[index & (TABLE_PAGES - 1)] : PTE_NONE;
}

static uint8_t *table_get(struct sim *sim, struct mapping *m, uint64_t index)
{
	uint8_t **table = &m->tables[table_of(m, index)];

	if (!*table)
		*table = calloc(TABLE_PAGES + 1, sizeof(**table));
	if (!*table)
		sim->stop = -ENOMEM;
	return *table;
}

void mapping_set_pte(struct sim *sim, struct mapping *m, uint64_t index, enum pte pte)
{
	uint8_t *table = table_get(sim, m, index);

	if (!table)
		return;
	table[index & (TABLE_PAGES - 1)] = pte;
	if (pte != PTE_OWN)
		page_find(sim, m->file, index)->flags |= PAGE_MAPPED | PAGE_REFERENCED;
}

void mapping_set_dax(struct sim *sim, struct mapping *m, uint64_t index, uint32_t nr, enum pte pte)
{
	uint8_t *table = table_get(sim, m, index);

	if (!table)
		return;
	/* A write to a private page of a 2 MiB entry makes the kernel take that apart: all goes. */
	if (nr < TABLE_PAGES && !table[IS_SPLIT])
		memset(table, PTE_NONE, TABLE_PAGES);
	table[IS_SPLIT] |= nr < TABLE_PAGES;
	memset(table + (index & (TABLE_PAGES - 1)), pte, nr);
}

bool mapping_is_split(const struct mapping *m, uint64_t index)
{
	const uint8_t *table = m->tables[table_of(m, index)];

	return table && table[IS_SPLIT];
}

static uint8_t *table_of_file(const struct mapping *m, uint64_t index)
{
	if (index + TABLE_PAGES <= m->first || index >= m->end)
		return NULL;
	return m->tables[table_of(m, index)];
}

bool file_has_split_pte(const struct file *file, uint64_t index)
{
	for (const struct mapping *m = file->mappings; m; m = m->next) {
		const uint8_t *table = table_of_file(m, index);

		for (uint32_t k = 0; table && table[IS_SPLIT] && k < TABLE_PAGES; k++)
			if (table[k] == PTE_READ || table[k] == PTE_WRITE)
				return true;
	}
	return false;
}

void file_unmap_dax(struct file *file, uint64_t first, uint64_t nr)
{
	for (const struct mapping *m = file->mappings; m; m = m->next)
		for (uint64_t i = first; i < first + nr && i < m->end; i += TABLE_PAGES) {
			uint8_t *table = table_of_file(m, i);

			for (uint32_t k = 0; table && k < TABLE_PAGES; k++)
				if (table[k] != PTE_OWN)
					table[k] = PTE_NONE;
		}
}

static bool maps_page(const struct mapping *m, uint64_t index)
{
	enum pte pte = PTE_NONE;

	if (index >= m->first && index < m->end)
		pte = mapping_pte(m, index);
	return pte == PTE_READ || pte == PTE_WRITE;
}

static bool is_mapped(const struct file *file, uint64_t index)
{
	for (const struct mapping *m = file->mappings; m; m = m->next)
		if (maps_page(m, index))
			return true;
	return false;
}

void mapping_zap(struct sim *sim, struct mapping *m)
{
	for (uint64_t i = 0; i < nr_tables(m); i++) {
		uint64_t first = ((m->first >> TABLE_SHIFT) + i) << TABLE_SHIFT;

		for (uint32_t k = 0; m->tables[i] && k < TABLE_PAGES; k++) {
			enum pte pte = m->tables[i][k];
			struct page *page;

			m->tables[i][k] = PTE_NONE;
			if (pte != PTE_READ && pte != PTE_WRITE)
				continue;
			page = page_find(sim, m->file, first + k);
			if (page && !is_mapped(m->file, first + k))
				page->flags &= ~PAGE_MAPPED;
		}
	}
}

void page_unmap(struct file *file, struct page *page)
{
	for (struct mapping *m = file->mappings; m; m = m->next)
		if (maps_page(m, page->index))
			m->tables[table_of(m, page->index)][page->index & (TABLE_PAGES - 1)] =
				PTE_NONE;
	page->flags &= ~PAGE_MAPPED;
}

void page_write_protect(struct file *file, const struct page *page)
{
	for (struct mapping *m = file->mappings; m; m = m->next)
		if (maps_page(m, page->index))
			m->tables[table_of(m, page->index)][page->index & (TABLE_PAGES - 1)] =
				PTE_READ;
}
