/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's memory as the front-end shared it: guest physical and front-end addresses to ours.
 */
#ifndef VFSCOPE_LAB_DAX_MEMORY_H
#define VFSCOPE_LAB_DAX_MEMORY_H

#include <stdint.h>

/* QEMU announces each mapping of the DAX window as a region of its own, 2 MiB each. */
#define MEMORY_MAX_REGIONS 1024

/* Fields in the order of libvhost-user's VuDevRegion: 'vfscope record --host' looks for that. */
struct memory_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr; /* in the front-end */
	uint64_t mmap_offset;
	uint64_t mmap_addr;
};

struct memory {
	struct memory_region regions[MEMORY_MAX_REGIONS];
	uint32_t count;
};

/* Takes fd. 0 or -errno. */
int memory_add(struct memory *m, const struct memory_region *region, int fd);
int memory_remove(struct memory *m, uint64_t gpa, uint64_t size);
void memory_clear(struct memory *m);

/* NULL unless all of it lies in one region. */
void *memory_of_guest(const struct memory *m, uint64_t gpa, uint64_t size);
void *memory_of_user(const struct memory *m, uint64_t user_addr);

#endif
