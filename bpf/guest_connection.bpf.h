/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a connection negotiated, kept once for the file's footer. Included by guest.bpf.c alone.
 *
 * User space cannot ask: virtio-fs has no entry in /sys/fs/fuse/connections on any kernel.
 */
#ifndef VFSCOPE_BPF_GUEST_CONNECTION_BPF_H
#define VFSCOPE_BPF_GUEST_CONNECTION_BPF_H

#include "bpf/guest_maps.bpf.h"

static __always_inline void note_connection(struct fuse_conn *fc, struct virtio_fs_vq *fsvq)
{
	struct guest_connection c = {};
	struct virtio_fs *fs;

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
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, writeback_cache))
		c.flags |= GCONN_WRITEBACK;
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, async_read))
		c.flags |= GCONN_ASYNC_READ;
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, async_dio))
		c.flags |= GCONN_ASYNC_DIO;
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, auto_inval_data))
		c.flags |= GCONN_AUTO_INVAL;
	if (BPF_CORE_READ_BITFIELD_PROBED(fc, do_readdirplus))
		c.flags |= GCONN_READDIRPLUS;
	/* Both exist only with CONFIG_FUSE_DAX. */
	if (bpf_core_field_exists(fc->inode_dax) && BPF_CORE_READ_BITFIELD_PROBED(fc, inode_dax))
		c.flags |= GCONN_INODE_DAX;
	if (bpf_core_field_exists(fc->dax) && BPF_CORE_READ(fc, dax))
		c.flags |= GCONN_DAX;
	fs = conn_transport(fc);
	c.nr_request_queues = BPF_CORE_READ(fs, num_request_queues);
	if (c.flags & GCONN_DAX)
		c.dax_window_bytes = BPF_CORE_READ(fs, window_len);
	c.virtio_features = BPF_CORE_READ(fsvq, vq, vdev, features);
	c.queue_size = vq_size(KREAD(fsvq, vq));
	bpf_map_update_elem(&connections, &c.conn, &c, BPF_NOEXIST);
}

#endif
