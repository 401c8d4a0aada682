/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The places in the host's kernel that a recording watches: the one table of them, for the recorder
 * and for `vfscope probe`, and what this kernel offers for each.
 */
#ifndef VFSCOPE_TRACE_HOST_POINTS_H
#define VFSCOPE_TRACE_HOST_POINTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "trace/attach.h"

#define HOST_POINTS_MAX 16

struct host_point {
	const char *what;
	const char *without; /* what a recording is without it */
	bool optional; /* only watched with --sched */
	const char *tracepoint;
	/* of host.bpf.c */
	const char *tp_btf_program;
	const char *raw_tp_program;
};

extern const struct host_point host_points[];
extern const size_t nr_host_points;

struct host_point_choice {
	enum attach_mechanism mechanism; /* ATTACH_TP_BTF, ATTACH_RAW_TP or ATTACH_NONE */
	int tp_btf_err; /* why not ATTACH_TP_BTF: 0 or -errno */
	int err; /* ATTACH_NONE: why not at all */
};

/* Fill choices[nr_host_points]. attach: see attach_try_fentry(). */
void host_points_choose(bool attach, struct host_point_choice *choices);
/* The first point that has no mechanism, or NULL. Optional ones count only if they are wanted. */
const struct host_point *host_points_missing(const struct host_point_choice *choices,
					     bool optional);
/* Without the optional ones, unless they are wanted. For a file's header and `vfscope probe
 * --format json`. A new array, or NULL. */
json_t *host_points_json(const struct host_point_choice *choices, bool optional);

#endif
