// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks of guest threads: rw_lock.h.
 */
#include "sim/flow.h"
#include "sim/model.h"

#define HAND_OFF_NS (NS_PER_SEC / 250) /* RWSEM_WAIT_TIMEOUT */

static void append(struct thread *th, struct rw_lock *lock)
{
	th->wait_next = NULL;
	if (lock->last)
		lock->last->wait_next = th;
	else
		lock->first = th;
	lock->last = th;
}

static void take_first(struct rw_lock *lock)
{
	lock->first = lock->first->wait_next;
	if (!lock->first)
		lock->last = NULL;
}

static bool wait_for(struct thread *th, struct rw_lock *lock, enum rw_want want)
{
	th->rw.want = want;
	append(th, lock);
	return thread_block(th);
}

static bool is_held(const struct rw_lock *lock)
{
	return lock->is_exclusive || lock->nr_shared;
}

/* Those who wait may be passed if the first of them sleeps in rw_lock_steal(). */
static bool may_pass(const struct rw_lock *lock)
{
	return !lock->first || (lock->first->rw.want == RW_STEAL && !lock->hand_off);
}

bool rw_lock_shared(struct thread *th, struct rw_lock *lock)
{
	if (lock->is_exclusive || !may_pass(lock))
		return wait_for(th, lock, RW_SHARED);
	lock->nr_shared++;
	return false;
}

bool rw_lock_exclusive(struct thread *th, struct rw_lock *lock)
{
	if (is_held(lock) || lock->first)
		return wait_for(th, lock, RW_EXCLUSIVE);
	lock->is_exclusive = true;
	return false;
}

/* rwsem_try_write_lock() of the first in the queue, who is awake. */
static bool try_as_first(struct sim *sim, struct thread *th, struct rw_lock *lock)
{
	if (is_held(lock)) {
		if (sim->host->now_ns - th->rw.t_began_ns >= HAND_OFF_NS)
			lock->hand_off = true;
		return false;
	}
	take_first(lock);
	lock->hand_off = false;
	lock->is_exclusive = true;
	return true;
}

bool rw_lock_steal(struct sim *sim, struct thread *th, struct rw_lock *lock)
{
	FLOW_BEGIN(th->rw.at);
	if (!is_held(lock) && may_pass(lock)) {
		lock->is_exclusive = true;
		FLOW_RETURN(th->rw.at);
	}
	th->rw.t_began_ns = sim->host->now_ns;
	FLOW_WAIT(th->rw.at, wait_for(th, lock, RW_STEAL));
	while (!try_as_first(sim, th, lock))
		FLOW_WAIT(th->rw.at, thread_block(th));
	FLOW_END(th->rw.at);
}

static void wake(struct sim *sim, struct thread *th)
{
	thread_wake_after(sim, th, sim_cost(sim, &th->rng, COST_WAKEUP));
}

static void grant_shared(struct sim *sim, struct rw_lock *lock)
{
	struct thread *th = lock->first, *next;

	lock->first = lock->last = NULL;
	for (; th; th = next) {
		next = th->wait_next;
		if (th->rw.want != RW_SHARED) {
			append(th, lock);
			continue;
		}
		lock->nr_shared++;
		wake(sim, th);
	}
}

/* The lock is free, or held shared by some. */
static void grant(struct sim *sim, struct rw_lock *lock)
{
	struct thread *th = lock->first;

	if (!th)
		return;
	if (th->rw.want == RW_SHARED) {
		grant_shared(sim, lock);
		return;
	}
	if (lock->nr_shared)
		return;
	if (th->rw.want == RW_EXCLUSIVE) {
		lock->is_exclusive = true;
		take_first(lock);
		wake(sim, th);
	} else if (th->blocked) {
		wake(sim, th);
	}
}

void rw_unlock_shared(struct sim *sim, struct rw_lock *lock)
{
	if (!--lock->nr_shared)
		grant(sim, lock);
}

void rw_unlock_exclusive(struct sim *sim, struct rw_lock *lock)
{
	lock->is_exclusive = false;
	grant(sim, lock);
}
