/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of guest.bpf.c's programs to load on this kernel (trace/guest_points.h has the table).
 */
#ifndef VFSCOPE_TRACE_GUEST_PROBES_H
#define VFSCOPE_TRACE_GUEST_PROBES_H

#include <stdbool.h>
#include <bpf/libbpf.h>
#include <jansson.h>
#include "trace/guest_points.h"

/* Fills choices[nr_guest_points]. 0, or -errno after a message that names what is missing. */
int guest_probes_choose(struct bpf_object *object, bool ops, struct guest_point_choice *choices);

/*
 * How often a probe of a virtio-fs or FUSE function did not run because it was already running on
 * that CPU (preempted in it). Each is an event missing or wrong.
 */
uint64_t guest_probes_missed(struct bpf_object *object);

/*
 * What each program cost so far: {"NAME": {"runs": N, "ns": N}, ...}, a new reference or NULL.
 * Empty unless the kernel counted (BPF_ENABLE_STATS); the time of entering and leaving a probe is
 * not in it.
 */
json_t *guest_probes_cost(struct bpf_object *object);

#endif
