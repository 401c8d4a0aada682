// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open files, and a file's attributes. Data goes straight between guest memory and the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "lab/dax/server.h"

int file_of_handle(const struct server *server, uint64_t fh, const struct inode *inode)
{
	if (fh >= (uint64_t)server->nr_open || server->open[fh].nodeid != inode->nodeid)
		return -EBADF;
	return (int)fh;
}

/* Appending is the guest's matter: it says where each write goes. */
int file_host_flags(const struct server *server, uint32_t flags)
{
	int host = (int)flags & ~(O_APPEND | O_CREAT | O_EXCL | O_NOCTTY);

	if (!server->options.allow_direct_io)
		host &= ~O_DIRECT;
	/* To write back a page that was written in part, the guest reads it. */
	if (server->options.writeback && (host & O_ACCMODE) == O_WRONLY)
		host = (host & ~O_ACCMODE) | O_RDWR;
	return host;
}

int file_reply_open(struct server *server, struct request *req, const struct inode *inode, int fd)
{
	struct fuse_open_out out = {.fh = (uint64_t)fd};

	if (fd >= server->nr_open) {
		close(fd);
		return -ENFILE;
	}
	server->open[fd].nodeid = inode->nodeid;
	if (server->options.cache == CACHE_ALWAYS)
		out.open_flags = FOPEN_KEEP_CACHE;
	else if (server->options.cache == CACHE_NEVER && req->in.opcode != FUSE_OPENDIR)
		out.open_flags = FOPEN_DIRECT_IO;
	return request_write(req, &out, sizeof(out));
}

int file_open(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_open_in in;
	int fd;

	request_read(req, &in, sizeof(in));
	fd = inode_open(inode, file_host_flags(server, in.flags));
	return fd < 0 ? fd : file_reply_open(server, req, inode, fd);
}

int file_release(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_release_in in;
	int fd;

	request_read(req, &in, sizeof(in));
	fd = file_of_handle(server, in.fh, inode);
	if (fd < 0)
		return fd;
	server->open[fd].nodeid = 0;
	close(fd);
	return 0;
}

int file_read(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_read_in in;
	ssize_t n;
	int fd;

	request_read(req, &in, sizeof(in));
	fd = file_of_handle(server, in.fh, inode);
	if (fd < 0)
		return fd;
	cursor_limit(&req->reply, in.size);
	n = preadv(fd, req->reply.iov, req->reply.count, (off_t)in.offset);
	if (n < 0)
		return -errno;
	req->reply_bytes = (size_t)n;
	return 0;
}

int file_write(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_write_out out = {};
	struct fuse_write_in in;
	ssize_t n;
	int fd;

	request_read(req, &in, sizeof(in));
	fd = file_of_handle(server, in.fh, inode);
	if (fd < 0)
		return fd;
	cursor_limit(&req->args, in.size);
	n = pwritev(fd, req->args.iov, req->args.count, (off_t)in.offset);
	if (n < 0)
		return -errno;
	out.size = (uint32_t)n;
	return request_write(req, &out, sizeof(out));
}

/* A duplicate's close reports what the file system kept back for the close. */
int file_flush(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_flush_in in;
	int fd;

	request_read(req, &in, sizeof(in));
	fd = file_of_handle(server, in.fh, inode);
	if (fd < 0)
		return fd;
	fd = dup(fd);
	return fd < 0 || close(fd) ? -errno : 0;
}

int file_fsync(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_fsync_in in;
	int fd;

	request_read(req, &in, sizeof(in));
	fd = file_of_handle(server, in.fh, inode);
	if (fd < 0)
		return fd;
	return (in.fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(fd) : fsync(fd)) ? -errno : 0;
}

int file_fallocate(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_fallocate_in in;
	int fd;

	request_read(req, &in, sizeof(in));
	fd = file_of_handle(server, in.fh, inode);
	if (fd < 0)
		return fd;
	return fallocate(fd, (int)in.mode, (off_t)in.offset, (off_t)in.length) ? -errno : 0;
}

int file_lseek(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_lseek_in in;
	struct fuse_lseek_out out;
	int fd;
	off_t at;

	request_read(req, &in, sizeof(in));
	fd = file_of_handle(server, in.fh, inode);
	if (fd < 0)
		return fd;
	at = lseek(fd, (off_t)in.offset, (int)in.whence);
	if (at < 0)
		return -errno;
	out.offset = (uint64_t)at;
	return request_write(req, &out, sizeof(out));
}

static int set_size(struct inode *inode, uint64_t size)
{
	int fd = inode_open(inode, O_WRONLY), err;

	if (fd < 0)
		return fd;
	err = ftruncate(fd, (off_t)size) ? -errno : 0;
	close(fd);
	return err;
}

static struct timespec time_to_set(uint32_t valid, uint32_t set, uint32_t now, uint64_t s,
				   uint32_t ns)
{
	if (valid & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (valid & set)
		return (struct timespec){.tv_sec = (time_t)s, .tv_nsec = ns};
	return (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int set_times(struct inode *inode, const struct fuse_setattr_in *in)
{
	struct timespec times[2] = {
		time_to_set(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
		time_to_set(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
	};

	return utimensat(inode->fd, "", times, AT_EMPTY_PATH) ? -errno : 0;
}

static int set_mode(struct inode *inode, uint32_t mode)
{
	/* fchmod() does not take O_PATH, and chmod() would follow what the path names. */
	int fd = inode_open(inode, O_RDONLY | O_NONBLOCK), err;

	if (fd < 0)
		return fd;
	err = fchmod(fd, mode & 07777) ? -errno : 0;
	close(fd);
	return err;
}

static int set_owner(struct inode *inode, const struct fuse_setattr_in *in)
{
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

	return fchownat(inode->fd, "", uid, gid, AT_EMPTY_PATH) ? -errno : 0;
}

int file_setattr(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_setattr_in in;
	int err = 0;

	request_read(req, &in, sizeof(in));
	if (in.valid & FATTR_MODE)
		err = set_mode(inode, in.mode);
	if (!err && in.valid & (FATTR_UID | FATTR_GID))
		err = set_owner(inode, &in);
	if (!err && in.valid & FATTR_SIZE)
		err = set_size(inode, in.size);
	if (!err && in.valid & (FATTR_ATIME | FATTR_MTIME))
		err = set_times(inode, &in);
	return err ? err : server_reply_attr(server, req, inode);
}
