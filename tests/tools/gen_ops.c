// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints a random op script: gen_ops SEED NR_OPS PREFIX auto|never|wb|flood NR_TASKS [apart]
 *
 * Files are opened, read, written, synced, closed and removed in ways that reach page cache
 * corners: partial pages, streams forward, backward and with gaps, the end of the file and beyond,
 * O_DIRECT and mapped memory beside cached pages. Others, small ones, are made, listed, renamed,
 * linked and removed in directories. PREFIX begins the names.
 *
 * Unless it is to be a flood, so little is left dirty that background writeback does not start.
 * Before 6.13 it does start while the device has not written much, so the script then begins with a
 * file PRIME that is written for that, up to a line "# from here".
 *
 * Several tasks share the files, each with its own open files; apart: each has files of its own,
 * and caches are not dropped, so that they can run side by side.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/rng.h"

#define NR_FILES 5
#define MAX_TASKS 4
#define MAX_FILE (3u << 20)
#define PAGE 4096u
#define MAX_DIRTY 400000u
#define NR_PLACES 4 /* the root, then directories */
#define NR_NAMES 4

struct file_state {
	bool exists;
	uint64_t size;
	uint64_t dirty;
	uint32_t nr_open;
	struct {
		bool is_open, direct;
		uint64_t mapped; /* bytes; 0: not mapped */
		uint64_t next; /* behind the last access */
	} of[MAX_TASKS];
};

enum name_kind {
	NOTHING,
	SMALL_FILE,
	SYMLINK,
};

struct gen {
	struct rng rng;
	struct file_state file[NR_FILES];
	const char *prefix;
	bool flood, writeback; /* else only mapped memory gets dirty */
	int nr_tasks, task; /* task: of the next line */
	bool apart;
	bool has_place[NR_PLACES];
	enum name_kind kind[NR_PLACES][NR_NAMES];
	long left; /* ops to print */
};

static uint64_t below(struct gen *g, uint64_t n)
{
	return rng_below(&g->rng, n);
}

/* Begins a line. */
static void verb(const struct gen *g, const char *name)
{
	if (g->nr_tasks > 1)
		printf("t%d: ", g->task);
	fputs(name, stdout);
}

static void line(struct gen *g, const char *name, int nr)
{
	verb(g, name);
	printf(" %s%d\n", g->prefix, nr);
	g->left--;
}

static uint64_t some_size(struct gen *g)
{
	switch (below(g, 7)) {
	case 0:
		return 1 + below(g, PAGE);
	case 1:
		return PAGE;
	case 2:
		return PAGE * (1 + below(g, 8));
	case 3:
		return 1 + below(g, 65536);
	case 4:
		return PAGE * (1 + below(g, 64));
	case 5:
		return PAGE * 31 + below(g, 3) * PAGE; /* about the read-ahead window */
	default:
		return 1 + below(g, 1200000);
	}
}

static uint64_t some_offset(struct gen *g, const struct file_state *f)
{
	switch (below(g, 13)) {
	case 0 ... 3:
		return f->of[g->task].next;
	case 4:
	case 5:
		return below(g, f->size + 1);
	case 6:
	case 7:
		return f->size > 8192 ? f->size - below(g, 8192) : 0;
	case 8:
		return f->size + below(g, 40000);
	default:
		return below(g, f->size / PAGE + 1) * PAGE;
	}
}

/* The task of which the file is open; some of several. */
static int opener(struct gen *g, const struct file_state *f)
{
	int task = (int)below(g, g->nr_tasks);

	while (!f->of[task].is_open)
		task = (task + 1) % g->nr_tasks;
	return task;
}

