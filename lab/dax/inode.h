/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that the guest knows, by FUSE node id: each is held open with O_PATH.
 */
#ifndef VFSCOPE_LAB_DAX_INODE_H
#define VFSCOPE_LAB_DAX_INODE_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct inode {
	uint64_t nodeid;
	uint64_t nr_lookups; /* that the guest has not forgotten */
	dev_t dev;
	ino_t ino;
	int fd; /* O_PATH */
	struct inode *next; /* of the same hash */
};

#define INODE_HASH_SIZE 1024

struct inode_table {
	struct inode **by_id; /* NULL: forgotten. A node id is never given twice */
	uint64_t count;
	uint64_t room;
	struct inode *hash[INODE_HASH_SIZE];
};

/* 0 or -errno; the directory gets FUSE's root node id. */
int inode_table_init(struct inode_table *table, const char *root);

/* NULL: the guest does not know such a one. */
struct inode *inode_get(const struct inode_table *table, uint64_t nodeid);

/* One more lookup of the name in a directory; st is what it is now. 0 or -errno. */
int inode_lookup(struct inode_table *table, const struct inode *dir, const char *name,
		 struct inode **found, struct stat *st);
void inode_forget(struct inode_table *table, uint64_t nodeid, uint64_t nr_lookups);

/* Open what the inode stands for. A descriptor or -errno. */
int inode_open(const struct inode *inode, int flags);
int inode_stat(const struct inode *inode, struct stat *st);

#endif
