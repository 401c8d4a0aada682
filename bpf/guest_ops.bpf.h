/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Probes of file operations on virtio-fs files. Included by guest.bpf.c alone.
 *
 * Each op is one event when it returns. While it runs, requests that its task issues are linked to
 * it by op_id. Asynchronous I/O returns early (OP_ASYNC); its requests are linked all the same.
 */
#ifndef VFSCOPE_BPF_GUEST_OPS_BPF_H
#define VFSCOPE_BPF_GUEST_OPS_BPF_H

#include "bpf/guest_aggregate.bpf.h"
#include "bpf/guest_cache.bpf.h"
#include "bpf/guest_maps.bpf.h"
#include "bpf/guest_paths.bpf.h"

/*
 * The only ops that run inside another: faults in the buffer, the look-up of an open that creates,
 * and in a write fsync (O_SYNC) and the removal of set-user-ID bits.
 */
static __always_inline bool is_part_of(u32 type, const struct guest_op_entry *outer)
{
	u16 in = outer->ev.op_type;

	if (type == OP_MMAP_FAULT)
		return in != OP_MMAP_FAULT;
	if (type == OP_LOOKUP)
		return in == OP_OPEN;
	return in == OP_WRITE && (type == OP_FSYNC || type == OP_FDATASYNC || type == OP_CHMOD);
}

static __always_inline void op_forget(struct guest_op_entry *state)
{
	SLOT_REMOVE(ops, state->key);
}

/* The op that the current task is in; its fault has ended if it waited for the kernel to go on. */
static __always_inline struct guest_op_entry *op_settle(void)
{
	struct guest_op_entry *op = current_op();

	if (!op || !op->t_pending_ns)
		return op;
	op->ev.h.ts_ns = op->t_pending_ns;
	emit_op(&op->ev);
	op_forget(op);
	return NULL;
}

/* Of fentry programs the kernel counts what it skips, and user space reads that. */
static __always_inline void op_missed(void)
{
#ifdef GUEST_KPROBE
	count_loss(LOSS_PROBE_MISSED, 1);
#endif
}

/* state: all zero but for its key. */
static __always_inline void op_describe(struct guest_op_entry *state, struct inode *inode, u32 type,
					u32 flags)
{
	struct guest_op_event *ev = &state->ev;

	ev->h.type = EV_GUEST_OP;
	ev->h.size = sizeof(*ev);
	ev->h.cpu = bpf_get_smp_processor_id();
	ev->t_start_ns = bpf_ktime_get_ns();
	ev->op_id = __sync_fetch_and_add(&last_op_id, 1) + 1;
	ev->nodeid = inode_nodeid(inode);
	ev->task = state->key;
	ev->op_type = type;
	ev->flags = flags;
	state->inode = (u64)inode;
	if (record_pages && (type == OP_READ || type == OP_MMAP_FAULT) &&
	    !(flags & (OP_DIRECT | OP_FOPEN_DIRECT | OP_DAX)))
		ev->flags |= OP_PAGES_KNOWN;
	if (type == OP_READ)
		state->request_flags |= GREQ_IN_READ_OP;
	if (type == OP_WRITE)
		state->request_flags |= GREQ_IN_WRITE_OP;
	if (flags & (OP_DIRECT | OP_FOPEN_DIRECT))
		state->request_flags |= GREQ_DIRECT_FILE;
}

/* The skips of functions that others than virtio-fs call, too, are not counted at all. */
static __always_inline void op_made_up_for(u32 type)
{
	if (type != OP_MMAP_FAULT && type != OP_FADVISE)
		made_up_for();
}

/* By the program that this one stands in for. */
static __always_inline bool op_is_begun(u32 type)
{
	struct guest_op_entry *state = stand_in ? current_op() : NULL;

	return state && state->ev.op_type == type && !state->t_pending_ns;
}

/* True if an op begins, and not only a part of one. */
static __always_inline bool op_begin_on(struct fuse_conn *fc, struct inode *inode, u32 type,
					u64 offset, u64 size, u32 flags)
{
	struct guest_op_entry *state;
	u32 conn;

	if (!conn_transport(fc)) /* another FUSE file system */
		return false;
	state = op_settle();
	if (state && is_part_of(type, state))
		return false;
	/* Any other op that is still there has ended unseen: replace it. */
	if (state)
		op_missed();
	conn = minor_of(BPF_CORE_READ(fc, dev));
	if (!conn_wanted(conn))
		return false;
	state = SLOT_NEW(ops, current_task());
	if (!state) {
		count_loss(LOSS_MAP_FULL, 1);
		return false;
	}
	__builtin_memset(&state->ev, 0, sizeof(*state) - sizeof(state->key));
	state->ev.conn = conn;
	state->ev.offset_bytes = offset;
	state->ev.size_bytes = size > ~0u ? ~0u : size;
	op_describe(state, inode, type, flags);
	op_made_up_for(type);
	return true;
}

