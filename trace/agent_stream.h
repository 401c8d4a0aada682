/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames over the descriptor of an agent's channel. Everything has a time limit: an end that says
 * nothing for silence_ms is gone. Only time spent waiting for it counts: a process or VM that was
 * itself kept from running for longer has not listened, and what it was told meanwhile may still be
 * on its way to it.
 */
#ifndef VFSCOPE_TRACE_AGENT_STREAM_H
#define VFSCOPE_TRACE_AGENT_STREAM_H

#include <stdbool.h>
#include "trace/agent_frame.h"

#define AGENT_SILENCE_MS 20000 /* by default: a guest under load may stall for seconds */
#define AGENT_PING_MS 2000

struct agent_stream {
	int fd;
	uint64_t conversation;
	uint32_t silence_ms; /* AGENT_SILENCE_MS at first */
	unsigned char *in; /* AGENT_FRAME_MAX_WHOLE bytes each */
	unsigned char *out;
	size_t in_start, in_end;
	uint64_t silent_ns; /* waited since the last bytes came */
};

/* Takes over fd, which does not block. */
int agent_stream_open(struct agent_stream *s, int fd);
void agent_stream_close(struct agent_stream *s);

/* Waits until it is taken. 0, -EPIPE: the other end is gone, -ETIMEDOUT: it takes nothing. */
int agent_stream_send(struct agent_stream *s, enum agent_frame_type type, const void *data,
		      size_t bytes);

/*
 * The next frame, valid until the next call. 1; 0 if none was whole in this time or a signal came;
 * -EPIPE, -EBADMSG, -ETIMEDOUT after silence_ms without a byte. Frames of other
 * conversations are left out, but for AGENT_HELLO.
 */
int agent_stream_receive(struct agent_stream *s, struct agent_frame *frame, int timeout_ms);

/*
 * The first frame: the next AGENT_HELLO, or else the next of this conversation. As
 * agent_stream_receive(), but leaves out up to max_skipped bytes before it: a serial port may still
 * hold what was meant for others.
 */
int agent_stream_seek(struct agent_stream *s, bool hello, struct agent_frame *frame,
		      size_t max_skipped, int timeout_ms);

#endif
