/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Put host events into time order within a window.
 *
 * One ring buffer carries the events of all CPUs in the order in which their space was reserved,
 * which is almost the order of their times. Events are held back until one comes that is a window
 * younger.
 */
#ifndef VFSCOPE_TRACE_EVENT_SORT_H
#define VFSCOPE_TRACE_EVENT_SORT_H

#include <stdint.h>
#include "bpf/events.h"

union host_event {
	struct event_header h;
	struct host_chain_event chain;
	struct host_syscall_event call;
	struct host_used_event used;
};

struct event_sort;

/* 0 or -ENOMEM. */
int event_sort_new(struct event_sort **out, uint64_t window_ns);
void event_sort_free(struct event_sort *sort);

/*
 * Copies the event, which is as long as its structure here, as vft_read() hands it out; types other
 * than host events are ignored. 0 or -ENOMEM.
 */
int event_sort_push(struct event_sort *sort, const struct event_header *event);

/*
 * The oldest event that is out of the window, or with all set the oldest of all; NULL if none.
 * Valid until the next call. Equal times come in the order of pushing.
 */
const union host_event *event_sort_pop(struct event_sort *sort, int all);

#endif
