// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the guest's mounts negotiated with their daemons.
 *
 * Considered instead: capturing INIT (only seen by a recording that is older than the mount), the
 * connection of the first request (too late for the header, which alone an interrupted recording
 * leaves), /sys/fs/fuse/connections (virtio-fs has no entry there).
 */
#include "trace/guest_context.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/msg.h"

/* The skeleton names its types after the file, not after our rules. */
#include "bpf/guest_context.skel.h"

json_t *guest_connection_json(const struct guest_connection *n)
{
	static const char *const flags[] = {
		"writeback",
		"async_read",
		"async_dio",
		"auto_inval",
		"readdirplus",
		"dax",
		"inode_dax",
		"parallel_dirops",
		"killpriv_v2",
		"posix_acl",
		"no_getxattr",
		"auto_submounts",
		"direct_io_allow_mmap",
	};
	char features[32];
	json_t *object;

	snprintf(features, sizeof(features), "0x%llx", (unsigned long long)n->virtio_features);
	object = json_pack(
		"{s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I s:s}", "conn", (json_int_t)n->conn,
		"fuse_minor", (json_int_t)n->proto_minor, "max_read", (json_int_t)n->max_read,
		"max_write", (json_int_t)n->max_write, "max_pages", (json_int_t)n->max_pages,
		"max_background", (json_int_t)n->max_background, "congestion_threshold",
		(json_int_t)n->congestion_threshold, "request_queues",
		(json_int_t)n->nr_request_queues, "queue_size", (json_int_t)n->queue_size,
		"dax_window_bytes", (json_int_t)n->dax_window_bytes, "virtio_features", features);
	for (size_t i = 0; object && i < ARRAY_SIZE(flags); i++)
		json_object_set_new(object, flags[i], json_boolean(n->flags & 1u << i));
	return object;
}

/* Its programs run while this reads. Nothing is ever to be read: they print nothing. */
static int run_iterator(const struct guest_context_bpf *bpf)
{
	union bpf_iter_link_info self = {.task.pid = (uint32_t)getpid()};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &self, .link_info_len = sizeof(self));
	struct bpf_link *link = bpf_program__attach_iter(bpf->progs.read_connection, &opts);
	char byte;
	int fd, err;

	/* Before 6.1 (f0d74c4da1f0) it cannot be told whose files: then all are looked at. */
	if (!link)
		link = bpf_program__attach_iter(bpf->progs.read_connection, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	err = fd < 0 || read(fd, &byte, 1) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

static int read_connections(const struct guest_mounts *mounts, uint32_t max,
			    struct guest_context_bpf *bpf)
{
	int *fds = calloc(mounts->count + 1, sizeof(*fds)), err;
	size_t n = 0;

	if (!fds)
		return -ENOMEM;
	/* O_PATH: opens nothing at the daemon. */
	for (size_t i = 0; i < mounts->count; i++) {
		fds[n] = open(mounts->mount[i].path, O_PATH | O_CLOEXEC);
		n += fds[n] >= 0;
	}
	bpf_map__set_max_entries(bpf->maps.connections, max);
	bpf->rodata->reader_tgid = (uint32_t)getpid();
	err = guest_context_bpf__load(bpf);
	if (!err)
		err = run_iterator(bpf);
	while (n)
		close(fds[--n]);
	free(fds);
	return err;
}

json_t *guest_connections_read(const struct guest_mounts *mounts, uint32_t max)
{
	struct guest_context_bpf *bpf = guest_context_bpf__open();
	int err = bpf ? read_connections(mounts, max, bpf) : -errno;
	int map = bpf && !err ? bpf_map__fd(bpf->maps.connections) : -1;
	json_t *array = json_array();
	struct guest_connection n;

	if (err)
		msg_debug("cannot read what the mounts negotiated: %s", strerror(-err));
	for (size_t i = 0; array && map >= 0 && i < mounts->count; i++) {
		uint32_t conn = mounts->mount[i].conn;

		/* One connection may be mounted in several places. */
		if (bpf_map_lookup_elem(map, &conn, &n) || bpf_map_delete_elem(map, &conn))
			continue;
		json_array_append_new(array, guest_connection_json(&n));
	}
	guest_context_bpf__destroy(bpf);
	return array;
}
