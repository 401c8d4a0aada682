/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ops on mapped memory, and what they ask of read-ahead. FLOWs where nothing else is said; the op
 * is th->op, the mapping the task's last one of the op's file.
 */
#ifndef VFSCOPE_SIM_MMAP_H
#define VFSCOPE_SIM_MMAP_H

#include "sim/model.h"

bool file_mmap(struct sim *sim, struct thread *th);
bool file_munmap(struct sim *sim, struct thread *th);
bool file_msync(struct sim *sim, struct thread *th);
bool file_advise(struct sim *sim, struct thread *th);
bool file_dont_need(struct sim *sim, struct thread *th);
bool file_madvise(struct sim *sim, struct thread *th);
bool mmap_access(struct sim *sim, struct thread *th);
/* The task ends. */
bool task_unmap_all(struct sim *sim, struct thread *th);

/* truncate.c */
bool file_truncate(struct sim *sim, struct thread *th);

/* read_ahead.c: around a page that a fault misses, without looking at what was read before. */
bool read_around(struct sim *sim, struct thread *th, struct file *file, uint64_t index);
/* WILLNEED of pages from first to before end. */
bool read_wanted(struct sim *sim, struct thread *th, struct file *file, uint64_t first,
		 uint64_t end);
/* Not a FLOW: OP_HINT_* of posix_fadvise(). */
void read_ahead_advise(struct sim *sim, struct read_ahead *ra, uint32_t flags);

#endif
