// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hash table of file names with linear probing, at most half full.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/array.h"
#include "workloads/file_table.h"

/* FNV-1a */
static uint64_t hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 0x100000001b3ULL;
	return h ^ h >> 32;
}

/* The slot that has the name, or the free one where it belongs. */
static uint32_t *find_slot(struct file_table *t, const struct workload *w, const char *name)
{
	uint64_t i = hash(name);

	for (;; i++) {
		uint32_t *slot = &t->slots[i & (t->nr_slots - 1)];

		if (!*slot || !strcmp(w->files[*slot - 1].name, name))
			return slot;
	}
}

static int make_room(struct file_table *t, const struct workload *w)
{
	uint32_t nr_slots = t->nr_slots ? 2 * t->nr_slots : 64;

	if (2 * w->nr_files < t->nr_slots)
		return 0;
	free(t->slots);
	t->nr_slots = 0;
	t->slots = calloc(nr_slots, sizeof(*t->slots));
	if (!t->slots)
		return -ENOMEM;
	t->nr_slots = nr_slots;
	for (uint32_t i = 0; i < w->nr_files; i++)
		*find_slot(t, w, w->files[i].name) = i + 1;
	return 0;
}

bool file_table_has(struct file_table *t, const struct workload *w, const char *name,
		    uint32_t *index)
{
	uint32_t *slot = t->nr_slots ? find_slot(t, w, name) : NULL;

	if (!slot || !*slot)
		return false;
	*index = *slot - 1;
	return true;
}

int file_table_find(struct file_table *t, struct workload *w, const char *name, uint32_t *index)
{
	uint32_t *slot;
	int err;

	if (strlen(name) >= sizeof(w->files->name))
		return -ENAMETOOLONG;
	err = make_room(t, w);
	if (err)
		return err;
	slot = find_slot(t, w, name);
	if (!*slot) {
		if (w->nr_files == FILE_TABLE_MAX)
			return -E2BIG;
		err = array_grow((void **)&w->files, w->nr_files, sizeof(*w->files));
		if (err)
			return err;
		w->files[w->nr_files] = (struct workload_file){.size_bytes = 0};
		strcpy(w->files[w->nr_files].name, name);
		*slot = ++w->nr_files;
	}
	*index = *slot - 1;
	return 0;
}

void file_table_free(struct file_table *t)
{
	free(t->slots);
}
