// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guard: a process beside lab/vm that cleans up after it, also if it is killed with SIGKILL.
 *
 * The parent-death signal already ends QEMU, the daemons and the host command. What it cannot reach
 * are the children of the host command; those inherit LAB_RUN in their environment, which holds a
 * name that no other run has, and are found by it in /proc.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "agent.h"

#define KILL_ROUNDS 200
#define KILL_PAUSE_US 20000

static bool has_entry(const char *env, size_t len, const char *entry)
{
	size_t entry_len = strlen(entry) + 1;

	for (size_t at = 0; at + entry_len <= len; at += strnlen(env + at, len - at) + 1)
		if (!memcmp(env + at, entry, entry_len))
			return true;
	return false;
}

static bool belongs_to_run(const char *pid, const char *entry)
{
	static char env[256 << 10];
	char path[64];
	size_t len = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (len < sizeof(env) - 1 && (got = read(fd, env + len, sizeof(env) - 1 - len)) > 0)
		len += (size_t)got;
	close(fd);
	env[len++] = '\0';
	return has_entry(env, len, entry);
}

/* Returns how many processes of the run were still there. */
static int kill_round(const char *entry)
{
	DIR *proc = opendir("/proc");
	struct dirent *dirent;
	int found = 0;

	if (!proc)
		return 0;
	while ((dirent = readdir(proc))) {
		pid_t pid = (pid_t)atoi(dirent->d_name);

		if (pid <= 1 || pid == getpid() || !belongs_to_run(dirent->d_name, entry))
			continue;
		kill(pid, SIGKILL);
		found++;
	}
	closedir(proc);
	return found;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	remove(path);
	return 0;
}

static void guard_run(const char *dir, int fd)
{
	char entry[4096 + sizeof("LAB_RUN=")];
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
	snprintf(entry, sizeof(entry), "LAB_RUN=%s", dir);
	for (int i = 0; i < KILL_ROUNDS && kill_round(entry); i++)
		usleep(KILL_PAUSE_US);
	/* The host command is gone, so nobody writes there any more. Never crosses a mount. */
	nftw(dir, remove_entry, 64, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

pid_t guard_start(const char *dir, int *fd)
{
	int pipe_fd[2];
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int err = -errno;

		close(pipe_fd[0]);
		close(pipe_fd[1]);
		return err;
	}
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		/* Its own session, out of reach of the terminal; it must not hold stdout open. */
		setsid();
		for (int i = 0; null >= 0 && i < 3; i++)
			dup2(null, i);
		close(pipe_fd[1]);
		guard_run(dir, pipe_fd[0]);
		_exit(0);
	}
	close(pipe_fd[0]);
	*fd = pipe_fd[1];
	return pid;
}

void guard_finish(pid_t guard, int fd)
{
	close(fd);
	while (waitpid(guard, NULL, 0) < 0 && errno == EINTR)
		;
}
