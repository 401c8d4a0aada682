// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent in the lab VM: started by lab/init as process 1, it takes commands from the host over a
 * virtio-serial port and runs each as a job of its own process group, many at once. Being process 1
 * it also reaps whatever jobs leave behind; should it end, the kernel panics and lab/vm says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "agent.h"
#include "chan.h"

enum {
	OUT,
	ERR,
	STREAMS
};

struct job {
	bool used;
	uint32_t id;
	pid_t pid;
	int fd[STREAMS]; /* read ends of its stdout and stderr, -1 at the end of the stream */
	uint32_t uncredited; /* bytes sent to the host and not yet consumed there */
};

struct agent {
	struct chan chan;
	int signal_fd;
	struct job jobs[FRAME_MAX_JOBS];
};

static struct job *find_job(struct agent *agent, uint32_t id)
{
	for (int i = 0; i < FRAME_MAX_JOBS; i++)
		if (agent->jobs[i].used && agent->jobs[i].id == id)
			return &agent->jobs[i];
	return NULL;
}

static struct job *new_job(struct agent *agent, uint32_t id)
{
	for (int i = 0; i < FRAME_MAX_JOBS; i++) {
		struct job *job = &agent->jobs[i];

		if (!job->used) {
			*job = (struct job){.used = true, .id = id, .fd = {-1, -1}};
			return job;
		}
	}
	return NULL;
}

struct command {
	char *cwd;
	char **argv;
	char **env;
};

static void command_free(struct command *command)
{
	free(command->cwd);
	free(command->argv);
	free(command->env);
}

/* Splits the strings of a FRAME_RUN, which command->cwd then owns. */
static int command_unpack(const struct frame *frame, struct command *command)
{
	size_t len = frame->len - sizeof(struct frame_run);
	struct frame_run run;
	char *at, *end;

	memset(command, 0, sizeof(*command));
	if (frame->len <= sizeof(run) || frame->data[frame->len - 1])
		return -EBADMSG;
	memcpy(&run, frame->data, sizeof(run));
	if (!run.argc || run.argc > len || run.envc > len)
		return -EBADMSG;
	command->cwd = malloc(len);
	command->argv = calloc(run.argc + 1u, sizeof(char *));
	command->env = calloc(run.envc + 1u, sizeof(char *));
	if (!command->cwd || !command->argv || !command->env)
		return -ENOMEM;
	memcpy(command->cwd, frame->data + sizeof(run), len);
	end = command->cwd + len;
	at = command->cwd + strlen(command->cwd) + 1;
	for (uint32_t i = 0; i < run.argc + run.envc; i++) {
		if (at >= end)
			return -EBADMSG;
		if (i < run.argc)
			command->argv[i] = at;
		else
			command->env[i - run.argc] = at;
		at += strlen(at) + 1;
	}
	return at == end ? 0 : -EBADMSG;
}

/* In the child. A directory that the guest does not have is no error: the guest's is the root. */
static void exec_command(const struct command *command, int out, int err)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(LAB_NOT_EXECUTABLE);
	if (chdir(command->cwd) && chdir("/"))
		_exit(LAB_NOT_EXECUTABLE);
	environ = command->env;
	execvp(command->argv[0], command->argv);
	dprintf(2,
		"lab/guest: cannot run '%s' in the guest: %s\n"
		"(it sees the host's root, without its /tmp, /run and /mnt: see lab/vm --expose)\n",
		command->argv[0], strerror(errno));
	_exit(errno == ENOENT ? LAB_NOT_FOUND : LAB_NOT_EXECUTABLE);
}

static int start_job(struct job *job, const struct command *command)
{
	int out[2] = {-1, -1}, err[2] = {-1, -1};
	int status = 0;

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
		status = -errno;
		goto out;
	}
	job->pid = fork();
	if (job->pid < 0) {
		status = -errno;
		goto out;
	}
	if (!job->pid)
		exec_command(command, out[1], err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	job->fd[OUT] = out[0];
	job->fd[ERR] = err[0];
	out[0] = err[0] = -1;
out:
	for (int i = 0; i < 2; i++) {
		if (out[i] >= 0)
			close(out[i]);
		if (err[i] >= 0)
			close(err[i]);
	}
	return status;
}

static int refuse_job(struct agent *agent, uint32_t id, int err)
{
	char text[128];
	int len = snprintf(text, sizeof(text),
			   "lab/guest: the guest cannot start the command: %s\n", strerror(-err));

	chan_send(&agent->chan, FRAME_STDERR, id, text, (size_t)len);
	return chan_send_u32(&agent->chan, FRAME_EXIT, id, LAB_CANNOT);
}

static int run_job(struct agent *agent, const struct frame *frame)
{
	struct command command;
	struct job *job = NULL;
	int err;

	err = command_unpack(frame, &command);
	if (!err) {
		job = new_job(agent, frame->job);
		err = job ? start_job(job, &command) : -EAGAIN;
	}
	command_free(&command);
	if (!err)
		return 0;
	if (job)
		job->used = false;
	return refuse_job(agent, frame->job, err);
}

