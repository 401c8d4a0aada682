// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's end of an agent's channel; see agent_client.h and docs/agent-protocol.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "trace/agent_client.h"
#include "trace/end_signal.h"

#define CONNECT_MS 10000
#define HELLO_AGAIN_MS 1000
#define MAX_STRAY_BYTES (1u << 20) /* in a port that another host left */
#define MAX_JSON_BYTES (1u << 20) /* some 50 times what a plan takes */
#define MAX_FRAMES 64 /* in one poll: a guest that floods must not keep the host from ending */

static int explain(int err)
{
	if (err == -EPIPE)
		msg_error("the guest's agent has gone: its connection was closed");
	else if (err == -ETIMEDOUT)
		msg_error("the guest's agent says nothing any more: it has ended, or the VM is "
			  "stopped");
	else if (err == -ETIME)
		msg_error("the guest's agent answers, but sends nothing of its trace any more");
	else if (err == -EBADMSG)
		msg_error("what answers is no vfscope agent, or is broken: its bytes are not the "
			  "protocol's");
	else if (err == -EINTR)
		msg_error("stopped by a signal while the guest's agent took nothing: the VM may be "
			  "stopped");
	else if (err && err != -ECANCELED)
		msg_error("the connection to the guest's agent failed: %s", strerror(-err));
	return err;
}

static int refused(const struct agent_frame *frame)
{
	char why[1025];

	msg_error("the guest's agent refuses: %s",
		  agent_text(frame->data, frame->bytes, why, sizeof(why)));
	return -ECANCELED;
}

/* What the recorder in the guest says has its prefixes; what its command says has not. */
static void show_text(const struct agent_frame *frame)
{
	static const char own[] = "vfscope: ";
	char text[4097];

	agent_text(frame->data, frame->bytes, text, sizeof(text));
	if (!strncmp(text, own, strlen(own)))
		msg_warn("in the guest: %s", text + strlen(own));
	else
		msg_info("guest's command: %s", text);
}

static int handle_frame(struct agent_client *c, const struct agent_frame *frame)
{
	switch (frame->type) {
	case AGENT_WELCOME: /* of a repeated greeting */
	case AGENT_PONG:
		return 0;
	case AGENT_STARTED:
		c->started = true;
		return 0;
	case AGENT_TEXT:
		show_text(frame);
		return 0;
	case AGENT_REFUSED:
		return refused(frame);
	case AGENT_ENDED:
		if (agent_ended_parse(frame->data, frame->bytes, &c->result))
			return -EBADMSG;
		c->ended = true;
		return 0;
	default:
		return -EBADMSG;
	}
}

static int ping(struct agent_client *c)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	if (now_ns - c->pinged_ns < AGENT_PING_MS * NS_PER_MS)
		return 0;
	c->pinged_ns = now_ns;
	return agent_stream_send(&c->stream, AGENT_PING, NULL, 0);
}

int agent_client_poll(struct agent_client *c, int timeout_ms)
{
	struct agent_frame frame;
	int err = ping(c), n;

	/* After AGENT_ENDED the file comes, which fetch takes. */
	for (int i = 0; !err && !c->ended && i < MAX_FRAMES; i++) {
		n = agent_stream_receive(&c->stream, &frame, i ? 0 : timeout_ms);
		if (n <= 0)
			return explain(n);
		err = handle_frame(c, &frame);
	}
	return explain(err);
}

static int check_welcome(const struct agent_frame *frame, const char *version)
{
	struct agent_hello hello;

	if (agent_hello_parse(frame->data, frame->bytes, &hello))
		return -EBADMSG;
	if (hello.protocol != AGENT_PROTOCOL || hello.vft != VFT_VERSION) {
		msg_error("the guest's agent is vfscope %s, with protocol %u and traces of version "
			  "%u; this is vfscope %s, with %u and %u: install the same in both",
			  hello.version, hello.protocol, hello.vft, version, AGENT_PROTOCOL,
			  VFT_VERSION);
		return -ECANCELED;
	}
	if (strcmp(hello.version, version))
		msg_info("the guest has vfscope %s, the host %s", hello.version, version);
	return 0;
}

/* An answer is a welcome or a refusal; before it, a port may hold what was meant for another. */
static int await_answer(struct agent_client *c, struct agent_frame *frame, size_t max_skipped)
{
	int n = agent_stream_seek(&c->stream, false, frame, max_skipped, HELLO_AGAIN_MS);

	if (n <= 0 || frame->type == AGENT_WELCOME)
		return n;
	return frame->type == AGENT_REFUSED ? refused(frame) : -EBADMSG;
}

static int greet(struct agent_client *c, const struct agent_address *address, const char *version)
{
	size_t max_skipped = address->transport == AGENT_SERIAL ? MAX_STRAY_BYTES : 0;
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	char *hello = agent_hello_pack(version);
	struct agent_frame frame;
	int n = hello ? 0 : -ENOMEM;

	/* Repeated, since an agent that is about to reopen its port loses what comes before. */
	while (!n && clock_ns(CLOCK_MONOTONIC) - begin_ns < c->stream.silence_ms * NS_PER_MS) {
		n = agent_stream_send(&c->stream, AGENT_HELLO, hello, strlen(hello));
		if (!n)
			n = await_answer(c, &frame, max_skipped);
	}
	free(hello);
	if (!n || n == -ETIMEDOUT) {
		msg_error("nobody answers: is 'vfscope agent' running in the guest, and does no "
			  "other host use it?");
		return -ECANCELED;
	}
	return n < 0 ? n : check_welcome(&frame, version);
}

