// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames as bytes; see agent_frame.h.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include "lib/compiler.h"
#include "trace/agent_frame.h"
#include "trace/vft_format.h"

#define CRC_START offsetof(struct agent_frame_header, conversation)

/* Most bytes of payload. What comes from the host stays small: the agent may run as root. */
static const uint32_t limits[NR_AGENT_FRAMES] = {
	[AGENT_HELLO] = 512,	[AGENT_WELCOME] = 512, [AGENT_START] = 16 << 10,
	[AGENT_TEXT] = 4 << 10, [AGENT_ENDED] = 512,   [AGENT_FILE] = AGENT_FRAME_MAX_BYTES,
	[AGENT_REFUSED] = 1024,
};

static int check_header(const struct agent_frame_header *h, struct agent_frame *frame)
{
	uint32_t type = le32toh(h->type);

	if (type < AGENT_HELLO || type >= NR_AGENT_FRAMES || le32toh(h->bytes) > limits[type])
		return -EBADMSG;
	frame->type = type;
	frame->bytes = le32toh(h->bytes);
	frame->conversation = le64toh(h->conversation);
	return 0;
}

int agent_frame_parse(const void *data, size_t len, struct agent_frame *frame)
{
	const uint32_t magic = htole32(AGENT_FRAME_MAGIC);
	struct agent_frame_header h;
	size_t whole;

	if (memcmp(data, &magic, min_u64(len, sizeof(magic))))
		return -EBADMSG;
	if (len < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	if (check_header(&h, frame))
		return -EBADMSG;
	whole = sizeof(h) + frame->bytes;
	if (len < whole)
		return 0;
	if (le32toh(h.crc) != vft_crc((const char *)data + CRC_START, whole - CRC_START))
		return -EBADMSG;
	frame->data = (const unsigned char *)data + sizeof(h);
	return (int)whole;
}

int agent_frame_pack(void *out, const struct agent_frame *frame)
{
	struct agent_frame_header h = {
		.magic = htole32(AGENT_FRAME_MAGIC),
		.conversation = htole64(frame->conversation),
		.type = htole32(frame->type),
		.bytes = htole32(frame->bytes),
	};
	size_t whole = sizeof(h) + frame->bytes;

	if (frame->bytes > limits[frame->type])
		return -EMSGSIZE;
	memcpy(out, &h, sizeof(h));
	if (frame->bytes)
		memcpy((char *)out + sizeof(h), frame->data, frame->bytes);
	h.crc = htole32(vft_crc((char *)out + CRC_START, whole - CRC_START));
	memcpy((char *)out + offsetof(struct agent_frame_header, crc), &h.crc, sizeof(h.crc));
	return (int)whole;
}
