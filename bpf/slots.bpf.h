/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Tables of what is under way, named by an address or a thread: requests, ops and the like.
 *
 * A table is an array in which each key has one place, and a hash map for those whose place is
 * taken. With fewer entries than places nearly all are in the array, where looking one up, making
 * and removing it take some twenty instructions each. In a hash map that is 100, 400 and 250, and
 * its values have to be put together elsewhere and copied.
 *
 * An entry begins with its key; 0 is none. Only the owner of a key makes and removes its entry.
 *
 * Considered: task storage, for what belongs to a task (a call of some 60 instructions, memory for
 * each task that ever did I/O, and nothing for requests, which several tasks see); one array for
 * each CPU (a task may sleep or move between two probes); more than one place for a key (of 100
 * requests in flight, one in 40 is in the hash map).
 */
#ifndef VFSCOPE_BPF_SLOTS_BPF_H
#define VFSCOPE_BPF_SLOTS_BPF_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf/guest_abi.h"

/* Defines maps NAME_slots and NAME, and NAME_spilled: how many entries are in the latter. */
#define SLOT_TABLE(name, entry_type, max_spilled)                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, NR_SLOTS);                                                     \
		__type(key, __u32);                                                                \
		__type(value, entry_type);                                                         \
	} name##_slots SEC(".maps");                                                               \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, max_spilled);                                                  \
		__type(key, __u64);                                                                \
		__type(value, entry_type);                                                         \
	} name SEC(".maps");                                                                       \
	__u32 name##_spilled = 0;                                                                  \
	static const entry_type name##_empty = {};

/* NULL if there is none. */
#define SLOT_FIND(name, key) slot_find(&name##_slots, &name, &name##_spilled, key)

/* A new entry, whose content is undefined but for the key, or NULL if there is no room. */
#define SLOT_NEW(name, key) slot_new(&name##_slots, &name, &name##_spilled, &name##_empty, key)

#define SLOT_REMOVE(name, key) slot_remove(&name##_slots, &name, &name##_spilled, key)

static __always_inline __u64 *slot_at(void *slots, __u64 key)
{
	__u32 at = slot_place(key);

	return bpf_map_lookup_elem(slots, &at);
}

static __always_inline void *slot_find(void *slots, void *spill, __u32 *spilled, __u64 key)
{
	__u64 *slot = slot_at(slots, key);

	if (!key)
		return NULL;
	if (slot && *slot == key)
		return slot;
	return *spilled ? bpf_map_lookup_elem(spill, &key) : NULL;
}

static __always_inline void slot_unspill(void *spill, __u32 *spilled, __u64 key)
{
	if (*spilled && !bpf_map_delete_elem(spill, &key))
		__sync_fetch_and_add(spilled, -1);
}

/* A last entry of that key, left over, is replaced. */
static __always_inline void *slot_new(void *slots, void *spill, __u32 *spilled, const void *empty,
				      __u64 key)
{
	__u64 *slot = slot_at(slots, key), owner;

	slot_unspill(spill, spilled, key);
	if (slot) {
		owner = __sync_val_compare_and_swap(slot, 0, key);
		if (!owner || owner == key)
			return slot;
	}
	if (bpf_map_update_elem(spill, &key, empty, BPF_NOEXIST))
		return NULL;
	__sync_fetch_and_add(spilled, 1);
	slot = bpf_map_lookup_elem(spill, &key);
	if (slot)
		*slot = key;
	return slot;
}

/* An exchange and not a store: nobody may take the place before what it held has been read. */
static __always_inline void slot_remove(void *slots, void *spill, __u32 *spilled, __u64 key)
{
	__u64 *slot = slot_at(slots, key);

	if (slot && *slot == key)
		__sync_lock_test_and_set(slot, 0);
	else
		slot_unspill(spill, spilled, key);
}

#endif
