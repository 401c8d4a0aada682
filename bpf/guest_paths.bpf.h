/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Names of files, only if they are asked for (record_paths): one event when an op first meets a
 * file. Included by guest.bpf.c alone.
 *
 * bpf_d_path() would do it, but is allowed in few functions, none of which are FUSE's; so this
 * walks up the dentries itself. User space puts the names in order (trace/path_table.c).
 */
#ifndef VFSCOPE_BPF_GUEST_PATHS_BPF_H
#define VFSCOPE_BPF_GUEST_PATHS_BPF_H

#include "bpf/guest_maps.bpf.h"

#define PATH_MAX_NAMES 16
#define NAME_BYTES 256 /* NAME_MAX and the end */

const volatile bool record_paths = false;

struct named_file {
	u64 nodeid;
	u32 conn;
	u32 pad;
};

/* What has been told of, by the address of the inode: daemons use a nodeid again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct named_file);
	__type(value, u64);
} named SEC(".maps");

/* Too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct guest_path_event);
} path_scratch SEC(".maps");

/* Appends the names of entry and of the directories above it. */
static __always_inline void add_names(struct guest_path_event *ev, struct dentry *entry)
{
	struct dentry *parent = BPF_CORE_READ(entry, d_parent);
	u32 at = 0;

	for (int i = 0; i < PATH_MAX_NAMES && parent != entry; i++) {
		const unsigned char *name = BPF_CORE_READ(entry, d_name.name);
		long len;

		if (at >= NAME_BYTES)
			break;
		len = bpf_probe_read_kernel_str(&ev->names[at & (NAME_BYTES - 1)], NAME_BYTES,
						name);
		if (len <= 1)
			break;
		at += len;
		ev->nr_names++;
		entry = parent;
		parent = BPF_CORE_READ(entry, d_parent);
	}
	ev->cut = parent != entry;
}

/* The file of an op, under this name. */
static __always_inline void note_path(u32 conn, struct dentry *entry)
{
	struct inode *inode = BPF_CORE_READ(entry, d_inode);
	u64 address = (u64)inode, *known;
	struct named_file file = {.conn = conn};
	struct guest_path_event *ev;
	u32 zero = 0;

	if (!record_paths || !inode)
		return;
	file.nodeid = inode_nodeid(inode);
	known = bpf_map_lookup_elem(&named, &file);
	ev = bpf_map_lookup_elem(&path_scratch, &zero);
	if ((known && *known == address) || !ev)
		return;
	bpf_map_update_elem(&named, &file, &address, BPF_ANY); /* if it fails: told again */
	__builtin_memset(ev, 0, sizeof(*ev));
	ev->h.type = EV_GUEST_PATH;
	ev->h.size = sizeof(*ev);
	ev->h.cpu = bpf_get_smp_processor_id();
	ev->h.ts_ns = bpf_ktime_get_ns();
	ev->nodeid = file.nodeid;
	ev->conn = conn;
	add_names(ev, entry);
	if (ev->nr_names || ev->cut)
		emit(ev, sizeof(*ev));
}

/* Renamed: the next op on it tells its new name. */
static __always_inline void forget_path(u32 conn, u64 nodeid)
{
	struct named_file file = {.nodeid = nodeid, .conn = conn};

	if (record_paths)
		bpf_map_delete_elem(&named, &file);
}

#endif
