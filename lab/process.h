/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of one lab run, as lab/vm wrote them into its spec file, and starting them.
 *
 * The spec is NUL-terminated tokens, a keyword and its operands:
 *   dir DIR | boot-timeout SECONDS | timeout SECONDS | console FILE | verbose 0|1 |
 *   die-with-parent PID
 *   process NAME LISTEN N ARG...   LISTEN: path of a Unix socket that it gets as fd 3, or empty
 *   host N ARG...                  the command to run while the VM is up
 */
#ifndef VFSCOPE_LAB_PROCESS_H
#define VFSCOPE_LAB_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MAX_PROCESSES 8
#define LISTEN_FD 3

struct process {
	const char *name; /* also of its log: DIR/NAME.log */
	const char *listen;
	char **argv;
	pid_t pid; /* 0: not started or has ended */
	int status; /* as waitpid() gave it */
};

struct spec {
	char *text;
	char **tokens;
	const char *dir;
	const char *console;
	unsigned int boot_timeout_s;
	unsigned int timeout_s; /* 0: none */
	bool verbose;
	pid_t die_with_parent; /* 0: no */
	struct process processes[MAX_PROCESSES];
	int process_count;
	struct process host;
};

int spec_read(struct spec *spec, const char *path);
void spec_free(struct spec *spec);

/* In the background: own session, output to its log. 0 or -errno. */
int process_start_background(struct process *process, const char *dir);
/* In the foreground: inherits everything. 0 or -errno. */
int process_start_foreground(struct process *process);

/* "was killed by signal 31 (Bad system call)" or "ended with exit status 1". */
const char *process_describe_end(const struct process *process, char *text, size_t size);

/* A daemon that forks to sandbox itself does its work in its only child. */
pid_t process_working_pid(const struct process *process);

#endif
