/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Probes of what the page cache does for ops and with what they wrote. Included by guest.bpf.c
 * alone.
 *
 * - __filemap_add_folio: a page that an op had to add was not cached (pages_missed). Pages that the
 *   kernel reads ahead are beyond the op's range and not counted. One that an earlier op had added,
 *   and whose READ is under way, counts as cached, though the op waits for it.
 * - io_schedule_timeout inside a buffered write: balance_dirty_pages() makes the task pause
 *   (mm/page-writeback.c calls it for nothing else). The tracepoint balance_dirty_pages tells how
 *   long the kernel means it to; this is how long it did.
 * - fuse_writepages: a pass over one inode's dirty pages, by whom and how many.
 * - which op a WRITE of write-back is for (dirtied).
 */
#ifndef VFSCOPE_BPF_GUEST_CACHE_BPF_H
#define VFSCOPE_BPF_GUEST_CACHE_BPF_H

#include "bpf/guest_aggregate.bpf.h"
#include "bpf/guest_connection.bpf.h"
#include "bpf/guest_maps.bpf.h"

#define PAGE_SHIFT 12
#define PAGE_BYTES (1u << PAGE_SHIFT)
#define DIRTIED_SHIFT 20
#define DIRTIED_MAX_PARTS 16

/*
 * The last op that dirtied each MiB of a file. A WRITE that no op's task issues is for the last one
 * in the MiB where it begins: of several ops whose pages are written together, the one that
 * completed them, if it was sequential. Considered: a map of pages, 256 times as many updates for
 * an op of 1 MiB; and the last op of the whole file, which is wrong as soon as two tasks write it.
 */
struct dirtied_part {
	u64 nodeid;
	u64 part;
	u32 conn;
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct dirtied_part);
	__type(value, u64); /* op_id */
} dirtied SEC(".maps");

/* Passes under way, by thread id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct guest_writeback_event); /* pages: of nr_to_write, before it */
} passes SEC(".maps");

static __always_inline void note_dirtied(const struct guest_op_event *ev, u64 offset, u64 bytes)
{
	u64 last = (offset + (bytes ? bytes - 1 : 0)) >> DIRTIED_SHIFT;
	struct dirtied_part key = {.nodeid = ev->nodeid, .conn = ev->conn};
	u64 op_id = ev->op_id;

	key.part = offset >> DIRTIED_SHIFT;
	for (int i = 0; i < DIRTIED_MAX_PARTS && key.part <= last; i++, key.part++)
		/* Rather no op, which reports count, than an earlier one. */
		if (bpf_map_update_elem(&dirtied, &key, &op_id, BPF_ANY))
			bpf_map_delete_elem(&dirtied, &key);
}

/* The op that the current task is in dirties pages, from now on. */
static __always_inline void op_dirties(u32 type, struct inode *inode)
{
	struct guest_op_entry *state = current_op();
	struct fuse_conn *fc;

	if (aggregate) /* no WRITE is linked to its op */
		return;
	if (!state || state->ev.op_type != type || state->inode != (u64)inode)
		return;
	if (state->ev.flags & (OP_DIRECT | OP_FOPEN_DIRECT | OP_DAX))
		return;
	fc = inode_conn(inode);
	if (type == OP_MMAP_FAULT || BPF_CORE_READ_BITFIELD_PROBED(fc, writeback_cache))
		note_dirtied(&state->ev, state->ev.offset_bytes, state->ev.size_bytes);
}

/* Of a request that is issued in no op. */
static __always_inline void link_dirtied(struct issue *issue, u32 conn, struct fuse_args *args)
{
	struct dirtied_part key = {.conn = conn};
	struct wire_rw_in in = {};
	u64 *op_id;

	if (KREAD(args, opcode) != WIRE_OPCODE_WRITE ||
	    bpf_probe_read_kernel(&in, sizeof(in), BPF_CORE_READ(args, in_args[0].value)) ||
	    !(in.rw_flags & WIRE_WRITE_CACHE))
		return;
	key.nodeid = KREAD(args, nodeid);
	key.part = in.offset >> DIRTIED_SHIFT;
	op_id = bpf_map_lookup_elem(&dirtied, &key);
	if (!op_id)
		return;
	issue->op_id = *op_id;
	issue->flags |= GREQ_LATER;
}

