// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads the spec and starts processes so that none outlives lab/vm: the parent-death signal is set
 * in each.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "agent.h"
#include "broker.h"
#include "process.h"

static int read_tokens(struct spec *spec, const char *path)
{
	size_t count = 0, at = 0;
	struct stat st;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || st.st_size <= 0) {
		close(fd);
		return -EINVAL;
	}
	spec->text = malloc((size_t)st.st_size);
	if (!spec->text)
		err = -ENOMEM;
	else if (read(fd, spec->text, (size_t)st.st_size) != st.st_size ||
		 spec->text[st.st_size - 1])
		err = -EINVAL;
	close(fd);
	if (err)
		return err;
	for (off_t i = 0; i < st.st_size; i++)
		count += !spec->text[i];
	/* Room for the NULL after each argument list, which takes the place of its count. */
	spec->tokens = calloc(count + 1, sizeof(char *));
	if (!spec->tokens)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		spec->tokens[i] = spec->text + at;
		at += strlen(spec->text + at) + 1;
	}
	return 0;
}

/* Takes "N ARG..." at *at: moves the arguments down by one, over N, and ends them with NULL. */
static int take_argv(struct spec *spec, size_t *at, struct process *process)
{
	size_t n = spec->tokens[*at] ? (size_t)atoi(spec->tokens[*at]) : 0;

	if (!n)
		return -EINVAL;
	process->argv = spec->tokens + *at;
	for (size_t i = 0; i < n; i++) {
		process->argv[i] = process->argv[i + 1];
		if (!process->argv[i])
			return -EINVAL;
	}
	process->argv[n] = NULL;
	*at += n + 1;
	return 0;
}

static int take_process(struct spec *spec, size_t *at)
{
	struct process *process = &spec->processes[spec->process_count];

	if (spec->process_count == MAX_PROCESSES || !spec->tokens[*at] || !spec->tokens[*at + 1])
		return -EINVAL;
	process->name = spec->tokens[(*at)++];
	process->listen = spec->tokens[(*at)++];
	spec->process_count++;
	return take_argv(spec, at, process);
}

static int take_setting(struct spec *spec, const char *key, const char *value)
{
	if (!value)
		return -EINVAL;
	if (!strcmp(key, "dir"))
		spec->dir = value;
	else if (!strcmp(key, "console"))
		spec->console = value;
	else if (!strcmp(key, "boot-timeout"))
		spec->boot_timeout_s = (unsigned int)atoi(value);
	else if (!strcmp(key, "timeout"))
		spec->timeout_s = (unsigned int)atoi(value);
	else if (!strcmp(key, "verbose"))
		spec->verbose = *value == '1';
	else if (!strcmp(key, "die-with-parent"))
		spec->die_with_parent = atoi(value);
	else
		return -EINVAL;
	return 0;
}

int spec_read(struct spec *spec, const char *path)
{
	size_t at = 0;
	int err;

	memset(spec, 0, sizeof(*spec));
	err = read_tokens(spec, path);
	while (!err && spec->tokens[at]) {
		const char *key = spec->tokens[at++];

		if (!strcmp(key, "process")) {
			err = take_process(spec, &at);
		} else if (!strcmp(key, "host")) {
			spec->host.name = "the host command";
			err = take_argv(spec, &at, &spec->host);
		} else {
			err = take_setting(spec, key, spec->tokens[at]);
			at++;
		}
	}
	if (!err && (!spec->dir || !spec->console || !spec->host.argv || !spec->process_count))
		err = -EINVAL;
	return err;
}

void spec_free(struct spec *spec)
{
	free(spec->tokens);
	free(spec->text);
}

static void exec_process(const struct process *process, pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* A script that starts lab/vm with '&' has it ignored; here it is passed on on purpose. */
	signal(SIGINT, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(LAB_CANNOT);
	execvp(process->argv[0], process->argv);
	dprintf(2, "lab/vm: cannot run '%s': %s\n", process->argv[0], strerror(errno));
	_exit(errno == ENOENT ? LAB_NOT_FOUND : LAB_NOT_EXECUTABLE);
}

/* In the child: nothing of the terminal, output to the log, the listening socket as fd 3. */
static int detach(const char *log, int listen_fd)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	setsid();
	if (null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		return -errno;
	if (listen_fd == LISTEN_FD)
		return fcntl(listen_fd, F_SETFD, 0);
	if (listen_fd >= 0 && dup2(listen_fd, LISTEN_FD) < 0)
		return -errno;
	return 0;
}

int process_start_background(struct process *process, const char *dir)
{
	pid_t parent = getpid();
	int listen_fd = -1;
	char log[4096];

	snprintf(log, sizeof(log), "%s/%s.log", dir, process->name);
	if (*process->listen) {
		listen_fd = unix_listen(process->listen);
		if (listen_fd < 0)
			return listen_fd;
	}
	process->pid = fork();
	if (!process->pid) {
		if (detach(log, listen_fd))
			_exit(LAB_CANNOT);
		exec_process(process, parent);
	}
	if (listen_fd >= 0)
		close(listen_fd);
	return process->pid < 0 ? -errno : 0;
}

int process_start_foreground(struct process *process)
{
	pid_t parent = getpid();

	process->pid = fork();
	if (!process->pid)
		exec_process(process, parent);
	return process->pid < 0 ? -errno : 0;
}

const char *process_describe_end(const struct process *process, char *text, size_t size)
{
	int status = process->status;

	if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(text, size, "ended with exit status %d", WEXITSTATUS(status));
	return text;
}

pid_t process_working_pid(const struct process *process)
{
	char path[64], text[64] = "";
	pid_t child;
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", process->pid, process->pid);
	file = fopen(path, "re");
	if (!file)
		return process->pid;
	n = fscanf(file, "%d %63s", &child, text);
	fclose(file);
	return n == 1 ? child : process->pid;
}
