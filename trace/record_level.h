/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much a recording keeps, and so what it watches and costs.
 */
#ifndef VFSCOPE_TRACE_RECORD_LEVEL_H
#define VFSCOPE_TRACE_RECORD_LEVEL_H

enum record_level {
	RECORD_OPS, /* every request, and in the guest every op */
	RECORD_REQUESTS,
	RECORD_AGGREGATE, /* histograms of requests, in the guest by as few points as they take */
};

/* As files store it: "ops", "requests", "aggregate". */
const char *record_level_name(enum record_level level);

#endif
