// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kinds of system calls, and the kinds that each opcode may begin with.
 */
#include <linux/fuse.h>
#include <sys/syscall.h>
#include "lib/compiler.h"
#include "lib/fuse_opcode.h"
#include "trace/opcode_calls.h"

enum call_kind {
	KIND_OPEN = 1u << 0,
	KIND_STAT = 1u << 1,
	KIND_CLOSE = 1u << 2,
	KIND_DUP = 1u << 3,
	KIND_SYNC = 1u << 4,
	KIND_DIRECTORY = 1u << 5, /* lseek, getdents64 */
	KIND_XATTR = 1u << 6,
	KIND_STATFS = 1u << 7,
	KIND_NAME = 1u << 8, /* makes or removes names */
	KIND_ATTR = 1u << 9, /* changes attributes */
	KIND_DATA = 1u << 10,
	KIND_SPACE = 1u << 11, /* fallocate, ftruncate */
	KIND_IDENTITY = 1u << 12, /* whom to act as: uid, gid, capabilities, umask, directory */
	KIND_HANDLE = 1u << 13, /* name_to_handle_at */
	KIND_READLINK = 1u << 14,
	KIND_FCNTL = 1u << 15,
};

/* By number of the system call; 0: it tells nothing. */
static const uint32_t kinds[] = {
	[SYS_openat] = KIND_OPEN,
	[SYS_openat2] = KIND_OPEN,
	[SYS_open_by_handle_at] = KIND_OPEN,
	[SYS_newfstatat] = KIND_STAT,
	[SYS_fstat] = KIND_STAT,
	[SYS_statx] = KIND_STAT,
	[SYS_faccessat] = KIND_STAT,
	[SYS_close] = KIND_CLOSE,
	[SYS_dup] = KIND_DUP,
	[SYS_fsync] = KIND_SYNC,
	[SYS_fdatasync] = KIND_SYNC,
	[SYS_syncfs] = KIND_SYNC,
	[SYS_lseek] = KIND_DIRECTORY,
	[SYS_getdents64] = KIND_DIRECTORY,
	[SYS_getxattr] = KIND_XATTR,
	[SYS_fgetxattr] = KIND_XATTR,
	[SYS_lgetxattr] = KIND_XATTR,
	[SYS_setxattr] = KIND_XATTR,
	[SYS_fsetxattr] = KIND_XATTR,
	[SYS_lsetxattr] = KIND_XATTR,
	[SYS_listxattr] = KIND_XATTR,
	[SYS_flistxattr] = KIND_XATTR,
	[SYS_llistxattr] = KIND_XATTR,
	[SYS_removexattr] = KIND_XATTR,
	[SYS_fremovexattr] = KIND_XATTR,
	[SYS_lremovexattr] = KIND_XATTR,
	[SYS_fstatfs] = KIND_STATFS,
	[SYS_statfs] = KIND_STATFS,
	[SYS_mkdirat] = KIND_NAME,
	[SYS_mknodat] = KIND_NAME,
	[SYS_symlinkat] = KIND_NAME,
	[SYS_linkat] = KIND_NAME,
	[SYS_unlinkat] = KIND_NAME,
	[SYS_renameat2] = KIND_NAME,
	[SYS_fchmodat] = KIND_ATTR,
	[SYS_fchmod] = KIND_ATTR,
	[SYS_fchownat] = KIND_ATTR,
	[SYS_utimensat] = KIND_ATTR,
	[SYS_ftruncate] = KIND_SPACE,
	[SYS_truncate] = KIND_SPACE,
	[SYS_fallocate] = KIND_SPACE,
	[SYS_preadv] = KIND_DATA,
	[SYS_preadv2] = KIND_DATA,
	[SYS_pwritev] = KIND_DATA,
	[SYS_pwritev2] = KIND_DATA,
	[SYS_readv] = KIND_DATA,
	[SYS_writev] = KIND_DATA,
	[SYS_pread64] = KIND_DATA,
	[SYS_pwrite64] = KIND_DATA,
	[SYS_copy_file_range] = KIND_DATA,
	[SYS_splice] = KIND_DATA,
	[SYS_setresuid] = KIND_IDENTITY,
	[SYS_setresgid] = KIND_IDENTITY,
	[SYS_getresuid] = KIND_IDENTITY,
	[SYS_getresgid] = KIND_IDENTITY,
	[SYS_umask] = KIND_IDENTITY,
	[SYS_fchdir] = KIND_IDENTITY,
	[SYS_name_to_handle_at] = KIND_HANDLE,
	[SYS_readlinkat] = KIND_READLINK,
	[SYS_fcntl] = KIND_FCNTL,
};

