// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lab/guest: has the VM run one command, and passes on its output and exit status. It talks to
 * lab/vm (host.c), which owns the control port and relays the frames of many of these at once.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "agent.h"
#include "chan.h"

struct request {
	const char *cwd;
	char **argv;
	char **env; /* what --env gave */
	int env_count;
};

/* Passed on if set here; the rest of the host's environment means nothing in the guest. */
static const char *const passed_env[] = {"PATH", "TERM",	 "LANG",	  "LC_ALL",
					 "TZ",	 "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};

static const char help[] =
	"usage: lab/guest [OPTIONS] CMD [ARGS]...\n"
	"\n"
	"Runs a command in the VM of 'lab/vm --host', which sets LAB_DIR; its stdout, stderr and "
	"exit\n"
	"status are those of the command (128+n if signal n ended it). SIGINT, SIGTERM and SIGHUP "
	"are\n"
	"passed on to the command and its children. Standard input is not. Several may run at "
	"once.\n"
	"\n"
	"  -C, --chdir DIR       working directory (default: this one; / if the guest has it not)\n"
	"  -e, --env NAME=VALUE  set in the command's environment, which else holds PATH, TERM, "
	"LANG,\n"
	"                        LC_ALL, TZ, *SAN_OPTIONS, HOME=/tmp, LAB_DIR and LAB_SHARE\n"
	"  -h, --help\n"
	"\n"
	"exit status: the command's; 126, 127: the guest could not run it; 2: wrong use; 3: the VM "
	"is\n"
	"not there or was lost\n";

static int append(char *to, size_t *len, const char *text)
{
	size_t add = strlen(text) + 1;

	if (*len + add > FRAME_MAX_LEN)
		return -E2BIG;
	memcpy(to + *len, text, add);
	*len += add;
	return 0;
}

/* Lays out struct frame_run and its strings in `to`, of FRAME_MAX_LEN bytes. */
static int run_pack(const struct request *request, char *to, size_t *len)
{
	struct frame_run run = {0};
	char text[8192];
	int err;

	*len = sizeof(run);
	err = append(to, len, request->cwd);
	for (char **arg = request->argv; !err && *arg; arg++, run.argc++)
		err = append(to, len, *arg);
	for (size_t i = 0; !err && i < sizeof(passed_env) / sizeof(passed_env[0]); i++) {
		const char *value = getenv(passed_env[i]);

		if (!value || (size_t)snprintf(text, sizeof(text), "%s=%s", passed_env[i], value) >=
				      sizeof(text))
			continue;
		err = append(to, len, text);
		run.envc++;
	}
	if (!err)
		err = append(to, len, "HOME=/tmp");
	if (!err)
		err = append(to, len, "LAB_DIR=/run/lab");
	if (!err)
		err = append(to, len, "LAB_SHARE=/mnt/vfs");
	run.envc += 3;
	for (int i = 0; !err && i < request->env_count; i++, run.envc++)
		err = append(to, len, request->env[i]);
	memcpy(to, &run, sizeof(run));
	return err;
}

static int connect_to(const char *dir)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/guest.sock", dir) >=
	    sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int write_all(int fd, const unsigned char *data, size_t len)
{
	while (len) {
		ssize_t put = write(fd, data, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EPIPE) { /* as it ends a command of the host */
			signal(SIGPIPE, SIG_DFL);
			raise(SIGPIPE);
		}
		if (put < 0)
			return -errno;
		data += put;
		len -= (size_t)put;
	}
	return 0;
}

/* Returns the exit status, or -1 to go on. */
static int handle_frame(struct chan *chan, const struct frame *frame)
{
	uint32_t status;

	switch (frame->type) {
	case FRAME_STDOUT:
	case FRAME_STDERR:
		if (write_all(frame->type == FRAME_STDOUT ? 1 : 2, frame->data, frame->len)) {
			fprintf(stderr, "lab/guest: cannot pass on the command's output: %s\n",
				strerror(errno));
			return LAB_CANNOT;
		}
		chan_send_u32(chan, FRAME_CREDIT, 0, frame->len);
		return -1;
	case FRAME_EXIT:
		return frame_u32(frame, &status) ? LAB_CANNOT : (int)status;
	case FRAME_ERROR:
		fprintf(stderr, "lab/guest: %.*s\n", (int)frame->len, (const char *)frame->data);
		return LAB_CANNOT;
	default:
		return LAB_CANNOT;
	}
}

static int relay(struct chan *chan, int signal_fd)
{
	struct signalfd_siginfo info;
	struct frame frame;
	int got, status;

	for (;;) {
		struct pollfd fds[] = {
			{.fd = signal_fd, .events = POLLIN},
			{.fd = chan->fd, .events = POLLIN | (chan_has_output(chan) ? POLLOUT : 0)},
		};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return LAB_CANNOT;
		while (read(signal_fd, &info, sizeof(info)) == sizeof(info))
			chan_send_u32(chan, FRAME_SIGNAL, 0, info.ssi_signo);
		chan_flush(chan);
		if (!(fds[1].revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		got = chan_receive(chan);
		if (got == -EAGAIN)
			continue;
		if (got <= 0) {
			fprintf(stderr, "lab/guest: lab/vm ended before the command did\n");
			return LAB_CANNOT;
		}
		while ((got = chan_next(chan, &frame)) > 0) {
			status = handle_frame(chan, &frame);
			if (status >= 0)
				return status;
		}
		if (got < 0)
			return LAB_CANNOT;
	}
}

static int run_request(const struct request *request)
{
	const char *dir = getenv("LAB_DIR");
	static char payload[FRAME_MAX_LEN];
	struct chan chan;
	sigset_t mask;
	size_t len;
	int fd, signal_fd, status;

	if (!dir) {
		fprintf(stderr, "lab/guest: LAB_DIR is not set, so there is no VM to run it in; "
				"start it from 'lab/vm --host -- ...'\n");
		return LAB_USAGE;
	}
	if (run_pack(request, payload, &len)) {
		fprintf(stderr, "lab/guest: the command and its environment exceed %u KiB\n",
			FRAME_MAX_LEN >> 10);
		return LAB_USAGE;
	}
	fd = connect_to(dir);
	if (fd < 0) {
		fprintf(stderr,
			"lab/guest: cannot reach the VM at %s: %s; is its lab/vm running?\n", dir,
			strerror(-fd));
		return LAB_CANNOT;
	}
	/* lab/vm hangs up behind the exit status; credit for output may be on its way then. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	status = LAB_CANNOT;
	if (signal_fd >= 0 && !chan_open(&chan, fd) &&
	    !chan_send(&chan, FRAME_RUN, 0, payload, len))
		status = relay(&chan, signal_fd);
	chan_close(&chan);
	return status;
}

int client_main(int argc, char **argv)
{
	static const struct option options[] = {{"chdir", required_argument, NULL, 'C'},
						{"env", required_argument, NULL, 'e'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	char cwd[4096] = "/";
	struct request request = {.cwd = cwd};
	char **env = calloc((size_t)argc + 1, sizeof(char *));
	int option, status;

	if (!env || (!getcwd(cwd, sizeof(cwd)) && errno != ENOENT))
		return LAB_CANNOT;
	request.env = env;
	/* getopt sees argv[0] as the program's name: argv - 1 is "run". */
	argc++;
	argv--;
	argv[0] = (char *)"lab/guest";
	while ((option = getopt_long(argc, argv, "+C:e:h", options, NULL)) >= 0) {
		if (option == 'C') {
			request.cwd = optarg;
		} else if (option == 'e' && strchr(optarg, '=')) {
			env[request.env_count++] = optarg;
		} else {
			fputs(help, option == 'h' ? stdout : stderr);
			free(env);
			return option == 'h' ? LAB_DONE : LAB_USAGE;
		}
	}
	request.argv = argv + optind;
	if (optind == argc) {
		fputs(help, stderr);
		status = LAB_USAGE;
	} else {
		status = run_request(&request);
	}
	free(env);
	return status;
}
