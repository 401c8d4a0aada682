/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vhost-user protocol, back-end side: what the front-end (QEMU) sets up, and mapping files into
 * the device's shared memory region, which is the DAX window.
 *
 * Protocol: QEMU's docs/interop/vhost-user.rst; shared memory regions as of QEMU 11.1
 * (VHOST_USER_PROTOCOL_F_SHMEM). The configuration space is that of a virtio file system device.
 */
#ifndef VFSCOPE_LAB_DAX_VHOST_USER_H
#define VFSCOPE_LAB_DAX_VHOST_USER_H

#include <stdint.h>
#include "lab/dax/memory.h"
#include "lab/dax/queue.h"

#define VHOST_USER_QUEUES 2 /* hiprio and one for requests */
#define VHOST_USER_TAG_BYTES 36

struct vhost_user {
	int socket;
	int channel; /* for our requests to the front-end; -1 until it is set up */
	uint64_t window_bytes; /* 0: no window */
	char tag[VHOST_USER_TAG_BYTES + 1];
	struct memory memory;
	struct queue rings[VHOST_USER_QUEUES];
};

void vhost_user_init(struct vhost_user *vu, int socket, const char *tag, uint64_t window_bytes);

/* Serves one message. 1: done; 0: the front-end has closed the connection; -errno. */
int vhost_user_serve(struct vhost_user *vu);

/*
 * Map part of a file into the window, which must be free there, or clear such a mapping. Messages
 * of the front-end are served meanwhile: it announces the mapping to us as guest memory before it
 * acknowledges it. 0, -EIO if the front-end refuses, other -errno if it is gone.
 */
int vhost_user_map(struct vhost_user *vu, int fd, uint64_t fd_offset, uint64_t window_offset,
		   uint64_t length);
int vhost_user_unmap(struct vhost_user *vu, uint64_t window_offset, uint64_t length);

#endif
