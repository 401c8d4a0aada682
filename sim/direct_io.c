// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct I/O: ops on files that the daemon opened with FOPEN_DIRECT_IO, and O_DIRECT on others.
 *
 * An op is cut into parts of at most max_pages pages (and max_write bytes). Parts go one after the
 * other, or all at once as background requests (FUSE_ASYNC_DIO): then the op either waits for them
 * all or, asynchronous I/O that does not extend the file, goes on without its task.
 */
#include "sim/flow.h"
#include "sim/page_cache.h"

bool file_is_direct(const struct sim *sim, const struct thread *th)
{
	return sim->stack->daemon.mode == MODE_DIRECT || th->op.flags & OP_DIRECT;
}

/*
 * fuse_direct_IO() or the serial path: the former needs O_DIRECT on a cached file, or asynchronous
 * I/O (before 6.18 also O_DIRECT) on an FOPEN_DIRECT_IO one.
 */
static bool goes_parallel(const struct sim *sim, const struct thread *th)
{
	bool o_direct = th->op.flags & OP_DIRECT;

	if (!sim->stack->daemon.async_dio)
		return false;
	if (sim->stack->daemon.mode != MODE_DIRECT)
		return true;
	return th->spec->async && (o_direct || !sim->rules.async_needs_o_direct);
}

static struct request *next_part(struct sim *sim, struct thread *th, uint32_t opcode)
{
	uint64_t largest = (uint64_t)sim->max_pages * PAGE_BYTES;
	struct request *req = request_new(sim, opcode, th->file);
	uint32_t in_page;

	if (!req)
		return NULL;
	if (opcode == FUSE_WRITE)
		largest = min_u64(largest, sim->stack->daemon.max_write_bytes);
	/* A buffer that begins within a page leaves room for less: iov_iter_get_pages(). */
	in_page = (th->op.buffer_offset + th->dio.pos - th->op.offset_bytes) % PAGE_BYTES;
	largest = min_u64(largest, (uint64_t)sim->max_pages * PAGE_BYTES - in_page);
	th->dio.part = min_u64(th->dio.left, largest);
	req->span.cls = SPAN_DIRECT;
	request_set_data(req, th->dio.pos, th->dio.part,
			 (in_page + th->dio.part + PAGE_BYTES - 1) / PAGE_BYTES);
	th->dio.pos += th->dio.part;
	th->dio.left -= th->dio.part;
	return req;
}

/* Pinning a part's pages: the op's first page is in READ_PREPARE or WRITE_PREPARE. */
static uint64_t pin_cost(const struct sim *sim, const struct thread *th, uint32_t opcode)
{
	double per_page = opcode == FUSE_READ ? sim->stack->read_prepare_ns_per_page
					      : sim->stack->write_prepare_ns_per_page;
	uint32_t pages = (th->dio.part + PAGE_BYTES - 1) / PAGE_BYTES;

	if (th->dio.pos == th->op.offset_bytes + th->dio.part)
		pages--;
	return (uint64_t)(pages * per_page);
}

/* One part after the other, until one comes back short. */
static bool serial_parts(struct sim *sim, struct thread *th, uint32_t opcode)
{
	FLOW_BEGIN(th->parts.at);
	while (th->dio.left && !sim->stop) {
		th->simple.req = next_part(sim, th, opcode);
		FLOW_WAIT(th->parts.at, thread_spend(sim, th, pin_cost(sim, th, opcode)));
		FLOW_CALL(th->parts.at, simple_request(sim, th));
		if (opcode == FUSE_WRITE)
			th->simple.reply_bytes = th->dio.part;
		th->dio.done += th->simple.reply_bytes;
		if (th->simple.reply_bytes < th->dio.part)
			break;
	}
	FLOW_END(th->parts.at);
}

static struct request *next_parallel_part(struct sim *sim, struct thread *th, uint32_t opcode)
{
	struct request *req = next_part(sim, th, opcode);

	if (!req)
		return NULL;
	req->use = USE_AIO;
	req->aio = th->dio.aio;
	req->may_block = opcode == FUSE_READ;
	req->span.flags |= SPAN_ASYNC_DIO;
	req->aio->parts++;
	return req;
}

/* All parts at once; th->dio.done is known afterwards only if the op waits. */
static bool parallel_parts(struct sim *sim, struct thread *th, uint32_t opcode)
{
	struct aio *aio = th->dio.aio;

	FLOW_BEGIN(th->parts.at);
	th->dio.aio = aio = aio_new(th, th->dio.blocking);
	while (th->dio.left && !sim->stop) {
		th->background.req = next_parallel_part(sim, th, opcode);
		th->background.force = false;
		FLOW_WAIT(th->parts.at, thread_spend(sim, th, pin_cost(sim, th, opcode)));
		FLOW_CALL(th->parts.at, simple_background(sim, th));
	}
	if (!th->dio.blocking) {
		th->issued_async = true;
		FLOW_RETURN(th->parts.at);
	}
	if (--aio->parts)
		FLOW_WAIT(th->parts.at, thread_block(th));
	FLOW_WAIT(th->parts.at, cpu_wait_turn(sim, th->slot));
	th->dio.done = aio->bytes;
	aio_release(th, aio);
	FLOW_END(th->parts.at);
}

