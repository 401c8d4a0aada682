/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How slow the reader of a pipe may be once a recording's end has come. What is left to be written
 * has a bound, the ring buffer's size; a pace makes that one of the time it takes, too, whatever
 * the reader does.
 */
#ifndef VFSCOPE_TRACE_READER_PACE_H
#define VFSCOPE_TRACE_READER_PACE_H

#include <stdbool.h>
#include <stdint.h>
#include "trace/vft.h"

struct reader_pace {
	uint64_t pause_ns; /* to take nothing for so long is too slow, and */
	uint64_t window_ns; /* in so long a time of waiting, to take fewer bytes than this a second
			     */
	uint64_t bytes_per_s;
	/* where the window began */
	bool begun;
	uint64_t waited_ns, taken_bytes;
};

/*
 * Whenever the reader leaves no room after the end, which came so long ago. 0: wait on; -ETIMEDOUT:
 * it takes nothing; -ETIME: it takes too little.
 */
int reader_pace_check(struct reader_pace *p, const struct vft_stall *stall, uint64_t over_for_ns);

#endif
