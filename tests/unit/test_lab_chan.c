// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frame stream between host and lab VM: whole frames come out however the bytes arrive, and
 * what is not a frame is refused before anything is allocated for it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "lab/chan.c"

static void open_pair(struct chan *chan, int *peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(chan_open(chan, fds[0]), 0);
	*peer = fds[1];
}

static void test_refuses_what_is_no_frame(void **state)
{
	static const struct {
		struct frame_head head;
		int result;
	} cases[] = {
		{{FRAME_MAGIC, FRAME_PING, 0, 0}, 1},
		{{FRAME_MAGIC, FRAME_ERROR, UINT32_MAX, 0}, 1},
		{{FRAME_MAGIC, FRAME_STDOUT, 1, FRAME_MAX_LEN}, 0},
		{{FRAME_MAGIC, FRAME_STDOUT, 1, FRAME_MAX_LEN + 1}, -EBADMSG},
		{{FRAME_MAGIC, FRAME_STDOUT, 1, UINT32_MAX}, -EBADMSG},
		{{FRAME_MAGIC + 1, FRAME_PING, 0, 0}, -EBADMSG},
		{{FRAME_MAGIC, 0, 0, 0}, -EBADMSG},
		{{FRAME_MAGIC, FRAME_ERROR + 1, 0, 0}, -EBADMSG},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame frame;
		struct chan chan;
		int peer;

		open_pair(&chan, &peer);
		assert_int_equal(write(peer, &cases[i].head, sizeof(cases[i].head)),
				 sizeof(cases[i].head));
		assert_int_equal(chan_receive(&chan), 1);
		assert_int_equal(chan_next(&chan, &frame), cases[i].result);
		close(peer);
		chan_close(&chan);
	}
}

static void test_assembles_frames_from_single_bytes(void **state)
{
	struct frame_head head = {FRAME_MAGIC, FRAME_STDERR, 7, 5};
	unsigned char bytes[sizeof(head) + 5];
	struct frame frame;
	struct chan chan;
	int peer;

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), "hello", 5);
	open_pair(&chan, &peer);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			assert_int_equal(chan_next(&chan, &frame), 0);
			assert_int_equal(write(peer, bytes + i, 1), 1);
			assert_int_equal(chan_receive(&chan), 1);
		}
		assert_int_equal(chan_next(&chan, &frame), 1);
		assert_int_equal(frame.type, FRAME_STDERR);
		assert_int_equal(frame.job, 7);
		assert_int_equal(frame.len, 5);
		assert_memory_equal(frame.data, "hello", 5);
	}
	assert_int_equal(chan_receive(&chan), -EAGAIN);
	close(peer);
	assert_int_equal(chan_receive(&chan), 0);
	chan_close(&chan);
}

/* More than a socket holds: the rest waits in the channel and goes out as the other end reads. */
static void test_queues_what_the_other_end_does_not_take(void **state)
{
	enum {
		FRAMES = 40,
		LEN = 64 << 10
	};
	unsigned char *data = malloc(LEN);
	struct chan from, to;
	struct frame frame;
	int peer, got = 0;

	assert_non_null(data);
	open_pair(&from, &peer);
	assert_int_equal(chan_open(&to, peer), 0);
	for (int i = 0; i < FRAMES; i++) {
		memset(data, i, LEN);
		assert_int_equal(chan_send(&from, FRAME_STDOUT, (uint32_t)i, data, LEN), 0);
	}
	assert_true(chan_has_output(&from));
	while (got < FRAMES) {
		assert_int_equal(chan_flush(&from), 0);
		assert_int_equal(chan_receive(&to), 1);
		while (chan_next(&to, &frame) > 0) {
			assert_int_equal(frame.job, got);
			assert_int_equal(frame.len, LEN);
			assert_int_equal(frame.data[0], got);
			assert_int_equal(frame.data[LEN - 1], got);
			got++;
		}
	}
	assert_false(chan_has_output(&from));
	assert_int_equal(chan_send(&from, FRAME_RUN, 0, data, FRAME_MAX_LEN + 1), -EMSGSIZE);
	free(data);
	chan_close(&from);
	chan_close(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_what_is_no_frame),
		cmocka_unit_test(test_assembles_frames_from_single_bytes),
		cmocka_unit_test(test_queues_what_the_other_end_does_not_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
