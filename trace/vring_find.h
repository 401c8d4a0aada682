/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Find a vhost-user daemon's virtqueues and its view of guest memory, without asking anyone.
 *
 * QEMU could tell, but its x-query-virtio-queue-status stops the ring it asks about. The daemon's
 * own memory holds what we need: three pointers per ring, whose distances follow from the ring's
 * size (virtio 1.2, 2.7; Linux vring_init()), as the daemon's addresses (C virtiofsd:
 * libvhost-user's VuRing) or as guest physical addresses (Rust virtio-queue).
 */
#ifndef VFSCOPE_TRACE_VRING_FIND_H
#define VFSCOPE_TRACE_VRING_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "bpf/host_abi.h"
#include "trace/proc_maps.h"

/* Three words that may be a ring: where they were found, and what they say. */
struct vring_candidate {
	uint64_t found_at;
	struct host_queue queue;
};

/* libvhost-user's VuDevRegion as found in memory. */
struct vring_region_words {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr; /* in the VMM */
	uint64_t mmap_offset;
	uint64_t mmap_addr;
};

/*
 * If words[0..2] are {desc, avail, used} of a split ring in any order, fill queue and return true.
 */
bool vring_match(const uint64_t words[3], struct host_queue *queue);

/* True if the words are a VuDevRegion whose memory is one of maps. */
bool vring_match_region(const uint64_t words[5], const struct proc_maps *maps,
			struct host_region *region);

/*
 * Regions by the layout of PC and microvm machines, for daemons whose own record was not found:
 * file offset 0 is guest physical 0; what lies behind the memory below 4 GiB starts at 4 GiB.
 */
uint32_t vring_regions_by_layout(const struct proc_maps *maps, struct host_region *regions);

/* The daemon's address of guest physical memory, or 0. */
uint64_t vring_guest_address(const struct host_region *regions, uint32_t nr, uint64_t gpa);

/* Index fields and entries of one ring, as read from memory. */
struct vring_contents {
	uint16_t avail_flags;
	uint16_t avail_idx;
	uint16_t used_flags;
	uint16_t used_idx;
	const uint16_t *heads; /* size avail entries */
	const uint32_t *used_ids; /* size pairs of id and length */
};

/* True if a ring of this size can look like that. */
bool vring_plausible(uint32_t size, const struct vring_contents *contents);

/* The largest shared file mapping that can be guest memory, or NULL. */
const struct proc_map *vring_guest_memory(const struct proc_maps *maps);

/*
 * Fill nr_queues, queues (0: hiprio), nr_regions, regions. 0; -ENOENT: no ring is set up, the
 * guest's driver may not have started yet; -ENODEV: no guest memory is mapped; -ESRCH: the process
 * is gone; -E2BIG: more rings than one daemon can have; other -errno.
 */
int vring_find(pid_t pid, struct host_daemon *daemon);

#endif