/* What is dirty goes before there is too much. */
static void limit_dirty(struct gen *g, struct file_state *f, uint64_t *size, bool mapped)
{
	uint64_t total = 0, pages;
	int task = g->task;

	if (g->flood || (!g->writeback && !mapped))
		return;
	*size = 1 + (*size - 1) % (MAX_DIRTY / 4);
	pages = (*size / PAGE + 2) * PAGE;
	for (int i = 0; i < NR_FILES; i++)
		total += g->file[i].dirty;
	for (int i = 0; i < NR_FILES && total + pages > MAX_DIRTY; i++) {
		if (!g->file[i].dirty)
			continue;
		g->task = opener(g, &g->file[i]);
		line(g, "fsync", i);
		g->file[i].dirty = 0;
	}
	g->task = task;
	f->dirty += pages;
}

static void access_file(struct gen *g, int nr, bool reads, uint64_t offset, uint64_t size)
{
	struct file_state *f = &g->file[nr];
	bool direct = f->of[g->task].direct;

	if (offset > MAX_FILE)
		offset = 0;
	if (direct) {
		size = (size + 511) / 512 * 512;
		offset -= offset % 512;
	}
	if (!reads && !direct)
		limit_dirty(g, f, &size, false);
	verb(g, reads ? "read" : "write");
	printf(" %s%d %" PRIu64 " %" PRIu64, g->prefix, nr, offset, size);
	if (direct && below(g, 3) == 0)
		printf(" buffer=512");
	putchar('\n');
	g->left--;
	f->of[g->task].next = offset + size;
	if (!reads && offset + size > f->size)
		f->size = offset + size;
}

/* Several accesses of a size, one behind or before the other, or some pages apart. */
static void stream(struct gen *g, int nr)
{
	struct file_state *f = &g->file[nr];
	uint64_t size = below(g, 3) ? PAGE * (1 + below(g, 16)) : 1 + below(g, 40000);
	int64_t step = (int64_t)size, pos = (int64_t)some_offset(g, f);
	bool reads = below(g, 4) != 0;

	switch (below(g, 4)) {
	case 0:
		step = -step;
		break;
	case 1:
		step += (int64_t)(PAGE * below(g, 20));
		break;
	}
	for (uint64_t n = 3 + below(g, 10); n && pos >= 0 && pos <= (int64_t)f->size; n--) {
		access_file(g, nr, reads, (uint64_t)pos, size);
		pos += step;
	}
}

static bool is_mapped(const struct gen *g, const struct file_state *f)
{
	for (int i = 0; i < g->nr_tasks; i++)
		if (f->of[i].mapped)
			return true;
	return false;
}

/* Memory behind the end would be SIGBUS: not while it is mapped. */
static void truncate_file(struct gen *g, int nr)
{
	struct file_state *f = &g->file[nr];

	f->size = 1 + below(g, f->size + 100000);
	verb(g, "truncate");
	printf(" %s%d %" PRIu64 "\n", g->prefix, nr, f->size);
	g->left--;
}

static void map_or_unmap(struct gen *g, int nr)
{
	static const char *const advice[] = {"normal", "random", "sequential", "dontneed"};
	struct file_state *f = &g->file[nr];

	if (f->of[g->task].mapped && below(g, 2)) {
		verb(g, "madvise");
		printf(" %s%d %s\n", g->prefix, nr, advice[below(g, ARRAY_SIZE(advice))]);
		g->left--;
		return;
	}
	if (f->of[g->task].mapped) {
		line(g, "munmap", nr);
		f->of[g->task].mapped = 0;
		f->dirty = 0;
		return;
	}
	verb(g, "mmap");
	printf(" %s%d%s\n", g->prefix, nr, below(g, 5) ? "" : " private");
	g->left--;
	f->of[g->task].mapped = (f->size + PAGE - 1) / PAGE * PAGE;
}

static void access_memory(struct gen *g, int nr)
{
	struct file_state *f = &g->file[nr];
	uint64_t offset = some_offset(g, f), size = some_size(g), end = f->of[g->task].mapped;
	bool writes = below(g, 3) == 0;

	if (below(g, 8) == 0) {
		line(g, "msync", nr);
		f->dirty = 0;
		return;
	}
	if (offset >= end)
		offset = below(g, end);
	if (offset + size > end)
		size = end - offset;
	if (writes)
		limit_dirty(g, f, &size, true);
	verb(g, writes ? "mwrite" : "mread");
	printf(" %s%d %" PRIu64 " %" PRIu64 "\n", g->prefix, nr, offset, size);
	g->left--;
	f->of[g->task].next = offset + size;
}

