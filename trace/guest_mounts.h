/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-fs mounts of this machine, as /proc and /sys tell.
 */
#ifndef VFSCOPE_TRACE_GUEST_MOUNTS_H
#define VFSCOPE_TRACE_GUEST_MOUNTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest_mount {
	char *path;
	char *tag; /* the mount's source: the device's tag */
	char *options; /* of the superblock */
	char *mount_options; /* of this mount of it, such as noatime */
	uint32_t conn; /* minor of its st_dev */
};

struct guest_mounts {
	struct guest_mount *mount;
	size_t count;
};

/* Parse mountinfo (proc(5)) from a file; "/proc/self/mountinfo" but for tests. 0 or -errno. */
int guest_mounts_read(struct guest_mounts *mounts, const char *mountinfo);
/* Append a copy. 0 or -ENOMEM. */
int guest_mounts_add(struct guest_mounts *mounts, const struct guest_mount *mount);
void guest_mounts_free(struct guest_mounts *mounts);

/* The virtio-fs mount with this st_dev minor, or NULL. */
const struct guest_mount *guest_mounts_find(const struct guest_mounts *mounts, uint32_t conn);

/*
 * False if no virtio-fs device of this machine has a DAX window, or all of these mounts are without
 * (dax=never): then nothing of DAX can happen. More mounts may come if there are none.
 */
bool guest_mounts_may_use_dax(const struct guest_mounts *mounts);

/* Minor of the file system that a path lies on, or -errno. */
int64_t guest_path_conn(const char *path);

/* New JSON array for the file's header; NULL when out of memory. */
json_t *guest_mounts_json(const struct guest_mounts *mounts);

/* First line of a small file in /sys or /proc, without newline; "" if there is none. */
void guest_read_line(char *buf, size_t len, const char *path);

#endif
