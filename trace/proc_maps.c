// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory map of another process, and reading its memory: what the search for daemons and their
 * virtqueues stands on.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>
#include "trace/proc_maps.h"

static bool parse_line(const char *line, struct proc_map *map)
{
	unsigned int major_nr, minor_nr;
	char perms[5];
	int path_at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
		   &map->start, &map->end, perms, &map->offset, &major_nr, &minor_nr, &map->inode,
		   &path_at) < 7)
		return false;
	map->dev = makedev(major_nr, minor_nr);
	map->readable = perms[0] == 'r';
	map->writable = perms[1] == 'w';
	map->shared = perms[3] == 's';
	/* A memfd is "/memfd:NAME (deleted)"; shared memory may also be a file in /dev/shm. */
	map->device = path_at && (line[path_at] == '[' || !strncmp(line + path_at, "/SYSV", 5) ||
				  (!strncmp(line + path_at, "/dev/", 5) &&
				   strncmp(line + path_at, "/dev/shm/", 9) &&
				   strncmp(line + path_at, "/dev/hugepages/", 15)));
	if (!strncmp(line + path_at, "[heap]", 6) || !strncmp(line + path_at, "[stack", 6) ||
	    !strncmp(line + path_at, "[anon", 5))
		map->device = false;
	return true;
}

int proc_maps_parse(struct proc_maps *out, const char *text)
{
	size_t room = 0;

	*out = (struct proc_maps){};
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		struct proc_map map = {}, *grown;

		if (*line == '\n')
			line++;
		if (!parse_line(line, &map))
			continue;
		if (out->count == room) {
			room = room ? 2 * room : 128;
			grown = realloc(out->maps, room * sizeof(*grown));
			if (!grown) {
				proc_maps_free(out);
				return -ENOMEM;
			}
			out->maps = grown;
		}
		out->maps[out->count++] = map;
	}
	return 0;
}

int proc_maps_read(struct proc_maps *out, pid_t pid)
{
	char *text;
	int err;

	*out = (struct proc_maps){};
	err = proc_read_file(pid, "maps", &text, NULL);
	if (err)
		return err == -ENOENT ? -ESRCH : err;
	err = proc_maps_parse(out, text);
	free(text);
	return err;
}

void proc_maps_free(struct proc_maps *maps)
{
	free(maps->maps);
	*maps = (struct proc_maps){};
}

static int read_all(int fd, char **out, size_t *len)
{
	size_t used = 0, room = 4096;
	char *buf = malloc(room), *grown;
	ssize_t n;

	while (buf) {
		n = read(fd, buf + used, room - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
		if (used + 1 < room)
			continue;
		room *= 2;
		grown = realloc(buf, room);
		if (!grown)
			free(buf);
		buf = grown;
	}
	if (!buf)
		return -ENOMEM;
	if (n < 0) {
		n = -errno;
		free(buf);
		return (int)n;
	}
	buf[used] = '\0';
	*out = buf;
	if (len)
		*len = used;
	return 0;
}

int proc_read_file(pid_t pid, const char *name, char **out, size_t *len)
{
	char path[64];
	int fd, err;

	*out = NULL;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = read_all(fd, out, len);
	close(fd);
	return err;
}

size_t proc_read_memory(pid_t pid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = {.iov_base = buf, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)addr, .iov_len = len};
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}
