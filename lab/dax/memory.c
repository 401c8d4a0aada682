// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest memory regions of the DAX daemon: see memory.h.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lab/dax/memory.h"

int memory_add(struct memory *m, const struct memory_region *region, int fd)
{
	uint64_t length = region->size + region->mmap_offset;
	struct memory_region *added;
	void *at;

	if (m->count == MEMORY_MAX_REGIONS || fd < 0 || length < region->size) {
		if (fd >= 0)
			close(fd);
		return -EINVAL;
	}
	at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -errno;
	added = &m->regions[m->count++];
	*added = *region;
	added->mmap_addr = (uint64_t)at;
	return 0;
}

static void unmap(const struct memory_region *region)
{
	munmap((void *)region->mmap_addr, region->size + region->mmap_offset);
}

int memory_remove(struct memory *m, uint64_t gpa, uint64_t size)
{
	for (uint32_t i = 0; i < m->count; i++) {
		if (m->regions[i].gpa != gpa || m->regions[i].size != size)
			continue;
		unmap(&m->regions[i]);
		m->regions[i] = m->regions[--m->count];
		return 0;
	}
	return -ENOENT;
}

void memory_clear(struct memory *m)
{
	for (uint32_t i = 0; i < m->count; i++)
		unmap(&m->regions[i]);
	m->count = 0;
}

void *memory_of_guest(const struct memory *m, uint64_t gpa, uint64_t size)
{
	for (uint32_t i = 0; i < m->count; i++) {
		const struct memory_region *r = &m->regions[i];

		if (gpa - r->gpa < r->size && size <= r->size - (gpa - r->gpa))
			return (void *)(r->mmap_addr + r->mmap_offset + (gpa - r->gpa));
	}
	return NULL;
}

void *memory_of_user(const struct memory *m, uint64_t user_addr)
{
	for (uint32_t i = 0; i < m->count; i++) {
		const struct memory_region *r = &m->regions[i];

		if (user_addr - r->user_addr < r->size)
			return (void *)(r->mmap_addr + r->mmap_offset + (user_addr - r->user_addr));
	}
	return NULL;
}
