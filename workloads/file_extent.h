/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large a file must have been before a sequence of reads and writes that is known.
 *
 * What is read was there, unless it was written before. A write that begins behind the end as
 * written so far tells that the file was laid out: then it was as large as anything in it.
 *
 * Internal to workloads/.
 */
#ifndef VFSCOPE_WORKLOADS_FILE_EXTENT_H
#define VFSCOPE_WORKLOADS_FILE_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing known. */
struct file_extent {
	uint64_t before_bytes; /* was there for sure */
	uint64_t end_bytes; /* now */
	bool laid_out;
};

static inline void file_extent_read(struct file_extent *e, uint64_t offset, uint64_t bytes)
{
	if (offset + bytes <= e->end_bytes)
		return;
	e->before_bytes = e->end_bytes = offset + bytes;
}

static inline void file_extent_write(struct file_extent *e, uint64_t offset, uint64_t bytes)
{
	if (offset > e->end_bytes)
		e->laid_out = true;
	if (offset + bytes > e->end_bytes)
		e->end_bytes = offset + bytes;
}

static inline uint64_t file_extent_before(const struct file_extent *e)
{
	return e->laid_out ? e->end_bytes : e->before_bytes;
}

#endif
