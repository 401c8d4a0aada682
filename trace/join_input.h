/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over a guest and a host trace, as two streams of halves. join makes several passes
 * rather than hold millions of halves in memory.
 */
#ifndef VFSCOPE_TRACE_JOIN_INPUT_H
#define VFSCOPE_TRACE_JOIN_INPUT_H

#include <stdbool.h>
#include "trace/halves.h"
#include "trace/vft.h"

struct join_input {
	struct vft_reader *guest, *host;
	struct host_assembler *assembler;
	bool guest_ended, host_ended;
	bool any_conn; /* else only requests of conn */
	uint32_t conn;
	/*
	 * Of the chosen connection, what is no request: ops, passes of write-back and names; NULL: not
	 * wanted. Not 0 stops with that value.
	 */
	int (*on_other)(void *ctx, const struct event_header *event);
	void *on_other_ctx;
	struct host_half *ready; /* halves that the assembler has emitted */
	size_t nr_ready, next_ready, ready_size;
};

/* Opens both and checks their kinds. -errno after a message. */
int join_input_open(struct join_input *in, const char *guest_path, const char *host_path);
void join_input_close(struct join_input *in); /* also after a failed open */

/* 1 and a half, 0 at the end, -errno after a message. Valid until the next call for that side. */
int join_input_guest(struct join_input *in, const struct guest_request_event **half);
int join_input_host(struct join_input *in, const struct host_half **half);

#endif
