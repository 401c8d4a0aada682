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

#define HOST_POINTS_MAX 20

/* What a recording is asked for: bits of a mask. */
enum host_recorded {
	HOST_BASE = 1 << 0,
	HOST_SCHED = 1 << 1, /* --sched */
	HOST_KVM = 1 << 2, /* --kvm */
	HOST_EVERYTHING = HOST_BASE | HOST_SCHED | HOST_KVM,
};

struct host_point {
	const char *what;
	const char *without; /* what a recording is without it */
	enum host_recorded group;
	bool spare; /* a recording that wants its group may do without it */
	const char *tracepoint;
	/* of host.bpf.c; NULL: there is none */
	const char *tp_btf_program;
	const char *raw_tp_program;
	const char *tp_program; /* preferred */
	const char *event; /* for tp_program: with its folder in tracefs */
};

extern const struct host_point host_points[];
extern const size_t nr_host_points;

struct host_point_choice {
	enum attach_mechanism
		mechanism; /* ATTACH_TP, ATTACH_TP_BTF, ATTACH_RAW_TP or ATTACH_NONE */
	int err; /* ATTACH_NONE: why not at all */
};

/* Fill choices[nr_host_points]. attach: see attach_try_fentry(). */
void host_points_choose(bool attach, struct host_point_choice *choices);
/* Is this point watched in a recording of what recorded says? */
bool host_point_wanted(const struct host_point *point, unsigned int recorded);
/* The first of the wanted points that has no mechanism and cannot be spared, or NULL. */
const struct host_point *host_points_missing(const struct host_point_choice *choices,
					     unsigned int recorded);
/* The wanted ones, for a file's header and `vfscope probe --format json`. A new array, or NULL. */
json_t *host_points_json(const struct host_point_choice *choices, unsigned int recorded);

#endif
