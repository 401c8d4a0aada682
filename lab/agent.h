/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The modes of lab-agent. Each takes the arguments after its name and returns the exit status.
 */
#ifndef VFSCOPE_LAB_AGENT_H
#define VFSCOPE_LAB_AGENT_H

#include <sys/types.h>

/* The same words as the program's: see lib/exit_status.h. */
enum lab_status {
	LAB_DONE = 0,
	LAB_USAGE = 2, /* wrong use */
	LAB_CANNOT = 3, /* the VM did not come up, or was lost */
	LAB_TIMEOUT = 124, /* --timeout passed, as timeout(1) says it */
	LAB_NOT_EXECUTABLE = 126,
	LAB_NOT_FOUND = 127,
};

/* lab-agent guest PORT: runs jobs inside the VM, as its init. */
int agent_main(int argc, char **argv);

/* lab-agent host SPEC: starts the daemons and QEMU, runs a command, tears everything down. */
int host_main(int argc, char **argv);

/* lab-agent run [OPTIONS] CMD...: has the VM named by LAB_DIR run a command. */
int client_main(int argc, char **argv);

/*
 * Forks a process that outlives this one by as much as it takes to end every process that carries
 * LAB_RUN=`dir` in its environment, and to remove `dir`. It starts when *fd is closed: by
 * guard_finish(), or by the kernel however this process ends. Returns its pid or -errno.
 */
pid_t guard_start(const char *dir, int *fd);
void guard_finish(pid_t guard, int fd);

#endif
