// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An op script as a workload: the streams that hand its ops to the simulator.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "workloads/op_script.h"

bool is_op_script(const char *path)
{
	size_t len = strlen(path);

	return len > 4 && !strcmp(path + len - 4, ".ops");
}

/* One task's ops: its lines of the script. */
struct script_stream {
	struct op_stream stream;
	uint32_t nr_ops;
	uint32_t next;
	struct workload_op ops[];
};

static int next_op(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct script_stream *s = (struct script_stream *)stream;

	if (s->next == s->nr_ops)
		return OP_STREAM_END;
	*op = s->ops[s->next++];
	return OP_STREAM_OP;
}

static void free_stream(struct op_stream *stream)
{
	free(stream);
}

static struct op_stream *stream_of(const struct op_script *script, uint32_t task)
{
	struct script_stream *s;
	uint32_t nr = 0;

	for (uint32_t i = 0; i < script->nr_lines; i++)
		nr += script->lines[i].task == task;
	s = calloc(1, sizeof(*s) + nr * sizeof(s->ops[0]));
	if (!s)
		return NULL;
	s->stream = (struct op_stream){.next = next_op, .free = free_stream};
	for (uint32_t i = 0; i < script->nr_lines; i++)
		if (script->lines[i].task == task)
			s->ops[s->nr_ops++] = script->lines[i].op;
	return &s->stream;
}

int op_script_to_workload(struct op_script *script, struct workload **out)
{
	struct workload *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->tasks = calloc(script->nr_tasks, sizeof(*w->tasks));
	for (uint32_t i = 0; w->tasks && i < script->nr_tasks; i++) {
		struct workload_task *task = &w->tasks[w->nr_tasks];

		strcpy(task->job, *script->tasks[i] ? script->tasks[i] : "script");
		task->iodepth = 1;
		task->stream = stream_of(script, i);
		if (!task->stream)
			break;
		w->nr_tasks++;
	}
	if (!w->tasks || w->nr_tasks < script->nr_tasks) {
		workload_free(w);
		return -ENOMEM;
	}
	w->files = script->files;
	w->nr_files = script->nr_files;
	w->makes_directories = true;
	script->files = NULL;
	op_script_free(script);
	*out = w;
	return 0;
}

int op_script_load(const char *path, struct workload **out)
{
	struct op_script script;
	int err = op_script_read(path, &script);

	if (err)
		return err;
	err = op_script_to_workload(&script, out);
	if (err)
		op_script_free(&script);
	return err;
}
