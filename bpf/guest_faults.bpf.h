/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Probes of faults of mapped files whose pages are cached. Included by guest.bpf.c alone.
 *
 * fuse_file_vm_ops has filemap_fault for the page and fuse_page_mkwrite for the first write to it.
 * filemap_fault is every file system's, so what is not FUSE is left alone at once.
 *
 * What an application sees as one fault can be several calls: filemap_fault that reads returns
 * VM_FAULT_RETRY, since it gave up the mmap lock, and the fault starts again; and fuse_page_mkwrite
 * follows filemap_fault if a shared page is written. So such an op stays open when the call returns
 * (t_pending_ns): the next call for that page goes on with it, and anything else that the task does
 * ends it at the time of that return. (The second try may find the page without a call:
 * filemap_map_pages maps what is cached, and is not followed, as those are no file operations.)
 *
 * Considered instead: probing handle_mm_fault, which has it all in one call, but which every fault
 * of every task in the system passes.
 */
#ifndef VFSCOPE_BPF_GUEST_FAULTS_BPF_H
#define VFSCOPE_BPF_GUEST_FAULTS_BPF_H

#include "bpf/guest_cache.bpf.h"
#include "bpf/guest_maps.bpf.h"
#include "bpf/guest_ops.bpf.h"

/* include/linux/mm_types.h, enum vm_fault_reason; same from 5.10 to 7.2. */
#define VM_FAULT_FAILED 0x73u /* OOM, SIGBUS, HWPOISON, HWPOISON_LARGE, SIGSEGV */
#define VM_FAULT_NOPAGE 0x100u
#define VM_FAULT_RETRY 0x400u
#define VM_FAULT_FALLBACK 0x800u

/* The kernel goes on with the fault that the task is in: it tries again, or writes what was read.
 */
static __always_inline bool fault_resumed(struct inode *inode, u64 offset, u32 flags)
{
	struct guest_op_entry *fault = current_op();

	if (!fault || !fault->t_pending_ns || fault->inode != (u64)inode ||
	    fault->ev.offset_bytes != offset || (fault->ev.flags ^ flags) & OP_FAULT_WRITE)
		return false;
	fault->t_pending_ns = 0;
	return true;
}

/* may_resume: the kernel says that it is not the first try. */
static __always_inline void fault_begin(struct vm_fault *vmf, u32 flags, bool may_resume)
{
	struct inode *inode = KREAD(vmf, vma, vm_file, f_inode);
	u64 offset = (u64)KREAD(vmf, pgoff) << PAGE_SHIFT;

	bool begun = (may_resume && fault_resumed(inode, offset, flags)) ||
		     op_begin(inode, OP_MMAP_FAULT, offset, PAGE_BYTES, flags);

	if ((flags & OP_FAULT_WRITE) && (begun || !stand_in))
		op_dirties(OP_MMAP_FAULT, inode);
}

static __always_inline void fault_return(u32 ret, bool goes_on)
{
	struct guest_op_entry *state = op_return(OP_MMAP_FAULT);

	if (!state)
		return;
	state->ev.result = ret & VM_FAULT_FAILED ? -EFAULT : PAGE_BYTES;
	if (goes_on)
		state->t_pending_ns = bpf_ktime_get_ns();
	else
		op_end(state, state->ev.result);
}

static __always_inline bool fault_is_fuse(struct vm_fault *vmf)
{
	return KREAD(vmf, vma, vm_file, f_inode, i_sb, s_magic) == FUSE_SUPER_MAGIC;
}

/* Only if a shared page is written fuse_page_mkwrite will follow; a private one is read, and
 * copied. */
static __always_inline u32 fault_flags(struct vm_fault *vmf)
{
	if (!(KREAD(vmf, vma, vm_flags) & VM_SHARED))
		return OP_MAP_PRIVATE;
	return KREAD(vmf, flags) & FAULT_FLAG_WRITE ? OP_FAULT_WRITE : 0;
}

ON_ENTRY(filemap_fault, page_fault_begin, struct vm_fault *vmf)
{
	if (enabled && !op_is_begun(OP_MMAP_FAULT) && fault_is_fuse(vmf))
		fault_begin(vmf, fault_flags(vmf), KREAD(vmf, flags) & FAULT_FLAG_TRIED);
	return 0;
}

ON_RETURN(filemap_fault, 1, page_fault_end, struct vm_fault *vmf, u32 ret)
{
	/* With the mmap lock the mapping may be gone: only ret tells. */
	if (ret & VM_FAULT_RETRY)
		fault_return(ret, true);
	else if (fault_is_fuse(vmf))
		fault_return(ret, (fault_flags(vmf) & OP_FAULT_WRITE) &&
					  !(ret & (VM_FAULT_FAILED | VM_FAULT_NOPAGE)));
	return 0;
}

ON_ENTRY(fuse_page_mkwrite, page_write_begin, struct vm_fault *vmf)
{
	fault_begin(vmf, OP_FAULT_WRITE, true);
	return 0;
}

/* VM_FAULT_NOPAGE: the page was truncated meanwhile, and the fault starts again. */
ON_RETURN(fuse_page_mkwrite, 1, page_write_end, struct vm_fault *vmf, u32 ret)
{
	fault_return(ret, ret & VM_FAULT_NOPAGE);
	return 0;
}

#endif
