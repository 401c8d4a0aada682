// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The files that the guest knows: see inode.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lab/dax/inode.h"

static struct inode **bucket(struct inode_table *table, dev_t dev, ino_t ino)
{
	return &table->hash[(ino ^ dev * 31) % INODE_HASH_SIZE];
}

static int grow(struct inode_table *table)
{
	uint64_t room = table->room ? 2 * table->room : 1024;
	struct inode **by_id;

	if (table->count < table->room)
		return 0;
	by_id = realloc(table->by_id, room * sizeof(struct inode *));
	if (!by_id)
		return -ENOMEM;
	table->by_id = by_id;
	table->room = room;
	return 0;
}

/* Takes fd. */
static struct inode *add(struct inode_table *table, int fd, const struct stat *st)
{
	struct inode *inode = calloc(1, sizeof(*inode)),
		     **at = bucket(table, st->st_dev, st->st_ino);

	if (!inode || grow(table)) {
		close(fd);
		free(inode);
		return NULL;
	}
	*inode = (struct inode){
		.nodeid = table->count,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.fd = fd,
		.next = *at,
	};
	*at = inode;
	table->by_id[table->count++] = inode;
	return inode;
}

int inode_table_init(struct inode_table *table, const char *root)
{
	struct stat st;
	int fd;

	*table = (struct inode_table){};
	if (grow(table))
		return -ENOMEM;
	while (table->count < FUSE_ROOT_ID)
		table->by_id[table->count++] = NULL;
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	return add(table, fd, &st) ? 0 : -ENOMEM;
}

struct inode *inode_get(const struct inode_table *table, uint64_t nodeid)
{
	return nodeid < table->count ? table->by_id[nodeid] : NULL;
}

int inode_lookup(struct inode_table *table, const struct inode *dir, const char *name,
		 struct inode **found, struct stat *st)
{
	int fd = openat(dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct inode *inode;

	if (fd < 0)
		return -errno;
	if (fstat(fd, st)) {
		close(fd);
		return -errno;
	}
	inode = *bucket(table, st->st_dev, st->st_ino);
	while (inode && (inode->ino != st->st_ino || inode->dev != st->st_dev))
		inode = inode->next;
	if (inode)
		close(fd);
	else
		inode = add(table, fd, st);
	if (!inode)
		return -ENOMEM;
	inode->nr_lookups++;
	*found = inode;
	return 0;
}

void inode_forget(struct inode_table *table, uint64_t nodeid, uint64_t nr_lookups)
{
	struct inode *inode = inode_get(table, nodeid), **at;

	if (!inode || nodeid == FUSE_ROOT_ID)
		return;
	if (nr_lookups < inode->nr_lookups) {
		inode->nr_lookups -= nr_lookups;
		return;
	}
	at = bucket(table, inode->dev, inode->ino);
	while (*at != inode)
		at = &(*at)->next;
	*at = inode->next;
	table->by_id[nodeid] = NULL;
	close(inode->fd);
	free(inode);
}

int inode_open(const struct inode *inode, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", inode->fd);
	fd = open(path, (flags & ~O_NOFOLLOW) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int inode_stat(const struct inode *inode, struct stat *st)
{
	return fstat(inode->fd, st) ? -errno : 0;
}
