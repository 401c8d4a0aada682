/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Probes of ops on names and attributes: lookup, stat, readdir, unlink, rmdir, mkdir, symlink,
 * link, readlink, rename, truncate, chmod and utimes. Included by guest.bpf.c alone.
 *
 * These are inode and file operations of fs/fuse/dir.c, under the same names from 5.12 to 7.2. An
 * op's nodeid is that of what the name stands for, once that is known. What revalidates a name that
 * the kernel has cached (fuse_dentry_revalidate) is in no op: every path walk passes it, once for
 * each component.
 */
#ifndef VFSCOPE_BPF_GUEST_NAMES_BPF_H
#define VFSCOPE_BPF_GUEST_NAMES_BPF_H

#include "bpf/guest_maps.bpf.h"
#include "bpf/guest_ops.bpf.h"

#define MAX_ERRNO 4095

static __always_inline void name_begin(struct inode *dir, struct inode *inode, u32 type)
{
	struct guest_op_entry *state;

	op_begin(inode ? inode : dir, type, 0, 0, 0);
	state = current_op();
	if (dir && state && state->ev.op_type == type)
		state->ev.dir_nodeid = inode_nodeid(dir);
}

static __always_inline void name_end(u32 type, s64 result)
{
	struct guest_op_entry *state = op_return(type);

	if (state)
		op_end(state, result);
}

/*
 * Of a function that returns an int or (mkdir since 6.15, 88d5baf69082) a dentry or its error. To
 * the verifier the latter is a pointer, with which it allows no arithmetic, unless it is read as
 * any other memory.
 */
static __always_inline s64 result_of(unsigned long long *ret)
{
	u64 value = 0;
	s64 high;
	int low;

	bpf_probe_read_kernel(&value, sizeof(value), ret);
	high = (s64)value >> 32;
	low = (int)value;
	return (high == 0 || high == -1) && low >= -MAX_ERRNO && low < 0 ? low : 0;
}

static __always_inline void found_inode(struct guest_op_entry *state, struct dentry *entry)
{
	struct inode *inode = BPF_CORE_READ(entry, d_inode);

	if (!inode)
		return;
	state->ev.nodeid = inode_nodeid(inode);
	note_path(state->ev.conn, entry);
}

ON_ENTRY(fuse_lookup, lookup_begin, struct inode *dir, struct dentry *entry)
{
	name_begin(dir, NULL, OP_LOOKUP);
	return 0;
}

/* Returns another dentry if the inode has one already. A name that is not there is no error. */
ON_RETURN(fuse_lookup, 3, lookup_end, struct inode *dir, struct dentry *entry, u32 flags,
	  struct dentry *other)
{
	struct guest_op_entry *state = op_return(OP_LOOKUP);
	s64 err = result_of(&ctx[3]);
	struct dentry *found = !err && other ? other : entry;

	if (!state)
		return 0;
	if (!err && !BPF_CORE_READ(found, d_inode))
		err = -ENOENT;
	if (!err)
		found_inode(state, found);
	op_end(state, err);
	return 0;
}

ON_ENTRY(fuse_getattr, getattr_begin, void *idmap, struct path *path)
{
	name_begin(NULL, BPF_CORE_READ(path, dentry, d_inode), OP_STAT);
	return 0;
}

ON_RETURN(fuse_getattr, 5, getattr_end, void *idmap, struct path *path, void *stat, u32 mask,
	  u32 flags, int ret)
{
	struct guest_op_entry *state = op_return(OP_STAT);

	if (!state)
		return 0;
	note_path(state->ev.conn, BPF_CORE_READ(path, dentry));
	op_end(state, ret);
	return 0;
}

/* One getdents(2); at offset 0 the first of a listing. */
ON_ENTRY(fuse_readdir, readdir_begin, struct file *file, struct dir_context *listing)
{
	op_begin(KREAD(file, f_inode), OP_READDIR, KREAD(listing, pos), 0, 0);
	return 0;
}

ON_RETURN(fuse_readdir, 2, readdir_end, struct file *file, struct dir_context *listing, int ret)
{
	name_end(OP_READDIR, ret);
	return 0;
}

ON_ENTRY(fuse_unlink, unlink_begin, struct inode *dir, struct dentry *entry)
{
	name_begin(dir, BPF_CORE_READ(entry, d_inode), OP_UNLINK);
	return 0;
}

ON_RETURN(fuse_unlink, 2, unlink_end, struct inode *dir, struct dentry *entry, int ret)
{
	name_end(OP_UNLINK, ret);
	return 0;
}

