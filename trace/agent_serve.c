// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent's side of docs/agent-protocol.md; see agent_serve.h.
 *
 * The file is sent when the recording has ended: sending it meanwhile would load the guest, and the
 * same QEMU, with the very thing that is measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "trace/agent_busy.h"
#include "trace/agent_message.h"
#include "trace/agent_serve.h"
#include "trace/agent_stream.h"
#include "trace/end_signal.h"
#include "trace/record_process.h"

#define TICK_MS 100
#define HELLO_MS 10000
#define MAX_TEXT_BYTES 4000

struct conversation {
	const struct agent_config *config;
	struct agent_busy others;
	struct agent_stream stream;
	struct agent_start start;
	struct record_process recorder;
	char *command[4];
	char path[PATH_MAX + 16]; /* of the file; empty: none */
	char text[MAX_TEXT_BYTES]; /* what the recorder says: a line that is not yet whole */
	size_t text_len;
	bool said_started;
};

static int send_text(struct conversation *c, enum agent_frame_type type, const char *text)
{
	return agent_stream_send(&c->stream, type, text, strlen(text));
}

static int send_packed(struct conversation *c, enum agent_frame_type type, char *text)
{
	int err = text ? send_text(c, type, text) : -ENOMEM;

	free(text);
	return err;
}

/* The conversation ends: -ECANCELED. */
static int refuse(struct conversation *c, const char *why)
{
	msg_warn("refused a host: %s", why);
	send_text(c, AGENT_REFUSED, why);
	return -ECANCELED;
}

static int greet(struct conversation *c, const struct agent_frame *frame)
{
	struct agent_hello hello;
	char why[256];

	c->stream.conversation = frame->conversation;
	if (agent_hello_parse(frame->data, frame->bytes, &hello))
		return refuse(c, "its greeting cannot be read");
	if (hello.protocol != AGENT_PROTOCOL || hello.vft != VFT_VERSION) {
		snprintf(why, sizeof(why),
			 "vfscope %s speaks protocol %u and writes traces of version %u, the agent "
			 "(vfscope %s) %u and %u; install the same vfscope in guest and host",
			 hello.version, hello.protocol, hello.vft, c->config->version,
			 AGENT_PROTOCOL, VFT_VERSION);
		return refuse(c, why);
	}
	return send_packed(c, AGENT_WELCOME, agent_hello_pack(c->config->version));
}

static int await_hello(struct conversation *c)
{
	bool serial = c->config->address.transport == AGENT_SERIAL;
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	struct agent_frame frame;
	int n;

	/* Others may have written to a port before; who connects to a socket is to say hello. */
	do {
		n = agent_stream_seek(&c->stream, true, &frame, serial ? SIZE_MAX : 0, TICK_MS);
		if (n == -ETIMEDOUT && serial)
			n = 0;
		if (!n && clock_ns(CLOCK_MONOTONIC) - begin_ns > HELLO_MS * 1000000ULL && !serial)
			n = -ETIMEDOUT;
	} while (!n && !end_signal_came());
	if (n == -EBADMSG)
		return refuse(c, "what it says is not vfscope's protocol");
	if (!n)
		return -EINTR;
	return n < 0 ? n : greet(c, &frame);
}

/* The file lies in a directory of its own, which only this user can enter. */
static void remove_file(const char *path)
{
	char dir[PATH_MAX + 16];

	snprintf(dir, sizeof(dir), "%s", path);
	unlink(path);
	rmdir(dirname(dir));
}

static int make_place(struct conversation *c)
{
	const char *tmp = getenv("TMPDIR");

	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/vfscope-agent.XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -errno;
	snprintf(c->path, sizeof(c->path), "%s/guest.vft", dir);
	return 0;
}

static void remove_place(struct conversation *c)
{
	if (c->path[0])
		remove_file(c->path);
	c->path[0] = '\0';
}

/* An agent that is killed ends its recorder, which then has nobody to leave the file to. */
static int record_guest(const struct record_config *config)
{
	pid_t agent = getppid();
	int status = record_session_run(&guest_capture_ops, config);

	if (getppid() != agent)
		remove_file(config->capture.output);
	return status;
}

