// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What can be said of a span alone: its latency and the name of its class.
 */
#include "lib/span.h"

static const char *const class_names[NR_SPAN_CLASSES] = {
	[SPAN_OTHER] = "other",
	[SPAN_DIRECT] = "direct",
	[SPAN_READAHEAD] = "readahead",
	[SPAN_READ_MODIFY] = "read_modify",
	[SPAN_WRITETHROUGH] = "writethrough",
	[SPAN_WRITEBACK] = "writeback",
	[SPAN_FORGET] = "forget",
	[SPAN_SETUP] = "setup",
	[SPAN_UPGRADE] = "upgrade",
	[SPAN_RECLAIM] = "reclaim",
	[SPAN_INLINE_RECLAIM] = "inline_reclaim",
	[SPAN_EVICT] = "evict",
};

const char *span_class_name(enum span_class cls)
{
	return (unsigned int)cls < NR_SPAN_CLASSES ? class_names[cls] : "?";
}

uint64_t span_latency_ns(const struct span *span)
{
	uint64_t sum = span->unsplit_ns;

	for (int i = 0; i < NR_STAGES; i++)
		sum += span->stage_ns[i];
	return sum;
}
