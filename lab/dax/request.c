// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One FUSE request in guest memory: see request.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "lab/dax/request.h"

static size_t copy(struct cursor *cursor, void *data, size_t size, bool out)
{
	size_t done = 0;

	while (done < size && cursor->count) {
		struct iovec *iov = cursor->iov;
		size_t n = size - done < iov->iov_len ? size - done : iov->iov_len;

		if (out)
			memcpy(iov->iov_base, (char *)data + done, n);
		else
			memcpy((char *)data + done, iov->iov_base, n);
		done += n;
		iov->iov_base = (char *)iov->iov_base + n;
		iov->iov_len -= n;
		if (!iov->iov_len) {
			cursor->iov++;
			cursor->count--;
		}
	}
	return done;
}

size_t cursor_limit(struct cursor *cursor, size_t size)
{
	size_t sum = 0;

	for (int i = 0; i < cursor->count; i++) {
		if (sum + cursor->iov[i].iov_len >= size) {
			cursor->iov[i].iov_len = size - sum;
			cursor->count = i + 1;
			return size;
		}
		sum += cursor->iov[i].iov_len;
	}
	return sum;
}

int request_parse(struct request *req, struct chain *chain)
{
	*req = (struct request){
		.args = {.iov = chain->iov, .count = chain->nr_read},
		.reply = {.iov = chain->iov + chain->nr_read, .count = chain->nr_write},
	};
	if (copy(&req->args, &req->in, sizeof(req->in), false) < sizeof(req->in))
		return -EINVAL;
	if (!chain->nr_write)
		return 0;
	/* Linux gives it a descriptor of its own. */
	if (req->reply.iov->iov_len < sizeof(struct fuse_out_header))
		return -EINVAL;
	req->header = (struct iovec){req->reply.iov->iov_base, sizeof(struct fuse_out_header)};
	req->reply.iov->iov_base =
		(char *)req->reply.iov->iov_base + sizeof(struct fuse_out_header);
	req->reply.iov->iov_len -= sizeof(struct fuse_out_header);
	return 0;
}

void request_read(struct request *req, void *arg, size_t size)
{
	size_t got = copy(&req->args, arg, size, false);

	memset((char *)arg + got, 0, size - got);
}

int request_read_name(struct request *req, char *name, size_t size)
{
	size_t n;

	for (n = 0; n < size; n++) {
		if (!copy(&req->args, &name[n], 1, false))
			return -EINVAL;
		if (!name[n])
			return n ? 0 : -EINVAL;
	}
	return -ENAMETOOLONG;
}

int request_write(struct request *req, const void *data, size_t size)
{
	size_t done = copy(&req->reply, (void *)data, size, true);

	req->reply_bytes += done;
	return done == size ? 0 : -EINVAL;
}

uint32_t request_finish(struct request *req, int error)
{
	struct fuse_out_header out = {.error = error, .unique = req->in.unique};

	if (!req->header.iov_base)
		return 0;
	out.len = (uint32_t)(sizeof(out) + (error ? 0 : req->reply_bytes));
	memcpy(req->header.iov_base, &out, sizeof(out));
	return out.len;
}
