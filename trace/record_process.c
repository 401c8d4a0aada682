// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A forked recording; see record_process.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "trace/record_process.h"

#define STARTED_FD 3 /* in the child */

static void say_started(void *ctx)
{
	while (write(STARTED_FD, "", 1) < 0 && errno == EINTR)
		;
}

/* Of the parent's descriptors, which may be a connection, the child keeps the two pipes. */
static void arrange_descriptors(int started, int text)
{
	if (text >= 0) {
		dup2(text, STDOUT_FILENO);
		dup2(text, STDERR_FILENO);
	}
	if (started != STARTED_FD)
		dup3(started, STARTED_FD, O_CLOEXEC);
	close_range(STARTED_FD + 1, ~0U, 0);
}

static int record_in_child(record_process_fn run, const struct record_config *config, pid_t parent,
			   bool capture)
{
	struct record_config own = *config;

	/* A terminal's Ctrl-C is for the parent, which knows the order in which things end. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		return EXIT_CANNOT;
	own.started = say_started;
	if (capture)
		msg_set_level(MSG_WARN);
	return run(&own);
}

static int fork_recording(struct record_process *p, record_process_fn run,
			  const struct record_config *config, const int *started, const int *text)
{
	pid_t parent = getpid();
	int status;

	fflush(stdout);
	p->pid = fork();
	if (p->pid < 0)
		return -errno;
	if (p->pid)
		return 0;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	arrange_descriptors(started[1], text[1]);
	status = record_in_child(run, config, parent, text[1] >= 0);
	fflush(stdout);
	_exit(status);
}

static void close_pair(const int *fds)
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int record_process_start(struct record_process *p, record_process_fn run,
			 const struct record_config *config, bool capture)
{
	int started[2] = {-1, -1}, text[2] = {-1, -1}, err = 0;

	memset(p, 0, sizeof(*p));
	p->started_fd = p->text_fd = -1;
	if (pipe2(started, O_CLOEXEC | O_NONBLOCK) ||
	    (capture && (pipe2(text, O_CLOEXEC) || fcntl(text[0], F_SETFL, O_NONBLOCK))))
		err = -errno;
	if (!err)
		err = fork_recording(p, run, config, started, text);
	if (err) {
		p->pid = 0;
		close_pair(started);
		close_pair(text);
		msg_error("cannot start a process that records: %s", strerror(-err));
		return err;
	}
	close(started[1]);
	p->started_fd = started[0];
	if (capture)
		close(text[1]);
	p->text_fd = text[0];
	return 0;
}

static void look_if_started(struct record_process *p)
{
	char byte;

	if (!p->started && read(p->started_fd, &byte, 1) == 1)
		p->started = true;
}

/* It may have started since it was looked at. */
static void set_ended(struct record_process *p, int wait_status)
{
	look_if_started(p);
	p->ended = true;
	p->status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EXIT_CANNOT;
	if (p->status > EXIT_LOST)
		p->status = EXIT_CANNOT;
	close(p->started_fd);
	p->started_fd = -1;
}

void record_process_look(struct record_process *p)
{
	int wait_status;

	if (!p->pid || p->ended)
		return;
	look_if_started(p);
	if (waitpid(p->pid, &wait_status, WNOHANG) == p->pid)
		set_ended(p, wait_status);
}

void record_process_stop(struct record_process *p)
{
	/* A second one might come after the footer, when signals kill again. */
	if (p->pid && !p->ended && !p->stopping)
		kill(p->pid, SIGTERM);
	p->stopping = true;
}

void record_process_finish(struct record_process *p)
{
	int wait_status;

	if (!p->pid || p->ended)
		return;
	record_process_stop(p);
	while (waitpid(p->pid, &wait_status, 0) < 0)
		if (errno != EINTR)
			return;
	set_ended(p, wait_status);
}
