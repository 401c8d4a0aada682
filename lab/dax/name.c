// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Directories and the names in them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lab/dax/server.h"

#define MAX_READDIR_BYTES (64u << 10)

/* As the kernel writes them; not in a header of its. */
struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

/* One component of a path, and below the directory. */
static int read_component(struct request *req, char *name)
{
	int err = request_read_name(req, name, NAME_MAX + 1);

	if (err)
		return err;
	return strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ? -EINVAL : 0;
}

static int reply_name(struct server *server, struct request *req, struct inode *dir,
		      const char *name)
{
	struct inode *inode;
	struct stat st;
	int err = inode_lookup(&server->inodes, dir, name, &inode, &st);

	return err ? err : server_reply_entry(server, req, inode, &st);
}

int name_lookup(struct server *server, struct request *req, struct inode *dir)
{
	char name[NAME_MAX + 1];
	int err = read_component(req, name);

	return err ? err : reply_name(server, req, dir, name);
}

/* What was made belongs to whoever in the guest asked for it. */
static int give(const struct request *req, struct inode *dir, const char *name)
{
	if (req->in.uid == geteuid() && req->in.gid == getegid())
		return 0;
	return fchownat(dir->fd, name, req->in.uid, req->in.gid, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

static int reply_made(struct server *server, struct request *req, struct inode *dir,
		      const char *name)
{
	int err = give(req, dir, name);

	return err ? err : reply_name(server, req, dir, name);
}

int name_create(struct server *server, struct request *req, struct inode *dir)
{
	struct fuse_create_in in;
	char name[NAME_MAX + 1];
	struct inode *inode;
	struct stat st;
	int err, fd;

	request_read(req, &in, sizeof(in));
	err = read_component(req, name);
	if (err)
		return err;
	fd = openat(dir->fd, name,
		    file_host_flags(server, in.flags) | O_CREAT | O_NOFOLLOW | O_CLOEXEC |
			    (in.flags & O_EXCL),
		    in.mode & ~in.umask & 07777);
	if (fd < 0)
		return -errno;
	err = give(req, dir, name);
	if (!err)
		err = inode_lookup(&server->inodes, dir, name, &inode, &st);
	if (!err)
		err = server_reply_entry(server, req, inode, &st);
	if (err) {
		close(fd);
		return err;
	}
	return file_reply_open(server, req, inode, fd);
}

int name_mknod(struct server *server, struct request *req, struct inode *dir)
{
	struct fuse_mknod_in in;
	char name[NAME_MAX + 1];
	int err;

	request_read(req, &in, sizeof(in));
	err = read_component(req, name);
	if (!err && mknodat(dir->fd, name, in.mode & ~in.umask, in.rdev))
		err = -errno;
	return err ? err : reply_made(server, req, dir, name);
}

int name_mkdir(struct server *server, struct request *req, struct inode *dir)
{
	struct fuse_mkdir_in in;
	char name[NAME_MAX + 1];
	int err;

	request_read(req, &in, sizeof(in));
	err = read_component(req, name);
	if (!err && mkdirat(dir->fd, name, in.mode & ~in.umask))
		err = -errno;
	return err ? err : reply_made(server, req, dir, name);
}

int name_symlink(struct server *server, struct request *req, struct inode *dir)
{
	char name[NAME_MAX + 1], target[PATH_MAX];
	int err = read_component(req, name);

	if (!err)
		err = request_read_name(req, target, sizeof(target));
	if (!err && symlinkat(target, dir->fd, name))
		err = -errno;
	return err ? err : reply_made(server, req, dir, name);
}

int name_link(struct server *server, struct request *req, struct inode *dir)
{
	struct fuse_link_in in;
	char name[NAME_MAX + 1], path[64];
	struct inode *old;
	int err;

	request_read(req, &in, sizeof(in));
	err = read_component(req, name);
	old = inode_get(&server->inodes, in.oldnodeid);
	if (err || !old)
		return err ? err : -ESTALE;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", old->fd);
	if (linkat(AT_FDCWD, path, dir->fd, name, AT_SYMLINK_FOLLOW))
		return -errno;
	return reply_name(server, req, dir, name);
}

static int unlink_name(struct request *req, struct inode *dir, int flags)
{
	char name[NAME_MAX + 1];
	int err = read_component(req, name);

	if (!err && unlinkat(dir->fd, name, flags))
		err = -errno;
	return err;
}

int name_unlink(struct server *server, struct request *req, struct inode *dir)
{
	return unlink_name(req, dir, 0);
}

int name_rmdir(struct server *server, struct request *req, struct inode *dir)
{
	return unlink_name(req, dir, AT_REMOVEDIR);
}

static int rename_to(struct server *server, struct request *req, struct inode *dir,
		     uint64_t new_dir, unsigned int flags)
{
	char name[NAME_MAX + 1], new_name[NAME_MAX + 1];
	struct inode *to = inode_get(&server->inodes, new_dir);
	int err = read_component(req, name);

	if (!err)
		err = read_component(req, new_name);
	if (err || !to)
		return err ? err : -ESTALE;
	return renameat2(dir->fd, name, to->fd, new_name, flags) ? -errno : 0;
}

int name_rename(struct server *server, struct request *req, struct inode *dir)
{
	struct fuse_rename_in in;

	request_read(req, &in, sizeof(in));
	return rename_to(server, req, dir, in.newdir, 0);
}

int name_rename2(struct server *server, struct request *req, struct inode *dir)
{
	struct fuse_rename2_in in;

	request_read(req, &in, sizeof(in));
	return rename_to(server, req, dir, in.newdir, in.flags);
}

int name_readlink(struct server *server, struct request *req, struct inode *inode)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(inode->fd, "", target, sizeof(target));

	return n < 0 ? -errno : request_write(req, target, (size_t)n);
}

/* Appends one entry; 0 if it does not fit any more. */
static size_t put_entry(char *out, size_t room, const struct linux_dirent64 *entry,
			const struct fuse_entry_out *plus)
{
	size_t length = strlen(entry->d_name), head = plus ? sizeof(*plus) : 0;
	size_t size = head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length);
	struct fuse_dirent dirent = {
		.ino = entry->d_ino,
		.off = (uint64_t)entry->d_off,
		.namelen = (uint32_t)length,
		.type = entry->d_type,
	};

	if (size > room)
		return 0;
	memset(out, 0, size);
	if (plus)
		memcpy(out, plus, sizeof(*plus));
	memcpy(out + head, &dirent, FUSE_NAME_OFFSET);
	memcpy(out + head + FUSE_NAME_OFFSET, entry->d_name, length);
	return size;
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* As put_entry(), and the guest then knows the inode. */
static size_t put_entry_plus(struct server *server, struct inode *dir, char *out, size_t room,
			     const struct linux_dirent64 *entry)
{
	struct fuse_entry_out plus = {};
	struct inode *inode = NULL;
	struct stat st;
	size_t size;

	/* One that is gone meanwhile is listed without what it was: node id 0. */
	if (!is_dot(entry->d_name) &&
	    !inode_lookup(&server->inodes, dir, entry->d_name, &inode, &st))
		server_fill_entry(server, &plus, inode, &st);
	size = put_entry(out, room, entry, &plus);
	if (!size && inode)
		inode_forget(&server->inodes, inode->nodeid, 1);
	return size;
}

static int read_entries(struct server *server, struct request *req, struct inode *dir, int fd,
			size_t room, char *out, char *in)
{
	bool plus = req->in.opcode == FUSE_READDIRPLUS;
	size_t done = 0, put = 1;
	long n = syscall(SYS_getdents64, fd, in, room);

	if (n < 0)
		return -errno;
	for (long at = 0; at < n && put;) {
		const struct linux_dirent64 *entry = (void *)(in + at);

		put = plus ? put_entry_plus(server, dir, out + done, room - done, entry)
			   : put_entry(out + done, room - done, entry, NULL);
		done += put;
		at += entry->d_reclen;
	}
	return request_write(req, out, done);
}

/* Entries that getdents64() gave and that do not fit are read again: the guest asks from there. */
int name_readdir(struct server *server, struct request *req, struct inode *dir)
{
	struct fuse_read_in in;
	char *buffers;
	size_t room;
	int fd, err;

	request_read(req, &in, sizeof(in));
	fd = file_of_handle(server, in.fh, dir);
	if (fd < 0)
		return fd;
	if (lseek(fd, (off_t)in.offset, SEEK_SET) < 0)
		return -errno;
	room = in.size < MAX_READDIR_BYTES ? in.size : MAX_READDIR_BYTES;
	buffers = malloc(2 * MAX_READDIR_BYTES);
	if (!buffers)
		return -ENOMEM;
	err = read_entries(server, req, dir, fd, room, buffers, buffers + MAX_READDIR_BYTES);
	free(buffers);
	return err;
}