static void close_file(struct gen *g, int nr)
{
	struct file_state *f = &g->file[nr];

	if (f->of[g->task].mapped)
		line(g, "munmap", nr);
	f->of[g->task].mapped = 0;
	line(g, "close", nr);
	f->of[g->task].is_open = false;
	f->nr_open--;
	f->dirty = 0;
}

static void open_or_remove(struct gen *g, int nr)
{
	struct file_state *f = &g->file[nr];
	uint64_t dice = below(g, 10);
	bool truncates;

	if (f->exists && !f->nr_open && dice == 0) {
		line(g, "unlink", nr);
		memset(f, 0, sizeof(*f));
		return;
	}
	if (f->exists && dice == 1) {
		line(g, "stat", nr);
		return;
	}
	f->of[g->task].direct = below(g, 4) == 0;
	truncates = f->exists && !is_mapped(g, f) && below(g, 6) == 0;
	verb(g, "open");
	printf(" %s%d%s%s%s\n", g->prefix, nr, f->exists ? "" : " create",
	       truncates ? " trunc" : "", f->of[g->task].direct ? " direct" : "");
	if (truncates)
		f->size = 0;
	g->left--;
	f->exists = f->of[g->task].is_open = true;
	f->of[g->task].next = 0;
	f->nr_open++;
	f->dirty = 0;
}

/* From this file to another that the task has open. */
static void copy_file(struct gen *g, int nr)
{
	struct file_state *f = &g->file[nr], *to = NULL;
	uint64_t offset = some_offset(g, f), size = some_size(g);
	int target;

	for (target = 0; target < NR_FILES && !to; target++)
		if (target != nr && g->file[target].of[g->task].is_open)
			to = &g->file[target];
	if (!to || offset + size > MAX_FILE)
		return;
	verb(g, "copy");
	printf(" %s%d %s%d %" PRIu64 " %" PRIu64 "\n", g->prefix, nr, g->prefix, target - 1, offset,
	       size);
	g->left--;
	size = offset < f->size ? f->size - offset < size ? f->size - offset : size : 0;
	if (size && offset + size > to->size)
		to->size = offset + size;
}

static void drop_caches(struct gen *g)
{
	if (g->apart)
		return;
	verb(g, "dropcaches\n");
	g->left--;
	for (int i = 0; i < NR_FILES; i++)
		g->file[i].dirty = 0;
}

static void print_place(const struct gen *g, int place)
{
	printf(" %sd%d", g->prefix, place);
}

static void print_name(const struct gen *g, int place, int name)
{
	if (place)
		printf(" %sd%d/n%d", g->prefix, place, name);
	else
		printf(" %sn%d", g->prefix, name);
}

static void name_line(struct gen *g, const char *op, int place, int name)
{
	verb(g, op);
	print_name(g, place, name);
	putchar('\n');
	g->left--;
}

static void place_line(struct gen *g, const char *op, int place)
{
	verb(g, op);
	print_place(g, place);
	putchar('\n');
	g->left--;
}

static int some_place(struct gen *g)
{
	int place;

	do
		place = (int)below(g, NR_PLACES);
	while (!g->has_place[place]);
	return place;
}

static bool place_is_empty(const struct gen *g, int place)
{
	for (int i = 0; i < NR_NAMES; i++)
		if (g->kind[place][i])
			return false;
	return true;
}

/* Listings in a buffer that takes less than a page of names, too. */
static void look_at_place(struct gen *g, const char *op, int place)
{
	verb(g, op);
	print_place(g, place);
	if (!strcmp(op, "readdir") && below(g, 3) == 0)
		printf(" %" PRIu64, 64 + below(g, 400));
	putchar('\n');
	g->left--;
}

