/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of vhost-user (QEMU's docs/interop/vhost-user.rst), the protocol by which a VMM, its
 * front end, hands virtqueues to a daemon. BPF programs use them too.
 */
#ifndef VFSCOPE_LIB_VHOST_USER_H
#define VFSCOPE_LIB_VHOST_USER_H

/* Of the front end. */
enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_BACKEND_REQ_FD = 21,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_GET_MAX_MEM_SLOTS = 36,
	VHOST_USER_ADD_MEM_REG = 37,
	VHOST_USER_REM_MEM_REG = 38,
	VHOST_USER_GET_SHMEM_CONFIG = 44,
};

/* Of the daemon, on a channel of its own. */
enum vhost_user_backend_request {
	VHOST_USER_BACKEND_SHMEM_MAP = 9,
	VHOST_USER_BACKEND_SHMEM_UNMAP = 10,
};

/* A message begins with request, flags and the size of what follows, of 32 bits each. */
#define VHOST_USER_HEADER_BYTES 12

/* Flags. */
#define VHOST_USER_VERSION 1u
#define VHOST_USER_REPLY (1u << 2)
#define VHOST_USER_NEED_REPLY (1u << 3)

/* A bit of the device's features. */
#define VHOST_USER_F_PROTOCOL_FEATURES 30

#endif
