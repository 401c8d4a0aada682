// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes recorded ops as fio takes them. What fio cannot say is left out: second opens of an open
 * file, and closes of files that stay open elsewhere.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "workloads/recorded_export.h"

struct export
{
	const struct recorded_ops *r;
	FILE *out;
	uint32_t *opens; /* of each file: how often it is open in this task */
	bool *added;
};

bool recorded_fio_has(uint16_t type)
{
	return type != OP_STAT && type != OP_TRUNCATE && type != OP_FADVISE && type != OP_COPY;
}

/* Logs have no faults: under ioengine=mmap fio does them by reading and writing. */
static const char *action_of(const struct recorded_op *op)
{
	switch (op->type) {
	case OP_MMAP_FAULT:
		return op->flags & OP_FAULT_WRITE ? "write" : "read";
	case OP_READ:
		return "read";
	case OP_WRITE:
		return "write";
	case OP_FDATASYNC:
		return "datasync";
	default:
		return "sync";
	}
}

static void write_op(struct export *e, const struct recorded_op *op)
{
	const char *name = e->r->files[op->file].name;
	uint64_t us = 1 + (op->t_start_ns - e->r->t_first_ns) / NS_PER_US;
	uint32_t *opens = &e->opens[op->file];

	if (!recorded_fio_has(op->type))
		return;
	if (op->type == OP_CLOSE) {
		if (*opens && !--*opens)
			fprintf(e->out, "%" PRIu64 " %s close\n", us, name);
		return;
	}
	if (!*opens)
		fprintf(e->out, "%" PRIu64 " %s open\n", us, name);
	if (op->type == OP_OPEN) {
		++*opens;
		return;
	}
	*opens = max_u64(*opens, 1);
	fprintf(e->out, "%" PRIu64 " %s %s %" PRIu64 " %u\n", us, name, action_of(op),
		op->offset_bytes, op->size_bytes);
}

int recorded_write_iolog(const struct recorded_ops *r, uint32_t index, FILE *out)
{
	const struct recorded_task *task = &r->tasks[index];
	struct export e = {.r = r, .out = out};
	int err = 0;

	e.opens = calloc(r->nr_files, sizeof(*e.opens));
	e.added = calloc(r->nr_files, sizeof(*e.added));
	if (!e.opens || !e.added) {
		err = -ENOMEM;
		goto out;
	}
	fprintf(out, "fio version 3 iolog\n");
	for (uint64_t i = 0; i < task->nr_ops; i++) {
		uint32_t file = task->ops[i].file;

		if (!e.added[file])
			fprintf(out, "1 %s add\n", r->files[file].name);
		e.added[file] = true;
	}
	for (uint64_t i = 0; i < task->nr_ops; i++)
		write_op(&e, &task->ops[i]);
	if (fflush(out) || ferror(out))
		err = -EIO;
out:
	free(e.opens);
	free(e.added);
	return err;
}

/* fio decides per job, the kernel per op. */
static bool is_direct(const struct recorded_task *task)
{
	uint64_t direct = 0, data = 0;

	for (uint64_t i = 0; i < task->nr_ops; i++) {
		if (task->ops[i].type != OP_READ && task->ops[i].type != OP_WRITE)
			continue;
		data++;
		direct += task->ops[i].flags & OP_DIRECT ? 1 : 0;
	}
	if (direct && direct < data)
		msg_warn("task %u did direct and buffered I/O; fio can only do one: replay.fio has "
			 "%s",
			 task->tid, 2 * direct > data ? "direct=1" : "direct=0");
	return 2 * direct > data;
}

/* Files that were there are made by jobs that do nothing else. */
static void write_layout(const struct recorded_ops *r, FILE *out)
{
	for (uint32_t i = 0; i < r->nr_files; i++) {
		const struct workload_file *file = &r->files[i];

		if (!file->size_bytes)
			continue;
		fprintf(out, "\n[lay out %s]\nfilename=%s\nfilesize=%" PRIu64 "\nrw=read\n",
			file->name, file->name, file->size_bytes);
		fprintf(out, "bs=%" PRIu64 "\ncreate_only=1\n", min_u64(4096, file->size_bytes));
	}
}

static void write_task(const struct recorded_task *task, FILE *out)
{
	fprintf(out, "\n[task-%u]\nread_iolog=task-%u.iolog\ndirect=%d\n", task->tid, task->tid,
		is_direct(task));
	if (task->iodepth > 1)
		fprintf(out, "ioengine=libaio\niodepth=%u\n", task->iodepth);
	else
		fprintf(out, "ioengine=psync\n");
}

static int write_jobs(const struct recorded_ops *r, FILE *out)
{
	fprintf(out,
		"# Recorded ops. Run it where the logs are:\n"
		"#	cp *.iolog replay.fio SHARE; cd SHARE; fio replay.fio\n"
		"[global]\n# What applications told the kernel of their files is not recorded.\n"
		"fadvise_hint=0\ninvalidate=0\n");
	write_layout(r, out);
	for (uint32_t i = 0; i < r->nr_tasks; i++)
		write_task(&r->tasks[i], out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

/* One file of the folder: replay.fio, or a log if task is not NULL. */
static int write_file(const struct recorded_ops *r, const char *dir,
		      const struct recorded_task *task)
{
	char *path;
	FILE *out;
	int err;

	if (task)
		err = asprintf(&path, "%s/task-%u.iolog", dir, task->tid);
	else
		err = asprintf(&path, "%s/replay.fio", dir);
	if (err < 0)
		return -ENOMEM;
	out = fopen(path, "we");
	if (!out) {
		err = -errno;
		msg_error("cannot create '%s': %s", path, strerror(errno));
		free(path);
		return err;
	}
	err = task ? recorded_write_iolog(r, task - r->tasks, out) : write_jobs(r, out);
	if (fclose(out) && !err)
		err = -EIO;
	if (err == -EIO)
		msg_error("cannot write '%s': %s", path, strerror(errno));
	free(path);
	return err;
}

int recorded_write_job(const struct recorded_ops *r, const char *dir)
{
	int err;

	if (mkdir(dir, 0777) && errno != EEXIST) {
		err = -errno;
		msg_error("cannot make the folder '%s': %s", dir, strerror(errno));
		return err;
	}
	err = write_file(r, dir, NULL);
	for (uint32_t i = 0; i < r->nr_tasks && !err; i++)
		err = write_file(r, dir, &r->tasks[i]);
	return err;
}
