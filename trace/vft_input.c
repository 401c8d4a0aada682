// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files and pipes to read a trace from; see vft_input.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/vft_input.h"

/* Chunk headers, and the beginnings of their payloads. */
#define AHEAD_BYTES (16u << 10)

int vft_input_open(struct vft_input *in, const char *path)
{
	struct stat st;

	*in = (struct vft_input){.fd = -1, .path = strdup(path), .ahead = malloc(AHEAD_BYTES)};
	if (!in->path || !in->ahead)
		return -ENOMEM;
	in->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &st)) {
		int err = -errno;

		msg_error("cannot open trace %s: %s", path, strerror(-err));
		return err;
	}
	if (S_ISDIR(st.st_mode)) {
		msg_error("%s is a directory, not a .vft trace", path);
		return -EISDIR;
	}
	in->file_bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : UINT64_MAX;
	return 0;
}

void vft_input_close(struct vft_input *in)
{
	if (in->fd >= 0)
		close(in->fd);
	free(in->ahead);
	free(in->path);
	*in = (struct vft_input){.fd = -1};
}

/* What there is, at most len: 0 at the end of the file. */
static ssize_t read_file(const struct vft_input *in, void *into, size_t len)
{
	ssize_t n;
	int err;

	do {
		n = read(in->fd, into, len);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	err = -errno;
	msg_error("cannot read %s: %s", in->path, strerror(-err));
	return err;
}

/* Past the bytes ahead where it is much, so that nearly all of a chunk is copied only once. */
static ssize_t read_some(struct vft_input *in, void *into, size_t len)
{
	ssize_t n;

	if (in->at == in->len && len >= AHEAD_BYTES)
		return read_file(in, into, len);
	if (in->at == in->len) {
		n = read_file(in, in->ahead, AHEAD_BYTES);
		if (n <= 0)
			return n;
		in->at = 0;
		in->len = (uint32_t)n;
	}
	n = (ssize_t)min_u64(in->len - in->at, len);
	memcpy(into, in->ahead + in->at, (size_t)n);
	in->at += (uint32_t)n;
	return n;
}

ssize_t vft_input_read(struct vft_input *in, void *into, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read_some(in, (uint8_t *)into + done, len - done);

		if (n < 0)
			return n;
		if (!n)
			break;
		in->offset += (uint64_t)n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}
