// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints a random op script: gen_ops SEED NR_OPS PREFIX MAX_DIRTY
 *
 * Files are opened, read, written, synced, closed and removed in ways that reach page cache
 * corners: partial pages, reading backwards and ahead, the end of the file, O_DIRECT beside cached
 * pages, mapped memory beside both. PREFIX begins the files' names. No more than MAX_DIRTY bytes
 * are written to a file between two syncs (0: no limit but to its memory), so that the time at
 * which background writeback starts decides nothing.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "lib/rng.h"

#define NR_FILES 5
#define MAX_FILE (3u << 20)
#define MAX_MAPPED_DIRTY 65536u /* where writes of files have no limit */

struct state {
	bool exists, is_open, direct;
	uint64_t mapped; /* bytes; 0: not mapped */
	uint64_t size;
	uint64_t next; /* behind the last access */
	uint64_t dirty;
};

struct gen {
	struct rng rng;
	struct state file[NR_FILES];
	const char *prefix;
	uint64_t max_dirty;
};

static uint64_t below(struct gen *g, uint64_t n)
{
	return rng_below(&g->rng, n);
}

static uint64_t some_size(struct gen *g)
{
	switch (below(g, 6)) {
	case 0:
		return 1 + below(g, 4096);
	case 1:
		return 4096;
	case 2:
		return 4096 * (1 + below(g, 8));
	case 3:
		return 1 + below(g, 65536);
	case 4:
		return 4096 * (1 + below(g, 64));
	default:
		return 1 + below(g, 1200000);
	}
}

static uint64_t some_offset(struct gen *g, const struct state *f)
{
	switch (below(g, 6)) {
	case 0:
	case 1:
		return f->next;
	case 2:
		return below(g, f->size + 1);
	case 3:
		return f->size > 8192 ? f->size - below(g, 8192) : 0;
	default:
		return below(g, f->size / 4096 + 1) * 4096;
	}
}

static void io(struct gen *g, int nr)
{
	struct state *f = &g->file[nr];
	bool reads = below(g, 100) < 55;
	uint64_t size = some_size(g), offset = some_offset(g, f);

	if (f->direct) {
		size = (size + 511) / 512 * 512;
		offset -= offset % 512;
	}
	if (offset > MAX_FILE)
		offset = 0;
	if (!reads && g->max_dirty && !f->direct) {
		size = 1 + (size - 1) % g->max_dirty;
		if (f->dirty + size > g->max_dirty) {
			printf("fsync %s%d\n", g->prefix, nr);
			f->dirty = 0;
		}
		f->dirty += size;
	}
	printf("%s %s%d %" PRIu64 " %" PRIu64, reads ? "read" : "write", g->prefix, nr, offset,
	       size);
	if (f->direct && below(g, 3) == 0)
		printf(" buffer=512");
	putchar('\n');
	f->next = offset + size;
	if (!reads && f->next > f->size)
		f->size = f->next;
}

static void map_or_unmap(struct gen *g, int nr)
{
	static const char *const advice[] = {"normal", "random", "sequential", "dontneed"};
	struct state *f = &g->file[nr];

	if (f->mapped && below(g, 2)) {
		printf("madvise %s%d %s\n", g->prefix, nr, advice[below(g, ARRAY_SIZE(advice))]);
		return;
	}
	if (f->mapped) {
		printf("munmap %s%d\n", g->prefix, nr);
		f->mapped = 0;
		f->dirty = 0;
		return;
	}
	printf("mmap %s%d%s\n", g->prefix, nr, below(g, 5) ? "" : " private");
	f->mapped = (f->size + 4095) / 4096 * 4096;
}

static void access_memory(struct gen *g, int nr)
{
	struct state *f = &g->file[nr];
	uint64_t offset = some_offset(g, f), size = some_size(g);
	bool writes = below(g, 3) == 0;

	if (offset >= f->mapped)
		offset = below(g, f->mapped);
	if (offset + size > f->mapped)
		size = f->mapped - offset;
	if (below(g, 8) == 0) {
		printf("msync %s%d\n", g->prefix, nr);
		f->dirty = 0;
		return;
	}
	if (writes) {
		uint64_t limit = g->max_dirty ? g->max_dirty : MAX_MAPPED_DIRTY;

		size = 1 + (size - 1) % limit;
		if (f->dirty + size + 8192 > limit) {
			printf("msync %s%d\n", g->prefix, nr);
			f->dirty = 0;
		}
		f->dirty += size + 8192; /* in whole pages */
	}
	printf("%s %s%d %" PRIu64 " %" PRIu64 "\n", writes ? "mwrite" : "mread", g->prefix, nr,
	       offset, size);
	f->next = offset + size;
}

static void open_or_remove(struct gen *g, int nr)
{
	struct state *f = &g->file[nr];
	uint64_t dice = below(g, 10);

	if (f->exists && dice == 0) {
		printf("unlink %s%d\n", g->prefix, nr);
		*f = (struct state){0};
		return;
	}
	if (f->exists && dice == 1) {
		printf("stat %s%d\n", g->prefix, nr);
		return;
	}
	f->direct = below(g, 4) == 0;
	printf("open %s%d%s%s\n", g->prefix, nr, f->exists ? "" : " create",
	       f->direct ? " direct" : "");
	f->exists = f->is_open = true;
	f->next = 0;
	f->dirty = 0;
}

static void one_op(struct gen *g)
{
	int nr = (int)below(g, NR_FILES);
	struct state *f = &g->file[nr];
	uint64_t dice = below(g, 100);

	if (dice < 3) {
		printf("dropcaches\n");
	} else if (dice < 6) {
		printf("sleep %" PRIu64 "ms\n", 300 + below(g, 1000));
	} else if (!f->is_open) {
		open_or_remove(g, nr);
	} else if (dice < 10) {
		if (f->mapped)
			printf("munmap %s%d\n", g->prefix, nr);
		f->mapped = 0;
		printf("close %s%d\n", g->prefix, nr);
		f->is_open = false;
	} else if (dice < 18) {
		printf("%s %s%d\n", below(g, 2) ? "fsync" : "fdatasync", g->prefix, nr);
		f->dirty = 0;
	} else if (dice < 24) {
		printf("stat %s%d\n", g->prefix, nr);
	} else if (f->size && dice < (f->mapped ? 29 : 36)) {
		map_or_unmap(g, nr);
	} else if (f->mapped && dice < 70) {
		access_memory(g, nr);
	} else {
		io(g, nr);
	}
}

int main(int argc, char **argv)
{
	struct gen g = {0};

	if (argc != 5) {
		fprintf(stderr, "usage: gen_ops SEED NR_OPS PREFIX MAX_DIRTY\n");
		return 2;
	}
	rng_init(&g.rng, strtoull(argv[1], NULL, 10), 0);
	g.prefix = argv[3];
	g.max_dirty = strtoull(argv[4], NULL, 10);
	for (int i = 0; i < NR_FILES; i++) {
		uint64_t size = below(&g, 3) ? 1 + below(&g, MAX_FILE) : 0;

		g.file[i] = (struct state){.exists = size != 0, .size = size};
		printf("file %s%d %" PRIu64 "\n", g.prefix, i, size);
	}
	for (long left = strtol(argv[2], NULL, 10); left > 0; left--)
		one_op(&g);
	for (int i = 0; i < NR_FILES; i++)
		if (g.file[i].is_open)
			printf("close %s%d\n", g.prefix, i);
	printf("dropcaches\n");
	return 0;
}