/* What would be the header, as the file. */
static int plan_guest(const struct record_config *config)
{
	json_t *header;
	int err;

	if (record_session_plan(&guest_capture_ops, config, &header))
		return EXIT_CANNOT;
	err = json_dump_file(header, config->capture.output, JSON_COMPACT);
	json_decref(header);
	if (!err)
		return EXIT_DONE;
	msg_error("cannot write to %s; set TMPDIR", config->capture.output);
	return EXIT_CANNOT;
}

static int start_recording(struct conversation *c, const struct agent_frame *frame)
{
	struct record_config *config = &c->start.config;
	char why[512];
	int err;

	if (agent_start_parse(frame->data, frame->bytes, &c->start))
		return refuse(c, "what it wants recorded cannot be read");
	if (c->start.command && !c->config->allow_commands)
		return refuse(c, "the agent runs no commands: start it with --allow-commands");
	err = make_place(c);
	if (err) {
		snprintf(why, sizeof(why), "cannot make a directory for the trace: %s; set TMPDIR",
			 strerror(-err));
		return refuse(c, why);
	}
	if (c->start.command) {
		c->command[0] = "sh";
		c->command[1] = "-c";
		c->command[2] = (char *)c->start.command;
		config->command = c->command;
	}
	config->capture.output = c->path;
	config->version = c->config->version;
	c->stream.silence_ms = c->start.silence_ms;
	msg_info(c->start.dry_run ? "telling the host what it would record"
				  : "recording for the host");
	err = record_process_start(&c->recorder, c->start.dry_run ? plan_guest : record_guest,
				   config, true);
	return err ? refuse(c, "cannot start a process that records") : 0;
}

/* A host repeats its greeting: the next one finds an agent that listens again. */
static bool is_other_host(const struct conversation *c, const struct agent_frame *frame)
{
	return frame->conversation != c->stream.conversation;
}

static int await_start(struct conversation *c)
{
	struct agent_frame frame;

	while (!end_signal_came()) {
		int n = agent_stream_receive(&c->stream, &frame, TICK_MS);

		if (n < 0)
			return n;
		if (!n)
			continue;
		if (is_other_host(c, &frame))
			return -EPIPE;
		if (frame.type == AGENT_START)
			return start_recording(c, &frame);
		if (frame.type == AGENT_PING)
			n = agent_stream_send(&c->stream, AGENT_PONG, NULL, 0);
		else if (frame.type != AGENT_HELLO)
			return -EBADMSG;
		if (n < 0)
			return n;
	}
	return -EINTR;
}

/* Whole lines, or what there is if all: one frame each. */
static int send_lines(struct conversation *c, bool all)
{
	int err = 0;

	while (!err && c->text_len) {
		char *end = memchr(c->text, '\n', c->text_len);
		size_t len = end ? (size_t)(end - c->text) : c->text_len;

		if (!end && !all && len < sizeof(c->text))
			break;
		err = agent_stream_send(&c->stream, AGENT_TEXT, c->text, len);
		len += end != NULL;
		c->text_len -= len;
		memmove(c->text, c->text + len, c->text_len);
	}
	return err;
}

/* What its command has left running may hold the pipe open: what is there counts. */
static int relay_text(struct conversation *c)
{
	int err = 0;

	while (!err && c->recorder.text_fd >= 0) {
		ssize_t n = read(c->recorder.text_fd, c->text + c->text_len,
				 sizeof(c->text) - c->text_len);

		if (n <= 0)
			break;
		c->text_len += (size_t)n;
		err = send_lines(c, false);
	}
	if (!err && c->recorder.ended)
		err = send_lines(c, true);
	return err;
}

/* While it records. -EPIPE if another host has taken its place at the port. */
static int handle_frame(struct conversation *c, const struct agent_frame *frame)
{
	switch (frame->type) {
	case AGENT_PING:
		return agent_stream_send(&c->stream, AGENT_PONG, NULL, 0);
	case AGENT_STOP:
		record_process_stop(&c->recorder);
		return 0;
	case AGENT_HELLO:
		return is_other_host(c, frame) ? -EPIPE : 0;
	default:
		return -EBADMSG;
	}
}

