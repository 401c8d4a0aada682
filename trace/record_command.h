/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command that a recording runs and whose end ends it.
 */
#ifndef VFSCOPE_TRACE_RECORD_COMMAND_H
#define VFSCOPE_TRACE_RECORD_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

struct record_command {
	const char *name; /* NULL: none was started */
	pid_t pid;
	bool ended;
	int wait_status;
};

/* Whether there is such a program to run. 0, or -errno after a message. Starts nothing. */
int record_command_check(char **argv);

/* Returns once the program runs. -errno after a message if it cannot. */
int record_command_start(struct record_command *c, char **argv);

/* True once it has ended; false if none was started. Does not block. */
bool record_command_ended(struct record_command *c);

/* Wait for it, if end_it after a SIGTERM; warn if it failed. */
void record_command_finish(struct record_command *c, bool end_it);

#endif
