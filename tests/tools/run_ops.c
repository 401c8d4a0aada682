// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Performs an op script with real system calls: run_ops DIR SCRIPT PAUSE
 *
 * Pauses before each op, so that what happens in the background falls into the op that caused it.
 * Prints the script with the time at which each op began (relative to the first, which its first
 * line tells in ns of CLOCK_MONOTONIC), for vfscope simulate to run with the same times.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/units.h"
#include "workloads/op_script.h"

#define BUFFER_BYTES (64u << 20)
#define PAGE 4096u

struct run {
	struct op_script script;
	const char *dir;
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
 * Pages that wait in a CPU's batch for their LRU list survive drop_caches, posix_fadvise() gets
 * them out. Three times: names read since the last look are passed over once.
 */
static int drop_caches(struct run *r)
{
	int err = 0;

	sync();
	for (uint32_t i = 0; i < r->script.nr_files; i++)
		if (r->fd[i] > 0)
			posix_fadvise(r->fd[i], 0, 0, POSIX_FADV_DONTNEED);
	for (int i = 0; i < 3; i++) {
		FILE *file = fopen("/proc/sys/vm/drop_caches", "we");

		if (!file)
			return -errno;
		fputs("3\n", file);
		err = fclose(file) ? -errno : 0;
	}
	return err;
}

static int close_file(struct run *r, uint32_t file)
{
	int fd = r->fd[file];

	r->fd[file] = 0;
	return close(fd) ? -errno : 0;
}

static int open_file(struct run *r, const struct op_script_line *line, const char *path)
{
	int flags = O_RDWR | O_CLOEXEC;

	if (line->op.flags & OP_CREATES)
		flags |= O_CREAT;
	if (line->op.flags & OP_DIRECT)
		flags |= O_DIRECT;
	r->fd[line->op.file] = open(path, flags, 0644);
	return r->fd[line->op.file] < 0 ? -errno : 0;
}

static int64_t transfer(struct run *r, const struct workload_op *op)
{
	char *buffer = r->buffer + op->buffer_offset;
	int64_t done = op->type == OP_READ
			       ? pread(r->fd[op->file], buffer, op->size_bytes, op->offset_bytes)
			       : pwrite(r->fd[op->file], buffer, op->size_bytes, op->offset_bytes);

	if (done < 0)
		return -errno;
	return op->type == OP_WRITE && done != op->size_bytes ? -EIO : 0;
}

/*
 * At an address as far into 2 MiB as the offset, wherever chance would have put it: so is what a
 * fault maps around it.
 */
static int map_file(struct run *r, const struct workload_op *op)
{
	uint64_t size = op->size_bytes, align = 2u << 20;
	int flags = op->flags & OP_MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
	char *room, *at;

	room = mmap(NULL, size + 2 * align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return -errno;
	at = room + (align - (uintptr_t)room % align) + op->offset_bytes % align;
	at = mmap(at, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, r->fd[op->file],
		  op->offset_bytes);
	/* A file that may not be mapped stays unmapped: the simulator refuses it as well. */
	if (at == MAP_FAILED && errno == ENODEV)
		return 0;
	if (at == MAP_FAILED)
		return -errno;
	r->map[op->file] = (struct mapped){at, op->offset_bytes, size};
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

static int advise(const struct run *r, const struct workload_op *op)
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
	const struct mapped *map = &r->map[op->file];
	size_t i = 0;

	while (advice[i].flag && !(op->flags & advice[i].flag))
		i++;
	if (op->type == OP_FADVISE)
		return -posix_fadvise(r->fd[op->file], 0, 0, advice[i].file);
	return madvise(map->base, map->size_bytes, advice[i].memory) ? -errno : 0;
}

static int perform_on_memory(struct run *r, const struct workload_op *op)
{
	struct mapped *map = &r->map[op->file];

	if (!map->base)
		return 0;
	switch (op->type) {
	case OP_MMAP_FAULT:
		touch(map, op);
		return 0;
	case OP_MSYNC:
		return sync_memory(map, op);
	case OP_MADVISE:
		return advise(r, op);
	default:
		return unmap_file(map);
	}
}

static int64_t perform(struct run *r, const struct op_script_line *line)
{
	const struct workload_op *op = &line->op;
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", r->dir, r->script.files[op->file].name);
	switch (op->type) {
	case OP_OPEN:
		return open_file(r, line, path);
	case OP_READ:
	case OP_WRITE:
		return transfer(r, op);
	case OP_FSYNC:
		return fsync(r->fd[op->file]) ? -errno : 0;
	case OP_FDATASYNC:
		return fdatasync(r->fd[op->file]) ? -errno : 0;
	case OP_CLOSE:
		return close_file(r, op->file);
	case OP_STAT:
		return stat(path, &st) ? -errno : 0;
	case OP_UNLINK:
		return unlink(path) ? -errno : 0;
	case OP_DROP_CACHES:
		return drop_caches(r);
	case OP_FADVISE:
		return advise(r, op);
	case OP_MMAP:
		return map_file(r, op);
	case OP_MMAP_FAULT:
	case OP_MSYNC:
	case OP_MADVISE:
	case OP_MUNMAP:
		return perform_on_memory(r, op);
	default:
		return -ENOTSUP;
	}
}

/* The script's own line, with its time before it. */
static void print_line(FILE *script, uint32_t *at, uint32_t number, uint64_t ns)
{
	char text[512];

	while (*at < number && fgets(text, sizeof(text), script)) {
		if (++*at == number)
			printf("@%" PRIu64 "ns ", ns);
		fputs(text, stdout);
	}
}

static int run(struct run *r, FILE *text, uint64_t pause_ns)
{
	uint64_t first = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < r->script.nr_lines; i++) {
		const struct op_script_line *line = &r->script.lines[i];
		uint64_t start;
		int64_t err;

		sleep_ns(pause_ns + line->op.think_ns);
		start = now_ns();
		err = perform(r, line);
		if (!i) {
			first = start;
			printf("# start %" PRIu64 "\n", start);
		}
		if (err) {
			fprintf(stderr, "run_ops: line %u: %s\n", line->number,
				strerror((int)-err));
			return 1;
		}
		print_line(text, &at, line->number, start - first);
	}
	return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct run r = {0};
	uint64_t pause_ns;
	FILE *text;

	if (argc != 4 || parse_time_ns(argv[3], &pause_ns)) {
		fprintf(stderr, "usage: run_ops DIR SCRIPT PAUSE\n");
		return 2;
	}
	if (op_script_read(argv[2], &r.script))
		return 1;
	r.dir = argv[1];
	text = fopen(argv[2], "re");
	r.fd = calloc(r.script.nr_files + 1, sizeof(*r.fd));
	r.map = calloc(r.script.nr_files + 1, sizeof(*r.map));
	r.buffer = aligned_alloc(PAGE, BUFFER_BYTES);
	if (!text || !r.fd || !r.map || !r.buffer)
		return 1;
	memset(r.buffer, 'x', BUFFER_BYTES);
	return run(&r, text, pause_ns);
}
