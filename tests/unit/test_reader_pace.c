// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a recording's end waits for a slow reader: the rule by numbers, and with a real pipe
 * that is read a little at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "trace/reader_pace.h"
#include "trace/vft_output.h"

#define LONG_OVER (1000 * NS_PER_SEC)
#define PAGE 4096
#define WRITTEN_BYTES (256 << 10)

static const struct reader_pace usual = {
	.pause_ns = 3 * NS_PER_SEC, .window_ns = 10 * NS_PER_SEC, .bytes_per_s = 8192};

static int check(struct reader_pace *p, double for_s, double waited_s, uint64_t taken_bytes)
{
	const struct vft_stall stall = {.for_ns = (uint64_t)(for_s * NS_PER_SEC),
					.waited_ns = (uint64_t)(waited_s * NS_PER_SEC),
					.taken_bytes = taken_bytes};

	return reader_pace_check(p, &stall, LONG_OVER);
}

/* It took nothing for long before the end, too: that does not count. */
static void test_pause(void **state)
{
	const struct vft_stall stall = {.for_ns = 60 * NS_PER_SEC, .waited_ns = 60 * NS_PER_SEC};
	struct reader_pace p = usual;

	assert_int_equal(reader_pace_check(&p, &stall, 0), 0);
	assert_int_equal(reader_pace_check(&p, &stall, 3 * NS_PER_SEC - 1), 0);
	assert_int_equal(reader_pace_check(&p, &stall, 3 * NS_PER_SEC), -ETIMEDOUT);
	p = usual;
	assert_int_equal(check(&p, 2.9, 2.9, 0), 0);
	assert_int_equal(check(&p, 3, 3, 0), -ETIMEDOUT);
}

/* A reader that takes so many bytes each second of waiting: until when it is waited for. */
static double given_up_s(double bytes_per_s)
{
	struct reader_pace p = usual;

	for (double s = 0; s < 100; s += 0.1) {
		int err = check(&p, 0.5, s, (uint64_t)(s * bytes_per_s));

		if (err) {
			assert_int_equal(err, -ETIME);
			return s;
		}
	}
	return -1;
}

static void test_pace(void **state)
{
	assert_true(given_up_s(8200) < 0);
	assert_true(given_up_s(11500) < 0);
	assert_true(given_up_s(8100) > 9.9 && given_up_s(8100) < 10.2);
	assert_true(given_up_s(100) > 9.9 && given_up_s(100) < 10.2);
}

/* All that a pipe holds at once, as rarely as the pause allows. */
static void test_bursts(void **state)
{
	struct reader_pace p = usual;

	for (unsigned int tick = 0; tick < 1000; tick++)
		assert_int_equal(check(&p, tick % 29 * 0.1, tick * 0.1, tick / 29 * 65536), 0);
}

/* Credit from before is not kept for longer than a window. */
static void test_fast_then_slow(void **state)
{
	struct reader_pace p = usual;

	assert_int_equal(check(&p, 0, 0, 0), 0);
	assert_int_equal(check(&p, 0, 1, 100 << 20), 0);
	assert_int_equal(check(&p, 1, 10, 100 << 20), 0);
	assert_int_equal(check(&p, 1, 19.9, (100 << 20) + 20 * PAGE - 1), 0);
	assert_int_equal(check(&p, 1, 20, (100 << 20) + 20 * PAGE - 1), -ETIME);
}

/* Time in which there was nothing to take is no time of waiting. */
static void test_nothing_to_take(void **state)
{
	struct reader_pace p = usual;
	const struct vft_stall before = {.waited_ns = NS_PER_SEC},
			       after = {.waited_ns = 2 * NS_PER_SEC, .taken_bytes = 1};

	assert_int_equal(reader_pace_check(&p, &before, NS_PER_SEC), 0);
	assert_int_equal(reader_pace_check(&p, &after, LONG_OVER), 0);
}

struct reader {
	struct reader_pace pace;
	int from;
	size_t bytes; /* taken every so many times that it is asked for */
	unsigned int every, asked;
};

static int ask(void *ctx, const struct vft_stall *stall)
{
	static char block[1 << 16];
	struct reader *r = ctx;
	int err = reader_pace_check(&r->pace, stall, LONG_OVER);

	if (!err && ++r->asked % r->every == 0)
		assert_true(read(r->from, block, r->bytes) > 0);
	return err;
}

/* 0 or -errno of writing to it what a pipe does not hold at once. */
static int write_to(struct reader *r)
{
	struct vft_output o = {.stalled = ask, .stalled_ctx = r};
	char *data = calloc(1, WRITTEN_BYTES), path[32];
	int fds[2], err;

	assert_non_null(data);
	assert_int_equal(pipe(fds), 0);
	r->from = fds[0];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	assert_int_equal(vft_output_open(&o, path), 0);
	err = vft_output_write(&o, data, WRITTEN_BYTES);
	if (err)
		assert_true(o.taken_bytes < WRITTEN_BYTES);
	else
		assert_int_equal(o.taken_bytes, WRITTEN_BYTES);
	close(o.fd);
	close(fds[0]);
	close(fds[1]);
	free(data);
	return err;
}

/* A page every 200 ms, by a rule of 64 KiB in half a second. */
static void test_pipe_that_trickles(void **state)
{
	struct reader r = {.pace = {.pause_ns = LONG_OVER,
				    .window_ns = NS_PER_SEC / 2,
				    .bytes_per_s = 128 << 10},
			   .bytes = PAGE,
			   .every = 3};

	assert_int_equal(write_to(&r), -ETIME);
}

/* Reads only when there is no room left, but then all that is there. */
static void test_pipe_that_is_read(void **state)
{
	struct reader r = {
		.pace = {.pause_ns = LONG_OVER, .window_ns = NS_PER_SEC / 4, .bytes_per_s = 8192},
		.bytes = 1 << 16,
		.every = 2};

	assert_int_equal(write_to(&r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_fast_then_slow),
		cmocka_unit_test(test_nothing_to_take),
		cmocka_unit_test(test_pipe_that_trickles),
		cmocka_unit_test(test_pipe_that_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