/* Sends what the stream holds, at most one frame. Returns whether there may be more. */
static bool relay_stream(struct agent *agent, struct job *job, int stream)
{
	unsigned char data[16 << 10];
	ssize_t got;

	if (job->fd[stream] < 0)
		return false;
	got = read(job->fd[stream], data, sizeof(data));
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		close(job->fd[stream]);
		job->fd[stream] = -1;
		return false;
	}
	job->uncredited += (uint32_t)got;
	chan_send(&agent->chan, stream == OUT ? FRAME_STDOUT : FRAME_STDERR, job->id, data,
		  (size_t)got);
	return true;
}

/* A job ends with its first process; what that left in the pipes (64 KiB each) is still sent. */
static void end_job(struct agent *agent, struct job *job, int status)
{
	uint32_t code = WIFSIGNALED(status) ? 128u + (uint32_t)WTERMSIG(status)
					    : (uint32_t)WEXITSTATUS(status);

	for (int stream = 0; stream < STREAMS; stream++) {
		for (int i = 0; i < 64 && relay_stream(agent, job, stream); i++)
			;
		if (job->fd[stream] >= 0)
			close(job->fd[stream]);
	}
	job->used = false;
	chan_send_u32(&agent->chan, FRAME_EXIT, job->id, code);
}

static void reap(struct agent *agent)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(agent->signal_fd, &info, sizeof(info)) == sizeof(info))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < FRAME_MAX_JOBS; i++)
			if (agent->jobs[i].used && agent->jobs[i].pid == pid)
				end_job(agent, &agent->jobs[i], status);
}

static int handle_frame(struct agent *agent, const struct frame *frame)
{
	struct job *job = find_job(agent, frame->job);
	uint32_t value;

	switch (frame->type) {
	case FRAME_RUN:
		return job ? -EBADMSG : run_job(agent, frame);
	case FRAME_SIGNAL:
		if (frame_u32(frame, &value))
			return -EBADMSG;
		/* The group does not exist yet if the child has not run so far. */
		if (job && kill(-job->pid, (int)value))
			kill(job->pid, (int)value);
		return 0;
	case FRAME_CREDIT:
		if (frame_u32(frame, &value))
			return -EBADMSG;
		if (job)
			job->uncredited -= value < job->uncredited ? value : job->uncredited;
		return 0;
	case FRAME_PING:
		return chan_send(&agent->chan, FRAME_PONG, 0, NULL, 0);
	case FRAME_SYNC:
		sync();
		return chan_send(&agent->chan, FRAME_SYNCED, 0, NULL, 0);
	default:
		return -EBADMSG;
	}
}

static int handle_port(struct agent *agent)
{
	struct frame frame;
	int got = chan_receive(&agent->chan);

	/* 0: nobody is connected on the host at the moment. */
	if (got == 0)
		usleep(50000);
	if (got <= 0)
		return got == -EAGAIN ? 0 : got;
	while ((got = chan_next(&agent->chan, &frame)) > 0) {
		got = handle_frame(agent, &frame);
		if (got < 0)
			return got;
	}
	return got;
}

static int serve(struct agent *agent)
{
	struct pollfd fds[2 + STREAMS * FRAME_MAX_JOBS];
	int err;

	for (;;) {
		nfds_t n = 0;

		fds[n++] = (struct pollfd){.fd = agent->signal_fd, .events = POLLIN};
		fds[n++] = (struct pollfd){.fd = agent->chan.fd,
					   .events = POLLIN |
						     (chan_has_output(&agent->chan) ? POLLOUT : 0)};
		for (int i = 0; i < FRAME_MAX_JOBS; i++) {
			struct job *job = &agent->jobs[i];
			bool open = job->used && job->uncredited < FRAME_WINDOW;

			for (int s = 0; s < STREAMS; s++)
				fds[n++] = (struct pollfd){.fd = open ? job->fd[s] : -1,
							   .events = POLLIN};
		}
		if (poll(fds, n, -1) < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < FRAME_MAX_JOBS; i++)
			for (int s = 0; s < STREAMS; s++)
				if (fds[2 + i * STREAMS + s].revents)
					relay_stream(agent, &agent->jobs[i], s);
		if (fds[0].revents)
			reap(agent);
		err = chan_flush(&agent->chan);
		if (!err && fds[1].revents & (POLLIN | POLLHUP))
			err = handle_port(agent);
		if (err)
			return err;
	}
}

int agent_main(int argc, char **argv)
{
	static struct agent agent;
	sigset_t mask;
	int fd, err;

	if (argc != 1) {
		fprintf(stderr, "usage: lab-agent guest PORT\n");
		return LAB_USAGE;
	}
	fd = open(argv[0], O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "lab-agent: cannot open the control port %s: %s\n", argv[0],
			strerror(errno));
		return LAB_CANNOT;
	}
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	agent.signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	err = agent.signal_fd < 0 ? -errno : chan_open(&agent.chan, fd);
	if (!err)
		err = chan_send(&agent.chan, FRAME_HELLO, 0, NULL, 0);
	if (!err)
		err = serve(&agent);
	fprintf(stderr, "lab-agent: the control port %s failed: %s\n", argv[0], strerror(-err));
	return LAB_CANNOT;
}
