/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks that are taken shared or exclusively by guest threads: rw_semaphores of the kernel.
 *
 * First come, first served, and who gets the lock by somebody else's unlock needs a wake-up. As in
 * rwsem_mark_wake(), when the first in the queue wants it shared, all who want it so get it at
 * once.
 *
 * The kernel does not hand the lock to a waiting writer: it wakes him, and until he runs, who is
 * awake may take the lock again and again, for 4 ms at most (RWSEM_WAIT_TIMEOUT). That is what
 * rw_lock_steal() does; where one thread takes a lock many times in a row, it decides who waits how
 * long. rw_lock_exclusive() is the fair and cheaper way for locks that are not used so.
 */
#ifndef VFSCOPE_SIM_RW_LOCK_H
#define VFSCOPE_SIM_RW_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct sim;
struct thread;

enum rw_want {
	RW_SHARED,
	RW_EXCLUSIVE,
	RW_STEAL, /* exclusively, in rw_lock_steal() */
};

struct rw_lock {
	bool is_exclusive; /* held by one */
	bool hand_off; /* the first in the queue has waited long enough: nobody else may have it */
	uint32_t nr_shared; /* held by so many */
	struct thread *first; /* waiting */
	struct thread *last;
};

/* These say whether the caller must wait to get the lock: it has it when it is woken. */
bool rw_lock_shared(struct thread *th, struct rw_lock *lock);
bool rw_lock_exclusive(struct thread *th, struct rw_lock *lock);
/* FLOW */
bool rw_lock_steal(struct sim *sim, struct thread *th, struct rw_lock *lock);

void rw_unlock_shared(struct sim *sim, struct rw_lock *lock);
void rw_unlock_exclusive(struct sim *sim, struct rw_lock *lock);

#endif
