// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads the ops of a trace: gathers them with what their requests tell (when asynchronous ones
 * ended, which files were created), then sorts them out by task.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/array.h"
#include "lib/compiler.h"
#include "lib/fuse_opcode.h"
#include "lib/msg.h"
#include "lib/span.h"
#include "trace/join.h"
#include "trace/vft.h"
#include "workloads/file_extent.h"
#include "workloads/file_table.h"
#include "workloads/recorded_ops.h"

#define QUEUED (-529) /* EIOCBQUEUED, which user space never sees */
#define MAX_TASKS 16384u
#define RECORDED_OP_FLAGS                                                                          \
	(OP_DIRECT | OP_ASYNC | OP_HINT_RANDOM | OP_HINT_SEQUENTIAL | OP_INVALIDATE |              \
	 OP_WILLNEED | OP_FAULT_WRITE | OP_MAP_PRIVATE | OP_TRUNCATES | OP_SIZE_KNOWN)

/* What a request tells of the op that caused it. */
struct hint {
	uint64_t op_id;
	uint64_t t_end_ns; /* 0: it created the op's file */
};

struct gather {
	struct recorded_ops *out;
	struct workload files; /* no tasks */
	struct file_table table;
	struct hint *hints;
	size_t nr_hints;
	bool *created; /* of each file */
	bool has_conn;
	uint32_t conn; /* of the first op */
};

static int find_file(struct gather *g, const struct op_record *op, uint64_t nodeid, uint32_t *file)
{
	char name[64];
	int err;

	if (!g->has_conn)
		g->conn = op->conn;
	g->has_conn = true;
	if (op->conn == g->conn)
		snprintf(name, sizeof(name), "file-%" PRIu64, nodeid);
	else
		snprintf(name, sizeof(name), "file-%u-%" PRIu64, op->conn, nodeid);
	err = file_table_find(&g->table, &g->files, name, file);
	if (err == -E2BIG) {
		msg_error("cannot replay the trace: ops on more than %u files", FILE_TABLE_MAX);
		err = -EINVAL;
	}
	return err;
}

/* Not what needs more than a file's number: names, which are not recorded, make the directories. */
static bool can_replay(uint16_t type)
{
	switch (type) {
	case OP_READ:
	case OP_WRITE:
	case OP_FSYNC:
	case OP_FDATASYNC:
	case OP_OPEN:
	case OP_CLOSE:
	case OP_MMAP_FAULT:
	case OP_STAT:
	case OP_TRUNCATE:
	case OP_FADVISE:
	case OP_COPY:
		return true;
	default:
		return false;
	}
}

static int add_op(struct gather *g, const struct op_record *op)
{
	struct recorded_ops *r = g->out;
	uint32_t file, file2 = 0;
	int err;

	if (op->type >= NR_OP_TYPES) {
		msg_error("cannot replay the trace: it holds an op of type %u, which this vfscope "
			  "does not know",
			  op->type);
		return -EINVAL;
	}
	if (op->result < 0 && op->result != QUEUED) {
		r->nr_failed++;
		return 0;
	}
	/* open(2) with O_TRUNC cuts the file off by its OPEN, then again: fuse_do_setattr(). */
	if (op->type == OP_TRUNCATE && !op->nr_requests)
		return 0;
	if (!can_replay(op->type)) {
		r->nr_left_out[op->type]++;
		return 0;
	}
	if ((op->type == OP_READ || op->type == OP_WRITE || op->type == OP_COPY) && !op->size_bytes)
		return 0;
	err = find_file(g, op, op->nodeid, &file);
	if (!err && op->type == OP_COPY)
		err = find_file(g, op, op->dir_nodeid, &file2);
	if (!err)
		err = array_grow((void **)&r->ops, r->nr_ops, sizeof(*r->ops));
	if (err)
		return err;
	r->nr_not_fio += !recorded_fio_has(op->type);
	r->ops[r->nr_ops++] = (struct recorded_op){
		.t_start_ns = op->t_start_ns,
		.t_end_ns = op->t_end_ns,
		.op_id = op->op_id,
		.offset_bytes = op->offset_bytes,
		.size_bytes = op->size_bytes,
		.file = file,
		.file2 = file2,
		.task = op->task,
		.type = op->type,
		.flags = op->flags & RECORDED_OP_FLAGS,
	};
	return 0;
}

