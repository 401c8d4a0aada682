/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of a guest trace's connections (mounts) does the daemon of a host trace serve? The one
 * whose requests it saw, by unique, opcode and nodeid.
 */
#ifndef VFSCOPE_TRACE_JOIN_CONN_H
#define VFSCOPE_TRACE_JOIN_CONN_H

#include <stdint.h>
#include "trace/join_input.h"

#define JOIN_MAX_CONNS 64

struct conn_overlap {
	uint32_t conn;
	uint64_t requests; /* of this connection in the guest trace */
	uint64_t common; /* sampled requests that the host trace has too */
};

struct conn_overlaps {
	struct conn_overlap conn[JOIN_MAX_CONNS]; /* most in common first */
	uint32_t count;
	uint64_t host_requests;
};

/* Reads both streams to their ends. 0 or -errno after a message. */
int join_find_conns(struct conn_overlaps *out, struct join_input *in);

#endif
