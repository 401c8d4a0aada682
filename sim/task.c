// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tasks: application threads that draw ops from their streams, one after the other or, for
 * asynchronous engines, up to iodepth at once.
 *
 * An asynchronous task submits until iodepth ops are in flight, then waits for one to end and takes
 * all that have ended, as io_getevents() with a minimum of one. While it pauses between ops
 * (think time, an open-loop start time) what ends is taken at once.
 */
#include <errno.h>
#include <stdlib.h>
#include "lib/msg.h"
#include "sim/dax.h"
#include "sim/flow.h"
#include "sim/mmap.h"
#include "sim/page_cache.h"

/* Ops of one task at one instant after which the run is given up: no real costs do that. */
#define MAX_STILL_OPS (1u << 24)

int tasks_init(struct sim *sim)
{
	uint32_t nr_paths = sim->workload->nr_files;

	for (uint32_t i = 0; i < sim->nr_tasks; i++) {
		struct thread *th = &sim->threads[i];
		uint32_t depth;

		th->spec = &sim->workload->tasks[i];
		depth = th->spec->iodepth ? th->spec->iodepth : 1;
		th->aio_pool = calloc(depth + 1, sizeof(*th->aio_pool));
		th->files = calloc(nr_paths ? nr_paths : 1, sizeof(*th->files));
		if (!th->aio_pool || !th->files)
			return -ENOMEM;
		for (uint32_t a = 0; a <= depth; a++)
			aio_release(th, &th->aio_pool[a]);
		th->blocked = true;
	}
	return 0;
}

void tasks_release(struct sim *sim)
{
	for (uint32_t i = 0; sim->threads && i < sim->nr_tasks; i++) {
		struct thread *th = &sim->threads[i];

		for (uint32_t f = 0; th->files && f < sim->workload->nr_files; f++)
			free(th->files[f]);
		free(th->files);
		free(th->aio_pool);
	}
}

void tasks_start_group(struct sim *sim)
{
	while (!sim->tasks_left_in_group && sim->tasks_left) {
		for (uint32_t i = 0; i < sim->nr_tasks; i++) {
			if (sim->workload->tasks[i].group != sim->group)
				continue;
			sim->tasks_left_in_group++;
			thread_wake_after(sim, &sim->threads[i], 0);
		}
		sim->group++;
	}
}

/* The task's state of a file, made at its first use; NULL with sim->stop set when out of memory. */
struct open_file *task_open_file(struct sim *sim, struct thread *th)
{
	struct open_file **open = &th->files[th->op.file];

	if (!*open) {
		*open = calloc(1, sizeof(**open));
		if (!*open) {
			sim->stop = -ENOMEM;
			return NULL;
		}
		(*open)->path = th->op.file;
		read_ahead_init(sim, &(*open)->ra, 0);
	}
	return *open;
}

/* Takes over the pin of the place's entry, which the op leaves to the open file. */
void task_file_opened(struct sim *sim, struct thread *th, struct place *place)
{
	struct open_file *open = task_open_file(sim, th);

	/* What is still mapped holds the open file of before; its mappings own it now. */
	if (open && !open->is_open && open->nr_mappings) {
		th->files[th->op.file] = NULL;
		open = task_open_file(sim, th);
	}
	if (!open)
		return;
	read_ahead_init(sim, &open->ra, th->op.flags);
	if (open->is_open)
		return;
	open->is_open = true;
	open->file = place->file;
	open->file->nr_open++;
	open->entry = place->entry;
	place->entry = NULL;
}

struct file *task_file(const struct sim *sim, const struct thread *th, uint32_t path)
{
	const struct open_file *open = th->files[path];
	struct file *file;

	if (open && (open->is_open || open->nr_mappings))
		return open->file;
	file = names_file(sim, path);
	return file ? file : &sim->files[path];
}

struct aio *aio_new(struct thread *th, bool blocking)
{
	struct aio *aio = th->aio_free;

	th->aio_free = aio->next;
	*aio = (struct aio){.task = th, .parts = 1, .blocking = blocking};
	return aio;
}

void aio_release(struct thread *th, struct aio *aio)
{
	aio->next = th->aio_free;
	th->aio_free = aio;
}

static void report_op(struct sim *sim, struct thread *th, struct op_record *op)
{
	op->t_end_ns = sim->host->now_ns;
	sim->stats.ops++;
	if (!sim->sink->op || sim->stop)
		return;
	if (op->t_start_ns - th->task.t_started_ns < th->spec->ramp_ns)
		return;
	sim->stop = sim->sink->op(sim->sink->ctx, op, th->index);
}

static void reap(struct sim *sim, struct thread *th, struct aio *aio)
{
	report_op(sim, th, &aio->op);
	th->aio_in_flight--;
	aio_release(th, aio);
}