static __always_inline bool op_begin(struct inode *inode, u32 type, u64 offset, u64 size, u32 flags)
{
	return enabled && !op_is_begun(type) &&
	       op_begin_on(inode_conn(inode), inode, type, offset, size, flags);
}

/* The op that this return ends; NULL if it is inside another op or began before we did. */
static __always_inline struct guest_op_entry *op_return(u32 type)
{
	struct guest_op_entry *state = current_op();

	/* A return of another type is that of a part, or of an op whose begin was not seen. */
	if (!state || state->ev.op_type != type)
		return NULL;
	if (stand_in && state->t_pending_ns) /* a fault whose return has been seen */
		return NULL;
	op_made_up_for(type);
	return state;
}

/* A range of the DAX window was found, or given up. */
static __always_inline void op_has_range(struct guest_op_entry *state)
{
	if (state->t_no_range_ns)
		state->ev.range_wait_ns += bpf_ktime_get_ns() - state->t_no_range_ns;
	state->t_no_range_ns = 0;
}

static __always_inline void op_end(struct guest_op_entry *state, s64 result)
{
	state->ev.h.ts_ns = bpf_ktime_get_ns();
	state->ev.result = result;
	if (record_dax)
		op_has_range(state);
	if (result == -EIOCBQUEUED)
		state->ev.flags |= OP_ASYNC;
	emit_op(&state->ev);
	op_forget(state);
}

/* Flags that say how a file moves data. open_flags: FOPEN_*, known once the file is open. */
static __always_inline u32 file_op_flags(struct file *file, bool open)
{
	u32 flags = KREAD(file, f_flags) & flag_o_direct ? OP_DIRECT : 0;

	if (open && (file_fopen_flags(file) & WIRE_FOPEN_DIRECT_IO))
		flags |= OP_FOPEN_DIRECT;
	return flags;
}

static __always_inline bool rw_begin(struct kiocb *iocb, struct iov_iter *iter, u32 type)
{
	struct file *file = KREAD(iocb, ki_filp);
	u32 flags;

	if (op_is_begun(type))
		return false;
	flags = file_op_flags(file, true);
	if (KREAD(iocb, ki_flags) & IOCB_DIRECT)
		flags |= OP_DIRECT;
	if (record_dax && inode_is_dax(KREAD(file, f_inode)))
		flags |= OP_DAX;
	return enabled && op_begin_on(file_conn(file), KREAD(file, f_inode), type,
				      KREAD(iocb, ki_pos), KREAD(iter, count), flags);
}

ON_ENTRY(fuse_file_read_iter, read_begin, struct kiocb *iocb, struct iov_iter *to)
{
	rw_begin(iocb, to, OP_READ);
	return 0;
}

ON_RETURN(fuse_file_read_iter, 2, read_end, struct kiocb *iocb, struct iov_iter *to, s64 ret)
{
	struct guest_op_entry *state = op_return(OP_READ);

	if (state)
		op_end(state, ret);
	return 0;
}

ON_ENTRY(fuse_file_write_iter, write_begin, struct kiocb *iocb, struct iov_iter *from)
{
	if (rw_begin(iocb, from, OP_WRITE) || !stand_in)
		op_dirties(OP_WRITE, KREAD(iocb, ki_filp, f_inode));
	return 0;
}

ON_RETURN(fuse_file_write_iter, 2, write_end, struct kiocb *iocb, struct iov_iter *from, s64 ret)
{
	struct guest_op_entry *state = op_return(OP_WRITE);

	if (!state)
		return 0;
	/* Where an appending write went is only known afterwards. */
	if (ret > 0 && (KREAD(iocb, ki_flags) & IOCB_APPEND)) {
		state->ev.offset_bytes = KREAD(iocb, ki_pos) - ret;
		op_dirties(OP_WRITE, KREAD(iocb, ki_filp, f_inode));
	}
	op_end(state, ret);
	return 0;
}

ON_ENTRY(fuse_fsync, fsync_begin, struct file *file, s64 start, s64 end, int datasync)
{
	op_begin(KREAD(file, f_inode), datasync ? OP_FDATASYNC : OP_FSYNC, 0, 0,
		 file_op_flags(file, true));
	return 0;
}

ON_RETURN(fuse_fsync, 4, fsync_end, struct file *file, s64 start, s64 end, int datasync, int ret)
{
	struct guest_op_entry *state = op_return(datasync ? OP_FDATASYNC : OP_FSYNC);

	if (state)
		op_end(state, ret);
	return 0;
}

