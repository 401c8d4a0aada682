// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command that a recording runs and whose end ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/msg.h"
#include "trace/record_command.h"

/* The pipe closes on exec; anything that comes through it is the errno of a failed exec. */
static void exec_child(int pipe_fd, char **argv)
{
	int err;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	execvp(argv[0], argv);
	err = errno;
	if (write(pipe_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static void cannot_run(const char *name, int err)
{
	msg_error("cannot run '%s': %s; give the command and its arguments after --", name,
		  strerror(err));
}

static bool is_program(const char *dir, size_t dir_len, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%.*s%s%s", (int)dir_len, dir, dir_len ? "/" : "", name);
	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

int record_command_check(char **argv)
{
	const char *path = getenv("PATH"), *name = argv[0];
	bool found = strchr(name, '/') && is_program("", 0, name);

	/* As execvp() looks for it. */
	if (!path)
		path = "/bin:/usr/bin";
	while (!strchr(name, '/') && !found && *path) {
		size_t len = strcspn(path, ":");

		found = is_program(path, len, name);
		path += len + (path[len] == ':');
	}
	if (found)
		return 0;
	cannot_run(name, ENOENT);
	return -ENOENT;
}

int record_command_start(struct record_command *c, char **argv)
{
	int fds[2], child_errno = 0;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	c->pid = fork();
	if (c->pid == 0)
		exec_child(fds[1], argv);
	close(fds[1]);
	if (c->pid < 0) {
		child_errno = errno;
		close(fds[0]);
		msg_error("cannot start '%s': %s", argv[0], strerror(child_errno));
		return -child_errno;
	}
	do {
		n = read(fds[0], &child_errno, sizeof(child_errno));
	} while (n < 0 && errno == EINTR);
	close(fds[0]);
	if (n <= 0) {
		c->name = argv[0];
		return 0;
	}
	waitpid(c->pid, NULL, 0);
	cannot_run(argv[0], child_errno);
	return -child_errno;
}

bool record_command_ended(struct record_command *c)
{
	if (c->name && !c->ended)
		c->ended = waitpid(c->pid, &c->wait_status, WNOHANG) == c->pid;
	return c->ended;
}

void record_command_finish(struct record_command *c, bool end_it)
{
	bool stopped_by_us = false;

	if (!c->name)
		return;
	if (!record_command_ended(c)) {
		stopped_by_us = end_it && !kill(c->pid, SIGTERM);
		while (waitpid(c->pid, &c->wait_status, 0) < 0 && errno == EINTR)
			;
		c->ended = true;
	}
	if (WIFEXITED(c->wait_status) && WEXITSTATUS(c->wait_status))
		msg_warn("'%s' ended with status %d", c->name, WEXITSTATUS(c->wait_status));
	else if (WIFSIGNALED(c->wait_status) && !stopped_by_us)
		msg_warn("'%s' was ended by signal %d (%s)", c->name, WTERMSIG(c->wait_status),
			 strsignal(WTERMSIG(c->wait_status)));
}
