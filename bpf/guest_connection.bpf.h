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

/* A kernel that has not got the field: not known. Without a branch for each, of which there are
 * many. */
#define NOTE_CONN_FLAG(field, name)                                                                \
	if (bpf_core_field_exists(fc->field)) {                                                    \
		c->known |= 1ULL << GCONN_##field;                                                 \
		c->flags |= (u64)BPF_CORE_READ_BITFIELD_PROBED(fc, field) << GCONN_##field;        \
	}

/* Not a part of its callers: they run for each request, and this once for each connection. */
static __noinline int note_conn_flags(struct fuse_conn *fc, struct guest_connection *c)
{
	GUEST_CONN_NEGOTIATED(NOTE_CONN_FLAG)
	GUEST_CONN_LEARNED(NOTE_CONN_FLAG)
	if (bpf_core_field_exists(fc->dax))
		c->dax = BPF_CORE_READ(fc, dax) ? GCONN_DAX_WINDOW : GCONN_DAX_NONE;
	if (bpf_core_field_exists(fc->dax_mode))
		c->dax_mode = BPF_CORE_READ(fc, dax_mode) + 1;
	return 0;
}

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
	note_conn_flags(fc, &c);
	fs = conn_transport(fc);
	c.nr_request_queues = BPF_CORE_READ(fs, num_request_queues);
	if (c.dax == GCONN_DAX_WINDOW)
		c.dax_window_bytes = BPF_CORE_READ(fs, window_len);
	c.virtio_features = BPF_CORE_READ(fsvq, vq, vdev, features);
	c.queue_size = vq_size(KREAD(fsvq, vq));
	err = bpf_map_update_elem(&connections, &c.conn, &c, BPF_NOEXIST);
	if (err && err != -EEXIST)
		connection_left_out(c.conn);
}

#endif