/* close(2): FLUSH and what it writes back. RELEASE follows later, in no op. */
ON_ENTRY(fuse_flush, close_begin, struct file *file, void *owner)
{
	op_begin(KREAD(file, f_inode), OP_CLOSE, 0, 0, file_op_flags(file, true));
	return 0;
}

ON_RETURN(fuse_flush, 2, close_end, struct file *file, void *owner, int ret)
{
	struct guest_op_entry *state = op_return(OP_CLOSE);

	if (state)
		op_end(state, ret);
	return 0;
}

/* What an application says of its use of a file, by which read-ahead is switched off or doubled. */
static __always_inline u32 advice_flags(int advice)
{
	switch (advice) {
	case POSIX_FADV_RANDOM:
		return OP_HINT_RANDOM;
	case POSIX_FADV_SEQUENTIAL:
		return OP_HINT_SEQUENTIAL;
	case POSIX_FADV_WILLNEED:
		return OP_WILLNEED;
	case POSIX_FADV_DONTNEED:
		return OP_INVALIDATE;
	default:
		return 0;
	}
}

/* Every file system's: what is not FUSE is left alone at once. */
ON_ENTRY(generic_fadvise, advise_begin, struct file *file, s64 offset, s64 bytes, int advice)
{
	struct inode *inode = KREAD(file, f_inode);

	if (enabled && advice <= POSIX_FADV_DONTNEED &&
	    KREAD(inode, i_sb, s_magic) == FUSE_SUPER_MAGIC)
		op_begin(inode, OP_FADVISE, offset, bytes, advice_flags(advice));
	return 0;
}

ON_RETURN(generic_fadvise, 4, advise_end, struct file *file, s64 offset, s64 bytes, int advice,
	  int ret)
{
	struct guest_op_entry *state = op_return(OP_FADVISE);

	if (state)
		op_end(state, ret);
	return 0;
}

ON_ENTRY(fuse_copy_file_range, copy_begin, struct file *from, s64 from_offset, struct file *to,
	 s64 offset, u64 bytes)
{
	struct guest_op_entry *state;

	op_begin(KREAD(to, f_inode), OP_COPY, offset, bytes, file_op_flags(to, true));
	state = current_op();
	if (state && state->ev.op_type == OP_COPY)
		state->ev.dir_nodeid = inode_nodeid(KREAD(from, f_inode));
	return 0;
}

/* It may be asked for far more than there is: what was copied is its size. */
ON_RETURN(fuse_copy_file_range, 6, copy_end, struct file *from, s64 from_offset, struct file *to,
	  s64 offset, u64 bytes, u32 flags, s64 ret)
{
	struct guest_op_entry *state = op_return(OP_COPY);

	if (!state)
		return 0;
	if (ret >= 0)
		state->ev.size_bytes = ret;
	op_end(state, ret);
	return 0;
}

ON_ENTRY(fuse_open, open_begin, struct inode *inode, struct file *file)
{
	u32 flags = file_op_flags(file, false) | OP_SIZE_KNOWN;

	if (KREAD(file, f_flags) & flag_o_trunc)
		flags |= OP_TRUNCATES;
	op_begin(inode, OP_OPEN, KREAD(inode, i_size), 0, flags);
	return 0;
}

ON_RETURN(fuse_open, 2, open_end, struct inode *inode, struct file *file, int ret)
{
	struct guest_op_entry *state = op_return(OP_OPEN);

	if (!state)
		return 0;
	if (!ret) {
		state->ev.flags |= file_op_flags(file, true);
		note_path(state->ev.conn, KREAD(file, f_path.dentry));
	}
	op_end(state, ret);
	return 0;
}

/* open(2) that creates. Without O_CREAT it only looks up, and fuse_open follows. */
ON_ENTRY(fuse_atomic_open, create_begin, struct inode *dir, void *entry, struct file *file,
	 unsigned int flags)
{
	if (flags & flag_o_creat)
		op_begin(dir, OP_OPEN, 0, 0, file_op_flags(file, false));
	return 0;
}

ON_RETURN(fuse_atomic_open, 5, create_end, struct inode *dir, struct dentry *entry,
	  struct file *file, unsigned int flags, u32 mode, int ret)
{
	struct guest_op_entry *state;

	if (!(flags & flag_o_creat))
		return 0;
	state = op_return(OP_OPEN);
	if (!state)
		return 0;
	if (!ret && !(KREAD(file, f_mode) & FMODE_OPENED)) {
		op_forget(state); /* it was there already: fuse_open follows */
		return 0;
	}
	if (!ret) {
		state->ev.nodeid = inode_nodeid(KREAD(file, f_inode));
		state->ev.flags |= file_op_flags(file, true) | OP_SIZE_KNOWN;
		note_path(state->ev.conn, entry);
	}
	op_end(state, ret);
	return 0;
}

#endif
