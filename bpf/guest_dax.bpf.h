/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Probes of the DAX window: why a range is mapped or given up, who waits for one, and faults of
 * mapped files. Included by guest.bpf.c alone; loaded only where there is a window (record_dax).
 *
 * Mapping and unmapping are requests, SETUPMAPPING and REMOVEMAPPING, and recorded as such. What is
 * added here is the reason, which the request does not carry: what its task is doing (dax_tasks).
 *
 * Waiting for a free range is inlined into its callers in all kernels (fs/fuse/dax.c,
 * alloc_dax_mapping_reclaim and the wait_event of __fuse_dax_fault), so it is measured between the
 * two calls around it: from the alloc_dax_mapping that finds none to the fuse_setup_one_mapping
 * that uses one. A range that the task takes from its own file meanwhile is in that time, too.
 */
#ifndef VFSCOPE_BPF_GUEST_DAX_BPF_H
#define VFSCOPE_BPF_GUEST_DAX_BPF_H

#include "bpf/guest_maps.bpf.h"
#include "bpf/guest_faults.bpf.h"
#include "bpf/guest_ops.bpf.h"

#define PMD_ORDER 9
#define PUD_ORDER 18

/* By thread id: GREQ_DAX_* of what it is doing. An inode may be evicted while the worker runs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u32);
} dax_tasks SEC(".maps");

static __always_inline u32 dax_issue_flags(u32 task)
{
	u32 *flags = bpf_map_lookup_elem(&dax_tasks, &task);

	return flags ? *flags : 0;
}

static __always_inline void dax_enter(u32 flag)
{
	u32 task = current_task(), flags = dax_issue_flags(task) | flag;

	if (enabled && bpf_map_update_elem(&dax_tasks, &task, &flags, BPF_ANY))
		count_loss(LOSS_MAP_FULL, 1);
}

static __always_inline void dax_leave(u32 flag)
{
	u32 task = current_task(), *flags = bpf_map_lookup_elem(&dax_tasks, &task);

	if (!flags)
		return;
	*flags &= ~flag;
	if (!*flags)
		bpf_map_delete_elem(&dax_tasks, &task);
}

/* 6.18 (zero-size in_args[0]) moved arguments by one. */
static __always_inline const void *mapping_arg(struct fuse_args *args, int n)
{
	if (BPF_CORE_READ(args, in_args[0].size))
		return n ? BPF_CORE_READ(args, in_args[1].value)
			 : BPF_CORE_READ(args, in_args[0].value);
	return n ? BPF_CORE_READ(args, in_args[2].value) : BPF_CORE_READ(args, in_args[1].value);
}

static __always_inline void describe_removal(struct guest_request_event *ev, struct fuse_args *args)
{
	struct wire_removemapping_one first = {};
	u32 count = 0;

	if (bpf_probe_read_kernel(&count, sizeof(count), mapping_arg(args, 0)) ||
	    bpf_probe_read_kernel(&first, sizeof(first), mapping_arg(args, 1))) {
		count_loss(LOSS_HEADER, 1);
		return;
	}
	ev->size_bytes = count * DAX_RANGE_BYTES;
	ev->window_range = first.moffset / DAX_RANGE_BYTES;
}

static __always_inline void describe_mapping(struct guest_request_event *ev, struct fuse_args *args)
{
	struct wire_setupmapping_in in = {};

	if (ev->opcode == WIRE_OPCODE_REMOVEMAPPING)
		describe_removal(ev, args);
	if (ev->opcode != WIRE_OPCODE_SETUPMAPPING)
		return;
	if (bpf_probe_read_kernel(&in, sizeof(in), mapping_arg(args, 0))) {
		count_loss(LOSS_HEADER, 1);
		return;
	}
	ev->offset_bytes = in.foffset;
	ev->size_bytes = in.len;
	ev->fuse_flags = in.flags;
	ev->window_range = in.moffset / DAX_RANGE_BYTES;
}

/* bool arguments are only defined in their low byte. */
ON_ENTRY(fuse_setup_one_mapping, dax_setup_begin, struct inode *inode, u64 start_idx, void *dmap,
	 u64 writable, u64 upgrade)
{
	struct guest_op_entry *state;

	if (upgrade & 0xff) {
		dax_enter(GREQ_DAX_UPGRADE);
		return 0;
	}
	state = current_op();
	if (state)
		op_has_range(state);
	return 0;
}

ON_RETURN(fuse_setup_one_mapping, 1, dax_setup_end, struct inode *inode)
{
	dax_leave(GREQ_DAX_UPGRADE);
	return 0;
}

ON_ENTRY(fuse_dax_free_mem_worker, dax_worker_begin, struct work_struct *work)
{
	dax_enter(GREQ_DAX_WORKER);
	return 0;
}

ON_RETURN(fuse_dax_free_mem_worker, 1, dax_worker_end, struct work_struct *work)
{
	dax_leave(GREQ_DAX_WORKER);
	return 0;
}

ON_ENTRY(fuse_dax_inode_cleanup, dax_evict_begin, struct inode *inode)
{
	dax_enter(GREQ_DAX_EVICT);
	return 0;
}

ON_RETURN(fuse_dax_inode_cleanup, 1, dax_evict_end, struct inode *inode)
{
	dax_leave(GREQ_DAX_EVICT);
	return 0;
}

ON_RETURN(alloc_dax_mapping, 1, dax_range_sought, void *fcd, void *dmap)
{
	struct guest_op_entry *state;

	if (dmap)
		return 0;
	state = current_op();
	if (state && !state->t_no_range_ns)
		state->t_no_range_ns = bpf_ktime_get_ns();
	return 0;
}

/*
 * Until 6.5 an enum page_entry_size: PTE 0, PMD 1, PUD 2; then (1d024e7a8dab) the order, of which 1
 * and 2 do not occur.
 */
static __always_inline u32 fault_order(u32 size)
{
	return size == 1 ? PMD_ORDER : size == 2 ? PUD_ORDER : size;
}

ON_ENTRY(__fuse_dax_fault, dax_fault_begin, struct vm_fault *vmf, u32 size, u64 write)
{
	u64 bytes = 1ull << (PAGE_SHIFT + (fault_order(size) & 31));
	u64 offset = (u64)KREAD(vmf, pgoff) << PAGE_SHIFT;

	op_begin(KREAD(vmf, vma, vm_file, f_inode), OP_MMAP_FAULT, offset & -bytes, bytes,
		 OP_DAX | (write & 0xff ? OP_FAULT_WRITE : 0));
	return 0;
}

ON_RETURN(__fuse_dax_fault, 3, dax_fault_end, struct vm_fault *vmf, u32 size, u64 write, u32 ret)
{
	struct guest_op_entry *state = op_return(OP_MMAP_FAULT);

	if (!state)
		return 0;
	/* The kernel tries it again, page by page. */
	if ((ret & VM_FAULT_FALLBACK) && !state->ev.nr_requests)
		op_forget(state);
	else
		op_end(state, ret & VM_FAULT_FAILED ? -EFAULT : state->ev.size_bytes);
	return 0;
}

#endif
