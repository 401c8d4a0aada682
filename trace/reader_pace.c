// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Readers that are too slow to be waited for; see reader_pace.h.
 */
#include <errno.h>
#include "lib/compiler.h"
#include "trace/reader_pace.h"

static void begin_window(struct reader_pace *p, const struct vft_stall *stall)
{
	p->begun = true;
	p->waited_ns = stall->waited_ns;
	p->taken_bytes = stall->taken_bytes;
}

/* Only waiting counts: while the recording's end is made, there may be nothing to take. */
int reader_pace_check(struct reader_pace *p, const struct vft_stall *stall, uint64_t over_for_ns)
{
	double seconds, taken;

	if (min_u64(stall->for_ns, over_for_ns) >= p->pause_ns)
		return -ETIMEDOUT;
	if (!p->begun)
		begin_window(p, stall);
	if (stall->waited_ns - p->waited_ns < p->window_ns)
		return 0;
	seconds = (double)(stall->waited_ns - p->waited_ns) / NS_PER_SEC;
	taken = (double)(stall->taken_bytes - p->taken_bytes);
	if (taken < seconds * (double)p->bytes_per_s)
		return -ETIME;
	begin_window(p, stall);
	return 0;
}