/* A part ended (with bytes), or its submission did. */
bool aio_put_part(struct sim *sim, struct aio *aio, uint32_t bytes)
{
	struct thread *th = aio->task;

	aio->bytes += bytes;
	if (--aio->parts)
		return false;
	if (aio->blocking) {
		thread_wake_after(sim, th, sim_cost(sim, &th->rng, COST_WAKEUP));
		return false;
	}
	if (sim->rules.aio_write_ends_in_work && aio->op.type == OP_WRITE && bytes &&
	    aio->file->nr_cached)
		return true;
	aio_finish(sim, aio);
	return false;
}

void aio_finish(struct sim *sim, struct aio *aio)
{
	struct thread *th = aio->task;

	aio->op.result = aio->bytes;
	if (th->task.pauses) {
		reap(sim, th, aio);
		return;
	}
	aio->next = NULL;
	if (th->reap_last)
		th->reap_last->next = aio;
	else
		th->reap_first = aio;
	th->reap_last = aio;
	if (th->task.waits_for_aio && th->blocked)
		thread_wake_after(sim, th, sim_cost(sim, &th->rng, COST_WAKEUP));
}

static struct aio *take_ended(struct thread *th)
{
	struct aio *aio = th->reap_first;

	if (!aio)
		return NULL;
	th->reap_first = aio->next;
	if (!th->reap_first)
		th->reap_last = NULL;
	return aio;
}

static uint64_t finish_cost(struct sim *sim, struct thread *th, const struct aio *aio)
{
	return sim_cost(sim, &th->rng,
			aio->op.type == OP_READ ? COST_READ_FINISH : COST_WRITE_FINISH);
}

/* io_getevents(): wait for one if told to, take all that have ended. */
static bool reap_flow(struct sim *sim, struct thread *th, bool wait)
{
	FLOW_BEGIN(th->reap.at);
	if (wait && !th->reap_first) {
		th->task.waits_for_aio = true;
		FLOW_WAIT(th->reap.at, thread_block(th));
		th->task.waits_for_aio = false;
		FLOW_WAIT(th->reap.at, cpu_wait_turn(sim, th->slot));
	}
	while ((th->reap.aio = take_ended(th))) {
		FLOW_WAIT(th->reap.at, thread_spend(sim, th, finish_cost(sim, th, th->reap.aio)));
		reap(sim, th, th->reap.aio);
	}
	FLOW_END(th->reap.at);
}

/* Ops on names */
static bool path_flow(struct sim *sim, struct thread *th)
{
	switch (th->op.type) {
	case OP_LOOKUP:
		return path_lookup(sim, th);
	case OP_STAT:
		return path_stat(sim, th);
	case OP_STATFS:
		return path_statfs(sim, th);
	case OP_READLINK:
		return path_readlink(sim, th);
	case OP_CHMOD:
	case OP_UTIMES:
		return path_setattr(sim, th);
	case OP_MKDIR:
	case OP_SYMLINK:
	case OP_LINK:
		return path_make(sim, th);
	case OP_UNLINK:
	case OP_RMDIR:
		return path_remove(sim, th);
	case OP_RENAME:
		return path_rename(sim, th);
	case OP_READDIR:
		return path_list(sim, th);
	default:
		sim->stop = -ENOTSUP;
		return true;
	}
}

static bool op_flow(struct sim *sim, struct thread *th)
{
	switch (th->op.type) {
	case OP_READ:
		if (sim->dax)
			return dax_read(sim, th);
		return file_is_direct(sim, th) ? direct_read(sim, th) : cached_read(sim, th);
	case OP_WRITE:
		if (sim->dax)
			return dax_write(sim, th);
		return file_is_direct(sim, th) ? direct_write(sim, th) : cached_write(sim, th);
	case OP_OPEN:
	case OP_CREATE:
		return file_open(sim, th);
	case OP_CLOSE:
		return file_close(sim, th);
	case OP_FSYNC:
	case OP_FDATASYNC:
		return file_sync_range(sim, th, 0, UINT64_MAX);
	case OP_TRUNCATE:
		return file_truncate(sim, th);
	case OP_COPY:
		return file_copy(sim, th);
	case OP_MMAP:
		return file_mmap(sim, th);
	case OP_MUNMAP:
		return file_munmap(sim, th);
	case OP_MSYNC:
		return file_msync(sim, th);
	case OP_MMAP_FAULT:
		return mmap_access(sim, th);
	case OP_FADVISE:
		return file_advise(sim, th);
	case OP_MADVISE:
		return file_madvise(sim, th);
	case OP_SYNC:
		return sync_all(sim, th);
	case OP_DROP_CACHES:
		return drop_caches(sim, th);
	case OP_MOUNT:
		return share_mount(sim, th);
	case OP_UMOUNT:
		return share_umount(sim, th);
	default:
		return path_flow(sim, th);
	}
}

