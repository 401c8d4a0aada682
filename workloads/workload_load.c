// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tells job files, I/O logs, traces and op scripts apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "trace/vft_format.h"
#include "workloads/fio_job.h"
#include "workloads/iolog.h"
#include "workloads/op_script.h"
#include "workloads/recorded_ops.h"
#include "workloads/share_path.h"
#include "workloads/workload_load.h"

/* A log by itself is one process that does buffered I/O; for anything else, a job reads it. */
static int load_log(const char *path, struct workload **out)
{
	struct iolog_replay replay = {.open_flags = OP_INVALIDATE | OP_HINT_SEQUENTIAL,
				      .time_scale_percent = 100};
	struct workload *w = calloc(1, sizeof(*w));
	struct share_root root = {0};
	uint32_t *files = NULL, nr;
	struct iolog *log;
	int err = iolog_open(&log, path);

	if (err || !w)
		goto out;
	nr = iolog_nr_files(log);
	files = calloc(nr, sizeof(*files));
	w->files = calloc(nr, sizeof(*w->files));
	w->tasks = calloc(1, sizeof(*w->tasks));
	if (!files || !w->files || !w->tasks)
		goto out;
	for (uint32_t i = 0; i < nr; i++) {
		files[i] = i;
		w->files[i] = *iolog_file(log, i);
		share_root_contains_file(&root, w->files[i].name);
	}
	w->nr_files = nr;
	share_root_strip(&root, w);
	replay.files = files;
	w->tasks[0] = (struct workload_task){
		.job = "iolog", .iodepth = 1, .stream = iolog_stream_new(log, &replay)};
	w->nr_tasks = 1;
	if (w->tasks[0].stream)
		*out = w;
out:
	if (!*out) {
		workload_free(w);
		err = err ? err : -ENOMEM;
	}
	free(files);
	iolog_put(log);
	return err;
}

/* Its first bytes, at most len; -1: none can be had. A pipe gives each byte only once: of it none.
 */
static ssize_t read_begin(const char *path, char *begin, size_t len)
{
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = pread(fd, begin, len, 0);
		close(fd);
	}
	return n;
}

/* What calls itself a trace but is none is a bad trace, not a bad job. */
static bool is_trace_name(const char *path)
{
	size_t len = strlen(path);

	return len > 4 && !strcmp(path + len - 4, ".vft");
}

int workload_load(const char *path, uint64_t seed, struct workload **out)
{
	static const char log_begin[] = "fio version ";
	char begin[sizeof(log_begin) - 1] = "";
	ssize_t n = read_begin(path, begin, sizeof(begin));

	*out = NULL;
	if (is_op_script(path))
		return op_script_load(path, out);
	/* If it cannot be read, the reader of job files says so. */
	if (is_trace_name(path) && n >= 0)
		return recorded_ops_load(path, out);
	if (n >= VFT_MAGIC_BYTES && !memcmp(begin, VFT_MAGIC, VFT_MAGIC_BYTES))
		return recorded_ops_load(path, out);
	if (n == sizeof(begin) && !memcmp(begin, log_begin, sizeof(begin)))
		return load_log(path, out);
	return fio_job_load(path, seed, out);
}
