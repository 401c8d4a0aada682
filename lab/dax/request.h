/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One FUSE request in guest memory: reading its arguments and writing its reply, piece by piece.
 */
#ifndef VFSCOPE_LAB_DAX_REQUEST_H
#define VFSCOPE_LAB_DAX_REQUEST_H

#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "lab/dax/queue.h"

/* A position in a list of buffers. */
struct cursor {
	struct iovec *iov;
	int count;
};

struct request {
	struct fuse_in_header in;
	struct cursor args; /* what was not read yet */
	struct iovec header; /* where the reply's header goes; in one piece */
	struct cursor reply; /* what was not written yet */
	size_t reply_bytes; /* without the header */
};

/* 0 or -errno. */
int request_parse(struct request *req, struct chain *chain);

/* The next argument; what the guest did not send is zero. */
void request_read(struct request *req, void *arg, size_t size);

/* The next argument as a name or path; name has room for size bytes. 0 or -errno. */
int request_read_name(struct request *req, char *name, size_t size);

/* Append to the reply. -EINVAL if the guest left no room. */
int request_write(struct request *req, const void *data, size_t size);

/* At most so many bytes of what is left, in place, for preadv() and pwritev(). */
size_t cursor_limit(struct cursor *cursor, size_t size);

/* Write the header; the bytes of the reply, 0 if there was no room for one. */
uint32_t request_finish(struct request *req, int error);

#endif
