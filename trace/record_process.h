/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording in a process of its own, so that its parent can do something else meanwhile and
 * record again later: a recording gives up its process's privileges. It ends when its parent does.
 */
#ifndef VFSCOPE_TRACE_RECORD_PROCESS_H
#define VFSCOPE_TRACE_RECORD_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>
#include "trace/record_session.h"

struct record_process {
	pid_t pid; /* 0: none */
	int started_fd;
	int text_fd; /* what it and its command print; -1: printed as usual */
	bool started; /* everything is attached */
	bool stopping;
	bool ended;
	int status; /* once ended: enum exit_status, EXIT_CANNOT if it crashed */
};

/* What the process does: a recording, or its plan. Returns an enum exit_status. */
typedef int (*record_process_fn)(const struct record_config *config);

/* capture: hand what it prints to text_fd, which does not block. 0, or -errno after a message. */
int record_process_start(struct record_process *p, record_process_fn run,
			 const struct record_config *config, bool capture);

/* Updates started and ended, without waiting. */
void record_process_look(struct record_process *p);

/* Have it end: detach, write the footer. Called again, it does nothing. */
void record_process_stop(struct record_process *p);

/* record_process_stop(), and wait until it has ended; then nothing of it is left but text_fd. */
void record_process_finish(struct record_process *p);

#endif
