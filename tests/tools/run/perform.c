// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system calls of run_ops: one op of a script, as a task with open files of its own does it.
 */
#include "tests/tools/run/perform.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include "lib/compiler.h"

#define BUFFER_BYTES (33u << 20)
#define PAGE 4096u
#define SYNC_NS 100000000u

void sleep_ns(uint64_t ns)
{
	struct timespec ts = {.tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC};

	nanosleep(&ts, NULL);
}

/*
 * sync(2) of 7.2 does not wait for what it writes (SB_I_NO_DATA_INTEGRITY): so there is a pause.
 * Pages that wait in a CPU's batch for their LRU list survive drop_caches, posix_fadvise() gets
 * them out. Three times: names read since the last look are passed over once.
 */
static int drop_caches(struct run *r)
{
	int err = 0;

	sync();
	sleep_ns(SYNC_NS);
	for (uint32_t t = 0; t < r->script.nr_tasks; t++)
		for (uint32_t i = 0; i < r->script.nr_files; i++)
			if (r->tasks[t].fd[i] > 0)
				posix_fadvise(r->tasks[t].fd[i], 0, 0, POSIX_FADV_DONTNEED);
	for (int i = 0; i < 3; i++) {
		FILE *file = fopen("/proc/sys/vm/drop_caches", "we");

		if (!file)
			return -errno;
		fputs("3\n", file);
		err = fclose(file) ? -errno : 0;
	}
	return err;
}

static int close_file(struct task *t, uint32_t file)
{
	int fd = t->fd[file];

	t->fd[file] = 0;
	return close(fd) ? -errno : 0;
}

static int open_file(struct task *t, const struct op_script_line *line, const char *path)
{
	int flags = O_RDWR | O_CLOEXEC;

	if (line->op.flags & OP_CREATES)
		flags |= O_CREAT;
	if (line->op.flags & OP_TRUNCATES)
		flags |= O_TRUNC;
	if (line->op.flags & OP_DIRECT)
		flags |= O_DIRECT;
	t->fd[line->op.file] = open(path, flags, 0644);
	return t->fd[line->op.file] < 0 ? -errno : 0;
}

static int64_t transfer(struct task *t, const struct workload_op *op)
{
	char *buffer = t->buffer + op->buffer_offset;
	int64_t done = op->type == OP_READ
			       ? pread(t->fd[op->file], buffer, op->size_bytes, op->offset_bytes)
			       : pwrite(t->fd[op->file], buffer, op->size_bytes, op->offset_bytes);

	if (done < 0)
		return -errno;
	return op->type == OP_WRITE && done != op->size_bytes ? -EIO : 0;
}

/*
 * At an address as far into 2 MiB as the offset, wherever chance would have put it: so is what a
 * fault maps around it.
 */