static void begin_op(struct sim *sim, struct thread *th)
{
	uint32_t flags = th->op.flags & (OP_DIRECT | OP_FAULT_WRITE | OP_MAP_PRIVATE);

	if (sim->stack->daemon.mode == MODE_DIRECT)
		flags |= OP_FOPEN_DIRECT;
	th->file = task_file(sim, th, th->op.file);
	th->record = (struct op_record){
		.t_start_ns = sim->host->now_ns,
		.op_id = ++sim->host->next_op_id,
		.nodeid = th->file->nodeid,
		.offset_bytes = th->op.offset_bytes,
		.size_bytes = th->op.size_bytes,
		.conn = sim->index,
		.task = th->index + 1,
		.type = th->op.type,
		.flags = flags,
	};
	th->issued_async = false;
}

/* A job that ends by time on a model without costs would never end. */
static void check_progress(struct sim *sim, struct thread *th)
{
	if (th->task.t_prev_end_ns != sim->host->now_ns)
		th->task.nr_still = 0;
	else if (++th->task.nr_still == MAX_STILL_OPS) {
		msg_error("job '%s' makes no progress: %u ops took no simulated time, because "
			  "every cost they meet is zero in model '%s'; give it costs (--set "
			  "costs.syscall='const 1us')",
			  th->spec->job, MAX_STILL_OPS, sim->stack->name);
		sim->stop = -EINVAL;
	}
}

static void end_op(struct sim *sim, struct thread *th)
{
	check_progress(sim, th);
	if (th->issued_async) {
		th->record.flags |= OP_ASYNC;
		th->dio.aio->op = th->record;
		th->dio.aio->file = th->file;
		th->aio_in_flight++;
		aio_put_part(sim, th->dio.aio, 0);
	} else {
		report_op(sim, th, &th->record);
	}
	th->task.t_prev_end_ns = sim->host->now_ns;
}

/* Draw the next op; when there is none or the stream fails the task is at its end. */
static void draw_op(struct sim *sim, struct thread *th)
{
	struct op_stream *stream = th->spec->stream;
	int rc = stream->next(stream, sim->host->now_ns - th->task.t_started_ns, &th->op);

	if (rc < 0)
		sim->stop = rc;
	else if (rc == OP_STREAM_OP && (th->op.file >= sim->workload->nr_files ||
					th->op.file2 >= sim->workload->nr_files))
		sim->stop = -EINVAL;
	th->task.have_op = rc == OP_STREAM_OP && !sim->stop;
}

/* A time-based fio job drops the file's pages when it begins anew in an open file. */
static bool drops_pages(const struct thread *th)
{
	return th->op.flags & OP_INVALIDATE && th->op.type != OP_OPEN &&
	       th->op.type != OP_FADVISE && th->op.type != OP_MADVISE;
}

static uint64_t start_time(const struct thread *th)
{
	return max_u64(th->task.t_prev_end_ns + th->op.think_ns,
		       th->op.not_before_ns ? th->task.t_started_ns + th->op.not_before_ns : 0);
}

static bool task_flow(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->task.at);
	th->task.t_started_ns = sim->host->now_ns;
	th->task.t_prev_end_ns = sim->host->now_ns;
	while (!sim->stop) {
		if (th->aio_in_flight && th->aio_in_flight >= th->spec->iodepth) {
			FLOW_CALL(th->task.at, reap_flow(sim, th, true));
			continue;
		}
		draw_op(sim, th);
		if (!th->task.have_op) {
			while (th->aio_in_flight)
				FLOW_CALL(th->task.at, reap_flow(sim, th, true));
			break;
		}
		if (start_time(th) > sim->host->now_ns) {
			FLOW_CALL(th->task.at, reap_flow(sim, th, false));
			th->task.pauses = true;
			FLOW_WAIT(th->task.at, thread_sleep_until(sim, th, start_time(th)));
			th->task.pauses = false;
		}
		FLOW_WAIT(th->task.at, thread_spend_cost(sim, th, COST_SYSCALL));
		begin_op(sim, th);
		if (drops_pages(th)) {
			FLOW_CALL(th->task.at, file_dont_need(sim, th));
			th->record.t_start_ns = sim->host->now_ns;
		}
		FLOW_CALL(th->task.at, op_flow(sim, th));
		end_op(sim, th);
	}
	th->record.op_id = 0; /* what follows belongs to no op */
	FLOW_CALL(th->task.at, task_unmap_all(sim, th));
	sim->tasks_left--;
	sim->host->tasks_left--;
	if (!--sim->tasks_left_in_group)
		tasks_start_group(sim);
	FLOW_END(th->task.at);
}

void task_run(struct sim *sim, struct thread *th)
{
	task_flow(sim, th);
}
