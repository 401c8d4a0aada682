// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's side of hybrid vsock; see agent_hybrid.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "trace/agent_hybrid.h"

#define MAX_ANSWER 32 /* "OK 4294967295\n" */

static bool is_answer(const char *line)
{
	const char *digits = line + strlen("OK ");

	return !strncmp(line, "OK ", strlen("OK ")) && *digits &&
	       digits[strspn(digits, "0123456789")] == '\0';
}

/* One byte more. Not more at once: what follows the line is the agent's. */
static int take_byte(int fd, char *byte, uint64_t end_ns)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (now_ns >= end_ns)
		return -ETIMEDOUT;
	if (poll(&p, 1, (int)((end_ns - now_ns) / NS_PER_MS + 1)) < 0)
		return errno == EINTR ? -ECANCELED : -errno;
	if (!p.revents)
		return -ETIMEDOUT;
	n = read(fd, byte, 1);
	if (n == 1)
		return 0;
	/* VMMs close the connection for which there is nobody in the guest. */
	return !n || errno == ECONNRESET ? -ENOTCONN : -errno;
}

int agent_hybrid_connect(int fd, uint32_t port, int timeout_ms)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * NS_PER_MS;
	char line[MAX_ANSWER];
	size_t len = 0;
	int n = snprintf(line, sizeof(line), "CONNECT %u\n", port), err;

	/* A fresh socket has room for it. */
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		return errno == EPIPE ? -ENOTCONN : -errno;
	for (;;) {
		err = take_byte(fd, &line[len], end_ns);
		if (err)
			return err;
		if (line[len] == '\n')
			break;
		if (++len == sizeof(line))
			return -EPROTO;
	}
	line[len] = '\0';
	return is_answer(line) ? 0 : -EPROTO;
}
