// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The virtio-fs mounts of this machine, as /proc and /sys tell.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "trace/guest_devices.h"
#include "trace/guest_mounts.h"

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && is_octal(from[1]) && is_octal(from[2]) &&
		    is_octal(from[3])) {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = 0;
}

int guest_mounts_add(struct guest_mounts *mounts, const struct guest_mount *mount)
{
	struct guest_mount *grown = reallocarray(mounts->mount, mounts->count + 1, sizeof(*grown));
	struct guest_mount *m;

	if (!grown)
		return -ENOMEM;
	mounts->mount = grown;
	m = &grown[mounts->count++];
	m->path = strdup(mount->path);
	m->tag = strdup(mount->tag);
	m->options = strdup(mount->options);
	m->mount_options = strdup(mount->mount_options);
	m->conn = mount->conn;
	return m->path && m->tag && m->options && m->mount_options ? 0 : -ENOMEM;
}

/* ID PARENT MAJ:MIN ROOT PATH OPTIONS [FIELD...] - TYPE SOURCE SUPER_OPTIONS */
static int parse_mount(struct guest_mounts *mounts, char *line)
{
	struct guest_mount mount = {};
	unsigned int major_nr;
	char *tail, *type, *save = NULL;
	int err = 0;

	tail = strstr(line, " - ");
	if (!tail || sscanf(line, "%*d %*d %u:%u %*s %ms %ms", &major_nr, &mount.conn, &mount.path,
			    &mount.mount_options) != 4)
		goto out;
	type = strtok_r(tail + 3, " \n", &save);
	mount.tag = strtok_r(NULL, " \n", &save);
	mount.options = strtok_r(NULL, " \n", &save);
	if (!type || !mount.tag || !mount.options || strcmp(type, "virtiofs"))
		goto out;
	unescape(mount.path);
	unescape(mount.tag);
	err = guest_mounts_add(mounts, &mount);
out:
	free(mount.path);
	free(mount.mount_options);
	return err;
}

int guest_mounts_read(struct guest_mounts *mounts, const char *mountinfo)
{
	FILE *file = fopen(mountinfo, "re");
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	memset(mounts, 0, sizeof(*mounts));
	if (!file)
		return -errno;
	while (!err && getline(&line, &size, file) > 0)
		err = parse_mount(mounts, line);
	if (!err && ferror(file))
		err = -EIO;
	free(line);
	fclose(file);
	if (err)
		guest_mounts_free(mounts);
	return err;
}

void guest_mounts_free(struct guest_mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++) {
		free(mounts->mount[i].path);
		free(mounts->mount[i].tag);
		free(mounts->mount[i].options);
		free(mounts->mount[i].mount_options);
	}
	free(mounts->mount);
	memset(mounts, 0, sizeof(*mounts));
}

const struct guest_mount *guest_mounts_find(const struct guest_mounts *mounts, uint32_t conn)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->mount[i].conn == conn)
			return &mounts->mount[i];
	return NULL;
}

int64_t guest_path_conn(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	/* virtio-fs has an anonymous device number: major 0. */
	return major(st.st_dev) ? -ENODEV : (int64_t)minor(st.st_dev);
}

void guest_read_line(char *buf, size_t len, const char *path)
{
	FILE *file = fopen(path, "re");

	buf[0] = 0;
	if (!file)
		return;
	if (fgets(buf, (int)len, file))
		buf[strcspn(buf, "\n")] = 0;
	else
		buf[0] = 0;
	fclose(file);
}

static long read_ahead_kb(uint32_t conn)
{
	char path[80], text[32];

	snprintf(path, sizeof(path), "/sys/class/bdi/0:%u/read_ahead_kb", conn);
	guest_read_line(text, sizeof(text), path);
	return text[0] ? strtol(text, NULL, 10) : -1;
}

json_t *guest_mounts_json(const struct guest_mounts *mounts)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < mounts->count; i++) {
		const struct guest_mount *m = &mounts->mount[i];
		long kb = read_ahead_kb(m->conn);
		json_t *entry = json_pack("{s:s, s:i, s:s, s:s, s:s}", "path", m->path, "conn",
					  (int)m->conn, "tag", m->tag, "options", m->options,
					  "mount_options", m->mount_options);

		if (entry && kb >= 0)
			json_object_set_new(entry, "read_ahead_kb", json_integer(kb));
		if (json_array_append_new(array, entry)) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

bool guest_mounts_may_use_dax(const struct guest_mounts *mounts)
{
	bool allowed = !mounts->count;

	for (size_t i = 0; i < mounts->count; i++)
		allowed |= !strstr(mounts->mount[i].options, "dax=never");
	return allowed && guest_devices_have_dax_window();
}
