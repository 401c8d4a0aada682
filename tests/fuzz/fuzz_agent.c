// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile bytes at both ends of an agent's channel: as they come, and with right checksums, so that
 * mutations reach the payloads.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/msg.h"
#include "tests/fuzz/fuzz.h"
#include "trace/agent_message.h"
#include "trace/agent_stream.h"

static void take(const struct agent_frame *frame)
{
	struct agent_start start;
	struct agent_hello hello;
	struct agent_ended ended;
	char text[64];

	if (frame->bytes > AGENT_FRAME_MAX_BYTES)
		abort();
	if (!agent_start_parse(frame->data, frame->bytes, &start)) {
		if (start.config.capture.mounts.count > STRING_LIST_MAX)
			abort();
		agent_start_free(&start);
	}
	if (!agent_hello_parse(frame->data, frame->bytes, &hello) &&
	    strlen(hello.version) >= sizeof(hello.version))
		abort();
	agent_ended_parse(frame->data, frame->bytes, &ended);
	agent_text(frame->data, frame->bytes, text, sizeof(text));
}

/* All that fits into a socket's buffer comes; then the other end is gone. */
static void receive(const uint8_t *data, size_t size, bool seek)
{
	struct agent_frame frame;
	struct agent_stream s;
	int fds[2], n;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) ||
	    agent_stream_open(&s, fds[0]))
		abort();
	if (size && write(fds[1], data, size) < 0)
		abort();
	close(fds[1]);
	n = seek ? agent_stream_seek(&s, true, &frame, SIZE_MAX, 0) : 1;
	if (seek && n > 0) {
		s.conversation = frame.conversation;
		take(&frame);
	}
	while (n > 0) {
		n = agent_stream_receive(&s, &frame, 0);
		if (n > 0)
			take(&frame);
	}
	agent_stream_close(&s);
}

/* The input as the payload of each type. */
static void wrap(const uint8_t *data, size_t size)
{
	static unsigned char whole[AGENT_FRAME_MAX_WHOLE];

	for (int type = AGENT_HELLO; type < NR_AGENT_FRAMES; type++) {
		struct agent_frame frame = {
			.type = (enum agent_frame_type)type, .data = data, .bytes = (uint32_t)size};
		int n = size > AGENT_FRAME_MAX_BYTES ? -1 : agent_frame_pack(whole, &frame);

		if (n <= 0)
			continue;
		if (agent_frame_parse(whole, (size_t)n, &frame) != n || frame.bytes != size)
			abort();
		take(&frame);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	msg_set_level(MSG_ERROR);
	receive(data, size, false);
	receive(data, size, true);
	wrap(data, size);
	return 0;
}