static int record(struct conversation *c)
{
	struct agent_frame frame;
	int err = 0;

	while (!err && !c->recorder.ended && !end_signal_came()) {
		int n = agent_stream_receive(&c->stream, &frame, TICK_MS);

		err = n > 0 ? handle_frame(c, &frame) : n;
		agent_busy_look(&c->others);
		record_process_look(&c->recorder);
		if (!err && c->recorder.started && !c->said_started) {
			c->said_started = true;
			err = agent_stream_send(&c->stream, AGENT_STARTED, NULL, 0);
		}
		if (!err)
			err = relay_text(c);
	}
	/* However it ended: nothing stays attached. */
	record_process_finish(&c->recorder);
	return err ? err : relay_text(c);
}

static int send_bytes(struct conversation *c, int fd, uint64_t bytes)
{
	static char block[AGENT_FRAME_MAX_BYTES];

	while (bytes) {
		size_t want = bytes < sizeof(block) ? (size_t)bytes : sizeof(block);
		ssize_t n = read(fd, block, want);
		int err;

		if (n <= 0)
			return n ? -errno : -EIO;
		err = agent_stream_send(&c->stream, AGENT_FILE, block, (size_t)n);
		if (err)
			return err;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static int send_file(struct conversation *c)
{
	struct agent_ended ended = {.status = (uint32_t)c->recorder.status};
	int fd = open(c->path, O_RDONLY | O_CLOEXEC), err;
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st))
		ended.bytes = (uint64_t)st.st_size;
	err = send_packed(c, AGENT_ENDED, agent_ended_pack(&ended));
	if (!err && fd >= 0)
		err = send_bytes(c, fd, ended.bytes);
	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * Until the host has gone. Closing a socket in which its pings wait would have TCP throw away what
 * it has not yet read.
 */
static void await_close(struct conversation *c)
{
	struct agent_frame frame;
	int n = 0;

	while (n >= 0 && !end_signal_came()) {
		n = agent_stream_receive(&c->stream, &frame, TICK_MS);
		if (n > 0 && is_other_host(c, &frame))
			break;
	}
}

static int converse(struct conversation *c)
{
	int err = await_hello(c);

	if (!err)
		err = await_start(c);
	if (!err)
		err = record(c);
	if (!err)
		err = send_file(c);
	if (!err)
		msg_info(c->start.dry_run ? "told the host" : "recorded, and sent to the host");
	if (!err || err == -ECANCELED)
		await_close(c);
	return err;
}

static void say_end(int err)
{
	if (err == -EPIPE)
		msg_warn("the host has gone");
	else if (err == -ETIMEDOUT)
		msg_warn("the host was silent for too long");
	else if (err == -EBADMSG)
		msg_warn("the host has sent what is not vfscope's protocol");
	else if (err && err != -ECANCELED && err != -EINTR)
		msg_warn("the conversation with the host failed: %s", strerror(-err));
	if (err)
		msg_info("waiting for the next host");
}

static int serve_host(const struct agent_config *config, struct agent_listener *listener, int fd)
{
	struct conversation c = {
		.config = config, .others = {.listener = listener}, .recorder = {.text_fd = -1}};
	int err = agent_stream_open(&c.stream, fd);

	if (err) {
		close(fd);
		return err;
	}
	err = converse(&c);
	agent_busy_close(&c.others);
	record_process_finish(&c.recorder);
	if (c.recorder.text_fd >= 0)
		close(c.recorder.text_fd);
	remove_place(&c);
	agent_start_free(&c.start);
	agent_stream_close(&c.stream);
	return err;
}

int agent_serve(const struct agent_config *config)
{
	struct agent_listener listener;
	int fd, err = 0;

	if (agent_channel_listen(&listener, &config->address))
		return EXIT_CANNOT;
	if (agent_address_is_remote(&config->address))
		msg_warn("anyone who reaches %s port %u can record here, and read it on the way: "
			 "there is neither authentication nor encryption",
			 config->address.name, config->address.port);
	end_signal_catch(true);
	msg_info("waiting for a host");
	while (!end_signal_came()) {
		fd = agent_channel_accept(&listener, TICK_MS);
		if (fd == -EAGAIN)
			continue;
		if (fd < 0) {
			err = fd;
			break;
		}
		err = serve_host(config, &listener, fd);
		say_end(err);
		err = 0;
	}
	end_signal_catch(false);
	agent_channel_unlisten(&listener);
	return err ? EXIT_CANNOT : EXIT_DONE;
}
