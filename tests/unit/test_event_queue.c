// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event list: order, ties in order of arming, cancel, re-arm, renumbering; against a plain
 * search over random histories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lib/rng.h"
#include "sim/event_queue.h"

static void test_order_and_ties(void **state)
{
	const uint64_t times[] = {50, 10, 30, 10, 0, 10};
	const uint32_t order[] = {4, 1, 3, 5, 2, 0};
	struct eventq q;
	uint64_t time;

	assert_int_equal(eventq_init(&q, 6), 0);
	for (uint32_t i = 0; i < 6; i++)
		eventq_arm(&q, i, times[i]);
	for (uint32_t i = 0; i < 6; i++) {
		assert_true(eventq_is_armed(&q, order[i]));
		assert_int_equal(eventq_next(&q, &time), order[i]);
		assert_int_equal(time, times[order[i]]);
		assert_false(eventq_is_armed(&q, order[i]));
	}
	assert_int_equal(eventq_next(&q, &time), EVENTQ_NONE);
	eventq_free(&q);
}

static void test_rearm_and_cancel(void **state)
{
	struct eventq q;
	uint64_t time;

	assert_int_equal(eventq_init(&q, 3), 0);
	eventq_arm(&q, 0, 10);
	eventq_arm(&q, 1, 10);
	eventq_arm(&q, 0, 10); /* armed anew: behind slot 1 now */
	assert_int_equal(eventq_next(&q, &time), 1);
	eventq_arm(&q, 1, 12); /* the one being handled */
	eventq_arm(&q, 2, 11);
	eventq_cancel(&q, 2);
	assert_int_equal(eventq_next(&q, &time), 0);
	eventq_arm(&q, 0, 20);
	eventq_cancel(&q, 0);
	assert_int_equal(eventq_next(&q, &time), 1);
	assert_int_equal(time, 12);
	assert_int_equal(eventq_next(&q, &time), EVENTQ_NONE);
	eventq_arm(&q, 2, EVENTQ_NEVER - 1);
	assert_int_equal(eventq_next(&q, &time), 2);
	eventq_free(&q);
}

static void test_bad_sizes(void **state)
{
	struct eventq q;
	uint64_t time;

	assert_int_equal(eventq_init(&q, 0), -EINVAL);
	assert_int_equal(eventq_init(&q, EVENTQ_MAX_SLOTS + 1), -EINVAL);
	assert_int_equal(eventq_init(&q, 1), 0);
	assert_int_equal(eventq_next(&q, &time), EVENTQ_NONE);
	eventq_arm(&q, 0, 7);
	assert_int_equal(eventq_next(&q, &time), 0);
	assert_int_equal(time, 7);
	eventq_free(&q);
}

#define MAX_SLOTS 70

struct reference {
	uint64_t time[MAX_SLOTS];
	uint64_t armed_as[MAX_SLOTS];
	uint64_t sequence;
};

static uint32_t reference_next(struct reference *ref, uint32_t nr)
{
	uint32_t best = EVENTQ_NONE;

	for (uint32_t i = 0; i < nr; i++) {
		if (ref->time[i] == EVENTQ_NEVER)
			continue;
		if (best == EVENTQ_NONE || ref->time[i] < ref->time[best] ||
		    (ref->time[i] == ref->time[best] && ref->armed_as[i] < ref->armed_as[best]))
			best = i;
	}
	return best;
}

/* jump: how often the sequence is moved to just before its end, so that it must be renumbered. */
static void random_history(uint64_t seed, uint32_t nr, uint64_t spread, bool jump)
{
	struct reference ref = {.sequence = 0};
	uint64_t now = 0, time;
	struct eventq q;
	struct rng rng;

	rng_init(&rng, seed, nr);
	assert_int_equal(eventq_init(&q, nr), 0);
	for (uint32_t i = 0; i < nr; i++)
		ref.time[i] = EVENTQ_NEVER;
	for (int step = 0; step < 4000; step++) {
		uint32_t slot = rng_below(&rng, nr), expected;
		uint64_t dice = rng_below(&rng, 10);

		if (jump && step % 97 == 96)
			q.sequence = EVENTQ_SEQUENCE_LIMIT - 3;
		if (dice < 5) {
			ref.time[slot] = now + rng_below(&rng, spread);
			ref.armed_as[slot] = ++ref.sequence;
			eventq_arm(&q, slot, ref.time[slot]);
		} else if (dice < 6) {
			ref.time[slot] = EVENTQ_NEVER;
			eventq_cancel(&q, slot);
		} else {
			expected = reference_next(&ref, nr);
			assert_int_equal(eventq_next(&q, &time), expected);
			if (expected == EVENTQ_NONE)
				continue;
			assert_int_equal(time, ref.time[expected]);
			now = time;
			ref.time[expected] = EVENTQ_NEVER;
		}
	}
	eventq_free(&q);
}

static void test_against_search(void **state)
{
	const uint32_t sizes[] = {1, 2, 3, 8, 33, 64, MAX_SLOTS};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (uint64_t seed = 0; seed < 5; seed++) {
			random_history(seed, sizes[i], 5, false); /* many ties */
			random_history(seed, sizes[i], 1000000, false);
			random_history(seed, sizes[i], 5, true);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_ties),
		cmocka_unit_test(test_rearm_and_cancel),
		cmocka_unit_test(test_bad_sizes),
		cmocka_unit_test(test_against_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
