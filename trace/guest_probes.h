/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of guest.bpf.c's programs to load on this kernel. The kernel's BTF decides, never its
 * version: the same function came and went in stable updates.
 */
#ifndef VFSCOPE_TRACE_GUEST_PROBES_H
#define VFSCOPE_TRACE_GUEST_PROBES_H

#include <stdbool.h>
#include <bpf/libbpf.h>

/* 0, or -errno after a message that names what the kernel lacks. */
int guest_probes_choose(struct bpf_object *object, bool ops);

/*
 * How often a probe of a virtio-fs or FUSE function did not run because it was already running on
 * that CPU (preempted in it). Each is an event missing or wrong. With -v, prints what each cost.
 */
uint64_t guest_probes_missed(struct bpf_object *object);

#endif
