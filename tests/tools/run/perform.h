/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What run_ops shares: the script, who performs it, and the system calls of one op.
 */
#ifndef VFSCOPE_TESTS_TOOLS_RUN_PERFORM_H
#define VFSCOPE_TESTS_TOOLS_RUN_PERFORM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "workloads/op_script.h"

struct done {
	uint64_t start_ns; /* 0: not yet */
	uint64_t end_ns;
};

struct run {
	struct op_script script;
	struct task *tasks;
	const char *dir;
	char tag[64]; /* of the share, while it is not mounted */
	uint64_t pause_ns;
	uint64_t attr_timeout_ns;
	bool parallel;
	uint32_t nr_first; /* parallel: lines above "# from here", which end before all others */
	pthread_mutex_t path_lock; /* parallel: held by who walks a path */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t turn_passed;
	uint32_t turn; /* lines that have ended */
	struct done *done; /* of each line */
	bool failed;
};

struct task {
	struct run *run;
	uint32_t index;
	pthread_t thread;
	pid_t tid;
	char *buffer;
	int *fd; /* one per file, 0: not open */
	struct mapped {
		char *base; /* NULL: not mapped */
		uint64_t offset_bytes;
		uint64_t size_bytes;
	} * map; /* one per file */
};

/* 0 or -errno. task_free() also after an error. */
int task_init(struct run *r, struct task *t, uint32_t index);
void task_free(struct task *t);

/* 0, or -errno of the op; -EIO if a write was short. */
int64_t perform(struct task *t, const struct op_script_line *line);

void sleep_ns(uint64_t ns);

#endif
