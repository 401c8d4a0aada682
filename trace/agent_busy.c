// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Refusing a second host; see agent_busy.h.
 */
#include <string.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/msg.h"
#include "trace/agent_busy.h"

/* To greet, and then to close: who closes first may throw away what the other has not yet read. */
#define PATIENCE_NS 2000000000ULL

static void take_next(struct agent_busy *b)
{
	int fd;

	if (b->listener->address.transport == AGENT_SERIAL)
		return;
	fd = agent_channel_accept(b->listener, 0);
	if (fd < 0)
		return;
	if (agent_stream_open(&b->stream, fd)) {
		close(fd);
		return;
	}
	b->since_ns = clock_ns(CLOCK_MONOTONIC);
	b->open = true;
}

/* Any number of greetings: it repeats them. */
static int answer(struct agent_busy *b)
{
	static const char why[] = "it records for another host now; try again when that has ended";
	struct agent_frame frame;
	int n = agent_stream_seek(&b->stream, true, &frame, 0, 0);

	if (n <= 0)
		return n;
	b->stream.conversation = frame.conversation;
	msg_warn("refused a second host: the first one's recording is running");
	return agent_stream_send(&b->stream, AGENT_REFUSED, why, strlen(why));
}

void agent_busy_look(struct agent_busy *b)
{
	if (!b->open)
		take_next(b);
	if (!b->open)
		return;
	if (answer(b) || clock_ns(CLOCK_MONOTONIC) - b->since_ns > PATIENCE_NS)
		agent_busy_close(b);
}

void agent_busy_close(struct agent_busy *b)
{
	if (b->open)
		agent_stream_close(&b->stream);
	b->open = false;
}
