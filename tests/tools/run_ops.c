// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Performs an op script with real system calls: run_ops DIR SCRIPT PAUSE ATTR_TIMEOUT [parallel]
 *
 * Each of the script's tasks is a thread with open files of its own. They take turns in the
 * script's order or, parallel, go on side by side, but only one at a time walks a path. Before each
 * op is a pause, so that what happens in the background falls into the op that caused it; and it is
 * put off until it is clear whether attributes have timed out that an earlier op may have fetched.
 *
 * Prints the script with the time at which each op began, relative to the first, for vfscope
 * simulate to run with the same times. Comments at its begin tell that time in ns of
 * CLOCK_MONOTONIC, and the thread of each task.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <pthread.h>
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
#include "lib/units.h"
#include "workloads/op_script.h"

#define BUFFER_BYTES (33u << 20)
#define PAGE 4096u

/*
 * An op looks at attributes within so much of its begin, and two timer ticks of 4 ms are lost by
 * rounding. The simulated op does so at nearly the same time.
 */
#define LOOK_NS 10000000u
#define ROUNDING_NS 12000000u

#define SYNC_NS 100000000u

struct done {
	uint64_t start_ns; /* 0: not yet */
	uint64_t end_ns;
};

struct run {
	struct op_script script;
	struct task *tasks;
	const char *dir;
	char tag[64]; /* of the share, while it is not mounted */
	uint64_t pause_ns;
	uint64_t attr_timeout_ns;
	bool parallel;
	uint32_t nr_first; /* parallel: lines above "# from here", which end before all others */
	pthread_mutex_t path_lock; /* parallel: held by who walks a path */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t turn_passed;
	uint32_t turn; /* lines that have ended */
	struct done *done; /* of each line */
	bool failed;
};

