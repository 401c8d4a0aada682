// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The DAX window: SETUPMAPPING and REMOVEMAPPING.
 *
 * What QEMU 11.1 asks of a back-end shapes this:
 * - It refuses to map over what is mapped, and clearing first would leave a hole, from which the
 *   guest's other CPUs would read zeros. So a range is mapped for writing at once, and when the
 *   guest upgrades it from reading to writing there is nothing left to do.
 * - It refuses a file that ends before the mapping does, but asks only then. So such a file is
 *   longer while it is being mapped. Beyond its true end nobody looks: the guest knows its size.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lab/dax/server.h"

static void clear_range(struct server *server, struct window_range *range)
{
	if (range->nodeid)
		vhost_user_unmap(server->vhost,
				 (uint64_t)(range - server->ranges) * WINDOW_RANGE_BYTES,
				 WINDOW_RANGE_BYTES);
	range->nodeid = 0;
}

void window_clear(struct server *server)
{
	for (uint64_t i = 0; i < server->nr_ranges; i++)
		clear_range(server, &server->ranges[i]);
}

static int shorten(int fd, const struct stat *was)
{
	const struct timespec times[2] = {was->st_atim, was->st_mtim};

	/* The guest throws away what it has cached of a file whose time of change is new. */
	return ftruncate(fd, was->st_size) || futimens(fd, times) ? -errno : 0;
}

static int map(struct server *server, int fd, uint64_t file_offset, uint64_t window_offset)
{
	off_t end = (off_t)(file_offset + WINDOW_RANGE_BYTES);
	struct stat st;
	int err, shortened = 0;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < end && ftruncate(fd, end))
		return -errno;
	err = vhost_user_map(server->vhost, fd, file_offset, window_offset, WINDOW_RANGE_BYTES);
	if (st.st_size < end)
		shortened = shorten(fd, &st);
	return err ? err : shortened;
}

static struct window_range *range_at(struct server *server, uint64_t offset, uint64_t length)
{
	uint64_t i = offset / WINDOW_RANGE_BYTES;

	if (offset % WINDOW_RANGE_BYTES || length != WINDOW_RANGE_BYTES || i >= server->nr_ranges)
		return NULL;
	return &server->ranges[i];
}

int window_setup(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_setupmapping_in in;
	struct window_range *range;
	int fd, err;

	request_read(req, &in, sizeof(in));
	range = range_at(server, in.moffset, in.len);
	if (!range || in.foffset % WINDOW_RANGE_BYTES || in.foffset > INT64_MAX - in.len)
		return -EINVAL;
	if (range->nodeid == inode->nodeid && range->file_offset == in.foffset)
		return 0;
	clear_range(server, range);
	fd = inode_open(inode, O_RDWR);
	if (fd < 0)
		return fd;
	err = map(server, fd, in.foffset, in.moffset);
	close(fd);
	if (!err)
		*range = (struct window_range){.nodeid = inode->nodeid, .file_offset = in.foffset};
	return err;
}

int window_remove(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_removemapping_in in;
	struct fuse_removemapping_one one;
	struct window_range *range;

	request_read(req, &in, sizeof(in));
	while (in.count-- && req->args.count) {
		request_read(req, &one, sizeof(one));
		range = range_at(server, one.moffset, one.len);
		if (!range)
			return -EINVAL;
		clear_range(server, range);
	}
	return 0;
}
