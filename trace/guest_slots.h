/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of the guest's programs (bpf/slots.bpf.h) as user space sees them: how large they are,
 * and what is in them when nothing is attached any more.
 */
#ifndef VFSCOPE_TRACE_GUEST_SLOTS_H
#define VFSCOPE_TRACE_GUEST_SLOTS_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

/* Before load: room for so many entries, whatever their keys. */
void guest_slots_limit(struct bpf_map *slots, struct bpf_map *spill, uint32_t entries);

/* Copies the entry of a key, also while programs run. False if there is none. */
bool guest_slots_find(const struct bpf_map *slots, const struct bpf_map *spill, uint64_t key,
		      void *entry);

typedef int (*guest_slot_fn)(void *ctx, void *entry);

/* When nothing is attached any more: calls fn for each entry, until it returns other than 0. That,
 * 0, or -errno. */
int guest_slots_each(const struct bpf_map *slots, const struct bpf_map *spill, guest_slot_fn fn,
		     void *ctx);

#endif
