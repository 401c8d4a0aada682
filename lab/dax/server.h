/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FUSE server: one request at a time on a shared directory.
 *
 * Its files: server.c (what to call; the connection), file.c (open files), name.c (directories and
 * names), window.c (the DAX window).
 */
#ifndef VFSCOPE_LAB_DAX_SERVER_H
#define VFSCOPE_LAB_DAX_SERVER_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include "lab/dax/inode.h"
#include "lab/dax/request.h"
#include "lab/dax/vhost_user.h"

/* Linux maps nothing smaller or larger (fs/fuse/dax.c, FUSE_DAX_SZ). */
#define WINDOW_RANGE_BYTES (2ull << 20)

enum cache_mode {
	CACHE_NEVER,
	CACHE_AUTO,
	CACHE_ALWAYS
};

/* A file or directory that the guest has open; its handle is the descriptor. */
struct open_file {
	uint64_t nodeid; /* 0: no such handle */
};

/* What a range of the window shows. */
struct window_range {
	uint64_t nodeid; /* 0: nothing */
	uint64_t file_offset;
};

struct server_options {
	const char *shared_dir;
	enum cache_mode cache;
	bool writeback;
	bool allow_direct_io;
};

struct server {
	struct server_options options;
	struct vhost_user *vhost;
	struct inode_table inodes;
	struct open_file *open; /* by descriptor */
	int nr_open;
	struct window_range *ranges;
	uint64_t nr_ranges;
};

/* 0 or -errno. */
int server_init(struct server *server, const struct server_options *options,
		struct vhost_user *vhost);

/* Serve what the chain holds; how many bytes were written to it. */
uint32_t server_handle(struct server *server, struct chain *chain);

/* Replies that several requests have in common. 0 or -errno. */
int server_reply_entry(struct server *server, struct request *req, struct inode *inode,
		       const struct stat *st);
int server_reply_attr(struct server *server, struct request *req, struct inode *inode);
void server_fill_entry(const struct server *server, struct fuse_entry_out *entry,
		       const struct inode *inode, const struct stat *st);

/* Names in file.c. A request is served, or answered with -errno. */
int file_open(struct server *server, struct request *req, struct inode *inode);
int file_release(struct server *server, struct request *req, struct inode *inode);
int file_read(struct server *server, struct request *req, struct inode *inode);
int file_write(struct server *server, struct request *req, struct inode *inode);
int file_flush(struct server *server, struct request *req, struct inode *inode);
int file_fsync(struct server *server, struct request *req, struct inode *inode);
int file_setattr(struct server *server, struct request *req, struct inode *inode);
int file_fallocate(struct server *server, struct request *req, struct inode *inode);
int file_lseek(struct server *server, struct request *req, struct inode *inode);
int file_reply_open(struct server *server, struct request *req, const struct inode *inode, int fd);
/* How the host is to open what the guest opens with these flags. */
int file_host_flags(const struct server *server, uint32_t flags);
/* The descriptor, or -EBADF if this inode was not opened by that handle. */
int file_of_handle(const struct server *server, uint64_t fh, const struct inode *inode);

/* In name.c. */
int name_lookup(struct server *server, struct request *req, struct inode *dir);
int name_create(struct server *server, struct request *req, struct inode *dir);
int name_mknod(struct server *server, struct request *req, struct inode *dir);
int name_mkdir(struct server *server, struct request *req, struct inode *dir);
int name_symlink(struct server *server, struct request *req, struct inode *dir);
int name_link(struct server *server, struct request *req, struct inode *dir);
int name_unlink(struct server *server, struct request *req, struct inode *dir);
int name_rmdir(struct server *server, struct request *req, struct inode *dir);
int name_rename(struct server *server, struct request *req, struct inode *dir);
int name_rename2(struct server *server, struct request *req, struct inode *dir);
int name_readlink(struct server *server, struct request *req, struct inode *inode);
/* READDIRPLUS too. */
int name_readdir(struct server *server, struct request *req, struct inode *dir);

/* In window.c. */
int window_setup(struct server *server, struct request *req, struct inode *inode);
int window_remove(struct server *server, struct request *req, struct inode *inode);
void window_clear(struct server *server);

#endif
