/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks for daemons while a recording runs: those that follow one that has ended and, if every
 * daemon was asked for, those that are new.
 *
 * Looking into another process needs capabilities that the recorder has given up by then. So a
 * second process does it, which is started before and keeps these few: it reads /proc and the
 * daemons' memory and writes two BPF maps, but no event, no file and no other descriptor is within
 * its reach. It ends with the recorder, however that ends.
 */
#ifndef VFSCOPE_TRACE_HOST_WATCH_H
#define VFSCOPE_TRACE_HOST_WATCH_H

#include <stdbool.h>
#include "trace/host_targets.h"

struct host_watch {
	pid_t pid; /* 0: not started */
	int fd;
	bool ended; /* it finds nothing more */
	uint64_t left_out; /* daemons that there was no room for */
};

struct host_watch_config {
	enum host_choice choice;
	uint64_t grace_ns; /* CHOOSE_PIDS: how long to look for what follows the last one */
	struct host_target_maps maps;
};

/* Call it before programs are attached. 0, or -errno after a message. */
int host_watch_start(struct host_watch *watch, struct host_targets *targets,
		     const struct host_watch_config *config);
/* Add what it has found since. 0, or -errno after a message. */
int host_watch_take(struct host_watch *watch, struct host_targets *targets);
void host_watch_stop(struct host_watch *watch); /* also if it was not started */

#endif