ON_ENTRY(fuse_rmdir, rmdir_begin, struct inode *dir, struct dentry *entry)
{
	name_begin(dir, BPF_CORE_READ(entry, d_inode), OP_RMDIR);
	return 0;
}

ON_RETURN(fuse_rmdir, 2, rmdir_end, struct inode *dir, struct dentry *entry, int ret)
{
	name_end(OP_RMDIR, ret);
	return 0;
}

ON_ENTRY(fuse_mkdir, mkdir_begin, void *idmap, struct inode *dir, struct dentry *entry)
{
	name_begin(dir, NULL, OP_MKDIR);
	return 0;
}

ON_RETURN(fuse_mkdir, 4, mkdir_end, void *idmap, struct inode *dir, struct dentry *entry)
{
	s64 err = result_of(&ctx[4]);
	struct guest_op_entry *state = op_return(OP_MKDIR);

	if (!state)
		return 0;
	if (!err)
		found_inode(state, entry);
	op_end(state, err);
	return 0;
}

ON_ENTRY(fuse_symlink, symlink_begin, void *idmap, struct inode *dir, struct dentry *entry)
{
	name_begin(dir, NULL, OP_SYMLINK);
	return 0;
}

ON_RETURN(fuse_symlink, 4, symlink_end, void *idmap, struct inode *dir, struct dentry *entry,
	  const char *text, int ret)
{
	struct guest_op_entry *state = op_return(OP_SYMLINK);

	if (!state)
		return 0;
	if (!ret)
		found_inode(state, entry);
	op_end(state, ret);
	return 0;
}

ON_ENTRY(fuse_link, link_begin, struct dentry *entry, struct inode *newdir)
{
	name_begin(newdir, BPF_CORE_READ(entry, d_inode), OP_LINK);
	return 0;
}

ON_RETURN(fuse_link, 3, link_end, struct dentry *entry, struct inode *newdir, void *newent, int ret)
{
	name_end(OP_LINK, ret);
	return 0;
}

/* readlink(2), and each link that a path walk follows. Without a dentry it does nothing: RCU walk.
 */
ON_ENTRY(fuse_get_link, readlink_begin, struct dentry *entry, struct inode *inode)
{
	if (entry)
		name_begin(NULL, inode, OP_READLINK);
	return 0;
}

ON_RETURN(fuse_get_link, 3, readlink_end, struct dentry *entry, struct inode *inode)
{
	s64 err = result_of(&ctx[3]);

	if (entry)
		name_end(OP_READLINK, err);
	return 0;
}

ON_ENTRY(fuse_rename2, rename_begin, void *idmap, struct inode *olddir, struct dentry *oldent,
	 struct inode *newdir)
{
	name_begin(newdir, BPF_CORE_READ(oldent, d_inode), OP_RENAME);
	return 0;
}

ON_RETURN(fuse_rename2, 6, rename_end, void *idmap, struct inode *olddir, struct dentry *oldent,
	  struct inode *newdir, void *newent, u32 flags, int ret)
{
	struct guest_op_entry *state = op_return(OP_RENAME);

	if (!state)
		return 0;
	if (!ret)
		forget_path(state->ev.conn, state->ev.nodeid);
	op_end(state, ret);
	return 0;
}

/* Of chown(2) there is no op. */
ON_ENTRY(fuse_setattr, setattr_begin, void *idmap, struct dentry *entry, struct iattr *attr)
{
	struct inode *inode = BPF_CORE_READ(entry, d_inode);
	u32 valid = KREAD(attr, ia_valid);

	if (valid & ATTR_SIZE)
		op_begin(inode, OP_TRUNCATE, KREAD(attr, ia_size), 0, 0);
	else if (valid & ATTR_MODE)
		op_begin(inode, OP_CHMOD, 0, 0, 0);
	else if (valid & (ATTR_ATIME_SET | ATTR_MTIME_SET))
		op_begin(inode, OP_UTIMES, 0, 0, 0);
	return 0;
}

/* fuse_setattr changes ia_valid, so the op that was begun tells which it was. */
ON_RETURN(fuse_setattr, 3, setattr_end, void *idmap, struct dentry *entry, struct iattr *attr,
	  int ret)
{
	name_end(OP_TRUNCATE, ret);
	name_end(OP_CHMOD, ret);
	name_end(OP_UTIMES, ret);
	return 0;
}

#endif
