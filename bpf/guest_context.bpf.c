// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * What the connections of a guest's mounts negotiated, before any request is seen: an iterator over
 * the recorder's own open files, one of which is on each mount. It is not attached to anything and
 * makes no request of its own.
 */
#define GUEST_KPROBE /* nothing here is typed: addresses come out of structures */
#include "bpf/guest_attach.bpf.h"
#include "bpf/kernel_types.h"
#include "bpf/guest_connection.bpf.h"

/* No return is probed here. */
static __always_inline void kept_call_lost(void)
{
}

/* What is missing in the header is in the footer, unless it is left out there, too. */
static __always_inline void connection_left_out(u32 conn)
{
	(void)conn;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define FUSE_SUPER_MAGIC 0x65735546 /* include/uapi/linux/magic.h */

const volatile __u32 reader_tgid = 0;

SEC("iter/task_file")
int read_connection(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct super_block *sb;
	struct fuse_conn *fc;
	struct inode *inode;

	if (!task || !file || task->tgid != reader_tgid)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	sb = BPF_CORE_READ(inode, i_sb);
	if (BPF_CORE_READ(sb, s_magic) != FUSE_SUPER_MAGIC)
		return 0;
	fc = inode_conn(inode);
	if (conn_transport(fc))
		note_connection(fc, request_fsvq(conn_transport(fc)));
	return 0;
}
