// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the sections of a job file to a workload: files shared and laid out as fio does it, one
 * task per fio process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/array.h"
#include "lib/msg.h"
#include "workloads/file_table.h"
#include "workloads/fio_job.h"
#include "workloads/fio_mmap.h"
#include "workloads/fio_options.h"
#include "workloads/fio_parse.h"
#include "workloads/fio_stream.h"
#include "workloads/iolog.h"
#include "workloads/share_path.h"

#define FIO_MAX_TASKS 16384u

struct builder {
	struct workload *w;
	struct file_table files;
	uint64_t seed;
	uint32_t group;
	bool from_memory;
	bool aligns_buffers[FIO_NR_ENGINES];
	struct share_root root;
};

static bool is_async(const struct fio_job *job)
{
	return job->engine == FIO_LIBAIO_ENGINE || job->engine == FIO_IO_URING_ENGINE;
}

static int refuse(const struct fio_job *job, const char *why)
{
	msg_error("%s:%u: job [%s]: %s", job->path, job->line, job->name, why);
	return -EINVAL;
}

/* filename_format= of one file; there is no client without fio's network mode. */
static int expand(const struct fio_job *job, uint32_t process, uint32_t number, char *name,
		  size_t len)
{
	const char *at = *job->filename_format ? job->filename_format : "$jobname.$jobnum.$filenum";
	char values[FIO_NR_VARIABLES][sizeof(job->name)] = {""};
	size_t used = 0, variable_len;

	strcpy(values[FIO_JOBNAME], job->name);
	snprintf(values[FIO_JOBNUM], sizeof(values[0]), "%u", process);
	snprintf(values[FIO_FILENUM], sizeof(values[0]), "%u", number);
	while (*at && used < len) {
		enum fio_variable variable = fio_filename_variable(at, &variable_len);

		if (variable != FIO_NR_VARIABLES) {
			used += snprintf(name + used, len - used, "%s", values[variable]);
			at += variable_len;
		} else {
			name[used++] = *at++;
		}
	}
	if (used >= len)
		return refuse(job, "a file name is too long");
	name[used] = 0;
	return 0;
}

/*
 * fio's name of a file of one process: by filename_format=, or one of filename=, whose names *list
 * walks through.
 */
static int file_name(const struct fio_job *job, uint32_t process, uint32_t number,
		     const char **list, char *name, size_t len)
{
	const char *slash = *job->directory ? "/" : "";
	int n;

	if (*job->filename) {
		int own = strcspn(*list, ":");

		n = snprintf(name, len, "%s%s%.*s", job->directory, slash, own, *list);
		*list += own + 1;
		if (!own)
			return refuse(job, "filename has an empty name in it");
	} else {
		char own[sizeof(((struct workload_file *)0)->name)];
		int err = expand(job, process, number, own, sizeof(own));

		if (err)
			return err;
		n = snprintf(name, len, "%s%s%s", job->directory, slash, own);
	}
	if (n < 0 || (size_t)n >= len)
		return refuse(job, "directory and filename are too long together");
	return 0;
}

/*
 * fio makes files before the jobs start: it writes what will be read, and allocates (which also
 * sets the size) what will only be written unless told not to.
 */
static bool laid_out(const struct fio_job *job)
{
	if (job->has_read || job->engine == FIO_MMAP_ENGINE)
		return true;
	return !job->create_on_open && job->fallocate != FIO_FALLOCATE_NONE;
}

static int find_file(struct builder *b, const struct fio_job *job, const char *name,
		     uint32_t *index)
{
	int err = file_table_find(&b->files, b->w, name, index);

	if (err == -ENAMETOOLONG)
		return refuse(job, "a file name is too long");
	if (err == -E2BIG)
		return refuse(job, "more than 262144 files in all");
	return err;
}

static void learn_root(struct builder *b, const struct fio_job *job, const char *name)
{
	if (*job->directory == '/')
		share_root_contains(&b->root, job->directory);
	else
		share_root_contains_file(&b->root, name);
}

