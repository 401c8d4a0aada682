// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames over a descriptor; see agent_stream.h.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "trace/agent_stream.h"
#include "trace/end_signal.h"

/* Reads without a frame for the caller: who floods must not keep it from its other work. */
#define MAX_READS 16
#define ROOM_TICK_MS 100
/* What the other end may still take to make room, when a signal has come. */
#define END_GRACE_MS 1000

int agent_stream_open(struct agent_stream *s, int fd)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->silence_ms = AGENT_SILENCE_MS;
	s->in = malloc(AGENT_FRAME_MAX_WHOLE);
	s->out = malloc(AGENT_FRAME_MAX_WHOLE);
	if (s->in && s->out)
		return 0;
	agent_stream_close(s);
	return -ENOMEM;
}

void agent_stream_close(struct agent_stream *s)
{
	free(s->in);
	free(s->out);
	if (s->fd >= 0)
		close(s->fd);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

/* A serial port is no socket, and raises no SIGPIPE. */
static ssize_t put_bytes(int fd, const void *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

	return n < 0 && errno == ENOTSOCK ? write(fd, data, len) : n;
}

/* poll(), which adds to *waited_ns how long it waited: no more than it was to (agent_stream.h). */
static int wait_for(struct pollfd *p, int timeout_ms, uint64_t *waited_ns)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	int n = poll(p, 1, timeout_ms);

	*waited_ns +=
		min_u64(clock_ns(CLOCK_MONOTONIC) - begin_ns, (uint64_t)timeout_ms * NS_PER_MS);
	return n;
}

/*
 * A port whose host is gone hangs up and takes nothing. Who is to end does not wait for as long as
 * the other end may be silent, which may be hours: it may be stopped, or its VM.
 */
static int wait_for_room(const struct agent_stream *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};
	uint64_t limit_ns = s->silence_ms * NS_PER_MS, waited_ns = 0;

	while (waited_ns < limit_ns) {
		uint64_t left_ms = (limit_ns - waited_ns + NS_PER_MS - 1) / NS_PER_MS;
		int n = wait_for(&p, (int)min_u64(ROOM_TICK_MS, left_ms), &waited_ns);

		if (n > 0)
			return p.revents & (POLLHUP | POLLERR | POLLNVAL) ? -EPIPE : 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (end_signal_came() && waited_ns >= END_GRACE_MS * NS_PER_MS)
			return -EINTR;
	}
	return -ETIMEDOUT;
}

int agent_stream_send(struct agent_stream *s, enum agent_frame_type type, const void *data,
		      size_t bytes)
{
	struct agent_frame frame = {.type = type,
				    .conversation = s->conversation,
				    .data = data,
				    .bytes = (uint32_t)bytes};
	int whole = bytes > AGENT_FRAME_MAX_BYTES ? -EMSGSIZE : agent_frame_pack(s->out, &frame);
	int err = 0;

	for (int done = 0; !err && done < whole;) {
		ssize_t n = put_bytes(s->fd, s->out + done, (size_t)(whole - done));

		if (n > 0)
			done += (int)n;
		else if (n < 0 && errno == EAGAIN)
			err = wait_for_room(s);
		else if (n < 0 && errno != EINTR)
			err = errno == ECONNRESET ? -EPIPE : -errno;
	}
	return whole < 0 ? whole : err;
}

/* 1 if bytes came, 0 if not. The buffer always has room: a whole frame was taken out before. */
static int fill(struct agent_stream *s, int timeout_ms)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	ssize_t n;

	if (wait_for(&p, timeout_ms, &s->silent_ns) <= 0)
		return s->silent_ns > s->silence_ms * NS_PER_MS ? -ETIMEDOUT : 0;
	memmove(s->in, s->in + s->in_start, s->in_end - s->in_start);
	s->in_end -= s->in_start;
	s->in_start = 0;
	n = read(s->fd, s->in + s->in_end, AGENT_FRAME_MAX_WHOLE - s->in_end);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	if (!n)
		return -EPIPE;
	s->in_end += (size_t)n;
	s->silent_ns = 0;
	return 1;
}

int agent_stream_receive(struct agent_stream *s, struct agent_frame *frame, int timeout_ms)
{
	int n, reads = 0;

	while (reads < MAX_READS) {
		n = agent_frame_parse(s->in + s->in_start, s->in_end - s->in_start, frame);
		if (n < 0)
			return n;
		if (n) {
			s->in_start += (size_t)n;
			if (frame->conversation == s->conversation || frame->type == AGENT_HELLO)
				return 1;
			continue;
		}
		n = fill(s, reads++ ? 0 : timeout_ms);
		if (n <= 0)
			return n;
	}
	return 0;
}

/* Whether the next bytes may be, or become, a greeting or a frame of this conversation. */
static bool may_begin(const struct agent_stream *s, bool hello)
{
	struct agent_frame_header h;
	struct agent_frame frame;
	size_t len = s->in_end - s->in_start;

	if (agent_frame_parse(s->in + s->in_start, len, &frame) < 0)
		return false;
	if (len < sizeof(h))
		return true;
	memcpy(&h, s->in + s->in_start, sizeof(h));
	return hello ? le32toh(h.type) == AGENT_HELLO : le64toh(h.conversation) == s->conversation;
}

int agent_stream_seek(struct agent_stream *s, bool hello, struct agent_frame *frame,
		      size_t max_skipped, int timeout_ms)
{
	size_t skipped = 0;
	int n, reads = 0;

	while (reads < MAX_READS) {
		while (s->in_end > s->in_start && !may_begin(s, hello)) {
			if (skipped++ == max_skipped)
				return -EBADMSG;
			s->in_start++;
		}
		n = agent_frame_parse(s->in + s->in_start, s->in_end - s->in_start, frame);
		if (n > 0) {
			s->in_start += (size_t)n;
			return 1;
		}
		n = fill(s, reads++ ? 0 : timeout_ms);
		if (n <= 0)
			return n;
	}
	return 0;
}
