/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of a split virtqueue (virtio 1.2, 2.7), with indirect descriptors and event
 * indices.
 */
#ifndef VFSCOPE_LAB_DAX_QUEUE_H
#define VFSCOPE_LAB_DAX_QUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "lab/dax/memory.h"

#define QUEUE_MAX_SIZE 1024
#define CHAIN_MAX_IOV QUEUE_MAX_SIZE

struct queue {
	struct vring_desc *desc; /* these three in a row are what 'vfscope record --host' finds */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size;
	uint16_t last_avail;
	bool event_idx;
	int kick; /* -1: stopped */
	int call; /* -1: none */
};

/* What the guest sent: first what is for the device to read, then what it may write. */
struct chain {
	uint16_t head;
	int nr_read;
	int nr_write;
	struct iovec iov[CHAIN_MAX_IOV];
};

/* 1: chain filled; 0: none is there; -errno: the ring holds nonsense. */
int queue_pop(struct queue *ring, const struct memory *memory, struct chain *chain);

/* The device has written so many bytes; signals the guest if it wants that. */
void queue_push(struct queue *ring, uint16_t head, uint32_t written);

/* Asks for a kick on the next chain. True if one has come meanwhile: go on popping. */
bool queue_rearm(struct queue *ring);

#endif
