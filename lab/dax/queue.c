// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device's side of a split virtqueue: see queue.h.
 */
#include <errno.h>
#include <unistd.h>
#include "lab/dax/queue.h"

static int add_descriptor(struct chain *chain, const struct memory *memory,
			  const struct vring_desc *desc)
{
	bool write = desc->flags & VRING_DESC_F_WRITE;
	int at = chain->nr_read + chain->nr_write;
	void *addr = memory_of_guest(memory, desc->addr, desc->len);

	/* Virtio 1.2, 2.7.4.2: what the device writes comes last. */
	if (!addr || at == CHAIN_MAX_IOV || (!write && chain->nr_write))
		return -EFAULT;
	chain->iov[at] = (struct iovec){.iov_base = addr, .iov_len = desc->len};
	if (write)
		chain->nr_write++;
	else
		chain->nr_read++;
	return 0;
}

static int follow(struct chain *chain, const struct memory *memory, const struct vring_desc *table,
		  uint32_t size, uint32_t at)
{
	for (uint32_t seen = 0; seen < size && at < size; seen++) {
		/* The guest may change its memory at any time. */
		struct vring_desc desc = *(const volatile struct vring_desc *)&table[at];
		int err = add_descriptor(chain, memory, &desc);

		if (err || !(desc.flags & VRING_DESC_F_NEXT))
			return err;
		at = desc.next;
	}
	return -ELOOP;
}

int queue_pop(struct queue *ring, const struct memory *memory, struct chain *chain)
{
	uint16_t avail = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
	struct vring_desc desc, *table;
	uint32_t size;
	int err;

	if (avail == ring->last_avail)
		return 0;
	chain->head = ring->avail->ring[ring->last_avail++ & (ring->size - 1)];
	chain->nr_read = chain->nr_write = 0;
	if (chain->head >= ring->size)
		return -EFAULT;
	desc = ring->desc[chain->head];
	if (!(desc.flags & VRING_DESC_F_INDIRECT)) {
		err = follow(chain, memory, ring->desc, ring->size, chain->head);
		return err ? err : 1;
	}
	size = desc.len / sizeof(desc);
	table = memory_of_guest(memory, desc.addr, desc.len);
	if (!table || !size || size > CHAIN_MAX_IOV)
		return -EFAULT;
	err = follow(chain, memory, table, size, 0);
	return err ? err : 1;
}

static bool wants_signal(const struct queue *ring, uint16_t old_idx, uint16_t new_idx)
{
	/* The index must be visible before the guest's wish is read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->event_idx)
		return !(ring->avail->flags & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(*(volatile uint16_t *)&ring->avail->ring[ring->size], new_idx,
				old_idx);
}

void queue_push(struct queue *ring, uint16_t head, uint32_t written)
{
	uint16_t idx = ring->used->idx;
	uint64_t one = 1;

	ring->used->ring[idx & (ring->size - 1)] = (struct vring_used_elem){head, written};
	__atomic_store_n(&ring->used->idx, (uint16_t)(idx + 1), __ATOMIC_RELEASE);
	if (ring->call >= 0 && wants_signal(ring, idx, (uint16_t)(idx + 1)) &&
	    write(ring->call, &one, sizeof(one)) < 0)
		return; /* the counter is full: it has been signalled often enough */
}

bool queue_rearm(struct queue *ring)
{
	if (ring->event_idx) {
		__u16 *avail_event = (__u16 *)&ring->used->ring[ring->size];

		__atomic_store_n(avail_event, ring->last_avail, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE) != ring->last_avail;
}