static void start(struct thread *th)
{
	th->dio.pos = th->op.offset_bytes;
	th->dio.left = th->op.size_bytes;
	th->dio.done = 0;
	th->dio.parallel = false;
	th->dio.blocking = !th->spec->async;
}

/*
 * fuse_direct_IO() shortens a read that passes the end of the file to fuse_round_up() of what is
 * there: the kernel's round_up() to max_pages, which is meant for powers of two but need not get
 * one.
 */
static uint64_t shortened(const struct sim *sim, const struct thread *th, const struct file *file)
{
	uint64_t unit = (uint64_t)sim->max_pages * PAGE_BYTES, there;

	if (th->dio.pos >= file->size_bytes)
		return 0;
	there = file->size_bytes - th->dio.pos;
	if (th->dio.left <= there)
		return th->dio.left;
	return min_u64(th->dio.left, ((there - 1) | (unit - 1)) + 1);
}

bool direct_read(struct sim *sim, struct thread *th)
{
	struct file *file = th->file;

	FLOW_BEGIN(th->dio.at);
	start(th);
	FLOW_WAIT(th->dio.at, thread_spend_cost(sim, th, COST_READ_PREPARE));
	if (sim->stack->daemon.mode != MODE_DIRECT)
		FLOW_CALL(th->dio.at, file_update_attr(sim, th, file));
	FLOW_CALL(th->dio.at, writeback_op_range(sim, th, file));
	th->dio.parallel = goes_parallel(sim, th);
	if (th->dio.parallel)
		th->dio.left = shortened(sim, th, file);
	if (!th->dio.left)
		th->dio.parallel = false;
	if (th->dio.parallel)
		FLOW_CALL(th->dio.at, parallel_parts(sim, th, FUSE_READ));
	else
		FLOW_CALL(th->dio.at, serial_parts(sim, th, FUSE_READ));
	if (!th->issued_async)
		FLOW_WAIT(th->dio.at, thread_spend_cost(sim, th, COST_READ_FINISH));
	/* fuse_invalidate_atime(), which fuse_direct_IO() does not reach beyond the end. */
	file->stat_stale |= th->dio.pos > th->op.offset_bytes;
	th->record.result = th->dio.done;
	FLOW_END(th->dio.at);
}

bool direct_write_parts(struct sim *sim, struct thread *th)
{
	if (!th->parts.at)
		start(th);
	return serial_parts(sim, th, FUSE_WRITE);
}

void file_written(struct sim *sim, struct file *file, uint64_t end)
{
	file->size_bytes = max_u64(file->size_bytes, end);
	if (sim->stack->daemon.mode == MODE_WRITEBACK) {
		file->times_dirty = true;
		file->stat_stale = true; /* FUSE_STATX_MODSIZE has the blocks */
		return;
	}
	file->attr_stale = true;
	file->host_newer = true;
}

/*
 * generic_file_direct_write() drops the range's cached pages before and after; of FOPEN_DIRECT_IO
 * files, where private mappings have some, fuse_direct_io() does.
 */
static void drop_range(struct sim *sim, const struct thread *th, struct file *file)
{
	uint64_t end = th->op.offset_bytes + th->op.size_bytes;

	if (sim->stack->daemon.mode == MODE_DIRECT && !sim->rules.fopen_direct_drops_pages)
		return;
	page_cache_drop_range(sim, file, th->op.offset_bytes / PAGE_BYTES,
			      (end + PAGE_BYTES - 1) / PAGE_BYTES);
}

bool direct_write(struct sim *sim, struct thread *th)
{
	struct file *file = th->file;

	FLOW_BEGIN(th->dio.at);
	start(th);
	FLOW_WAIT(th->dio.at, thread_spend_cost(sim, th, COST_WRITE_PREPARE));
	if (sim->stack->daemon.mode == MODE_WRITEBACK)
		FLOW_CALL(th->dio.at, file_update_attr(sim, th, file));
	FLOW_WAIT(th->dio.at, inode_lock(th, file));
	if (sim->stack->daemon.mode != MODE_DIRECT)
		FLOW_CALL(th->dio.at, file_remove_privs(sim, th, file));
	FLOW_CALL(th->dio.at, writeback_op_range(sim, th, file));
	drop_range(sim, th, file);
	th->dio.parallel = goes_parallel(sim, th);
	/* A file cannot be extended asynchronously. */
	th->dio.blocking |= th->dio.pos + th->dio.left > file->size_bytes;
	if (th->dio.parallel)
		FLOW_CALL(th->dio.at, parallel_parts(sim, th, FUSE_WRITE));
	else
		FLOW_CALL(th->dio.at, serial_parts(sim, th, FUSE_WRITE));
	if (sim->stop)
		FLOW_RETURN(th->dio.at);
	file_written(sim, file, th->op.offset_bytes + th->op.size_bytes);
	drop_range(sim, th, file);
	inode_unlock(sim, file);
	if (!th->issued_async)
		FLOW_WAIT(th->dio.at, thread_spend_cost(sim, th, COST_WRITE_FINISH));
	th->record.result = th->op.size_bytes;
	FLOW_END(th->dio.at);
}
