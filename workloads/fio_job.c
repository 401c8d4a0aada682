// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the sections of a job file to a workload: files shared and laid out as fio does it, one
 * task per fio process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/msg.h"
#include "workloads/fio_job.h"
#include "workloads/fio_options.h"
#include "workloads/fio_parse.h"
#include "workloads/fio_stream.h"

#define FIO_MAX_TASKS 16384u

struct builder {
	struct workload *w;
	uint64_t seed;
	uint32_t group;
};

static int grow(void **array, size_t count, size_t size)
{
	void *more;

	if (count & (count - 1) || (count && count < 16))
		return 0;
	more = reallocarray(*array, count ? 2 * count : 16, size);
	if (!more)
		return -ENOMEM;
	*array = more;
	return 0;
}

/* fio's name of the file of one process: filename, or JOB.PROCESS.0. */
static int file_name(const struct fio_job *job, uint32_t process, char *name, size_t len)
{
	char own[FIO_NAME_MAX];
	int n;

	if (*job->filename)
		snprintf(own, sizeof(own), "%s", job->filename);
	else
		snprintf(own, sizeof(own), "%s.%u.0", job->name, process);
	n = snprintf(name, len, "%s%s%s", job->directory, *job->directory ? "/" : "", own);
	if (n < 0 || (size_t)n >= len) {
		msg_error("%s:%u: job [%s]: directory and filename are too long together",
			  job->path, job->line, job->name);
		return -EINVAL;
	}
	return 0;
}

static int find_file(struct workload *w, const char *name, uint32_t *index)
{
	int err;

	for (uint32_t i = 0; i < w->nr_files; i++)
		if (!strcmp(w->files[i].name, name)) {
			*index = i;
			return 0;
		}
	err = grow((void **)&w->files, w->nr_files, sizeof(*w->files));
	if (err)
		return err;
	*index = w->nr_files++;
	memset(&w->files[*index], 0, sizeof(*w->files));
	snprintf(w->files[*index].name, sizeof(w->files[*index].name), "%s", name);
	return 0;
}

/*
 * fio makes files before the jobs start: it writes what will be read, and allocates (which also
 * sets the size) what will only be written unless told not to.
 */
static bool laid_out(const struct fio_job *job)
{
	if (job->has_read)
		return true;
	return !job->create_on_open && job->fallocate != FIO_FALLOCATE_NONE;
}

static int add_task(struct builder *b, const struct fio_job *job, uint32_t process)
{
	struct workload *w = b->w;
	struct fio_stream_place place = {.stream = w->nr_tasks};
	uint64_t end_bytes;
	char name[sizeof(w->files->name)];
	int err;

	err = file_name(job, process, name, sizeof(name));
	if (!err)
		err = find_file(w, name, &place.file);
	if (!err)
		err = grow((void **)&w->tasks, w->nr_tasks, sizeof(*w->tasks));
	if (err)
		return err;
	place.seed = job->has_randseed ? job->randseed : b->seed;
	place.start_bytes = job->offset_bytes + process * job->offset_increment_bytes;
	place.length_bytes = job->size_bytes ? job->size_bytes : job->filesize_bytes;
	end_bytes = place.start_bytes + place.length_bytes;
	if (job->filesize_bytes && end_bytes > job->filesize_bytes) {
		end_bytes = job->filesize_bytes;
		place.length_bytes = end_bytes - place.start_bytes;
	}
	if (job->filesize_bytes)
		end_bytes = job->filesize_bytes;
	if (laid_out(job) && w->files[place.file].size_bytes < end_bytes)
		w->files[place.file].size_bytes = end_bytes;
	w->tasks[w->nr_tasks] = (struct workload_task){
		.group = b->group,
		.iodepth = job->engine == FIO_ASYNC_ENGINE ? job->iodepth : 1,
		.async = job->engine == FIO_ASYNC_ENGINE,
		.ramp_ns = job->ramp_ns ? job->start_delay_ns + job->ramp_ns : 0,
		.stream = fio_stream_new(job, &place),
	};
	snprintf(w->tasks[w->nr_tasks].job, sizeof(w->tasks->job), "%s", job->name);
	return w->tasks[w->nr_tasks++].stream ? 0 : -ENOMEM;
}

static int add_job(struct builder *b, const struct fio_job *job)
{
	int err = 0;

	if (b->w->nr_tasks + job->numjobs > FIO_MAX_TASKS) {
		msg_error("%s:%u: job [%s]: more than %u processes in all", job->path, job->line,
			  job->name, FIO_MAX_TASKS);
		return -EINVAL;
	}
	/* Only the first process of numjobs waits for those before it; the rest run with it. */
	if (job->stonewall && b->w->nr_tasks)
		b->group++;
	for (uint32_t i = 0; i < job->numjobs && !err; i++)
		err = add_task(b, job, i);
	return err;
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
	return err ? err : add_job(b, &job);
}

static int build(const struct fio_text *text, const char *path, uint64_t seed,
		 struct workload **out)
{
	struct builder b = {.w = calloc(1, sizeof(*b.w)), .seed = seed};
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
	err = build(&text, path, seed, out);
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
	err = build(&parsed, name, seed, out);
	fio_text_free(&parsed);
	return err;
}
