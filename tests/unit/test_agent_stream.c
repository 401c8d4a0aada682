// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The channel between agent and host: frames however the bytes arrive, ends that take nothing, and
 * a VMM in between.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "trace/agent_hybrid.h"
#include "trace/agent_stream.h"
#include "trace/end_signal.h"
#include "trace/vft_format.h"

/* Returns the size of a frame with this header, whose checksum is right. */
static size_t make_frame(unsigned char *out, uint32_t magic, uint32_t type, uint32_t bytes,
			 size_t have)
{
	struct agent_frame_header h = {
		.magic = magic, .conversation = 5, .type = type, .bytes = bytes};

	memset(out, 'x', sizeof(h) + have);
	memcpy(out, &h, sizeof(h));
	h.crc = vft_crc(out + 8, sizeof(h) - 8 + have);
	memcpy(out + 4, &h.crc, 4);
	return sizeof(h) + have;
}

static void test_refuses_what_is_no_frame(void **state)
{
	static const struct {
		uint32_t magic, type, bytes, have;
		int result;
	} cases[] = {
		{AGENT_FRAME_MAGIC, AGENT_PING, 0, 0, 24},
		{AGENT_FRAME_MAGIC, AGENT_PING, 1, 1, -EBADMSG},
		{AGENT_FRAME_MAGIC, AGENT_HELLO, 512, 512, 536},
		{AGENT_FRAME_MAGIC, AGENT_HELLO, 513, 513, -EBADMSG},
		{AGENT_FRAME_MAGIC, AGENT_HELLO, 20, 10, 0},
		{AGENT_FRAME_MAGIC, AGENT_FILE, 65536, 0, 0},
		{AGENT_FRAME_MAGIC, AGENT_FILE, 65537, 0, -EBADMSG},
		{AGENT_FRAME_MAGIC, AGENT_FILE, UINT32_MAX, 0, -EBADMSG},
		{AGENT_FRAME_MAGIC, 0, 0, 0, -EBADMSG},
		{AGENT_FRAME_MAGIC, NR_AGENT_FRAMES, 0, 0, -EBADMSG},
		{AGENT_FRAME_MAGIC + 1, AGENT_PING, 0, 0, -EBADMSG},
	};
	unsigned char bytes[1024];
	struct agent_frame frame;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = make_frame(bytes, cases[i].magic, cases[i].type, cases[i].bytes,
					cases[i].have);

		assert_int_equal(agent_frame_parse(bytes, len, &frame), cases[i].result);
		if (cases[i].result <= 0)
			continue;
		/* Any flipped bit behind the magic is seen, if only as a frame that is not whole.
		 */
		for (size_t at = 4; at < len; at++) {
			bytes[at] ^= 4;
			assert_true(agent_frame_parse(bytes, len, &frame) <= 0);
			bytes[at] ^= 4;
		}
	}
}

static void open_pair(struct agent_stream *s, int *peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(agent_stream_open(s, fds[0]), 0);
	*peer = fds[1];
}

static void test_frames_arrive_byte_by_byte(void **state)
{
	unsigned char bytes[256];
	struct agent_frame frame;
	struct agent_stream s;
	size_t len;
	int peer;

	open_pair(&s, &peer);
	s.conversation = 5;
	len = make_frame(bytes, AGENT_FRAME_MAGIC, AGENT_TEXT, 7, 7);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(agent_stream_receive(&s, &frame, 0), 0);
		assert_int_equal(write(peer, bytes + i, 1), 1);
	}
	assert_int_equal(agent_stream_receive(&s, &frame, 0), 1);
	assert_int_equal(frame.bytes, 7);
	assert_memory_equal(frame.data, "xxxxxxx", 7);
	/* Of another conversation: left out, so that an old host's orders are not obeyed. */
	s.conversation = 6;
	assert_int_equal(write(peer, bytes, len), len);
	assert_int_equal(agent_stream_receive(&s, &frame, 0), 0);
	close(peer);
	assert_int_equal(agent_stream_receive(&s, &frame, 0), -EPIPE);
	agent_stream_close(&s);
}

