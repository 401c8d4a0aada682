// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints a random op script: gen_ops SEED NR_OPS PREFIX auto|never|wb|flood NR_TASKS [apart|names]
 *
 * Files are opened, read, written, synced, closed and removed in ways that reach page cache
 * corners: partial pages, streams forward, backward and with gaps, the end of the file and beyond,
 * O_DIRECT and mapped memory beside cached pages. Others, small ones, are made, listed, renamed,
 * linked and removed in directories, by their names or by way of symbolic links. PREFIX begins the
 * names.
 *
 * Unless it is to be a flood, so little is left dirty that background writeback does not start.
 * Before 6.13 it does start while the device has not written much, so the script then begins with a
 * file PRIME that is written for that, up to a line "# from here".
 *
 * Several tasks share the files, each with its own open files; apart: each has files of its own,
 * and caches are not dropped, so that they can run side by side; names: most ops are on names, and
 * more links are made.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "tests/tools/gen/gen_ops.h"

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
	f->of[g->task].made_direct = !f->exists && f->of[g->task].direct;
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

/*
 * From this file to another that the task has open. The Rust daemon's CREATE keeps O_DIRECT, which
 * its OPEN does not: then the host wants all to be aligned.
 */
static void copy_file(struct gen *g, int nr)
{
	struct file_state *f = &g->file[nr], *to = NULL;
	uint64_t offset = some_offset(g, f), size = some_size(g);
	int target;

	for (target = 0; target < NR_FILES && !to; target++)
		if (target != nr && g->file[target].of[g->task].is_open)
			to = &g->file[target];
	if (!to || offset + size > MAX_FILE || f->of[g->task].made_direct ||
	    to->of[g->task].made_direct)
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

static void some_op(struct gen *g)
{
	int nr = (int)below(g, NR_FILES);
	struct file_state *f = &g->file[nr];
	uint64_t dice = below(g, 100);

	g->task = g->apart ? nr % g->nr_tasks : (int)below(g, g->nr_tasks);
	if (!g->apart && (g->names ? below(g, 8) != 0 : below(g, 3) == 0)) {
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
		g.names = argc == 7 && !strcmp(argv[6], "names");
	}
	if (argc < 6 || argc > 7 || g.nr_tasks < 1 || g.nr_tasks > MAX_TASKS ||
	    (argc == 7 && !g.apart && !g.names)) {
		fprintf(stderr, "usage: gen_ops SEED NR_OPS PREFIX auto|never|wb|flood NR_TASKS "
				"[apart|names]\n");
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
	if (!g.apart)
		make_links(&g);
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