static int add_span(struct gather *g, const struct span *span)
{
	struct hint hint = {.op_id = span->op_id};

	if (!span->op_id || span->error)
		return 0;
	if (span->flags & SPAN_ASYNC_DIO)
		hint.t_end_ns = span->t_issue_ns + span_latency_ns(span);
	else if (span->opcode != FUSE_CREATE)
		return 0;
	if (array_grow((void **)&g->hints, g->nr_hints, sizeof(*g->hints)))
		return -ENOMEM;
	g->hints[g->nr_hints++] = hint;
	return 0;
}

static int add_event(struct gather *g, const struct event_header *event)
{
	struct op_record op;
	struct span span;

	if (event->type == EV_GUEST_REQUEST) {
		span_from_guest(&span, (const struct guest_request_event *)event);
		return add_span(g, &span);
	}
	if (event->type != EV_GUEST_OP)
		return 0;
	op_from_event(&op, (const struct guest_op_event *)event);
	return add_op(g, &op);
}

static int add_records(struct gather *g, struct vft_reader *reader)
{
	struct vft_record record;
	int err;

	do {
		err = vft_read(reader, &record);
		if (!err && record.type == VFT_RECORD_EVENT)
			err = add_event(g, record.event);
		else if (!err && record.type == VFT_RECORD_SPAN)
			err = add_span(g, record.span);
		else if (!err && record.type == VFT_RECORD_OP)
			err = add_op(g, record.op);
	} while (!err && record.type != VFT_RECORD_END);
	return err;
}

static int by_op_id(const void *a, const void *b)
{
	const struct hint *x = a, *y = b;

	return (x->op_id > y->op_id) - (x->op_id < y->op_id);
}

static int by_start(const void *a, const void *b)
{
	const struct recorded_op *x = a, *y = b;

	if (x->t_start_ns != y->t_start_ns)
		return x->t_start_ns > y->t_start_ns ? 1 : -1;
	return (x->op_id > y->op_id) - (x->op_id < y->op_id);
}

static int by_task(const void *a, const void *b)
{
	const struct recorded_op *x = a, *y = b;

	if (x->task != y->task)
		return x->task > y->task ? 1 : -1;
	return by_start(a, b);
}

/* The first of the hints on this op, or NULL. hints are sorted. */
static const struct hint *find_hints(const struct gather *g, uint64_t op_id)
{
	size_t low = 0, high = g->nr_hints;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->hints[middle].op_id < op_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->nr_hints && g->hints[low].op_id == op_id ? &g->hints[low] : NULL;
}

static void take_hints(struct gather *g)
{
	const struct hint *end = g->nr_hints ? g->hints + g->nr_hints : NULL;

	if (g->nr_hints)
		qsort(g->hints, g->nr_hints, sizeof(*g->hints), by_op_id);
	for (uint64_t i = 0; i < g->out->nr_ops; i++) {
		struct recorded_op *op = &g->out->ops[i];
		const struct hint *h = find_hints(g, op->op_id);

		for (; h && h < end && h->op_id == op->op_id; h++) {
			if (!h->t_end_ns && op->type == OP_OPEN)
				g->created[op->file] = true;
			else if (op->flags & OP_ASYNC)
				op->t_end_ns = max_u64(op->t_end_ns, h->t_end_ns);
		}
	}
}

/*
 * What a file was like before. The first open tells its size if nothing changed it before; traces
 * made without that tell what was done in it. A file that nothing was done in has a size all the
 * same, or it would not be there; one that was empty is made.
 */
struct before {
	struct file_extent extent;
	uint64_t open_bytes;
	bool size_known, changed;
};

static void note_before(struct before *b, const struct recorded_op *op)
{
	if (op->type == OP_READ || op->type == OP_WRITE || op->type == OP_MMAP_FAULT ||
	    op->type == OP_COPY)
		file_extent_write(&b->extent, op->offset_bytes, op->size_bytes);
	if (op->type == OP_OPEN && op->flags & OP_SIZE_KNOWN && !b->changed && !b->size_known) {
		b->size_known = true;
		b->open_bytes = op->offset_bytes;
	}
	b->changed |= op->type == OP_WRITE || op->type == OP_TRUNCATE || op->type == OP_COPY ||
		      op->flags & (OP_FAULT_WRITE | OP_MAP_PRIVATE | OP_TRUNCATES);
}

