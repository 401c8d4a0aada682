/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of a guest trace's connections (mounts) does which daemon of a host trace serve? The one
 * whose requests it saw, by unique, opcode and nodeid.
 */
#ifndef VFSCOPE_TRACE_JOIN_CONN_H
#define VFSCOPE_TRACE_JOIN_CONN_H

#include <stdint.h>
#include "trace/halves.h"

#define JOIN_MAX_CONNS 64

/* A connection, and the daemon that has seen most of it. */
struct conn_overlap {
	uint32_t conn;
	uint16_t daemon; /* slot */
	uint64_t requests; /* of this connection in the guest trace */
	uint64_t common; /* sampled requests that this daemon's trace has too */
	uint64_t of_daemon[MAX_DAEMONS_OF_FILE]; /* the same of each */
};

struct conn_overlaps {
	struct conn_overlap conn[JOIN_MAX_CONNS]; /* most in common first */
	uint32_t count;
	uint64_t host_requests;
};

struct conn_sampler;

struct conn_sampler *conn_sampler_new(void); /* NULL: no memory */
void conn_sampler_free(struct conn_sampler *s); /* NULL is fine */
/* Each half of both traces, in any order. */
void conn_sampler_guest(struct conn_sampler *s, const struct guest_request_event *g);
void conn_sampler_host(struct conn_sampler *s, const struct host_half *h);
/* After the last half; once. Valid until the sampler is freed. */
const struct conn_overlaps *conn_sampler_overlaps(struct conn_sampler *s);

#endif
