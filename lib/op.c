// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of the ops.
 */
#include <errno.h>
#include <string.h>
#include "lib/op.h"

static const char *const names[NR_OP_TYPES] = {
	[OP_READ] = "read",
	[OP_WRITE] = "write",
	[OP_FSYNC] = "fsync",
	[OP_FDATASYNC] = "fdatasync",
	[OP_OPEN] = "open",
	[OP_CLOSE] = "close",
	[OP_MMAP_FAULT] = "mmap_fault",
	[OP_STAT] = "stat",
	[OP_UNLINK] = "unlink",
	[OP_DROP_CACHES] = "dropcaches",
	[OP_MMAP] = "mmap",
	[OP_MUNMAP] = "munmap",
	[OP_MSYNC] = "msync",
	[OP_FADVISE] = "fadvise",
	[OP_MADVISE] = "madvise",
	[OP_LOOKUP] = "lookup",
	[OP_CREATE] = "create",
	[OP_MKDIR] = "mkdir",
	[OP_RMDIR] = "rmdir",
	[OP_RENAME] = "rename",
	[OP_LINK] = "link",
	[OP_SYMLINK] = "symlink",
	[OP_READLINK] = "readlink",
	[OP_READDIR] = "readdir",
	[OP_CHMOD] = "chmod",
	[OP_UTIMES] = "utimes",
	[OP_STATFS] = "statfs",
	[OP_SYNC] = "sync",
	[OP_MOUNT] = "mount",
	[OP_TRUNCATE] = "truncate",
	[OP_UMOUNT] = "umount",
	[OP_COPY] = "copy",
};

const char *op_type_name(enum op_type type)
{
	return (unsigned int)type < NR_OP_TYPES ? names[type] : "?";
}

int op_type_from_name(const char *name)
{
	for (int i = 0; i < NR_OP_TYPES; i++)
		if (!strcmp(names[i], name))
			return i;
	return -ENOENT;
}
