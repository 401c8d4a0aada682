// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vhost-user protocol, back-end side: see vhost_user.h.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lab/dax/vhost_user.h"
#include "lib/vhost_user.h"

#define MAP_READ_WRITE 1u

#define PROTOCOL_FEATURES                                                                          \
	(1ull << 0 /* MQ */ | 1ull << 3 /* REPLY_ACK */ | 1ull << 5 /* BACKEND_REQ */ |            \
	 1ull << 9 /* CONFIG */ | 1ull << 10 /* BACKEND_SEND_FD */ |                               \
	 1ull << 15 /* CONFIGURE_MEM_SLOTS */)
#define PROTOCOL_F_SHMEM (1ull << 22)

#define MAX_FDS 8
#define MAX_CONFIG_BYTES 256
#define MAX_SHMEM_REGIONS 256

struct head {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

struct wire_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

struct message {
	struct head head;
	union {
		uint64_t number;
		struct {
			uint32_t index;
			uint32_t num;
		} state;
		struct {
			uint32_t index;
			uint32_t flags;
			uint64_t desc;
			uint64_t used;
			uint64_t avail;
			uint64_t log;
		} addr;
		struct {
			uint32_t count;
			uint32_t pad;
			struct wire_region regions[MAX_FDS];
		} table;
		struct {
			uint64_t pad;
			struct wire_region region;
		} region;
		struct {
			uint32_t offset;
			uint32_t size;
			uint32_t flags;
			uint8_t data[MAX_CONFIG_BYTES];
		} config;
		struct {
			uint32_t count;
			uint32_t pad;
			uint64_t bytes[MAX_SHMEM_REGIONS];
		} shmem;
		struct {
			uint8_t region;
			uint8_t pad[7];
			uint64_t fd_offset;
			uint64_t window_offset;
			uint64_t length;
			uint64_t flags;
		} map;
	};
	int fds[MAX_FDS];
	int nr_fds;
};

static void take_fds(struct message *msg, struct msghdr *hdr)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		msg->nr_fds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(msg->fds, CMSG_DATA(c), (size_t)msg->nr_fds * sizeof(int));
	}
}

/* 1, 0 at the end of the connection, or -errno. */
static int receive(int socket, struct message *msg)
{
	char control[CMSG_SPACE(sizeof(msg->fds))];
	struct iovec iov = {.iov_base = &msg->head, .iov_len = sizeof(msg->head)};
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(socket, &hdr, MSG_CMSG_CLOEXEC | MSG_WAITALL);

	msg->nr_fds = 0;
	if (n <= 0)
		return n && errno != ECONNRESET ? -errno : 0;
	take_fds(msg, &hdr);
	if (n != sizeof(msg->head) || msg->head.size > sizeof(msg->shmem))
		return -EPROTO;
	memset(&msg->shmem, 0, sizeof(msg->shmem));
	if (!msg->head.size)
		return 1;
	n = recv(socket, &msg->number, msg->head.size, MSG_WAITALL);
	return n == (ssize_t)msg->head.size ? 1 : -EPROTO;
}

