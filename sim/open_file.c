// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mappings and their page tables: open_file.h. What faults do is in mmap.c.
 */
#include <errno.h>
#include <stdlib.h>
#include "sim/page_cache.h"

#define TABLE_SHIFT 9
#define TABLE_PAGES (1u << TABLE_SHIFT)

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

void mapping_set_pte(struct sim *sim, struct mapping *m, uint64_t index, enum pte pte)
{
	uint8_t **table = &m->tables[table_of(m, index)];
	struct page *page;

	if (!*table)
		*table = calloc(TABLE_PAGES, sizeof(**table));
	if (!*table) {
		sim->stop = -ENOMEM;
		return;
	}
	(*table)[index & (TABLE_PAGES - 1)] = pte;
	if (pte == PTE_OWN)
		return;
	page = page_find(sim, m->file, index);
	page->flags |= PAGE_MAPPED | PAGE_REFERENCED;
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

			m->tables[i][k] = PTE_NONE;
			if (pte != PTE_READ && pte != PTE_WRITE)
				continue;
			if (!is_mapped(m->file, first + k))
				page_find(sim, m->file, first + k)->flags &= ~PAGE_MAPPED;
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
