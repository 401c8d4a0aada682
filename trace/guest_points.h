/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The places in the guest's kernel that a recording watches: the one table of them, for the
 * recorder and for `vfscope probe`, and what this kernel offers for each.
 *
 * The kernel decides, by its BTF and by trying, never its version: the same function came and went
 * in stable updates.
 */
#ifndef VFSCOPE_TRACE_GUEST_POINTS_H
#define VFSCOPE_TRACE_GUEST_POINTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "trace/attach.h"
#include "trace/record_level.h"

#define GUEST_POINT_ALTERNATIVES 3
#define GUEST_POINT_PROGRAMS 2
#define GUEST_POINTS_MAX 64
#define GUEST_POINT_DOORBELL "doorbell rung"
#define GUEST_POINT_PAGES "page cached"

enum guest_point_kind {
	POINT_NEEDED, /* nothing can be recorded without it */
	POINT_TIME, /* without it a time is missing in each request */
	POINT_OP, /* not with --no-ops; ops cannot be recorded without it */
	POINT_OP_OPTIONAL, /* and recording goes on without it */
	POINT_DAX, /* only where there is a DAX window, and recording goes on without it */
	POINT_DAX_OP, /* likewise, and not with --no-ops */
};

/* What a recording is to have. */
struct guest_recorded {
	enum record_level level;
	bool dax; /* there is a DAX window */
	bool aggregate_ops; /* RECORD_AGGREGATE: ops, too */
};

struct guest_point {
	enum guest_point_kind kind;
	bool all_devices; /* of a function that others than virtio-fs call, too */
	int aggregate_programs; /* of each alternative, that an aggregated recording uses; of ops
				   and DAX, if it has those */
	const char *what;
	const char *without; /* what a recording is without it */
	/* The first one that the kernel has is used. */
	struct {
		const char *function;
		const char *programs[GUEST_POINT_PROGRAMS]; /* of guest.bpf.c */
	} alternative[GUEST_POINT_ALTERNATIVES];
};

extern const struct guest_point guest_points[];
extern const size_t nr_guest_points;

/* In 6.1 of Debian these are modules; elsewhere all is in vmlinux. NULL-terminated. */
extern const char *const guest_modules[];

/* What was found for the point of the same index. */
struct guest_point_choice {
	enum attach_mechanism mechanism; /* ATTACH_NONE: the point is not there */
	int alternative; /* valid unless ATTACH_NONE */
	const char *module; /* that the function is in; valid likewise */
	int fentry_err; /* why not fentry, 0 or -errno */
	int err; /* ATTACH_NONE: why not at all */
};

/* How many of the programs of an alternative a recording uses, from the first; 0: none. */
int guest_point_programs(const struct guest_point *point, const struct guest_recorded *what);

#define GUEST_STAND_INS 2

/*
 * How many stand-ins one of a point's programs has where the kernel preempts its own code
 * (trace/guest_probes.h). While they make up for a program that is skipped, they may be preempted
 * as well, so there are two for what many tasks do at once, and one for ops that are rarer, since
 * each takes its time to attach.
 */
int guest_point_stand_ins(const struct guest_point *point, const char *program);

/* Whether a run that is skipped is a loss. */
bool guest_point_loses(const struct guest_point *point, const char *program);

/* "virtio_fs_enqueue_req", or all alternatives: "fuse_chan_send, fuse_simple_request". */
const char *guest_point_function(const struct guest_point *point,
				 const struct guest_point_choice *choice, char *buf, size_t len);

/*
 * Fill choices[nr_guest_points]. only: ATTACH_NONE for any mechanism, fentry first; else that one
 * alone. attach: see attach_try_fentry().
 */
void guest_points_choose(struct kernel_functions *k, enum attach_mechanism only, bool attach,
			 struct guest_point_choice *choices);

/* The first point that is missing though a recording needs it, or NULL. */
const struct guest_point *guest_points_missing(const struct guest_point_choice *choices,
					       const struct guest_recorded *what);

/* For a file's header and `vfscope probe --format json`. A new array, or NULL. */
json_t *guest_points_json(const struct guest_point_choice *choices,
			  const struct guest_recorded *what);

#endif