static int add_files(struct builder *b, const struct fio_job *job, uint32_t process,
		     uint32_t *files)
{
	char name[sizeof(b->w->files->name)];
	const char *list = job->filename;
	struct fio_region region;

	fio_job_region(job, process, &region);
	for (uint32_t i = 0; i < fio_job_files(job); i++) {
		struct workload_file *file;
		int err = file_name(job, process, i, &list, name, sizeof(name));

		if (!err)
			err = find_file(b, job, name, &files[i]);
		if (!err)
			learn_root(b, job, name);
		if (err)
			return err;
		file = &b->w->files[files[i]];
		if (laid_out(job) && file->size_bytes < region.file_bytes)
			file->size_bytes = region.file_bytes;
	}
	return 0;
}

static int make_jobs_stream(struct builder *b, const struct fio_job *job, uint32_t process,
			    struct op_stream **stream)
{
	struct fio_process_setup setup = {
		.process = process,
		.seed = job->has_randseed ? job->randseed : b->seed,
		.stream = b->w->nr_tasks,
	};
	uint32_t *files = calloc(fio_job_files(job), sizeof(*files));
	int err = files ? add_files(b, job, process, files) : -ENOMEM;

	if (!err && !job->create_only) {
		setup.files = files;
		*stream = fio_stream_new(job, &setup);
		if (*stream && job->engine == FIO_MMAP_ENGINE)
			*stream = fio_mmap_stream_new(*stream, job, &setup);
		err = *stream ? 0 : -ENOMEM;
	}
	free(files);
	return err;
}

static int add_log_files(struct builder *b, const struct fio_job *job, const struct iolog *log,
			 uint32_t *files)
{
	char name[sizeof(b->w->files->name)];

	for (uint32_t i = 0; i < iolog_nr_files(log); i++) {
		const struct workload_file *known = iolog_file(log, i);
		struct workload_file *file;
		int err, n;

		n = snprintf(name, sizeof(name), "%s%s%s", job->directory,
			     *job->directory ? "/" : "", known->name);
		if (n < 0 || (size_t)n >= sizeof(name))
			return refuse(job, "directory and a file name of the log are too long "
					   "together");
		err = find_file(b, job, name, &files[i]);
		if (err)
			return err;
		learn_root(b, job, name);
		file = &b->w->files[files[i]];
		file->size_bytes = max_u64(file->size_bytes, known->size_bytes);
	}
	return 0;
}

static int make_replay_stream(struct builder *b, const struct fio_job *job, struct iolog *log,
			      struct op_stream **stream)
{
	struct iolog_replay replay = {
		.direct = job->direct,
		.no_stall = job->replay_no_stall,
		.open_flags = fio_job_open_flags(job),
		.time_scale_percent = job->replay_time_scale,
		.start_delay_ns = job->start_delay_ns,
	};
	uint32_t *files = calloc(iolog_nr_files(log) + 1, sizeof(*files));
	int err = files ? add_log_files(b, job, log, files) : -ENOMEM;

	if (job->runtime_ns)
		replay.end_ns = job->start_delay_ns + job->ramp_ns + job->runtime_ns;
	if (!err) {
		replay.files = files;
		*stream = iolog_stream_new(log, &replay);
		err = *stream ? 0 : -ENOMEM;
	}
	free(files);
	return err;
}

/* log: NULL if the job says itself what it does. */
static int add_task(struct builder *b, const struct fio_job *job, struct iolog *log,
		    uint32_t process)
{
	struct workload *w = b->w;
	struct workload_task task = {
		.group = b->group,
		.iodepth = is_async(job) ? job->iodepth : 1,
		.async = is_async(job),
		.ramp_ns = job->ramp_ns ? job->start_delay_ns + job->ramp_ns : 0,
	};
	int err = array_grow((void **)&w->tasks, w->nr_tasks, sizeof(*w->tasks));

	if (!err && log)
		err = make_replay_stream(b, job, log, &task.stream);
	else if (!err)
		err = make_jobs_stream(b, job, process, &task.stream);
	if (err || job->create_only)
		return err;
	snprintf(task.job, sizeof(task.job), "%s", job->name);
	w->tasks[w->nr_tasks++] = task;
	return 0;
}

