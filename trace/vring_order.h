/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which virtqueue is which: they are found in memory without their numbers.
 */
#ifndef VFSCOPE_TRACE_VRING_ORDER_H
#define VFSCOPE_TRACE_VRING_ORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "bpf/host_abi.h"

/* What is known of one queue besides where it is. */
struct vring_traits {
	uint64_t found_at; /* address of its three words in the daemon */
	bool used; /* some request was answered */
	bool replied; /* some answer had a length: never on hiprio */
};

/*
 * Put queues (and their traits) in index order: 0 is hiprio. kicks[i] is the file descriptor of
 * queue i's kick or -1; near_fd tells whether a descriptor number is stored beside the words of a
 * queue.
 */
void vring_order(uint32_t nr, struct host_queue *queues, struct vring_traits *traits,
		 const int *kicks, bool (*near_fd)(void *ctx, uint64_t found_at, int fd),
		 void *ctx);

/*
 * Kick descriptors by queue index, from the daemon's epoll sets (the Rust daemon registers each
 * kick with its queue's index as data). Those not found are -1.
 */
void vring_read_kicks(pid_t pid, int kicks[HOST_MAX_QUEUES]);

/* The same from the text of one /proc/PID/fdinfo file. */
void vring_parse_kicks(const char *text, int kicks[HOST_MAX_QUEUES]);

#endif