/* A directory comes, goes, is renamed with all that is in it, or looked at. */
static void place_op(struct gen *g)
{
	static const char *const look[] = {"readdir", "readdir", "readdir", "stat",
					   "chmod",   "utimes",	 "statfs"};
	int place = 1 + (int)below(g, NR_PLACES - 1), other = 1 + (int)below(g, NR_PLACES - 1);

	if (!g->has_place[place]) {
		place_line(g, "mkdir", place);
		g->has_place[place] = true;
	} else if (place_is_empty(g, place) && below(g, 2)) {
		place_line(g, "rmdir", place);
		g->has_place[place] = false;
	} else if (!g->has_place[other] && below(g, 2)) {
		verb(g, "rename");
		print_place(g, place);
		print_place(g, other);
		putchar('\n');
		g->left--;
		memcpy(g->kind[other], g->kind[place], sizeof(g->kind[0]));
		memset(g->kind[place], 0, sizeof(g->kind[0]));
		g->has_place[place] = false;
		g->has_place[other] = true;
	} else {
		look_at_place(g, look[below(g, ARRAY_SIZE(look))], place);
	}
}

/* To some name, which may be there: rename, or link if it is not. */
static void rename_or_link(struct gen *g, int place, int name)
{
	int to = some_place(g), new = (int)below(g, NR_NAMES);
	bool link = g->kind[place][name] == SMALL_FILE && !g->kind[to][new] && below(g, 2);

	if (to == place && new == name)
		return;
	verb(g, link ? "link" : "rename");
	print_name(g, place, name);
	print_name(g, to, new);
	putchar('\n');
	g->left--;
	g->kind[to][new] = g->kind[place][name];
	if (!link)
		g->kind[place][name] = NOTHING;
}

static void remove_name(struct gen *g, int place, int name)
{
	name_line(g, "unlink", place, name);
	g->kind[place][name] = NOTHING;
}

/* Opened, written a little and closed; what happens to its name meanwhile does not matter. */
static void use_small_file(struct gen *g, int place, int name)
{
	bool creates = !g->kind[place][name];

	verb(g, "open");
	print_name(g, place, name);
	puts(creates ? " create" : "");
	g->left--;
	g->kind[place][name] = SMALL_FILE;
	if (below(g, 2)) {
		verb(g, "write");
		print_name(g, place, name);
		printf(" %" PRIu64 " %" PRIu64 "\n", below(g, 3) * PAGE, 1 + below(g, 6000));
	}
	switch (below(g, 6)) {
	case 0:
		remove_name(g, place, name);
		break;
	case 1:
		rename_or_link(g, place, name);
		break;
	case 2:
		name_line(g, "chmod", place, name);
		break;
	}
	name_line(g, "close", place, name);
}

static void name_op(struct gen *g)
{
	static const char *const look[] = {"stat", "stat", "lookup", "chmod", "utimes", "statfs"};
	int place = some_place(g), name = (int)below(g, NR_NAMES);
	enum name_kind kind = g->kind[place][name];
	uint64_t dice = below(g, 10);

	if (dice == 0)
		name_line(g, "lookup", place, name);
	else if (!kind && dice == 1) {
		name_line(g, "symlink", place, name);
		g->kind[place][name] = SYMLINK;
	} else if (kind && dice < 3)
		remove_name(g, place, name);
	else if (kind && dice < 5)
		rename_or_link(g, place, name);
	else if (kind == SYMLINK)
		name_line(g, dice < 7 ? "readlink" : "stat", place, name);
	else if (kind && dice < 8)
		name_line(g, look[below(g, ARRAY_SIZE(look))], place, name);
	else
		use_small_file(g, place, name);
}

