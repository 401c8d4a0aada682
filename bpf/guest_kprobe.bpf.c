// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * The guest's programs for kprobe and kretprobe, for attach points where the kernel refuses fentry:
 * see bpf/guest_attach.bpf.h.
 */
#define GUEST_KPROBE
#include "bpf/guest.bpf.c"
