// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks of guest threads: who gets them next, who may pass those who wait, and for how long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "sim/model.h"

#define NR_THREADS 4

struct fixture {
	struct host host;
	struct sim sim;
	struct thread th[NR_THREADS];
	struct rw_lock lock;
};

static void begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->sim.host = &f->host;
	for (uint32_t i = 0; i < NR_THREADS; i++)
		f->th[i].slot = i;
	for (int i = 0; i < NR_COSTS; i++)
		f->host.cost[i].kind = DIST_CONST;
	assert_int_equal(eventq_init(&f->host.events, NR_THREADS), 0);
}

static void end(struct fixture *f)
{
	eventq_free(&f->host.events);
}

/* The next thread that was woken, as a number; -1: none. */
static int woken(struct fixture *f)
{
	uint64_t time_ns;
	uint32_t slot = eventq_next(&f->host.events, &time_ns);

	if (slot == EVENTQ_NONE)
		return -1;
	assert_false(f->th[slot].blocked);
	return slot;
}

static bool steal(struct fixture *f, int i)
{
	return rw_lock_steal(&f->sim, &f->th[i], &f->lock);
}

static void test_fair(void **state)
{
	struct fixture f;

	begin(&f);
	assert_false(rw_lock_shared(&f.th[0], &f.lock));
	assert_false(rw_lock_shared(&f.th[1], &f.lock));
	assert_true(rw_lock_exclusive(&f.th[2], &f.lock));
	assert_true(rw_lock_shared(&f.th[3], &f.lock)); /* does not pass the writer */
	rw_unlock_shared(&f.sim, &f.lock);
	assert_int_equal(woken(&f), -1);
	rw_unlock_shared(&f.sim, &f.lock);
	assert_int_equal(woken(&f), 2);
	assert_true(f.lock.is_exclusive);
	assert_true(rw_lock_exclusive(&f.th[0], &f.lock));
	assert_true(rw_lock_shared(&f.th[1], &f.lock));
	rw_unlock_exclusive(&f.sim, &f.lock);
	/* The first wants it shared: so do all others who want it shared. */
	assert_int_equal(woken(&f), 3);
	assert_int_equal(woken(&f), 1);
	assert_int_equal(woken(&f), -1);
	assert_int_equal(f.lock.nr_shared, 2);
	rw_unlock_shared(&f.sim, &f.lock);
	rw_unlock_shared(&f.sim, &f.lock);
	assert_int_equal(woken(&f), 0);
	end(&f);
}

/* Who is awake takes the lock again before the writer who was woken runs, for 4 ms. */
static void test_steal(void **state)
{
	struct fixture f;

	begin(&f);
	assert_true(steal(&f, 0));
	assert_false(steal(&f, 1));
	for (uint64_t ms = 1; ms < 4; ms++) {
		f.host.now_ns = ms * 1000000;
		rw_unlock_exclusive(&f.sim, &f.lock);
		assert_true(steal(&f, 0));
		assert_int_equal(woken(&f), 1);
		assert_false(steal(&f, 1));
	}
	f.host.now_ns = 4000000;
	rw_unlock_exclusive(&f.sim, &f.lock);
	assert_true(steal(&f, 0));
	assert_int_equal(woken(&f), 1);
	assert_false(steal(&f, 1)); /* has waited long enough now */
	rw_unlock_exclusive(&f.sim, &f.lock);
	assert_false(steal(&f, 0));
	assert_true(rw_lock_shared(&f.th[2], &f.lock));
	assert_int_equal(woken(&f), 1);
	assert_true(steal(&f, 1));
	assert_false(f.lock.hand_off);
	rw_unlock_exclusive(&f.sim, &f.lock);
	assert_int_equal(woken(&f), 0);
	assert_true(steal(&f, 0));
	rw_unlock_exclusive(&f.sim, &f.lock);
	assert_int_equal(woken(&f), 2);
	assert_int_equal(f.lock.nr_shared, 1);
	end(&f);
}

static void test_readers_pass_a_sleeping_writer(void **state)
{
	struct fixture f;

	begin(&f);
	assert_true(steal(&f, 0));
	assert_false(steal(&f, 1));
	rw_unlock_exclusive(&f.sim, &f.lock);
	assert_false(rw_lock_shared(&f.th[2], &f.lock));
	assert_int_equal(woken(&f), 1);
	assert_false(steal(&f, 1));
	rw_unlock_shared(&f.sim, &f.lock);
	assert_int_equal(woken(&f), 1);
	assert_true(steal(&f, 1));
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_readers_pass_a_sleeping_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
