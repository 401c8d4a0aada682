/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a connection negotiated, kept once for the file's footer. Included by
 * guest.bpf.c and guest_context.bpf.c.
 *
 * User space cannot ask: virtio-fs has no entry in /sys/fs/fuse/connections on any kernel.
 */
#ifndef VFSCOPE_BPF_GUEST_CONNECTION_BPF_H
#define VFSCOPE_BPF_GUEST_CONNECTION_BPF_H

#include "bpf/guest_abi.h"
#include "bpf/kernel_types.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GUEST_MAX_CONNS); /* user space sets it */
	__type(key, u32);
	__type(value, struct guest_connection);
} connections SEC(".maps");

/* There is no room to describe this connection: asked again at each of its requests. */
static __always_inline void connection_left_out(u32 conn);

/* A kernel that has not got the field has not got what it tells of. */
#define CONN_FLAG(fc, field, flag)                                                                 \
	(bpf_core_field_exists((fc)->field) && BPF_CORE_READ_BITFIELD_PROBED(fc, field) ? (flag) : 0)

static __always_inline void note_connection(struct fuse_conn *fc, struct virtio_fs_vq *fsvq)
{
	struct guest_connection c = {};
	struct virtio_fs *fs;
	int err; /* until 6.3 the kernel does not extend it to 64 bits */

	c.conn = minor_of(KREAD(fc, dev));
	if (bpf_map_lookup_elem(&connections, &c.conn))
		return;
	c.proto_minor = KREAD(fc, minor);
	/* The first request is INIT, if we see it: then nothing is negotiated yet. */
	if (!c.proto_minor)
		return;
	c.max_read = KREAD(fc, max_read);
	c.max_write = KREAD(fc, max_write);
	c.max_pages = KREAD(fc, max_pages);
	c.congestion_threshold = KREAD(fc, congestion_threshold);
	c.max_background = conn_max_background(fc);
	c.flags |= CONN_FLAG(fc, writeback_cache, GCONN_WRITEBACK);
	c.flags |= CONN_FLAG(fc, async_read, GCONN_ASYNC_READ);
	c.flags |= CONN_FLAG(fc, async_dio, GCONN_ASYNC_DIO);
	c.flags |= CONN_FLAG(fc, auto_inval_data, GCONN_AUTO_INVAL);
	c.flags |= CONN_FLAG(fc, do_readdirplus, GCONN_READDIRPLUS);
	c.flags |= CONN_FLAG(fc, parallel_dirops, GCONN_PARALLEL_DIROPS);
	c.flags |= CONN_FLAG(fc, handle_killpriv_v2, GCONN_KILLPRIV_V2);
	c.flags |= CONN_FLAG(fc, posix_acl, GCONN_POSIX_ACL);
	c.flags |= CONN_FLAG(fc, no_getxattr, GCONN_NO_GETXATTR);
	c.flags |= CONN_FLAG(fc, auto_submounts, GCONN_AUTO_SUBMOUNTS);
	c.flags |= CONN_FLAG(fc, direct_io_allow_mmap, GCONN_DIRECT_IO_ALLOW_MMAP); /* 6.6 */
	/* Both exist only with CONFIG_FUSE_DAX. */
	c.flags |= CONN_FLAG(fc, inode_dax, GCONN_INODE_DAX);
	if (bpf_core_field_exists(fc->dax) && BPF_CORE_READ(fc, dax))
		c.flags |= GCONN_DAX;
	fs = conn_transport(fc);
	c.nr_request_queues = BPF_CORE_READ(fs, num_request_queues);
	if (c.flags & GCONN_DAX)
		c.dax_window_bytes = BPF_CORE_READ(fs, window_len);
	c.virtio_features = BPF_CORE_READ(fsvq, vq, vdev, features);
	c.queue_size = vq_size(KREAD(fsvq, vq));
	err = bpf_map_update_elem(&connections, &c.conn, &c, BPF_NOEXIST);
	if (err && err != -EEXIST)
		connection_left_out(c.conn);
}

#endif