ON_RETURN(__filemap_add_folio, 5, page_added, struct address_space *mapping, void *folio, u64 index,
	  u32 gfp, void *shadow, int ret)
{
	struct guest_op_entry *state = current_op();
	struct guest_op_event *ev;

	if (!state || ret || !(state->ev.flags & OP_PAGES_KNOWN) ||
	    state->inode != (u64)KREAD(mapping, host))
		return 0;
	ev = &state->ev;
	if (index >= ev->offset_bytes >> PAGE_SHIFT &&
	    index < (ev->offset_bytes + ev->size_bytes + PAGE_BYTES - 1) >> PAGE_SHIFT)
		ev->pages_missed++;
	return 0;
}

ON_ENTRY(io_schedule_timeout, pause_begin, s64 timeout)
{
	struct guest_op_entry *state = current_op();

	if (state && state->ev.op_type == OP_WRITE &&
	    !(state->ev.flags & (OP_DIRECT | OP_FOPEN_DIRECT | OP_DAX)))
		state->t_pause_ns = bpf_ktime_get_ns();
	return 0;
}

ON_RETURN(io_schedule_timeout, 1, pause_end, s64 timeout)
{
	struct guest_op_entry *state = current_op();

	if (!state || !state->t_pause_ns)
		return 0;
	state->ev.throttled_ns += bpf_ktime_get_ns() - state->t_pause_ns;
	state->ev.nr_throttled++;
	state->t_pause_ns = 0;
	return 0;
}

/* What a task has left of its budget, mod 2^32: nobody writes so many pages at once. */
static __always_inline u32 pages_left(struct writeback_control *wbc)
{
	return (u32)KREAD(wbc, nr_to_write);
}

ON_ENTRY(fuse_writepages, pass_begin, struct address_space *mapping, struct writeback_control *wbc)
{
	struct guest_writeback_event ev = {};
	struct inode *inode = KREAD(mapping, host);
	u32 task = current_task();
	struct guest_op_entry *state;
	struct fuse_conn *fc;

	if (!enabled)
		return 0;
	fc = inode_conn(inode);
	ev.conn = minor_of(BPF_CORE_READ(fc, dev));
	if (!conn_transport(fc) || !conn_wanted(ev.conn))
		return 0;
	if (stand_in && bpf_map_lookup_elem(&passes, &task))
		return 0;
	made_up_for();
	state = current_op();
	ev.op_id = state ? state->ev.op_id : 0;
	ev.h.type = EV_GUEST_WRITEBACK;
	ev.h.size = sizeof(ev);
	ev.h.cpu = bpf_get_smp_processor_id();
	ev.t_start_ns = bpf_ktime_get_ns();
	ev.nodeid = inode_nodeid(inode);
	ev.task = task;
	ev.pages = pages_left(wbc);
	ev.waits = KREAD(wbc, sync_mode) == WB_SYNC_ALL;
	if (bpf_map_update_elem(&passes, &task, &ev, BPF_ANY))
		count_loss(LOSS_MAP_FULL, 1);
	return 0;
}

ON_RETURN(fuse_writepages, 2, pass_end, struct address_space *mapping,
	  struct writeback_control *wbc, int ret)
{
	u32 task = current_task();
	struct guest_writeback_event *ev = bpf_map_lookup_elem(&passes, &task);

	if (!ev)
		return 0;
	made_up_for();
	ev->h.ts_ns = bpf_ktime_get_ns();
	ev->pages -= pages_left(wbc);
	ev->result = ret;
	if (ev->pages || ret)
		emit(ev, sizeof(*ev));
	bpf_map_delete_elem(&passes, &task);
	return 0;
}

#endif
