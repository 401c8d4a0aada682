/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ops and passes of write-back that were under way when recording began.
 *
 * The return of a function that was entered before its probe was attached is not seen, neither by
 * fexit (the trampoline is entered at the function's begin) nor by kretprobes. So what tasks are in
 * is read from their kernel stacks, once, as soon as begins are seen. Considered instead: following
 * ops from the moment each probe is attached on (misses those that began before, and takes what is
 * left of an op whose return was attached too late for the op that the task is in), and a BPF
 * iterator with bpf_get_task_stack() (the same text, one more program to load).
 *
 * A task that runs at that moment has no stack to read: of each CPU but this one an op can be
 * missed. A stack does not tell the mount: with --mount, or with other FUSE file systems in use,
 * theirs are counted, too.
 *
 * Not with kretprobes: where one has changed a return address in a stack, the kernel looks the old
 * one up, and warns in its log if the task has begun to run meanwhile (rethook_find_ret_addr()).
 */
#ifndef VFSCOPE_TRACE_GUEST_UNDER_WAY_H
#define VFSCOPE_TRACE_GUEST_UNDER_WAY_H

#include <stdbool.h>
#include <stdint.h>
#include "trace/guest_points.h"

/* What a task with this stack (/proc/PID/stack, proc(5)) is in, of what is recorded. */
struct guest_stack {
	bool op;
	bool pass; /* of write-back: in an op or not */
};

struct guest_stack guest_stack_of(const char *text, const struct guest_point_choice *choices,
				  const struct guest_recorded *what);

struct bpf_map;

/* The programs' own, all by thread id; ops are a table (trace/guest_slots.h). */
struct guest_under_way_maps {
	const struct bpf_map *ops_slots, *ops, *passes;
};

/*
 * How many are under way that these do not have. -EACCES or -EPERM: stacks cannot be read here;
 * -EOPNOTSUPP: not with the mechanisms chosen.
 */
int64_t guest_count_under_way(const struct guest_point_choice *choices,
			      const struct guest_recorded *what,
			      const struct guest_under_way_maps *maps);

#endif
