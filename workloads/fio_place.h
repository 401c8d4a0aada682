/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in one file a fio process does its next I/O, and how large it is.
 *
 * Internal to workloads/. Which file and which direction is fio_stream.c's business.
 */
#ifndef VFSCOPE_WORKLOADS_FIO_PLACE_H
#define VFSCOPE_WORKLOADS_FIO_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/rng.h"
#include "workloads/fio_options.h"
#include "workloads/permutation.h"
#include "workloads/popularity.h"

/* A file, as one process sees it. */
struct fio_place {
	uint32_t file; /* index into workload.files */
	uint64_t start_bytes; /* the part of the file it works on */
	uint64_t length_bytes;
	bool is_open;
	bool done; /* in this pass */

	uint64_t position_bytes[FIO_NR_DIRS]; /* sequential: next one, from start_bytes */
	struct permutation permutation; /* random, blocks of one size */
	uint64_t used; /* blocks of it */
	struct block_map *map; /* random, blocks of several sizes; NULL until used */
	struct popularity popularity[FIO_NR_DIRS];
};

struct fio_dice {
	struct rng offset, size;
};

struct fio_io {
	uint64_t offset_bytes; /* in the file */
	uint32_t size_bytes;
	bool wrapped; /* a time-based job has gone around and begins again here */
};

/* file, start_bytes and length_bytes are set. */
void fio_place_init(struct fio_place *p, const struct fio_job *job, struct fio_dice *dice);
void fio_place_release(struct fio_place *p);

/* Before a new pass: nothing is used any more, in the same random order. */
void fio_place_restart(struct fio_place *p);

/*
 * The next I/O. 1; 0: nothing is left of this file in this pass; -ENOMEM. wraps: at the end a
 * time-based job goes on at the beginning, without a new pass.
 */
int fio_place_next(struct fio_place *p, const struct fio_job *job, int dir, bool wraps,
		   struct fio_dice *dice, struct fio_io *io);

#endif
