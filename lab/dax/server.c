// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The FUSE server: which function serves which request, and what concerns the whole connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "lab/dax/server.h"

#define MAX_WRITE_BYTES (1u << 20)
#define MAX_PAGES 256
#define MAP_ALIGNMENT_LOG2 12

typedef int (*serve_fn)(struct server *server, struct request *req, struct inode *inode);

static void fill_attr(struct fuse_attr *attr, const struct stat *st)
{
	*attr = (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (uint32_t)st->st_rdev,
		.blksize = (uint32_t)st->st_blksize,
	};
}

/* As long as virtiofsd's of the same name, for which the guest's numbers are to be comparable. */
static uint64_t timeout_s(const struct server *server)
{
	static const uint64_t seconds[] = {
		[CACHE_NEVER] = 0, [CACHE_AUTO] = 1, [CACHE_ALWAYS] = 86400};

	return seconds[server->options.cache];
}

void server_fill_entry(const struct server *server, struct fuse_entry_out *entry,
		       const struct inode *inode, const struct stat *st)
{
	*entry = (struct fuse_entry_out){
		.nodeid = inode->nodeid,
		.entry_valid = timeout_s(server),
		.attr_valid = timeout_s(server),
	};
	fill_attr(&entry->attr, st);
}

int server_reply_entry(struct server *server, struct request *req, struct inode *inode,
		       const struct stat *st)
{
	struct fuse_entry_out entry;

	server_fill_entry(server, &entry, inode, st);
	return request_write(req, &entry, sizeof(entry));
}

int server_reply_attr(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_attr_out out = {.attr_valid = timeout_s(server)};
	struct stat st;
	int err = inode_stat(inode, &st);

	if (err)
		return err;
	fill_attr(&out.attr, &st);
	return request_write(req, &out, sizeof(out));
}

static int serve_init(struct server *server, struct request *req, struct inode *inode)
{
	uint32_t wanted = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_AUTO_INVAL_DATA |
			  FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES |
			  FUSE_MAP_ALIGNMENT;
	struct fuse_init_in in;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_background = UINT16_MAX,
		.congestion_threshold = UINT16_MAX / 4 * 3,
		.max_write = MAX_WRITE_BYTES,
		.time_gran = 1,
		.max_pages = MAX_PAGES,
		.map_alignment = MAP_ALIGNMENT_LOG2,
	};

	request_read(req, &in, sizeof(in));
	if (in.major != FUSE_KERNEL_VERSION)
		return -EPROTO;
	/* The guest's driver has begun anew, and knows of no mapping. */
	window_clear(server);
	if (server->options.cache != CACHE_NEVER)
		wanted |= FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO;
	if (server->options.writeback)
		wanted |= FUSE_WRITEBACK_CACHE;
	out.flags = in.flags & wanted;
	out.max_readahead = in.max_readahead;
	return request_write(req, &out, sizeof(out));
}

static int serve_statfs(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_statfs_out out = {};
	struct statfs st;

	if (fstatfs(inode->fd, &st))
		return -errno;
	out.st = (struct fuse_kstatfs){
		.blocks = st.f_blocks,
		.bfree = st.f_bfree,
		.bavail = st.f_bavail,
		.files = st.f_files,
		.ffree = st.f_ffree,
		.bsize = (uint32_t)st.f_bsize,
		.namelen = (uint32_t)st.f_namelen,
		.frsize = (uint32_t)st.f_frsize,
	};
	return request_write(req, &out, sizeof(out));
}

static int serve_getattr(struct server *server, struct request *req, struct inode *inode)
{
	return server_reply_attr(server, req, inode);
}

static int serve_forget(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_forget_in in;

	request_read(req, &in, sizeof(in));
	inode_forget(&server->inodes, req->in.nodeid, in.nlookup);
	return 0;
}

static int serve_batch_forget(struct server *server, struct request *req, struct inode *inode)
{
	struct fuse_batch_forget_in in;
	struct fuse_forget_one one;

	request_read(req, &in, sizeof(in));
	while (in.count-- && req->args.count) {
		request_read(req, &one, sizeof(one));
		inode_forget(&server->inodes, one.nodeid, one.nlookup);
	}
	return 0;
}

