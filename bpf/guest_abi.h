/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What guest.bpf.c and its loader share besides events: settings before load, findings at the end.
 */
#ifndef VFSCOPE_BPF_GUEST_ABI_H
#define VFSCOPE_BPF_GUEST_ABI_H

#include "bpf/events.h"
#include "bpf/guest_conn_flags.h"

/* Most connections (mounts) of one recording unless more are asked for, and queues of all of them.
 */
#define GUEST_MAX_CONNS 64
#define GUEST_MAX_LEFT_OUT 1024 /* connections beyond these that are told apart */
#define GUEST_MAX_QUEUES 1024

/* Connections of mount_filter: a bit for each minor device number (include/linux/kdev_t.h). */
#define GUEST_FILTER_BITS 64
#define GUEST_FILTER_WORDS ((1u << 20) / GUEST_FILTER_BITS)

/* Tables of bpf/slots.bpf.h have so many places in their arrays. */
#define SLOT_BITS 12
#define NR_SLOTS (1u << SLOT_BITS)

/*
 * The place of a key. Fibonacci hashing: neighbouring addresses and thread ids get places far
 * apart. The lower half of the key is enough; and of a typed pointer the verifier allows no
 * arithmetic but on that.
 */
static inline __attribute__((always_inline)) __ev_u32 slot_place(__ev_u64 key)
{
	return (__ev_u32)key * 0x9e3779b1u >> (32 - SLOT_BITS);
}

enum guest_request_state {
	REQUEST_NOTIFYING = 1u << 0, /* its task is in virtqueue_notify */
	REQUEST_NOTIFIED = 1u << 1, /* and came back */
	REQUEST_ENDED = 1u << 2,
};

/* A request in flight, as its table keeps it (bpf/slots.bpf.h). */
struct guest_request_entry {
	__ev_u64 key; /* address of its struct fuse_req or virtio_fs_forget */
	struct guest_request_event ev;
	__ev_u32 state; /* enum guest_request_state */
	__ev_u32 retrying; /* another try to enqueue it was seen, and its add is to come */
};

/*
 * The op that a task is in, as its table keeps it. Ops inside it (fsync of an O_SYNC write) are
 * part of it.
 */
struct guest_op_entry {
	__ev_u64 key; /* thread id */
	struct guest_op_event ev;
	__ev_u32 request_flags; /* enum guest_request_flags for requests issued inside */
	__ev_u32 pad;
	__ev_u64 t_no_range_ns; /* since when it has needed a range of the DAX window, or 0 */
	__ev_u64 t_pending_ns; /* a fault that the kernel may go on with: when it last returned */
	__ev_u64 t_pause_ns; /* since when the kernel lets its task sleep, for too many dirty pages
			      */
	__ev_u64 inode; /* address */
};

/* Names a request beyond the life of its memory. */
struct guest_request_name {
	__ev_u64 unique;
	__ev_u32 conn;
	__ev_u32 pad;
};

enum guest_conn_dax {
	GCONN_DAX_UNKNOWN, /* no CONFIG_FUSE_DAX */
	GCONN_DAX_NONE,
	GCONN_DAX_WINDOW, /* the mount has one in use */
};

/* What a connection negotiated, read from the kernel. */
struct guest_connection {
	__ev_u64 virtio_features; /* of the device */
	__ev_u64 dax_window_bytes;
	__ev_u64 flags; /* bits enum guest_conn_flag */
	__ev_u64 known; /* likewise: those that this kernel has */
	__ev_u32 conn;
	__ev_u32 dax; /* enum guest_conn_dax */
	__ev_u32 dax_mode; /* enum fuse_dax_mode and 1 more; 0: not known */
	__ev_u32 proto_minor; /* FUSE 7.x */
	__ev_u32 max_read;
	__ev_u32 max_write;
	__ev_u32 max_pages;
	__ev_u32 max_background;
	__ev_u32 congestion_threshold;
	__ev_u32 nr_request_queues;
	__ev_u32 queue_size; /* ring entries of a request queue; 0 if unknown */
};

_Static_assert(NR_GUEST_CONN_FLAGS <= 64, "struct guest_connection has a bit for each");

#endif