static int send_message(int socket, const struct message *msg, int fd)
{
	struct iovec parts[2] = {
		{.iov_base = (void *)&msg->head, .iov_len = sizeof(msg->head)},
		{.iov_base = (void *)&msg->number, .iov_len = msg->head.size},
	};
	char control[CMSG_SPACE(sizeof(fd))] = "";
	struct msghdr hdr = {.msg_iov = parts, .msg_iovlen = 2};

	if (fd >= 0) {
		struct cmsghdr *c;

		hdr.msg_control = control;
		hdr.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&hdr);
		*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
				      .cmsg_type = SCM_RIGHTS,
				      .cmsg_len = CMSG_LEN(sizeof(fd))};
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(socket, &hdr, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int reply(struct vhost_user *vu, struct message *msg, uint32_t size)
{
	msg->head.flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
	msg->head.size = size;
	return send_message(vu->socket, msg, -1);
}

static int reply_number(struct vhost_user *vu, struct message *msg, uint64_t number)
{
	msg->number = number;
	return reply(vu, msg, sizeof(number));
}

static int take_fd(struct message *msg, int which)
{
	int fd;

	if (which >= msg->nr_fds)
		return -1;
	fd = msg->fds[which];
	msg->fds[which] = -1;
	return fd;
}

static int add_region(struct vhost_user *vu, struct message *msg, const struct wire_region *wire,
		      int which)
{
	struct memory_region region = {
		.gpa = wire->gpa,
		.size = wire->size,
		.user_addr = wire->user_addr,
		.mmap_offset = wire->mmap_offset,
	};

	return memory_add(&vu->memory, &region, take_fd(msg, which));
}

static int set_memory(struct vhost_user *vu, struct message *msg)
{
	int err = 0;

	memory_clear(&vu->memory);
	for (uint32_t i = 0; !err && i < msg->table.count; i++)
		err = i < MAX_FDS ? add_region(vu, msg, &msg->table.regions[i], (int)i) : -E2BIG;
	return err;
}

static struct queue *ring_of(struct vhost_user *vu, uint32_t index)
{
	return index < VHOST_USER_QUEUES ? &vu->rings[index] : NULL;
}

static int set_address(struct vhost_user *vu, const struct message *msg)
{
	struct queue *ring = ring_of(vu, msg->addr.index);

	if (!ring)
		return -EINVAL;
	ring->desc = memory_of_user(&vu->memory, msg->addr.desc);
	ring->avail = memory_of_user(&vu->memory, msg->addr.avail);
	ring->used = memory_of_user(&vu->memory, msg->addr.used);
	return ring->desc && ring->avail && ring->used ? 0 : -EFAULT;
}

static int set_size(struct vhost_user *vu, const struct message *msg)
{
	struct queue *ring = ring_of(vu, msg->state.index);
	uint32_t size = msg->state.num;

	if (!ring || !size || size > QUEUE_MAX_SIZE || size & (size - 1))
		return -EINVAL;
	ring->size = (uint16_t)size;
	return 0;
}

static int set_base(struct vhost_user *vu, const struct message *msg)
{
	struct queue *ring = ring_of(vu, msg->state.index);

	if (!ring)
		return -EINVAL;
	ring->last_avail = (uint16_t)msg->state.num;
	return 0;
}

static void replace_fd(int *fd, int with)
{
	if (*fd >= 0)
		close(*fd);
	*fd = with;
}

static int set_eventfd(struct vhost_user *vu, struct message *msg)
{
	struct queue *ring = ring_of(vu, msg->number & 0xff);

	if (!ring || (msg->head.request == VHOST_USER_SET_VRING_KICK && !ring->desc))
		return -EINVAL;
	replace_fd(msg->head.request == VHOST_USER_SET_VRING_KICK ? &ring->kick : &ring->call,
		   take_fd(msg, 0));
	return 0;
}

/* Which also stops the ring. */
static int get_base(struct vhost_user *vu, struct message *msg)
{
	struct queue *ring = ring_of(vu, msg->state.index);

	if (!ring)
		return -EINVAL;
	msg->state.num = ring->last_avail;
	replace_fd(&ring->kick, -1);
	return reply(vu, msg, sizeof(msg->state));
}

static int get_config(struct vhost_user *vu, struct message *msg)
{
	uint32_t size = sizeof(msg->config) - MAX_CONFIG_BYTES + msg->config.size;
	struct virtio_fs_config config = {.num_request_queues = VHOST_USER_QUEUES - 1};

	if (msg->config.offset || msg->config.size > MAX_CONFIG_BYTES)
		return -EINVAL;
	memcpy(config.tag, vu->tag, sizeof(config.tag));
	memcpy(msg->config.data, &config, sizeof(config));
	return reply(vu, msg, size);
}

static int get_shmem_config(struct vhost_user *vu, struct message *msg)
{
	memset(&msg->shmem, 0, sizeof(msg->shmem));
	msg->shmem.count = vu->window_bytes ? 1 : 0;
	msg->shmem.bytes[0] = vu->window_bytes;
	return reply(vu, msg, sizeof(msg->shmem));
}

static int set_features(struct vhost_user *vu, const struct message *msg)
{
	for (int i = 0; i < VHOST_USER_QUEUES; i++)
		vu->rings[i].event_idx = msg->number >> VIRTIO_RING_F_EVENT_IDX & 1;
	return 0;
}

/* Of requests that are only to be acknowledged, if that. */
static int change(struct vhost_user *vu, struct message *msg)
{
	switch (msg->head.request) {
	case VHOST_USER_SET_FEATURES:
		return set_features(vu, msg);
	case VHOST_USER_SET_MEM_TABLE:
		return set_memory(vu, msg);
	case VHOST_USER_ADD_MEM_REG:
		return add_region(vu, msg, &msg->region.region, 0);
	case VHOST_USER_REM_MEM_REG:
		return memory_remove(&vu->memory, msg->region.region.gpa, msg->region.region.size);
	case VHOST_USER_SET_VRING_NUM:
		return set_size(vu, msg);
	case VHOST_USER_SET_VRING_ADDR:
		return set_address(vu, msg);
	case VHOST_USER_SET_VRING_BASE:
		return set_base(vu, msg);
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
		return set_eventfd(vu, msg);
	case VHOST_USER_SET_BACKEND_REQ_FD:
		replace_fd(&vu->channel, take_fd(msg, 0));
		return 0;
	default: /* SET_OWNER, SET_VRING_ERR, ..: nothing to do */
		return 0;
	}
}

static uint64_t features(void)
{
	return 1ull << VIRTIO_F_VERSION_1 | 1ull << VHOST_USER_F_PROTOCOL_FEATURES |
	       1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_RING_F_INDIRECT_DESC;
}

static int answer(struct vhost_user *vu, struct message *msg)
{
	int err;

	switch (msg->head.request) {
	case VHOST_USER_GET_FEATURES:
		return reply_number(vu, msg, features());
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		return reply_number(vu, msg,
				    PROTOCOL_FEATURES | (vu->window_bytes ? PROTOCOL_F_SHMEM : 0));
	case VHOST_USER_GET_QUEUE_NUM:
		return reply_number(vu, msg, VHOST_USER_QUEUES);
	case VHOST_USER_GET_MAX_MEM_SLOTS:
		return reply_number(vu, msg, MEMORY_MAX_REGIONS);
	case VHOST_USER_GET_VRING_BASE:
		return get_base(vu, msg);
	case VHOST_USER_GET_CONFIG:
		return get_config(vu, msg);
	case VHOST_USER_GET_SHMEM_CONFIG:
		return get_shmem_config(vu, msg);
	default:
		err = change(vu, msg);
		if (err)
			fprintf(stderr, "request %u of the front-end: %s\n", msg->head.request,
				strerror(-err));
		if (msg->head.flags & VHOST_USER_NEED_REPLY)
			return reply_number(vu, msg, (uint64_t)-err);
		return err;
	}
}

int vhost_user_serve(struct vhost_user *vu)
{
	struct message msg;
	int err = receive(vu->socket, &msg);

	if (err > 0) {
		err = answer(vu, &msg);
		err = err ? err : 1;
	}
	for (int i = 0; i < msg.nr_fds; i++)
		if (msg.fds[i] >= 0)
			close(msg.fds[i]);
	return err;
}

/* The answer to our request, once the front-end's own ones that come first are served. */
static int await_reply(struct vhost_user *vu)
{
	struct pollfd fds[2] = {
		{.fd = vu->channel, .events = POLLIN},
		{.fd = vu->socket, .events = POLLIN},
	};
	struct message msg;
	int err;

	for (;;) {
		if (ppoll(fds, 2, NULL, NULL) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents) {
			err = receive(vu->channel, &msg);
			if (err <= 0)
				return err ? err : -EPIPE;
			return msg.number ? -EIO : 0;
		}
		err = fds[1].revents ? vhost_user_serve(vu) : 1;
		if (err <= 0)
			return err ? err : -EPIPE;
	}
}

static int request_map(struct vhost_user *vu, struct message *msg, int fd)
{
	int err;

	if (vu->channel < 0)
		return -ENODEV;
	msg->head.flags = VHOST_USER_VERSION | VHOST_USER_NEED_REPLY;
	msg->head.size = sizeof(msg->map);
	err = send_message(vu->channel, msg, fd);
	return err ? err : await_reply(vu);
}

int vhost_user_map(struct vhost_user *vu, int fd, uint64_t fd_offset, uint64_t window_offset,
		   uint64_t length)
{
	struct message msg = {
		.head = {.request = VHOST_USER_BACKEND_SHMEM_MAP},
		.map = {.fd_offset = fd_offset,
			.window_offset = window_offset,
			.length = length,
			.flags = MAP_READ_WRITE},
	};

	return request_map(vu, &msg, fd);
}

int vhost_user_unmap(struct vhost_user *vu, uint64_t window_offset, uint64_t length)
{
	struct message msg = {
		.head = {.request = VHOST_USER_BACKEND_SHMEM_UNMAP},
		.map = {.window_offset = window_offset, .length = length},
	};

	return request_map(vu, &msg, -1);
}

void vhost_user_init(struct vhost_user *vu, int socket, const char *tag, uint64_t window_bytes)
{
	*vu = (struct vhost_user){.socket = socket, .channel = -1, .window_bytes = window_bytes};
	strncpy(vu->tag, tag, VHOST_USER_TAG_BYTES);
	for (int i = 0; i < VHOST_USER_QUEUES; i++)
		vu->rings[i] = (struct queue){.kick = -1, .call = -1};
}