static void some_op(struct gen *g)
{
	int nr = (int)below(g, NR_FILES);
	struct file_state *f = &g->file[nr];
	uint64_t dice = below(g, 100);

	g->task = g->apart ? nr % g->nr_tasks : (int)below(g, g->nr_tasks);
	if (!g->apart && below(g, 3) == 0) {
		if (below(g, 3))
			name_op(g);
		else
			place_op(g);
	} else if (dice < 3) {
		drop_caches(g);
	} else if (dice < 6) {
		verb(g, "sleep");
		printf(" %" PRIu64 "ms\n", 300 + below(g, 1000));
	} else if (!f->of[g->task].is_open) {
		open_or_remove(g, nr);
	} else if (dice < 11) {
		close_file(g, nr);
	} else if (dice < 18) {
		line(g, below(g, 2) ? "fsync" : "fdatasync", nr);
		f->dirty = 0;
	} else if (dice < 22) {
		line(g, "stat", nr);
	} else if (dice < 24) {
		copy_file(g, nr);
	} else if (dice < 34) {
		stream(g, nr);
	} else if (dice < 36 && !is_mapped(g, f)) {
		truncate_file(g, nr);
	} else if (f->size && dice < (f->of[g->task].mapped ? 39 : 44)) {
		map_or_unmap(g, nr);
	} else if (f->of[g->task].mapped && dice < 75) {
		access_memory(g, nr);
	} else {
		access_file(g, nr, below(g, 100) < 55, some_offset(g, f), some_size(g));
	}
}

static void prime_line(const struct gen *g, const char *name, const char *rest)
{
	verb(g, name);
	printf(" %sPRIME%s\n", g->prefix, rest);
}

static void prime(struct gen *g)
{
	prime_line(g, "open", " create");
	prime_line(g, "write", " 0 1M");
	prime_line(g, "write", " 1M 1M");
	prime_line(g, "fsync", "");
	prime_line(g, "mmap", "");
	prime_line(g, "mwrite", " 0 1M");
	prime_line(g, "msync", "");
	prime_line(g, "munmap", "");
	prime_line(g, "close", "");
	printf("# from here\n");
}

static void print_names(struct gen *g)
{
	g->has_place[0] = true;
	for (int i = 1; i < NR_PLACES; i++) {
		g->has_place[i] = below(g, 2);
		if (!g->has_place[i])
			continue;
		printf("dir");
		print_place(g, i);
		putchar('\n');
		for (int k = 0; k < NR_NAMES; k++) {
			g->kind[i][k] = below(g, 2) ? SMALL_FILE : NOTHING;
			if (!g->kind[i][k])
				continue;
			printf("file");
			print_name(g, i, k);
			printf(" %" PRIu64 "\n", 1 + below(g, 20000));
		}
	}
}

static void print_files(struct gen *g)
{
	if (!g->flood)
		printf("file %sPRIME\n", g->prefix);
	for (int i = 0; i < NR_FILES; i++) {
		uint64_t size = below(g, 3) ? 1 + below(g, MAX_FILE) : 0;

		g->file[i].exists = size != 0;
		g->file[i].size = size;
		printf("file %s%d %" PRIu64 "\n", g->prefix, i, size);
	}
}

int main(int argc, char **argv)
{
	struct gen g = {0};

	if (argc >= 6) {
		g.nr_tasks = atoi(argv[5]);
		g.apart = argc == 7 && !strcmp(argv[6], "apart");
	}
	if (argc < 6 || argc > 7 || g.nr_tasks < 1 || g.nr_tasks > MAX_TASKS ||
	    (argc == 7 && !g.apart)) {
		fprintf(stderr,
			"usage: gen_ops SEED NR_OPS PREFIX auto|never|wb|flood NR_TASKS [apart]\n");
		return 2;
	}
	rng_init(&g.rng, strtoull(argv[1], NULL, 10), 0);
	g.left = strtol(argv[2], NULL, 10);
	g.prefix = argv[3];
	g.flood = !strcmp(argv[4], "flood");
	g.writeback = !strcmp(argv[4], "wb");
	print_files(&g);
	if (!g.apart)
		print_names(&g);
	if (!g.flood)
		prime(&g);
	while (g.left > 0)
		some_op(&g);
	for (g.task = 0; g.task < g.nr_tasks; g.task++)
		for (int i = 0; i < NR_FILES; i++)
			if (g.file[i].of[g.task].is_open)
				close_file(&g, i);
	g.task = 0;
	drop_caches(&g);
	return 0;
}