static int add_job(struct builder *b, const struct fio_job *job)
{
	struct iolog *log = NULL;
	int err = 0;

	if (b->w->nr_tasks + job->numjobs > FIO_MAX_TASKS)
		return refuse(job, "more than 16384 processes in all");
	/* Only the first process of numjobs waits for those before it; the rest run with it. */
	if (job->stonewall && b->w->nr_tasks)
		b->group++;
	if (*job->read_iolog && b->from_memory)
		return refuse(job, "read_iolog needs a job file on disk");
	if (*job->read_iolog)
		err = iolog_open(&log, job->read_iolog);
	for (uint32_t i = 0; i < job->numjobs && !err; i++)
		err = add_task(b, job, log, i);
	iolog_put(log);
	return err == -ENOENT ? -EINVAL : err;
}

static int apply_section(struct fio_job *job, const struct fio_text *text,
			 const struct fio_section *section)
{
	int err = 0;

	for (size_t i = 0; i < section->count && !err; i++)
		err = fio_job_apply(job, &text->lines[section->first + i]);
	return err;
}

static int add_section(struct builder *b, const struct fio_job *defaults,
		       const struct fio_text *text, const struct fio_section *section)
{
	struct fio_job job = *defaults;
	int err;

	job.path = section->path;
	job.line = section->number;
	if (strlen(section->name) >= sizeof(job.name)) {
		msg_error("%s:%u: job name is longer than %zu characters", section->path,
			  section->number, sizeof(job.name) - 1);
		return -EINVAL;
	}
	strcpy(job.name, section->name);
	err = apply_section(&job, text, section);
	if (!err)
		err = fio_job_check(&job);
	/* init_io_u_buffers() looks at FIO_RAWIO, which add_job() sets in the engine that all
	 * share. */
	b->aligns_buffers[job.engine] |= job.direct;
	job.aligns_buffers = b->aligns_buffers[job.engine];
	return err ? err : add_job(b, &job);
}

static int build(const struct fio_text *text, const char *path, uint64_t seed, bool from_memory,
		 struct workload **out)
{
	struct builder b = {.w = calloc(1, sizeof(*b.w)), .seed = seed, .from_memory = from_memory};
	struct fio_job defaults;
	int err = b.w ? 0 : -ENOMEM;

	fio_job_defaults(&defaults);
	for (size_t i = 0; i < text->nr_sections && !err; i++) {
		if (text->sections[i].is_global)
			err = apply_section(&defaults, text, &text->sections[i]);
		else
			err = add_section(&b, &defaults, text, &text->sections[i]);
	}
	if (!err && !b.w->nr_tasks) {
		msg_error("%s: no job in it: add a section [NAME]", path);
		err = -EINVAL;
	}
	file_table_free(&b.files);
	if (!err)
		share_root_strip(&b.root, b.w);
	if (err) {
		workload_free(b.w);
		b.w = NULL;
	}
	*out = b.w;
	return err;
}

int fio_job_load(const char *path, uint64_t seed, struct workload **out)
{
	struct fio_text text;
	int err;

	*out = NULL;
	err = fio_text_read(&text, path);
	if (err)
		return err;
	err = build(&text, path, seed, false, out);
	fio_text_free(&text);
	return err;
}

int fio_job_parse(const char *name, const char *text, size_t len, uint64_t seed,
		  struct workload **out)
{
	struct fio_text parsed;
	int err;

	*out = NULL;
	err = fio_text_parse(&parsed, name, text, len);
	if (err)
		return err;
	err = build(&parsed, name, seed, true, out);
	fio_text_free(&parsed);
	return err;
}
