// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks of guest threads: rw_lock.h.
 */
#include "sim/model.h"

static bool wait_for(struct thread *th, struct rw_lock *lock, bool shared)
{
	th->wants_shared = shared;
	th->wait_next = NULL;
	if (lock->last)
		lock->last->wait_next = th;
	else
		lock->first = th;
	lock->last = th;
	return thread_block(th);
}

bool rw_lock_shared(struct thread *th, struct rw_lock *lock)
{
	if (lock->is_exclusive || lock->first)
		return wait_for(th, lock, true);
	lock->nr_shared++;
	return false;
}

bool rw_lock_exclusive(struct thread *th, struct rw_lock *lock)
{
	if (lock->is_exclusive || lock->nr_shared)
		return wait_for(th, lock, false);
	lock->is_exclusive = true;
	return false;
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
		th->wait_next = NULL;
		if (th->wants_shared) {
			lock->nr_shared++;
			wake(sim, th);
			continue;
		}
		if (lock->last)
			lock->last->wait_next = th;
		else
			lock->first = th;
		lock->last = th;
	}
}

/* The lock is free, or held shared by some. */
static void grant(struct sim *sim, struct rw_lock *lock)
{
	struct thread *th = lock->first;

	if (!th)
		return;
	if (th->wants_shared) {
		grant_shared(sim, lock);
		return;
	}
	if (lock->nr_shared)
		return;
	lock->is_exclusive = true;
	lock->first = th->wait_next;
	if (!lock->first)
		lock->last = NULL;
	wake(sim, th);
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