static int size_files(struct gather *g)
{
	struct before *before = calloc(g->files.nr_files, sizeof(*before));

	if (!before)
		return -ENOMEM;
	for (uint64_t i = 0; i < g->out->nr_ops; i++)
		note_before(&before[g->out->ops[i].file], &g->out->ops[i]);
	for (uint32_t i = 0; i < g->files.nr_files; i++) {
		uint64_t *size = &g->files.files[i].size_bytes;

		if (before[i].size_known)
			*size = before[i].open_bytes;
		else if (!g->created[i])
			*size = max_u64(1, before[i].extent.end_bytes);
	}
	free(before);
	return 0;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * Think times and depth of one task. What a task does next it does because something ended: the
 * last end before the start counts, be it of the op before or of an older asynchronous one.
 */
static int study_task(struct recorded_ops *r, struct recorded_task *task, struct recorded_op *ops)
{
	uint64_t *ends = malloc(task->nr_ops * sizeof(*ends)), last_ns = r->t_first_ns, ended = 0;

	if (!ends)
		return -ENOMEM;
	for (uint64_t i = 0; i < task->nr_ops; i++)
		ends[i] = ops[i].t_end_ns;
	qsort(ends, task->nr_ops, sizeof(*ends), by_time);
	task->iodepth = 1;
	for (uint64_t i = 0; i < task->nr_ops; i++) {
		uint64_t start_ns = ops[i].t_start_ns;

		while (ended < task->nr_ops && ends[ended] <= start_ns)
			last_ns = max_u64(last_ns, ends[ended++]);
		ops[i].think_ns = start_ns - min_u64(last_ns, start_ns);
		if (ops[i].flags & OP_ASYNC && i + 1 > ended)
			task->iodepth = max_u64(task->iodepth, i + 1 - ended);
	}
	free(ends);
	return 0;
}

static int split_tasks(struct recorded_ops *r)
{
	uint64_t first = 0;

	r->t_first_ns = r->ops[0].t_start_ns;
	qsort(r->ops, r->nr_ops, sizeof(*r->ops), by_task);
	while (first < r->nr_ops) {
		struct recorded_task *task;
		uint64_t n = 1;
		int err = array_grow((void **)&r->tasks, r->nr_tasks, sizeof(*r->tasks));

		if (err)
			return err;
		while (first + n < r->nr_ops && r->ops[first + n].task == r->ops[first].task)
			n++;
		task = &r->tasks[r->nr_tasks++];
		*task = (struct recorded_task){
			.tid = r->ops[first].task, .ops = &r->ops[first], .nr_ops = n};
		err = study_task(r, task, &r->ops[first]);
		if (err)
			return err;
		first += n;
	}
	return 0;
}

static int sort_out(struct gather *g, const char *path)
{
	int err;

	if (!g->out->nr_ops) {
		msg_error("cannot replay '%s': there is no op in it. Record without --no-ops",
			  path);
		return -EINVAL;
	}
	g->created = calloc(g->files.nr_files, sizeof(*g->created));
	if (!g->created)
		return -ENOMEM;
	take_hints(g);
	qsort(g->out->ops, g->out->nr_ops, sizeof(*g->out->ops), by_start);
	err = size_files(g);
	if (!err)
		err = split_tasks(g->out);
	if (!err && g->out->nr_tasks > MAX_TASKS) {
		msg_error("cannot replay '%s': more than %u tasks", path, MAX_TASKS);
		err = -EINVAL;
	}
	return err;
}

int recorded_ops_read(struct recorded_ops *r, const char *path)
{
	struct gather g = {.out = r};
	struct vft_reader *reader;
	int err;

	memset(r, 0, sizeof(*r));
	err = vft_reader_open(&reader, path);
	if (err)
		return err;
	if (vft_reader_kind(reader) == VFT_HOST) {
		msg_error("cannot replay '%s': a host's trace has no ops; take the guest's or the "
			  "joined one",
			  path);
		err = -EINVAL;
	}
	if (!err)
		err = add_records(&g, reader);
	vft_reader_close(reader);
	if (!err)
		err = sort_out(&g, path);
	r->files = g.files.files;
	r->nr_files = g.files.nr_files;
	file_table_free(&g.table);
	free(g.hints);
	free(g.created);
	if (err)
		recorded_ops_free(r);
	return err;
}

void recorded_ops_note_left_out(const struct recorded_ops *r, const char *path)
{
	char text[512];
	size_t at = 0;

	if (r->nr_failed)
		msg_info("%s: %" PRIu64 " ops that failed are left out", path, r->nr_failed);
	for (int i = 0; i < NR_OP_TYPES; i++)
		if (r->nr_left_out[i] && at < sizeof(text))
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%" PRIu64 " %s",
					       at ? ", " : "", r->nr_left_out[i], op_type_name(i));
	if (at)
		msg_info("%s: left out, since they cannot be replayed without names: %s", path,
			 text);
}

void recorded_ops_free(struct recorded_ops *r)
{
	free(r->ops);
	free(r->tasks);
	free(r->files);
	memset(r, 0, sizeof(*r));
}
