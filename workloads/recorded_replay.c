// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recorded ops as a workload: each task does what it did, one op after the other, with the pauses
 * that it made itself. How long an op takes is the simulator's business.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "workloads/recorded_ops.h"

/* The ops of all tasks, held until the last stream is freed. */
struct shared_ops {
	struct recorded_ops ops;
	uint32_t users;
};

enum mapped {
	NOT_MAPPED,
	MAPPED_SHARED,
	MAPPED_PRIVATE,
};

struct recorded_stream {
	struct op_stream base;
	struct shared_ops *shared;
	const struct recorded_task *task;
	uint64_t next;
	uint8_t *map_first; /* enum mapped of each op: how its file is mapped before it */
	uint64_t *fault_end; /* of each file: behind the last byte that the task ever touches */
	bool is_mapped; /* for the op that is next */
	bool mapped_now; /* by the op before */
};

/*
 * What was mapped, and when, is not recorded, but faults say whether it was shared. A task maps as
 * much of a file as it will ever touch, as late as it can have been: before it closes the file, if
 * it faults in it before it opens it again, else before its first fault since the open. Where that
 * is refused the trace cannot be replayed.
 */
static enum mapped mapped_as(const struct recorded_op *first_fault)
{
	return first_fault->flags & OP_MAP_PRIVATE ? MAPPED_PRIVATE : MAPPED_SHARED;
}

static int plan_mappings(struct recorded_stream *s, uint32_t nr_files)
{
	enum {
		NO_FAULT,
		FAULT_LATER,
		MAPPED
	} *state = calloc(nr_files + 1, sizeof(*state));
	uint64_t *first = calloc(nr_files + 1, sizeof(*first)); /* fault, found so far */

	s->map_first = calloc(s->task->nr_ops + 1, sizeof(*s->map_first));
	s->fault_end = calloc(nr_files + 1, sizeof(*s->fault_end));
	if (!state || !first || !s->map_first || !s->fault_end) {
		free(state);
		free(first);
		return -ENOMEM;
	}
	for (uint64_t i = s->task->nr_ops; i--;) {
		const struct recorded_op *op = &s->task->ops[i];
		uint64_t *end = &s->fault_end[op->file];

		if (op->type == OP_MMAP_FAULT) {
			*end = max_u64(*end, op->offset_bytes + op->size_bytes);
			if (state[op->file] == NO_FAULT)
				state[op->file] = FAULT_LATER;
			first[op->file] = i;
		} else if (op->type == OP_CLOSE && state[op->file] == FAULT_LATER) {
			s->map_first[i] = mapped_as(&s->task->ops[first[op->file]]);
			state[op->file] = MAPPED;
		} else if (op->type == OP_OPEN) {
			if (state[op->file] == FAULT_LATER)
				s->map_first[first[op->file]] =
					mapped_as(&s->task->ops[first[op->file]]);
			state[op->file] = NO_FAULT;
		}
	}
	for (uint32_t i = 0; i < nr_files; i++)
		if (state[i] == FAULT_LATER)
			s->map_first[first[i]] = mapped_as(&s->task->ops[first[i]]);
	free(state);
	free(first);
	return 0;
}

static void map_file(struct recorded_stream *s, const struct recorded_op *before,
		     struct workload_op *op)
{
	uint64_t end = s->fault_end[before->file];

	s->is_mapped = s->mapped_now = true;
	*op = (struct workload_op){
		.type = OP_MMAP,
		.file = before->file,
		.size_bytes = end <= UINT32_MAX ? end : 0,
		.flags = OP_REQUIRED |
			 (s->map_first[s->next] == MAPPED_PRIVATE ? OP_MAP_PRIVATE : 0),
		.think_ns = before->think_ns,
	};
}

static int stream_next(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct recorded_stream *s = (struct recorded_stream *)stream;
	const struct recorded_op *recorded;

	if (s->next == s->task->nr_ops)
		return OP_STREAM_END;
	recorded = &s->task->ops[s->next];
	if (s->map_first[s->next] && !s->is_mapped) {
		map_file(s, recorded, op);
		return OP_STREAM_OP;
	}
	s->is_mapped = false;
	s->next++;
	*op = (struct workload_op){
		.type = recorded->type,
		.file = recorded->file,
		.file2 = recorded->file2,
		.offset_bytes = recorded->offset_bytes,
		.size_bytes = recorded->size_bytes,
		.flags = recorded->flags & ~(OP_ASYNC | OP_SIZE_KNOWN),
		.think_ns = recorded->think_ns,
	};
	if (recorded->type == OP_OPEN)
		op->offset_bytes = 0;
	if (recorded->type == OP_COPY)
		op->flags |= OP_COPIES_ALL;
	/* The pause came before the mapping. */
	if (s->mapped_now)
		op->think_ns = 0;
	s->mapped_now = false;
	return OP_STREAM_OP;
}

static void stream_free(struct op_stream *stream)
{
	struct recorded_stream *s = (struct recorded_stream *)stream;

	if (!--s->shared->users) {
		recorded_ops_free(&s->shared->ops);
		free(s->shared);
	}
	free(s->map_first);
	free(s->fault_end);
	free(s);
}

static int add_task(struct workload *w, struct shared_ops *shared, const struct recorded_task *task)
{
	struct recorded_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->base.next = stream_next;
	s->base.free = stream_free;
	s->shared = shared;
	s->task = task;
	shared->users++;
	if (plan_mappings(s, w->nr_files)) {
		stream_free(&s->base);
		return -ENOMEM;
	}
	w->tasks[w->nr_tasks] = (struct workload_task){
		.iodepth = task->iodepth,
		.async = task->iodepth > 1,
		.stream = &s->base,
	};
	snprintf(w->tasks[w->nr_tasks].job, sizeof(w->tasks->job), "task-%u", task->tid);
	w->nr_tasks++;
	return 0;
}

int recorded_ops_load(const char *path, struct workload **out)
{
	struct shared_ops *shared = calloc(1, sizeof(*shared));
	struct workload *w = calloc(1, sizeof(*w));
	int err = shared && w ? recorded_ops_read(&shared->ops, path) : -ENOMEM;

	*out = NULL;
	if (err) {
		free(shared);
		free(w);
		return err;
	}
	recorded_ops_note_left_out(&shared->ops, path);
	w->files = shared->ops.files;
	w->nr_files = shared->ops.nr_files;
	shared->ops.files = NULL; /* the workload's now */
	w->tasks = calloc(shared->ops.nr_tasks, sizeof(*w->tasks));
	shared->users = 1; /* we, until all streams are there */
	if (!w->tasks)
		err = -ENOMEM;
	for (uint32_t i = 0; i < shared->ops.nr_tasks && !err; i++)
		err = add_task(w, shared, &shared->ops.tasks[i]);
	if (!--shared->users) {
		recorded_ops_free(&shared->ops);
		free(shared);
	}
	if (err)
		workload_free(w);
	else
		*out = w;
	return err;
}
