// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * copy_file_range(2) from one file of the share to another, which the daemon does:
 * __fuse_copy_file_range() of fs/fuse/file.c, the same in 6.1.192 and 6.12.117.
 *
 * Both files' dirty pages are written first, from the range to the end of the file; then the copied
 * pages of the target are dropped.
 */
#include "sim/flow.h"
#include "sim/mmap.h"
#include "sim/page_cache.h"

/* The daemons know COPY_FILE_RANGE_64 not: they are asked once. */
static bool ask_for_64(struct sim *sim, struct thread *th, const struct file *from)
{
	if (!th->simple.at && (!sim->rules.copies_64 || sim->no_copy_64))
		return true;
	if (!send_simple(sim, th, FUSE_COPY_FILE_RANGE_64, from))
		return false;
	sim->no_copy_64 = true;
	return true;
}

/*
 * Where the source's bytes are. A recording tells only where they went: if the source ends before,
 * as when cat(1) puts one file behind another, they are taken to be its last ones.
 */
static uint64_t source_offset(const struct thread *th, const struct file *from)
{
	const struct workload_op *op = &th->op;

	if (op->flags & OP_COPIES_ALL && op->offset_bytes + op->size_bytes > from->size_bytes)
		return from->size_bytes - min_u64(from->size_bytes, op->size_bytes);
	return op->offset_bytes;
}

/* In the target. */
static uint64_t copied_end(const struct thread *th, const struct file *from)
{
	uint64_t offset = source_offset(th, from);

	return th->op.offset_bytes +
	       min_u64(th->op.size_bytes, from->size_bytes - min_u64(from->size_bytes, offset));
}

/* The target is locked. */
static bool copy(struct sim *sim, struct thread *th, struct file *from, struct file *to)
{
	FLOW_BEGIN(th->fill.at);
	FLOW_CALL(th->fill.at, file_remove_privs(sim, th, to));
	file_update_time(sim, to);
	FLOW_CALL(th->fill.at, writeback_range(sim, th, to, th->op.offset_bytes / PAGE_BYTES,
					       UINT64_MAX, WRITEBACK_DATA));
	FLOW_CALL(th->fill.at, ask_for_64(sim, th, from));
	FLOW_CALL(th->fill.at, send_simple(sim, th, FUSE_COPY_FILE_RANGE, from));
	th->record.result = (int64_t)(copied_end(th, from) - th->op.offset_bytes);
	to->host_size_bytes = max_u64(to->host_size_bytes, copied_end(th, from));
	FLOW_CALL(th->fill.at,
		  file_drop_range(sim, th, to, th->op.offset_bytes / PAGE_BYTES,
				  (copied_end(th, from) + PAGE_BYTES - 1) / PAGE_BYTES));
	file_update_time(sim, to);
	file_written(sim, to, copied_end(th, from));
	FLOW_END(th->fill.at);
}

bool file_copy(struct sim *sim, struct thread *th)
{
	struct file *from = task_file(sim, th, th->op.file2), *to = th->file;

	/* generic_copy_file_checks() */
	if (!th->meta.at && source_offset(th, from) >= from->size_bytes)
		return true;
	FLOW_BEGIN(th->meta.at);
	FLOW_WAIT(th->meta.at, inode_lock(th, from));
	FLOW_CALL(th->meta.at, writeback_range(sim, th, from, source_offset(th, from) / PAGE_BYTES,
					       UINT64_MAX, WRITEBACK_DATA));
	inode_unlock(sim, from);
	FLOW_WAIT(th->meta.at, inode_lock(th, to));
	FLOW_CALL(th->meta.at, copy(sim, th, from, to));
	inode_unlock(sim, to);
	/* fuse_flush_time_update() */
	if (to->times_dirty)
		FLOW_CALL(th->meta.at, send_times(sim, th, to));
	FLOW_END(th->meta.at);
}
