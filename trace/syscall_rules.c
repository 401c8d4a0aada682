// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The classes of system calls. Names that an architecture or an older <sys/syscall.h> lacks are
 * left out by number -1.
 */
#include <sys/syscall.h>
#include "lib/compiler.h"
#include "trace/syscall_rules.h"

/* Not in glibc 2.36's <sys/syscall.h>, or not on every architecture. */
#ifndef SYS_open
#define SYS_open -1
#define SYS_creat -1
#define SYS_stat -1
#define SYS_lstat -1
#define SYS_access -1
#define SYS_getdents -1
#define SYS_dup2 -1
#define SYS_mkdir -1
#define SYS_rmdir -1
#define SYS_unlink -1
#define SYS_rename -1
#define SYS_link -1
#define SYS_symlink -1
#define SYS_mknod -1
#define SYS_readlink -1
#define SYS_chmod -1
#define SYS_chown -1
#define SYS_lchown -1
#define SYS_poll -1
#define SYS_select -1
#define SYS_epoll_wait -1
#endif
#ifndef SYS_renameat
#define SYS_renameat -1
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#define SYS_futex_requeue 456
#endif

static const int data_vector_calls[] = {
	SYS_preadv, SYS_preadv2, SYS_pwritev, SYS_pwritev2, SYS_readv, SYS_writev,
};

static const int data_plain_calls[] = {SYS_pread64, SYS_pwrite64};

/* Data that does not pass through a buffer of the daemon. */
static const int data_inside_calls[] = {SYS_copy_file_range, SYS_splice, SYS_sendfile};

static const int meta_calls[] = {
	SYS_open,
	SYS_openat,
	SYS_openat2,
	SYS_creat,
	SYS_close,
	SYS_close_range,
	SYS_stat,
	SYS_lstat,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_access,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_lseek,
	SYS_fsync,
	SYS_fdatasync,
	SYS_sync,
	SYS_syncfs,
	SYS_sync_file_range,
	SYS_getdents,
	SYS_getdents64,
	SYS_dup,
	SYS_dup2,
	SYS_dup3,
	SYS_fcntl,
	SYS_flock,
	SYS_mkdir,
	SYS_mkdirat,
	SYS_rmdir,
	SYS_unlink,
	SYS_unlinkat,
	SYS_rename,
	SYS_renameat,
	SYS_renameat2,
	SYS_link,
	SYS_linkat,
	SYS_symlink,
	SYS_symlinkat,
	SYS_mknod,
	SYS_mknodat,
	SYS_readlink,
	SYS_readlinkat,
	SYS_chmod,
	SYS_fchmod,
	SYS_fchmodat,
	SYS_fchmodat2,
	SYS_chown,
	SYS_lchown,
	SYS_fchown,
	SYS_fchownat,
	SYS_utimensat,
	SYS_truncate,
	SYS_ftruncate,
	SYS_fallocate,
	SYS_fadvise64,
	SYS_statfs,
	SYS_fstatfs,
	SYS_getxattr,
	SYS_lgetxattr,
	SYS_fgetxattr,
	SYS_setxattr,
	SYS_lsetxattr,
	SYS_fsetxattr,
	SYS_listxattr,
	SYS_llistxattr,
	SYS_flistxattr,
	SYS_removexattr,
	SYS_lremovexattr,
	SYS_fremovexattr,
	SYS_name_to_handle_at,
	SYS_open_by_handle_at,
	SYS_ioctl,
	SYS_fchdir,
	SYS_setresuid,
	SYS_setresgid,
	SYS_getresuid,
	SYS_getresgid,
	SYS_umask,
};

static const int wait_calls[] = {
	SYS_poll,	SYS_ppoll,	 SYS_select,	   SYS_pselect6,
	SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2,
};

static const int futex_calls[] = {
	SYS_futex, SYS_futex_wait, SYS_futex_wake, SYS_futex_requeue, SYS_futex_waitv,
};

static void set(struct host_syscall_rule *rules, const int *calls, size_t n, unsigned char cls,
		unsigned char buffer)
{
	for (size_t i = 0; i < n; i++)
		if (calls[i] >= 0 && calls[i] < HOST_MAX_SYSCALL_NR)
			rules[calls[i]] = (struct host_syscall_rule){.cls = cls, .buffer = buffer};
}

void syscall_rules_fill(struct host_syscall_rule *rules)
{
	for (size_t i = 0; i < HOST_MAX_SYSCALL_NR; i++)
		rules[i] = (struct host_syscall_rule){.cls = SYSC_OTHER};
	set(rules, data_vector_calls, ARRAY_SIZE(data_vector_calls), SYSC_DATA, HOST_BUFFER_IOVEC);
	set(rules, data_plain_calls, ARRAY_SIZE(data_plain_calls), SYSC_DATA, HOST_BUFFER_PLAIN);
	set(rules, data_inside_calls, ARRAY_SIZE(data_inside_calls), SYSC_DATA, HOST_BUFFER_NONE);
	set(rules, meta_calls, ARRAY_SIZE(meta_calls), SYSC_META, HOST_BUFFER_NONE);
	set(rules, wait_calls, ARRAY_SIZE(wait_calls), SYSC_WAIT, HOST_BUFFER_NONE);
	set(rules, futex_calls, ARRAY_SIZE(futex_calls), SYSC_FUTEX, HOST_BUFFER_NONE);
	/* Of 8 bytes it is an eventfd: no daemon reads or writes files by these. */
	rules[SYS_read].eventfd_cls = SYSC_KICK;
	rules[SYS_write].eventfd_cls = SYSC_CALL;
	rules[SYS_exit].ends_thread = 1;
	rules[SYS_recvmsg].buffer = HOST_BUFFER_MESSAGE;
}
