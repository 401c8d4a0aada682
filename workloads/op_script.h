/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Op scripts: single file operations, one a line, that vfscope simulate runs and that
 * tests/tools/run_ops performs with real system calls; so what a simulated guest sends can be held
 * against what a real one sent. docs/op-scripts.md describes the format.
 */
#ifndef VFSCOPE_WORKLOADS_OP_SCRIPT_H
#define VFSCOPE_WORKLOADS_OP_SCRIPT_H

#include <stddef.h>
#include <stdint.h>
#include "lib/workload.h"

#define OP_SCRIPT_TASKS 16

struct op_script_line {
	uint32_t number; /* in the file, from 1 */
	uint32_t task; /* index into tasks */
	struct workload_op op; /* think_ns: the sleeps before it */
	bool by_link; /* what it is about has another name than is written */
};

struct op_script {
	struct workload_file *files;
	uint32_t nr_files;
	struct op_script_line *lines;
	uint32_t nr_lines;
	char tasks[OP_SCRIPT_TASKS][32]; /* labels; "" for lines without one */
	uint32_t nr_tasks;
};

bool is_op_script(const char *path); /* by its name: X.ops */

/* 0; -errno of open; -EINVAL after a message that names file and line; -ENOMEM. */
int op_script_read(const char *path, struct op_script *out);
int op_script_parse(const char *name, const char *text, size_t len, struct op_script *out);
void op_script_free(struct op_script *script);

/* The script as a workload, with a task for each label. The caller frees with workload_free(). */
int op_script_load(const char *path, struct workload **out);
int op_script_to_workload(struct op_script *script, struct workload **out); /* empties script */

#endif
