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

struct flag_name {
	enum guest_conn_flag bit;
	const char *name;
};

#define FLAG_NAME(field, name) {GCONN_##field, name},

/* Those that the kernel has. */
static void set_flags(json_t *object, const struct guest_connection *n,
		      const struct flag_name *names, size_t count)
{
	for (size_t i = 0; object && i < count; i++)
		if (n->known >> names[i].bit & 1)
			json_object_set_new(object, names[i].name,
					    json_boolean(n->flags >> names[i].bit & 1));
}

static void set_dax(json_t *object, const struct guest_connection *n)
{
	/* enum fuse_dax_mode in fs/fuse/fuse_i.h, and the mount options that set them. */
	static const char *const modes[] = {NULL, "default", "always", "never", "inode"};

	if (n->dax != GCONN_DAX_UNKNOWN)
		json_object_set_new(object, "dax", json_boolean(n->dax == GCONN_DAX_WINDOW));
	if (n->dax_mode && n->dax_mode < ARRAY_SIZE(modes))
		json_object_set_new(object, "dax_mode", json_string(modes[n->dax_mode]));
}

json_t *guest_connection_json(const struct guest_connection *n)
{
	static const struct flag_name negotiated[] = {GUEST_CONN_NEGOTIATED(FLAG_NAME)};
	static const struct flag_name learned[] = {GUEST_CONN_LEARNED(FLAG_NAME)};
	json_t *object, *so_far = json_object();
	char features[32];

	snprintf(features, sizeof(features), "0x%llx", (unsigned long long)n->virtio_features);
	set_flags(so_far, n, learned, ARRAY_SIZE(learned));
	object = json_pack(
		"{s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I s:s s:o}", "conn", (json_int_t)n->conn,
		"fuse_minor", (json_int_t)n->proto_minor, "max_read", (json_int_t)n->max_read,
		"max_write", (json_int_t)n->max_write, "max_pages", (json_int_t)n->max_pages,
		"max_background", (json_int_t)n->max_background, "congestion_threshold",
		(json_int_t)n->congestion_threshold, "request_queues",
		(json_int_t)n->nr_request_queues, "queue_size", (json_int_t)n->queue_size,
		"dax_window_bytes", (json_int_t)n->dax_window_bytes, "virtio_features", features,
		"learned", so_far);
	set_flags(object, n, negotiated, ARRAY_SIZE(negotiated));
	if (object)
		set_dax(object, n);
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
