/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The bits of struct fuse_conn (fs/fuse/fuse_i.h) that change which requests are sent, as
 * X(field of the kernel, name in a trace). This is the only list of them: bpf/kernel_types.h
 * declares the fields, bpf/guest_connection.bpf.h reads them, trace/guest_context.c names them.
 *
 * A kernel lacks the bits that came after it, 6.1.192 those that say so; others may go. What is not
 * there is not known, which is something else than off.
 *
 * Left out: what no share of virtio-fs has another value of (no_control, destroy,
 * legacy_opts_show), what concerns no file (no_bmap, no_poll), and no_interrupt: the driver sends
 * no INTERRUPT.
 */
#ifndef VFSCOPE_BPF_GUEST_CONN_FLAGS_H
#define VFSCOPE_BPF_GUEST_CONN_FLAGS_H

/* What INIT's reply or the mount's options decided: for the connection's life. */
#define GUEST_CONN_NEGOTIATED(X)                                                                   \
	X(writeback_cache, "writeback")                                                            \
	X(async_read, "async_read")                                                                \
	X(async_dio, "async_dio")                                                                  \
	X(auto_inval_data, "auto_inval")                                                           \
	X(explicit_inval_data, "explicit_inval")                                                   \
	X(do_readdirplus, "readdirplus")                                                           \
	X(readdirplus_auto, "readdirplus_auto")                                                    \
	X(inode_dax, "inode_dax")                                                                  \
	X(parallel_dirops, "parallel_dirops")                                                      \
	X(handle_killpriv, "killpriv")                                                             \
	X(handle_killpriv_v2, "killpriv_v2") /* else GETXATTR asks before each write */            \
	X(posix_acl, "posix_acl")                                                                  \
	X(atomic_o_trunc, "atomic_o_trunc") /* else O_TRUNC is a SETATTR after OPEN */             \
	X(big_writes, "big_writes") /* else a WRITE has one page */                                \
	X(cache_symlinks, "cache_symlinks")                                                        \
	X(export_support, "export_support")                                                        \
	X(auto_submounts, "auto_submounts")                                                        \
	X(default_permissions, "default_permissions")                                              \
	X(allow_other, "allow_other")                                                              \
	X(dont_mask, "dont_mask")                                                                  \
	X(setxattr_ext, "setxattr_ext")                                                            \
	X(init_security, "init_security")                                                          \
	X(create_supp_group, "create_supp_group") /* not in 6.1 */                                 \
	X(direct_io_allow_mmap, "direct_io_allow_mmap") /* not in 6.1 */                           \
	X(passthrough, "passthrough") /* not in 6.1 */                                             \
	X(no_lock, "no_lock")                                                                      \
	X(no_flock, "no_flock")                                                                    \
	X(sync_fs, "sync_fs") /* on until SYNCFS gets ENOSYS */

/* What the kernel does without since the daemon has answered ENOSYS to such a request once. */
#define GUEST_CONN_LEARNED(X)                                                                      \
	X(no_open, "no_open")                                                                      \
	X(no_opendir, "no_opendir")                                                                \
	X(no_create, "no_create")                                                                  \
	X(no_flush, "no_flush")                                                                    \
	X(no_fsync, "no_fsync")                                                                    \
	X(no_fsyncdir, "no_fsyncdir")                                                              \
	X(no_access, "no_access")                                                                  \
	X(no_getxattr, "no_getxattr")                                                              \
	X(no_setxattr, "no_setxattr")                                                              \
	X(no_listxattr, "no_listxattr")                                                            \
	X(no_removexattr, "no_removexattr")                                                        \
	X(no_fallocate, "no_fallocate")                                                            \
	X(no_lseek, "no_lseek")                                                                    \
	X(no_copy_file_range, "no_copy_file_range")                                                \
	X(no_copy_file_range_64, "no_copy_file_range_64") /* not in 6.1 and 6.12 */                \
	X(no_rename2, "no_rename2")                                                                \
	X(no_tmpfile, "no_tmpfile")                                                                \
	X(no_statx, "no_statx") /* not in 6.1 */                                                   \
	X(no_link, "no_link") /* not in 6.1 and 6.12 */

/* Which bit of struct guest_connection is whose. */
enum guest_conn_flag {
#define GUEST_CONN_NAME_FLAG(field, name) GCONN_##field,
	GUEST_CONN_NEGOTIATED(GUEST_CONN_NAME_FLAG)
	GUEST_CONN_LEARNED(GUEST_CONN_NAME_FLAG)
#undef GUEST_CONN_NAME_FLAG
		NR_GUEST_CONN_FLAGS
};

#endif