static int map_file(struct task *t, const struct workload_op *op)
{
	uint64_t size = op->size_bytes, align = 2u << 20;
	int flags = op->flags & OP_MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
	char *room, *at;

	room = mmap(NULL, size + 2 * align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return -errno;
	at = room + (align - (uintptr_t)room % align) + op->offset_bytes % align;
	at = mmap(at, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, t->fd[op->file],
		  op->offset_bytes);
	/* A file that may not be mapped stays unmapped: the simulator refuses it as well. */
	if (at == MAP_FAILED && errno == ENODEV)
		return 0;
	if (at == MAP_FAILED)
		return -errno;
	t->map[op->file] = (struct mapped){at, op->offset_bytes, size};
	return 0;
}

static int unmap_file(struct mapped *map)
{
	char *base = map->base;

	map->base = NULL;
	return munmap(base, map->size_bytes) ? -errno : 0;
}

/* One byte of each page is enough. */
static void touch(const struct mapped *map, const struct workload_op *op)
{
	volatile char *at = map->base + (op->offset_bytes - map->offset_bytes);
	volatile char *end = at + op->size_bytes;

	while (at < end) {
		if (op->flags & OP_FAULT_WRITE)
			*at = 'y';
		else
			(void)*at;
		at += PAGE - (uintptr_t)at % PAGE;
	}
}

static int sync_memory(const struct mapped *map, const struct workload_op *op)
{
	char *at = map->base;
	uint64_t size = map->size_bytes;

	if (op->size_bytes) {
		at += op->offset_bytes - map->offset_bytes;
		size = op->size_bytes;
	}
	return msync(at, size, MS_SYNC) ? -errno : 0;
}

static int advise(const struct task *t, const struct workload_op *op)
{
	static const struct {
		uint32_t flag;
		int file, memory;
	} advice[] = {
		{OP_HINT_RANDOM, POSIX_FADV_RANDOM, MADV_RANDOM},
		{OP_HINT_SEQUENTIAL, POSIX_FADV_SEQUENTIAL, MADV_SEQUENTIAL},
		{OP_INVALIDATE, POSIX_FADV_DONTNEED, MADV_DONTNEED},
		{OP_WILLNEED, POSIX_FADV_WILLNEED, MADV_WILLNEED},
		{0, POSIX_FADV_NORMAL, MADV_NORMAL},
	};
	const struct mapped *map = &t->map[op->file];
	size_t i = 0;

	while (advice[i].flag && !(op->flags & advice[i].flag))
		i++;
	if (op->type == OP_FADVISE)
		return -posix_fadvise(t->fd[op->file], 0, 0, advice[i].file);
	return madvise(map->base, map->size_bytes, advice[i].memory) ? -errno : 0;
}

static int perform_on_memory(struct task *t, const struct workload_op *op)
{
	struct mapped *map = &t->map[op->file];

	if (!map->base)
		return 0;
	switch (op->type) {
	case OP_MMAP_FAULT:
		touch(map, op);
		return 0;
	case OP_MSYNC:
		return sync_memory(map, op);
	case OP_MADVISE:
		return advise(t, op);
	default:
		return unmap_file(map);
	}
}

/* "." is the directory itself: with it behind a slash, its permissions would be looked at. */
static const char *path_of(const struct run *r, uint32_t file, char path[PATH_MAX])
{
	const char *name = r->script.files[file].name;

	if (!strcmp(name, "."))
		return r->dir;
	snprintf(path, PATH_MAX, "%s/%s", r->dir, name);
	return path;
}

static int look_up(const char *path)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno != ENOENT ? -errno : 0;
}

static int copy_range(struct task *t, const struct workload_op *op)
{
	loff_t from = (loff_t)op->offset_bytes, to = from;

	return copy_file_range(t->fd[op->file2], &from, t->fd[op->file], &to, op->size_bytes, 0) < 0
		       ? -errno
		       : 0;
}

/* With readdir(3)'s own buffer, or getdents64(2) into one of the size wanted. */
static int list(struct task *t, const char *path, uint32_t size)
{
	DIR *dir = opendir(path);
	long n = 1;

	if (!dir)
		return -errno;
	errno = 0;
	if (size)
		while ((n = syscall(SYS_getdents64, dirfd(dir), t->buffer, size)) > 0)
			;
	else
		while (readdir(dir))
			;
	if (errno)
		n = -errno;
	closedir(dir);
	return n < 0 ? (int)n : 0;
}

/* A slash in front of a link's text is the share's root. */
static int make_link(const struct run *r, uint32_t file, const char *path)
{
	const char *name = r->script.files[file].name;
	char text[PATH_MAX];

	snprintf(text, sizeof(text), "%s%s", *name == '/' ? r->dir : "", name);
	return symlink(text, path) ? -errno : 0;
}