static void test_silence_is_what_was_listened_to(void **state)
{
	struct agent_frame frame;
	struct agent_stream s;
	int peer, waits = 0, n;

	open_pair(&s, &peer);
	s.silence_ms = 50;
	/* It was kept from running, and the other end not yet able to say anything. */
	usleep(80000);
	assert_int_equal(agent_stream_receive(&s, &frame, 0), 0);
	/* Each wait counts as what was asked for, however long this end was kept from going on. */
	while (!(n = agent_stream_receive(&s, &frame, 10)))
		waits++;
	assert_int_equal(n, -ETIMEDOUT);
	assert_int_equal(waits, 5);
	/* A byte is a sign of life. */
	assert_int_equal(write(peer, "V", 1), 1);
	assert_int_equal(agent_stream_receive(&s, &frame, 10), 0);
	assert_int_equal(agent_stream_receive(&s, &frame, 10), 0);
	close(peer);
	agent_stream_close(&s);
}

static void test_greeting_is_found_behind_garbage(void **state)
{
	unsigned char bytes[4096];
	struct agent_frame frame;
	struct agent_stream s;
	size_t len = 0;
	int peer;

	/* The end of a frame, the beginning of one, and something that looks like one. */
	open_pair(&s, &peer);
	memcpy(bytes, "garbage VFS", 11);
	len = 11;
	len += make_frame(bytes + len, AGENT_FRAME_MAGIC, AGENT_START, 5000, 300);
	len += make_frame(bytes + len, AGENT_FRAME_MAGIC, AGENT_HELLO, 200, 30);
	len += make_frame(bytes + len, AGENT_FRAME_MAGIC, AGENT_HELLO, 300, 300);
	assert_int_equal(write(peer, bytes, len), len);
	assert_int_equal(agent_stream_seek(&s, true, &frame, SIZE_MAX, 100), 1);
	assert_int_equal(frame.type, AGENT_HELLO);
	assert_int_equal(frame.bytes, 300);
	assert_int_equal(write(peer, bytes, len), len);
	assert_int_equal(agent_stream_seek(&s, true, &frame, 0, 100), -EBADMSG);
	close(peer);
	agent_stream_close(&s);
}

/* Until nothing more goes in: the error. The other end is there, but takes nothing. */
static int fill_channel(struct agent_stream *s)
{
	static const char block[4096];
	int err;

	do {
		err = agent_stream_send(s, AGENT_FILE, block, sizeof(block));
	} while (!err);
	return err;
}

static void test_end_that_takes_nothing(void **state)
{
	struct agent_stream s;
	int peer;

	open_pair(&s, &peer);
	s.silence_ms = 200;
	assert_int_equal(fill_channel(&s), -ETIMEDOUT);
	/* A signal does not wait for that: silence may be allowed for hours. */
	s.silence_ms = 3600 * 1000;
	end_signal_catch(true);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(fill_channel(&s), -EINTR);
	end_signal_catch(false);
	close(peer);
	assert_int_equal(fill_channel(&s), -EPIPE);
	agent_stream_close(&s);
}

/* A VMM's vsock socket, which answers once and is gone, or says nothing. */
static int ask_vmm(const char *answer)
{
	int fds[2], result;
	char line[64] = "";
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		if (read(fds[1], line, sizeof(line) - 1) != 13 || strcmp(line, "CONNECT 8347\n"))
			_exit(1);
		if (write(fds[1], answer, strlen(answer)) < 0)
			_exit(2);
		if (!*answer || strchr(answer, '\n'))
			_exit(0);
		pause();
	}
	close(fds[1]);
	result = agent_hybrid_connect(fds[0], 8347, 100);
	/* Of what follows the line nothing was taken. */
	if (!result)
		assert_int_equal(read(fds[0], line, sizeof(line)), 4);
	close(fds[0]);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return result;
}

static void test_hybrid_vsock(void **state)
{
	assert_int_equal(ask_vmm("OK 1073741824\nVFSA"), 0);
	assert_int_equal(ask_vmm(""), -ENOTCONN);
	assert_int_equal(ask_vmm("OK 1"), -ETIMEDOUT);
	assert_int_equal(ask_vmm("OK\n"), -EPROTO);
	assert_int_equal(ask_vmm("OK \n"), -EPROTO);
	assert_int_equal(ask_vmm("OK 12x\n"), -EPROTO);
	assert_int_equal(ask_vmm("NO 1\n"), -EPROTO);
	assert_int_equal(ask_vmm("OK 1111111111111111111111111111111111111111"), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_what_is_no_frame),
		cmocka_unit_test(test_frames_arrive_byte_by_byte),
		cmocka_unit_test(test_silence_is_what_was_listened_to),
		cmocka_unit_test(test_greeting_is_found_behind_garbage),
		cmocka_unit_test(test_end_that_takes_nothing),
		cmocka_unit_test(test_hybrid_vsock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
