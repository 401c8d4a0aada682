/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The counters of what is lost, by class (lib/loss.h says which), in the guest as on the host. The
 * recorder sums them up at the end.
 */
#ifndef VFSCOPE_BPF_LOSSES_BPF_H
#define VFSCOPE_BPF_LOSSES_BPF_H

#include "bpf/events.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NR_LOSS_CLASSES);
	__type(key, u32);
	__type(value, u64);
} losses SEC(".maps");

static __always_inline void count_loss(u32 loss_class, u64 n)
{
	u64 *slot = bpf_map_lookup_elem(&losses, &loss_class);

	if (slot)
		*slot += n;
}

#endif