int agent_client_open(struct agent_client *c, const struct agent_address *address,
		      const char *version, uint32_t silence_ms)
{
	int fd = agent_channel_connect(address, CONNECT_MS), err;

	memset(c, 0, sizeof(*c));
	if (fd < 0)
		return fd;
	err = agent_stream_open(&c->stream, fd);
	if (err) {
		close(fd);
		return explain(err);
	}
	c->stream.silence_ms = silence_ms;
	if (getrandom(&c->stream.conversation, sizeof(c->stream.conversation), 0) < 0)
		c->stream.conversation = clock_ns(CLOCK_MONOTONIC);
	err = explain(greet(c, address, version));
	if (err)
		agent_client_close(c);
	return err;
}

int agent_client_start(struct agent_client *c, const struct agent_start *start)
{
	char *text = agent_start_pack(start);
	int err = text ? agent_stream_send(&c->stream, AGENT_START, text, strlen(text)) : -ENOMEM;

	free(text);
	if (err == -EMSGSIZE)
		msg_error("the guest's command and its mounts are too long to send");
	return err == -EMSGSIZE ? err : explain(err);
}

int agent_client_stop(struct agent_client *c)
{
	return explain(agent_stream_send(&c->stream, AGENT_STOP, NULL, 0));
}

static int write_all(int fd, const unsigned char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/*
 * The next frame of the file. That a guest answers is not enough: who sends nothing of it for as
 * long as it may be silent would keep the host for ever. 0 or -errno.
 */
static int receive_part(struct agent_client *c, struct agent_frame *frame)
{
	uint64_t waited_ns = 0;

	while (!end_signal_came()) {
		uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
		int n = ping(c);

		if (!n)
			n = agent_stream_receive(&c->stream, frame, AGENT_PING_MS);
		if (n < 0 || (n && frame->type != AGENT_PONG))
			return n < 0 ? n : 0;
		/* No more than was asked for: the rest is a host that was stopped. */
		waited_ns +=
			min_u64(clock_ns(CLOCK_MONOTONIC) - begin_ns, AGENT_PING_MS * NS_PER_MS);
		if (waited_ns > c->stream.silence_ms * NS_PER_MS)
			return -ETIME;
	}
	return -ECANCELED;
}

static int receive_file(struct agent_client *c, int fd, const char *path)
{
	uint64_t left = c->result.bytes;
	struct agent_frame frame;
	int err = 0;

	while (left) {
		err = receive_part(c, &frame);
		if (!err && (frame.type != AGENT_FILE || !frame.bytes || frame.bytes > left))
			err = -EBADMSG;
		if (err)
			break;
		err = write_all(fd, frame.data, frame.bytes);
		if (err) {
			msg_error("cannot write to %s: %s", path, strerror(-err));
			return err;
		}
		left -= frame.bytes;
		msg_progress("the guest's trace: %" PRIu64 " of %" PRIu64 " bytes",
			     c->result.bytes - left, c->result.bytes);
	}
	msg_progress_end();
	if (err == -ECANCELED)
		msg_error("stopped by a signal: %s has only the beginning of the guest's trace",
			  path);
	return explain(err);
}

int agent_client_fetch(struct agent_client *c, const char *path, uint64_t max_bytes, bool *written)
{
	char size[32], max[32];
	int fd, err;

	*written = false;
	if (c->result.bytes > max_bytes) {
		msg_error("the guest's trace has %s, more than the limit of %s: not taken; see "
			  "--guest-limit",
			  format_bytes((double)c->result.bytes, size, sizeof(size)),
			  format_bytes((double)max_bytes, max, sizeof(max)));
		return -EFBIG;
	}
	if (!c->result.bytes)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, 0600)) {
		err = -errno;
		msg_error("cannot create %s: %s; choose another place with -o", path,
			  strerror(-err));
		if (fd >= 0)
			close(fd);
		return err;
	}
	*written = true;
	err = receive_file(c, fd, path);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int agent_client_fetch_json(struct agent_client *c, json_t **json)
{
	static const char name[] = "the guest's plan";
	int fd, err;

	*json = NULL;
	if (!c->result.bytes || c->result.bytes > MAX_JSON_BYTES)
		return explain(-EBADMSG);
	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return explain(-errno);
	err = receive_file(c, fd, name);
	if (!err && lseek(fd, 0, SEEK_SET) == 0)
		*json = json_loadfd(fd, 0, NULL);
	close(fd);
	if (err || json_is_object(*json))
		return err;
	json_decref(*json);
	*json = NULL;
	return explain(-EBADMSG);
}

void agent_client_close(struct agent_client *c)
{
	agent_stream_close(&c->stream);
}