static int serve_syncfs(struct server *server, struct request *req, struct inode *inode)
{
	int fd = inode_open(inode, O_RDONLY), err;

	if (fd < 0)
		return fd;
	err = syncfs(fd) ? -errno : 0;
	close(fd);
	return err;
}

static int serve_nothing(struct server *server, struct request *req, struct inode *inode)
{
	return 0;
}

static const serve_fn functions[] = {
	[FUSE_LOOKUP] = name_lookup,
	[FUSE_FORGET] = serve_forget,
	[FUSE_GETATTR] = serve_getattr,
	[FUSE_SETATTR] = file_setattr,
	[FUSE_READLINK] = name_readlink,
	[FUSE_SYMLINK] = name_symlink,
	[FUSE_MKNOD] = name_mknod,
	[FUSE_MKDIR] = name_mkdir,
	[FUSE_UNLINK] = name_unlink,
	[FUSE_RMDIR] = name_rmdir,
	[FUSE_RENAME] = name_rename,
	[FUSE_LINK] = name_link,
	[FUSE_OPEN] = file_open,
	[FUSE_READ] = file_read,
	[FUSE_WRITE] = file_write,
	[FUSE_STATFS] = serve_statfs,
	[FUSE_RELEASE] = file_release,
	[FUSE_FSYNC] = file_fsync,
	[FUSE_FLUSH] = file_flush,
	[FUSE_INIT] = serve_init,
	[FUSE_OPENDIR] = file_open,
	[FUSE_READDIR] = name_readdir,
	[FUSE_RELEASEDIR] = file_release,
	[FUSE_FSYNCDIR] = file_fsync,
	[FUSE_CREATE] = name_create,
	[FUSE_INTERRUPT] = serve_nothing,
	[FUSE_DESTROY] = serve_nothing,
	[FUSE_BATCH_FORGET] = serve_batch_forget,
	[FUSE_FALLOCATE] = file_fallocate,
	[FUSE_READDIRPLUS] = name_readdir,
	[FUSE_RENAME2] = name_rename2,
	[FUSE_LSEEK] = file_lseek,
	[FUSE_SETUPMAPPING] = window_setup,
	[FUSE_REMOVEMAPPING] = window_remove,
	[FUSE_SYNCFS] = serve_syncfs,
};

/* These concern no inode, or name it in another place. */
static bool needs_inode(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_INIT:
	case FUSE_DESTROY:
	case FUSE_INTERRUPT:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	/* Of all ranges of an inode being evicted, or of the one being reclaimed. */
	case FUSE_REMOVEMAPPING:
		return false;
	default:
		return true;
	}
}

static int serve(struct server *server, struct request *req)
{
	uint32_t opcode = req->in.opcode;
	struct inode *inode = inode_get(&server->inodes, req->in.nodeid);

	if (opcode >= sizeof(functions) / sizeof(functions[0]) || !functions[opcode])
		return -ENOSYS;
	if (!inode && needs_inode(opcode))
		return -ESTALE;
	return functions[opcode](server, req, inode);
}

uint32_t server_handle(struct server *server, struct chain *chain)
{
	struct request req;
	int err = request_parse(&req, chain);

	if (!err)
		err = serve(server, &req);
	return request_finish(&req, err);
}

int server_init(struct server *server, const struct server_options *options,
		struct vhost_user *vhost)
{
	struct rlimit limit;

	*server = (struct server){.options = *options, .vhost = vhost};
	/* One descriptor for each file that the guest knows. */
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	limit.rlim_cur = limit.rlim_max < (1 << 20) ? limit.rlim_max : 1 << 20;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	server->nr_open = (int)limit.rlim_cur;
	server->open = calloc((size_t)server->nr_open, sizeof(*server->open));
	server->nr_ranges = vhost->window_bytes / WINDOW_RANGE_BYTES;
	server->ranges = calloc(server->nr_ranges + 1, sizeof(*server->ranges));
	if (!server->open || !server->ranges)
		return -ENOMEM;
	return inode_table_init(&server->inodes, options->shared_dir);
}
