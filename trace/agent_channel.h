/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways between a guest's agent and its host: vsock, a virtio-serial port, TCP. Both ends get a
 * non-blocking descriptor of a byte stream; what runs over it is agent_stream's.
 *
 *	vsock:CID[:PORT]   host: the guest with this context id     vsock[:PORT]      agent
 *	hybrid:/path[:PORT] host: a VMM's socket for its guest's vsock, see agent_hybrid.h
 *	serial:/path.sock  host: QEMU's socket of the port          serial:NAME|PATH  agent
 *	tcp:HOST[:PORT]    host                                     tcp[:ADDR][:PORT] agent
 *
 * NAME is the port's as given to QEMU: it is found without udev's /dev/virtio-ports.
 */
#ifndef VFSCOPE_TRACE_AGENT_CHANNEL_H
#define VFSCOPE_TRACE_AGENT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#define AGENT_DEFAULT_PORT 8347

enum agent_transport {
	AGENT_VSOCK,
	AGENT_HYBRID, /* host alone; the agent's is AGENT_VSOCK */
	AGENT_SERIAL,
	AGENT_TCP,
};

struct agent_address {
	enum agent_transport transport;
	uint32_t cid; /* vsock */
	uint32_t port; /* vsock, hybrid, TCP */
	char name[256]; /* serial, hybrid: path or name of the port; TCP: host or address */
};

enum agent_end {
	AGENT_END_HOST, /* connects */
	AGENT_END_GUEST, /* listens */
};

/* 0, or -EINVAL after a message that says what is wanted. */
int agent_address_parse(const char *text, enum agent_end end, struct agent_address *address);

/* Over the network, so that others may read and connect. */
bool agent_address_is_remote(const struct agent_address *address);

/* The descriptor, or -errno after a message. */
int agent_channel_connect(const struct agent_address *address, int timeout_ms);

struct agent_listener {
	struct agent_address address;
	int fd; /* of a serial port: for the next conversation, or -1 */
};

/* 0, or -errno after a message. */
int agent_channel_listen(struct agent_listener *listener, const struct agent_address *address);

/*
 * The descriptor of a host's connection. -EAGAIN if none came in this time or a signal did; -errno
 * after a message.
 */
int agent_channel_accept(struct agent_listener *listener, int timeout_ms);

void agent_channel_unlisten(struct agent_listener *listener);

#endif
