// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files, pipes, FIFOs and sockets to write a trace to; see vft_output.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "trace/vft_output.h"

/* How often who waits is asked. */
#define STALL_TICK_MS 100

int vft_output_open(struct vft_output *o, const char *path)
{
	bool standard = !strcmp(path, VFT_STDOUT);
	struct stat st;

	if (standard)
		o->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		o->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (o->fd < 0)
		return -errno;
	if (fstat(o->fd, &st))
		return -errno;
	/* Standard output is not ours to cut: a file that it is redirected to may have begun
	 * before. */
	o->regular = S_ISREG(st.st_mode) && !standard;
	o->may_stall = !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
	/* Traces tell what is stored where: an older file's wider mode must not stay. */
	if (o->regular && (st.st_mode & 0777) != 0600 && fchmod(o->fd, 0600))
		return -errno;
	return 0;
}

static int ask(const struct vft_output *o, uint64_t for_ns)
{
	const struct vft_stall stall = {
		.for_ns = for_ns, .waited_ns = o->waited_ns, .taken_bytes = o->taken_bytes};

	return o->stalled ? o->stalled(o->stalled_ctx, &stall) : 0;
}

/* Until poll() says that there is room; since_ns: when something was taken last. */
static int wait_for_room(struct vft_output *o, uint64_t since_ns)
{
	struct pollfd p = {.fd = o->fd, .events = POLLOUT};
	uint64_t from_ns = 0, now_ns;
	int n = poll(&p, 1, 0), err;

	while (n <= 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		now_ns = clock_ns(CLOCK_MONOTONIC);
		o->waited_ns += from_ns ? now_ns - from_ns : 0;
		from_ns = now_ns;
		err = ask(o, now_ns - since_ns);
		if (err)
			return err;
		n = poll(&p, 1, STALL_TICK_MS);
	}
	if (from_ns)
		o->waited_ns += clock_ns(CLOCK_MONOTONIC) - from_ns;
	/* Whatever else poll() has to say, write() says it better. */
	return 0;
}

/*
 * Where poll() has seen room, a pipe takes PIPE_BUF bytes at once (pipe_poll() and pipe_write() in
 * fs/pipe.c: one free slot is a page), so that the descriptor can stay a blocking one. What makes
 * it non-blocking would be seen by all who share it: of standard output, by the shell and by what
 * runs after us.
 */
static int write_all(struct vft_output *o, const void *data, size_t len)
{
	uint64_t since_ns = clock_ns(CLOCK_MONOTONIC);
	const uint8_t *p = data;

	while (len) {
		int err = o->may_stall ? wait_for_room(o, since_ns) : 0;
		ssize_t n;

		if (err)
			return err;
		n = write(o->fd, p, o->may_stall ? min_u64(len, PIPE_BUF) : len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
		o->taken_bytes += (uint64_t)n;
		if (o->may_stall)
			since_ns = clock_ns(CLOCK_MONOTONIC);
	}
	return 0;
}

/* A reader that went away is an error to return, not a reason to be killed. */
static int write_without_sigpipe(struct vft_output *o, const void *data, size_t len)
{
	const struct timespec no_wait = {0};
	sigset_t pipe_only, pending, before;
	bool was_pending;
	int err;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE);
	err = write_all(o, data, len);
	if (err == -EPIPE && !was_pending)
		while (sigtimedwait(&pipe_only, NULL, &no_wait) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int vft_output_write(struct vft_output *o, const void *data, size_t len)
{
	return o->may_stall ? write_without_sigpipe(o, data, len) : write_all(o, data, len);
}

void vft_output_cut(struct vft_output *o, uint64_t bytes)
{
	if (o->regular && !ftruncate(o->fd, (off_t)bytes))
		lseek(o->fd, (off_t)bytes, SEEK_SET);
}
