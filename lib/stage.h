/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stages of a request's life: the one table of their names, order and meaning.
 *
 * The stages of a request sum to its latency (t_issue to its end) to the nanosecond.
 */
#ifndef VFSCOPE_LIB_STAGE_H
#define VFSCOPE_LIB_STAGE_H

enum stage {
	STAGE_BG_WAIT, /* issued -> leaves the background queue */
	STAGE_RING_WAIT, /* -> in the virtqueue; not zero only if the ring was full */
	STAGE_NOTIFY, /* -> the daemon takes the chain: kick, VM exit, wake-up, earlier chains */
	STAGE_POOL, /* -> a worker starts it; zero without a thread pool */
	STAGE_SERVICE, /* -> used ring published */
	STAGE_INTERRUPT, /* -> the guest's virtqueue interrupt handler */
	STAGE_COMPLETION, /* -> request ended: work queue, serial draining */
	STAGE_WAKEUP, /* -> the waiting task runs again */
	NR_STAGES
};

/* Name as printed ("bg_wait"), or "?" for a value out of range. Static storage. */
const char *stage_name(enum stage stage);

/* One sentence for --help and reports: what the time is spent on. Static storage. */
const char *stage_meaning(enum stage stage);

/* Stage of a name, or -ENOENT. */
int stage_from_name(const char *name);

#endif
