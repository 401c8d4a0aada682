/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of gen_ops: what its script has made so far. Internal to gen_ops.c and gen_names.c.
 */
#ifndef VFSCOPE_TESTS_TOOLS_GEN_OPS_H
#define VFSCOPE_TESTS_TOOLS_GEN_OPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/rng.h"

#define NR_FILES 5
#define MAX_TASKS 4
#define MAX_FILE (3u << 20)
#define PAGE 4096u
#define MAX_DIRTY 400000u
#define NR_PLACES 4 /* the root, then directories */
#define NR_NAMES 4
#define NR_LINKS 4 /* made first; some take the same name */

struct file_state {
	bool exists;
	uint64_t size;
	uint64_t dirty;
	uint32_t nr_open;
	struct {
		bool is_open, direct;
		bool made_direct; /* opened with O_CREAT and O_DIRECT */
		uint64_t mapped; /* bytes; 0: not mapped */
		uint64_t next; /* behind the last access */
	} of[MAX_TASKS];
};

#define PLACE_ITSELF (-1) /* instead of a name in it */

enum name_kind {
	NOTHING,
	SMALL_FILE,
	SYMLINK,
};

struct spot {
	int place, name;
};

struct name_state {
	enum name_kind kind;
	int inode; /* of a small file: the same for all its names */
	/* What a link says: how to come to a name or a place. */
	enum link_text {
		TO_NOWHERE,
		FROM_ROOT,
		UP, /* from a directory to the root, and on from there */
		OF_ROOT, /* for links in the root; */
		OF_DIRECTORY, /* in a directory: to a name beside it */
	} text;
	struct spot to;
};

struct gen {
	struct rng rng;
	struct file_state file[NR_FILES];
	const char *prefix;
	bool flood, writeback; /* else only mapped memory gets dirty */
	int nr_tasks, task; /* task: of the next line */
	bool apart, names;
	bool has_place[NR_PLACES];
	struct name_state name[NR_PLACES][NR_NAMES];
	int nr_inodes;
	long left; /* ops to print */
};

static inline uint64_t below(struct gen *g, uint64_t n)
{
	return rng_below(&g->rng, n);
}

/* Begins a line. */
static inline void verb(const struct gen *g, const char *name)
{
	if (g->nr_tasks > 1)
		printf("t%d: ", g->task);
	fputs(name, stdout);
}

/* gen_names.c: directories, and small files and links in them */
void print_names(struct gen *g); /* those that are there before */
void make_links(struct gen *g);
void name_op(struct gen *g);
void place_op(struct gen *g);

#endif
