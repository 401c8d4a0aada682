/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of fio options. Internal to workloads/.
 *
 * Parsers take the whole text or refuse it: 0, -EINVAL or -ERANGE. The fio_apply_ ones say what is
 * wrong, naming file, line and option.
 */
#ifndef VFSCOPE_WORKLOADS_FIO_VALUES_H
#define VFSCOPE_WORKLOADS_FIO_VALUES_H

#include <stdbool.h>
#include <stdint.h>
#include "workloads/fio_parse.h"

#define FIO_LIST_MAX 1024
#define FIO_MAX_SPLIT 64

enum {
	FIO_READ,
	FIO_WRITE,
	FIO_NR_DIRS
};

/* Bytes, or a percentage of something that is known later. */
struct fio_amount {
	uint64_t bytes;
	uint32_t percent; /* 0: bytes */
};

struct fio_split {
	uint64_t bytes;
	uint32_t percent;
};

/* Block sizes of one direction. After fio_job_check() low and high are the bounds in any case. */
struct fio_block_sizes {
	uint64_t low_bytes, high_bytes; /* bsrange; 0: not given */
	uint32_t nr_split; /* bssplit; 0: not given */
	struct fio_split split[FIO_MAX_SPLIT];
};

int fio_bad_value(const struct fio_line *line, const char *why);

int fio_size(const char *text, uint64_t *bytes);
int fio_time(const char *text, uint64_t bare_ns, uint64_t *ns);
int fio_number(const char *text, uint64_t *value);
int fio_percent(const char *text, uint32_t *percent); /* "1%" to "100%" */

int fio_apply_size(const struct fio_line *line, struct fio_amount *amount);
int fio_apply_pair(const struct fio_line *line, uint64_t pair[FIO_NR_DIRS],
		   int (*parse)(const char *, uint64_t *));
/* bssplit if split, else bsrange; for one direction or both. */
int fio_apply_sizes(const struct fio_line *line, struct fio_block_sizes sizes[FIO_NR_DIRS],
		    bool split);

#endif
