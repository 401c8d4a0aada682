/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's BPF programs: which to load on this kernel (trace/guest_points.h has the table),
 * attaching them, and what they cost.
 *
 * There are two objects, built from one source (bpf/guest_attach.bpf.h): one for fentry, which also
 * owns the maps, and one for kprobes, which is only opened if some attach point needs it.
 *
 * Stand-ins: the kernel skips a fentry program for all other tasks of a CPU while a task is
 * preempted in it there (prog->active, __bpf_prog_enter_recur() in kernel/bpf/trampoline.c, 5.12 to
 * 7.2). So where the kernel preempts its own code, further instances of the fentry object, with
 * maps in common, are attached to the same functions. To the kernel theirs are other programs, with
 * marks of their own. Each runs for each call and does what those before it have not done
 * (stand_in in bpf/guest_maps.bpf.h). Programs attached last run first (hlist_add_head() in
 * __bpf_trampoline_link_prog()), so stand-ins are attached before what they stand in for.
 */
#ifndef VFSCOPE_TRACE_GUEST_PROBES_H
#define VFSCOPE_TRACE_GUEST_PROBES_H

#include <bpf/libbpf.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "trace/bpf_util.h"
#include "trace/guest_points.h"
#include "trace/kretprobe.h"

struct guest_bpf;
struct guest_kprobe_bpf;
struct kernel_functions;

struct guest_probes {
	struct guest_bpf *bpf; /* fentry programs, and the maps of both */
	struct guest_kprobe_bpf *kprobes; /* NULL: none are needed */
	struct guest_bpf *stand_ins[GUEST_STAND_INS]; /* NULL: not needed, or not to be had */
	struct guest_point_choice choices[GUEST_POINTS_MAX];
	struct bpf_link **links;
	size_t nr_links;
	struct kretprobes kretprobes;
	struct kernel_functions *kernel; /* until programs are loaded */
	int handlers[2]; /* of libbpf, for the sections of fentry programs; 0: none */
	struct guest_recorded what;
	bool fell_back; /* choices changed when they were attached */
};

/*
 * Choose what each attach point gets (only: see guest_points_choose()) and open what that needs;
 * the caller then sets p->bpf's constants and map sizes. 0, or -errno after a message that names
 * what is missing.
 */
int guest_probes_open(struct guest_probes *p, const struct guest_recorded *what,
		      enum attach_mechanism only);
/* 0, or -errno after a message. */
int guest_probes_load(struct guest_probes *p);
/* A point whose fentry cannot be attached after all gets kprobes. 0, or -errno after a message. */
int guest_probes_attach(struct guest_probes *p);
/* Whether the point of that name (guest_point.what) is used. */
bool guest_probes_has(const struct guest_probes *p, const char *what);

void guest_probes_detach(struct guest_probes *p);
void guest_probes_close(struct guest_probes *p);

/*
 * How often a probe of a virtio-fs or FUSE function did not run because it was already running on
 * that CPU (preempted in it), and no stand-in made up for it. Each is an event missing or wrong.
 */
uint64_t guest_probes_missed(const struct guest_probes *p);

/*
 * What each program cost so far: {"NAME": {"runs": N, "ns": N}, ...}, a new reference or NULL.
 * Empty unless the kernel counted (BPF_ENABLE_STATS); the time of entering and leaving a probe is
 * not in it.
 */
json_t *guest_probes_cost(const struct guest_probes *p);
struct bpf_cost guest_probes_cost_of_all(const struct guest_probes *p);

#endif
