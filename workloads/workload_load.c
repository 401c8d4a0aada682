// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tells job files, I/O logs, traces and op scripts apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "trace/vft_format.h"
#include "workloads/fio_job.h"
#include "workloads/iolog.h"
#include "workloads/op_script.h"
#include "workloads/recorded_ops.h"
#include "workloads/workload_load.h"

/* A log by itself is one process that does buffered I/O; for anything else, a job reads it. */
static int load_log(const char *path, struct workload **out)
{
	struct iolog_replay replay = {.open_flags = OP_INVALIDATE | OP_HINT_SEQUENTIAL,
				      .time_scale_percent = 100};
	struct workload *w = calloc(1, sizeof(*w));
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
	}
	w->nr_files = nr;
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

int workload_load(const char *path, uint64_t seed, struct workload **out)
{
	static const char log_begin[] = "fio version ";
	char begin[sizeof(log_begin) - 1] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, begin, sizeof(begin), 0);

	*out = NULL;
	if (fd >= 0)
		close(fd);
	if (is_op_script(path))
		return op_script_load(path, out);
	/* If it cannot be opened, the reader of job files says so. */
	if (n >= VFT_MAGIC_BYTES && !memcmp(begin, VFT_MAGIC, VFT_MAGIC_BYTES))
		return recorded_ops_load(path, out);
	if (n == sizeof(begin) && !memcmp(begin, log_begin, sizeof(begin)))
		return load_log(path, out);
	return fio_job_load(path, seed, out);
}