static int perform_on_names(struct task *t, const struct workload_op *op)
{
	const struct run *r = t->run;
	static const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	char room[PATH_MAX], room2[PATH_MAX], text[PATH_MAX];
	const char *path = path_of(r, op->file, room), *path2 = path_of(r, op->file2, room2);
	struct statfs fs;
	struct stat st;

	switch (op->type) {
	case OP_STAT:
		return (op->flags & OP_FOLLOWS ? stat(path, &st) : lstat(path, &st)) ? -errno : 0;
	case OP_LOOKUP:
		return look_up(path);
	case OP_STATFS:
		return statfs(path, &fs) ? -errno : 0;
	case OP_READLINK:
		return readlink(path, text, sizeof(text)) < 0 ? -errno : 0;
	case OP_CHMOD:
		return chmod(path, 0755) ? -errno : 0;
	case OP_UTIMES:
		return utimensat(AT_FDCWD, path, times, 0) ? -errno : 0;
	case OP_READDIR:
		return list(t, path, op->size_bytes);
	case OP_MKDIR:
		return mkdir(path, 0755) ? -errno : 0;
	case OP_SYMLINK:
		return make_link(r, op->file2, path);
	case OP_RMDIR:
		return rmdir(path) ? -errno : 0;
	case OP_UNLINK:
		return unlink(path) ? -errno : 0;
	case OP_RENAME:
		return rename(path, path2) ? -errno : 0;
	case OP_LINK:
		return link(path2, path) ? -errno : 0;
	default:
		return -ENOTSUP;
	}
}

/* The tag is what the share was mounted by. */
static int unmount_share(struct run *r)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *entry;

	while (mounts && (entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_dir, r->dir))
			snprintf(r->tag, sizeof(r->tag), "%s", entry->mnt_fsname);
	if (mounts)
		endmntent(mounts);
	return umount(r->dir) ? -errno : 0;
}

static int mount_share(struct run *r)
{
	struct stat st;

	if (mount(r->tag, r->dir, "virtiofs", 0, NULL))
		return -errno;
	return stat(r->dir, &st) ? -errno : 0;
}

int64_t perform(struct task *t, const struct op_script_line *line)
{
	const struct workload_op *op = &line->op;
	char path[PATH_MAX];

	switch (op->type) {
	case OP_OPEN:
		return open_file(t, line, path_of(t->run, op->file, path));
	case OP_READ:
	case OP_WRITE:
		return transfer(t, op);
	case OP_FSYNC:
		return fsync(t->fd[op->file]) ? -errno : 0;
	case OP_FDATASYNC:
		return fdatasync(t->fd[op->file]) ? -errno : 0;
	case OP_CLOSE:
		return close_file(t, op->file);
	case OP_DROP_CACHES:
		return drop_caches(t->run);
	case OP_SYNC:
		sync();
		return 0;
	case OP_MOUNT:
		return mount_share(t->run);
	case OP_UMOUNT:
		return unmount_share(t->run);
	case OP_FADVISE:
		return advise(t, op);
	case OP_TRUNCATE:
		return ftruncate(t->fd[op->file], op->offset_bytes) ? -errno : 0;
	case OP_COPY:
		return copy_range(t, op);
	case OP_MMAP:
		return map_file(t, op);
	case OP_MMAP_FAULT:
	case OP_MSYNC:
	case OP_MADVISE:
	case OP_MUNMAP:
		return perform_on_memory(t, op);
	default:
		return perform_on_names(t, op);
	}
}

int task_init(struct run *r, struct task *t, uint32_t index)
{
	t->run = r;
	t->index = index;
	t->fd = calloc(r->script.nr_files + 1, sizeof(*t->fd));
	t->map = calloc(r->script.nr_files + 1, sizeof(*t->map));
	t->buffer = aligned_alloc(PAGE, BUFFER_BYTES);
	if (!t->fd || !t->map || !t->buffer)
		return -ENOMEM;
	memset(t->buffer, 'x', BUFFER_BYTES);
	return 0;
}

void task_free(struct task *t)
{
	free(t->fd);
	free(t->map);
	free(t->buffer);
}
