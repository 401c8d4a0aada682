/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frames between `vfscope agent` in a guest and `vfscope record --vm` on its host. The other
 * end is not trusted: each length is bounded, per type, and a frame with a wrong checksum is no
 * frame. docs/agent-protocol.md tells what each frame means and when it may come.
 */
#ifndef VFSCOPE_TRACE_AGENT_FRAME_H
#define VFSCOPE_TRACE_AGENT_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define AGENT_PROTOCOL                                                                             \
	2 /* changes with anything that an older end would take for something else                 \
	   */
#define AGENT_FRAME_MAGIC 0x41534656u /* "VFSA" */
#define AGENT_FRAME_MAX_BYTES (64u << 10) /* of payload */

enum agent_frame_type {
	AGENT_HELLO = 1, /* host: struct agent_hello; begins a conversation */
	AGENT_WELCOME, /* agent: struct agent_hello */
	AGENT_START, /* host: struct agent_start */
	AGENT_STARTED, /* agent: everything is attached */
	AGENT_STOP, /* host: end the recording */
	AGENT_TEXT, /* agent: one line of what the recorder says */
	AGENT_ENDED, /* agent: struct agent_ended; the file follows */
	AGENT_FILE, /* agent: the next bytes of the file */
	AGENT_REFUSED, /* agent: why it ends the conversation */
	AGENT_PING, /* host, at times: still there */
	AGENT_PONG, /* agent: the same */
	NR_AGENT_FRAMES
};

/* All little-endian. */
struct agent_frame_header {
	uint32_t magic;
	uint32_t crc; /* CRC-32 of ISO 3309 over all that follows, with the payload */
	uint64_t conversation; /* random; chosen by the host */
	uint32_t type;
	uint32_t bytes; /* of payload */
};

_Static_assert(sizeof(struct agent_frame_header) == 24, "frame header");

#define AGENT_FRAME_MAX_WHOLE (sizeof(struct agent_frame_header) + AGENT_FRAME_MAX_BYTES)

struct agent_frame {
	enum agent_frame_type type;
	uint64_t conversation;
	const unsigned char *data; /* in the bytes that were parsed */
	uint32_t bytes;
};

/*
 * The frame at the start of len bytes. Its size; 0 if they are the beginning of a frame; -EBADMSG
 * if they cannot be one. Says so as early as it can: with the first wrong byte of the magic, or the
 * first whole header.
 */
int agent_frame_parse(const void *data, size_t len, struct agent_frame *frame);

/* Into out, which holds AGENT_FRAME_MAX_WHOLE bytes. Its size, or -EMSGSIZE. */
int agent_frame_pack(void *out, const struct agent_frame *frame);

#endif