#define MAKES_NAME (KIND_NAME | KIND_OPEN | KIND_STAT | KIND_IDENTITY)
#define XATTR (KIND_XATTR | KIND_OPEN | KIND_IDENTITY)

static const uint32_t first_kinds[FUSE_OPCODE_LIMIT] = {
	[FUSE_LOOKUP] = KIND_OPEN | KIND_STAT,
	[FUSE_FORGET] = KIND_CLOSE,
	[FUSE_BATCH_FORGET] = KIND_CLOSE,
	[FUSE_GETATTR] = KIND_STAT | KIND_OPEN,
	[FUSE_SETATTR] = KIND_ATTR | KIND_SPACE | KIND_STAT | KIND_OPEN | KIND_IDENTITY,
	[FUSE_READLINK] = KIND_READLINK | KIND_OPEN,
	[FUSE_SYMLINK] = MAKES_NAME,
	[FUSE_MKNOD] = MAKES_NAME,
	[FUSE_MKDIR] = MAKES_NAME,
	[FUSE_LINK] = MAKES_NAME,
	[FUSE_UNLINK] = MAKES_NAME,
	[FUSE_RMDIR] = MAKES_NAME,
	[FUSE_RENAME] = MAKES_NAME,
	[FUSE_RENAME2] = MAKES_NAME,
	[FUSE_CREATE] = MAKES_NAME,
	[FUSE_OPEN] = KIND_OPEN | KIND_STAT | KIND_FCNTL,
	[FUSE_OPENDIR] = KIND_OPEN | KIND_STAT | KIND_FCNTL,
	[FUSE_READ] = KIND_DATA,
	[FUSE_WRITE] = KIND_DATA | KIND_IDENTITY,
	[FUSE_STATFS] = KIND_STATFS | KIND_OPEN,
	[FUSE_RELEASE] = KIND_CLOSE,
	[FUSE_RELEASEDIR] = KIND_CLOSE,
	[FUSE_FSYNC] = KIND_SYNC,
	[FUSE_FSYNCDIR] = KIND_SYNC,
	[FUSE_SYNCFS] = KIND_SYNC | KIND_OPEN,
	[FUSE_SETXATTR] = XATTR,
	[FUSE_GETXATTR] = XATTR,
	[FUSE_LISTXATTR] = XATTR,
	[FUSE_REMOVEXATTR] = XATTR,
	[FUSE_FLUSH] = KIND_DUP,
	[FUSE_READDIR] = KIND_DIRECTORY,
	[FUSE_READDIRPLUS] = KIND_DIRECTORY,
	[FUSE_FALLOCATE] = KIND_SPACE,
	[FUSE_LSEEK] = KIND_DIRECTORY,
	[FUSE_COPY_FILE_RANGE] = KIND_DATA,
};

bool opcode_may_begin_with(uint32_t opcode, uint16_t nr)
{
	uint32_t kind = nr < ARRAY_SIZE(kinds) ? kinds[nr] : 0;

	if (opcode >= FUSE_OPCODE_LIMIT || !first_kinds[opcode] || !kind)
		return true;
	return first_kinds[opcode] & kind;
}
