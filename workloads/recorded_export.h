/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recorded ops for fio: an I/O log for one task, or a folder with a job that replays them all.
 */
#ifndef VFSCOPE_WORKLOADS_RECORDED_EXPORT_H
#define VFSCOPE_WORKLOADS_RECORDED_EXPORT_H

#include <stdio.h>
#include "workloads/recorded_ops.h"

/*
 * Version 3 log of r->tasks[index]. Times are microseconds since the trace began, plus one. A file
 * that was opened before the recording began is opened at its first use. 0 or -EIO (errno says
 * why); -ENOMEM.
 */
int recorded_write_iolog(const struct recorded_ops *r, uint32_t index, FILE *out);

/*
 * Make the folder dir, if it is not there, with replay.fio and a task-TID.iolog for each task:
 * "cd SHARE; fio DIR/replay.fio" after copying the logs there, or vfscope simulate. 0, or -errno
 * after a message.
 */
int recorded_write_job(const struct recorded_ops *r, const char *dir);

#endif