struct task {
	struct run *run;
	uint32_t index;
	pthread_t thread;
	pid_t tid;
	char *buffer;
	int *fd; /* one per file, 0: not open */
	struct mapped {
		char *base; /* NULL: not mapped */
		uint64_t offset_bytes;
		uint64_t size_bytes;
	} * map; /* one per file */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static void sleep_ns(uint64_t ns)
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

static int64_t perform(struct task *t, const struct op_script_line *line)
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

static bool walks_path(const struct workload_op *op)
{
	switch (op->type) {
	case OP_READ:
	case OP_WRITE:
	case OP_FSYNC:
	case OP_FDATASYNC:
	case OP_CLOSE:
	case OP_FADVISE:
	case OP_TRUNCATE:
	case OP_COPY:
	case OP_MMAP:
	case OP_MMAP_FAULT:
	case OP_MSYNC:
	case OP_MADVISE:
	case OP_MUNMAP:
		return false;
	default:
		return true;
	}
}

/*
 * Whether both may look at the attributes of one inode: of a file, or of the root. What is named by
 * way of a link may be any file.
 */
static bool share_attributes(const struct op_script_line *x, const struct op_script_line *y)
{
	const struct workload_op *a = &x->op, *b = &y->op;

	if (a->type == OP_DROP_CACHES || b->type == OP_DROP_CACHES)
		return false;
	return a->file == b->file || x->by_link || y->by_link || (walks_path(a) && walks_path(b));
}

/* When the op may begin so that its attributes have clearly timed out, or clearly not. */
static uint64_t clear_time(struct run *r, const struct op_script_line *line, uint64_t time_ns)
{
	bool again = r->attr_timeout_ns != 0;

	while (again) {
		again = false;
		for (uint32_t i = 0; i < r->script.nr_lines; i++) {
			const struct done *done = &r->done[i];
			uint64_t first = done->start_ns + r->attr_timeout_ns;
			uint64_t last = done->end_ns + r->attr_timeout_ns + ROUNDING_NS;

			if (!done->end_ns || !share_attributes(line, &r->script.lines[i]) ||
			    time_ns + LOOK_NS < first || time_ns > last)
				continue;
			time_ns = last + 1;
			again = true;
		}
	}
	return time_ns;
}

static void wait_for_turn(struct run *r, uint32_t line)
{
	uint32_t until = r->parallel ? min_u64(line, r->nr_first) : line;

	pthread_mutex_lock(&r->lock);
	while (r->turn < until && !r->failed)
		pthread_cond_wait(&r->turn_passed, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

static void wait_until_clear(struct run *r, const struct op_script_line *line)
{
	uint64_t now, time_ns;

	do {
		now = now_ns();
		pthread_mutex_lock(&r->lock);
		time_ns = clear_time(r, line, now);
		pthread_mutex_unlock(&r->lock);
		if (time_ns > now)
			sleep_ns(time_ns - now);
	} while (time_ns > now);
}

/* -errno of the op. */
static int64_t perform_line(struct task *t, uint32_t nr)
{
	struct run *r = t->run;
	const struct op_script_line *line = &r->script.lines[nr];
	struct done done;
	int64_t err;

	wait_for_turn(r, nr);
	if (r->parallel && walks_path(&line->op))
		pthread_mutex_lock(&r->path_lock);
	sleep_ns(r->pause_ns + line->op.think_ns);
	wait_until_clear(r, line);
	done.start_ns = now_ns();
	err = perform(t, line);
	done.end_ns = now_ns();
	if (r->parallel && walks_path(&line->op))
		pthread_mutex_unlock(&r->path_lock);
	pthread_mutex_lock(&r->lock);
	r->done[nr] = done;
	r->turn++;
	r->failed |= err != 0;
	pthread_cond_broadcast(&r->turn_passed);
	pthread_mutex_unlock(&r->lock);
	return err;
}

static void *task_main(void *arg)
{
	struct task *t = arg;
	struct run *r = t->run;

	t->tid = gettid();
	for (uint32_t i = 0; i < r->script.nr_lines && !r->failed; i++) {
		int64_t err = 0;

		if (r->script.lines[i].task == t->index)
			err = perform_line(t, i);
		if (err)
			fprintf(stderr, "run_ops: line %u: %s\n", r->script.lines[i].number,
				strerror((int)-err));
	}
	return NULL;
}

static int task_init(struct run *r, struct task *t, uint32_t index)
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

static void task_free(struct task *t)
{
	free(t->fd);
	free(t->map);
	free(t->buffer);
}

/* The script's lines up to that number; that one with its time before it. */
static void print_line(FILE *script, uint32_t *at, uint32_t number, uint64_t ns)
{
	char text[512];

	while (*at < number && fgets(text, sizeof(text), script)) {
		if (++*at == number)
			printf("@%" PRIu64 "ns ", ns);
		fputs(text, stdout);
	}
}

/* How many of the script's ops are above its line "# from here". */
static uint32_t count_first(const struct op_script *script, FILE *text)
{
	uint32_t number = 0, nr = 0;
	char line[512];

	while (fgets(line, sizeof(line), text)) {
		number++;
		if (strcmp(line, "# from here\n"))
			continue;
		while (nr < script->nr_lines && script->lines[nr].number < number)
			nr++;
	}
	rewind(text);
	return nr;
}

static int print_script(const struct run *r, FILE *text)
{
	uint64_t first = UINT64_MAX;
	uint32_t at = 0;

	for (uint32_t i = 0; i < r->script.nr_lines; i++)
		first = min_u64(first, r->done[i].start_ns);
	printf("# start %" PRIu64 "\n", first);
	for (uint32_t i = 0; i < r->script.nr_tasks; i++)
		printf("# task %u thread %d\n", i + 1, (int)r->tasks[i].tid);
	for (uint32_t i = 0; i < r->script.nr_lines; i++)
		print_line(text, &at, r->script.lines[i].number, r->done[i].start_ns - first);
	return fflush(stdout) ? 1 : 0;
}

static int run(struct run *r, FILE *text)
{
	struct task tasks[OP_SCRIPT_TASKS] = {0};
	int err = 0;

	r->tasks = tasks;
	for (uint32_t i = 0; i < r->script.nr_tasks && !err; i++)
		err = task_init(r, &tasks[i], i);
	for (uint32_t i = 0; i < r->script.nr_tasks && !err; i++)
		err = -pthread_create(&tasks[i].thread, NULL, task_main, &tasks[i]);
	if (err) {
		fprintf(stderr, "run_ops: cannot start a thread: %s\n", strerror(-err));
		return 1;
	}
	for (uint32_t i = 0; i < r->script.nr_tasks; i++)
		pthread_join(tasks[i].thread, NULL);
	for (uint32_t i = 0; i < r->script.nr_tasks; i++)
		task_free(&tasks[i]);
	return r->failed ? 1 : print_script(r, text);
}

int main(int argc, char **argv)
{
	struct run r = {
		.path_lock = PTHREAD_MUTEX_INITIALIZER,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.turn_passed = PTHREAD_COND_INITIALIZER,
	};
	FILE *text;
	int status;

	r.parallel = argc == 6 && !strcmp(argv[5], "parallel");
	if (argc < 5 || argc > 6 || parse_time_ns(argv[3], &r.pause_ns) ||
	    parse_time_ns(argv[4], &r.attr_timeout_ns) || (argc == 6 && !r.parallel)) {
		fprintf(stderr, "usage: run_ops DIR SCRIPT PAUSE ATTR_TIMEOUT [parallel]\n");
		return 2;
	}
	if (op_script_read(argv[2], &r.script))
		return 1;
	r.dir = argv[1];
	text = fopen(argv[2], "re");
	r.done = calloc(r.script.nr_lines, sizeof(*r.done));
	if (!text || !r.done)
		return 1;
	r.nr_first = count_first(&r.script, text);
	status = run(&r, text);
	fclose(text);
	free(r.done);
	op_script_free(&r.script);
	return status;
}
