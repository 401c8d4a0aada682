/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fio's I/O logs, versions 2 and 3: what write_iolog writes and read_iolog replays.
 *
 *	fio version 3 iolog
 *	MICROSECONDS FILE add|open|close
 *	MICROSECONDS FILE read|write|sync|datasync OFFSET BYTES
 *
 * Version 2 has no time in front, and "FILE wait MILLISECONDS 0": go on that long after the start.
 * fio crashes on logs that use a file before "add" and "open", or open it twice; here they are
 * refused, with the line. So are trims.
 *
 * A log is checked as a whole when it is opened, then read again piece by piece by each stream:
 * logs of any length take the same memory.
 */
#ifndef VFSCOPE_WORKLOADS_IOLOG_H
#define VFSCOPE_WORKLOADS_IOLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/workload.h"

#define IOLOG_MAX_LINE 1024

struct iolog; /* counts its users */

/* 0; -errno of open; -EINVAL after a message naming file and line; -ENOMEM. */
int iolog_open(struct iolog **out, const char *path);
/* From memory, for fuzzing; the text is copied. */
int iolog_parse(struct iolog **out, const char *name, const char *text, size_t len);
void iolog_put(struct iolog *log); /* NULL is fine */

uint32_t iolog_nr_files(const struct iolog *log);
/*
 * Name, and size before the log began as far as it tells: what is read must have been there, and a
 * file with a write behind its end was laid out before.
 */
const struct workload_file *iolog_file(const struct iolog *log, uint32_t index);

struct iolog_replay {
	const uint32_t *files; /* of each file of the log: index into workload.files; copied */
	bool direct;
	bool no_stall; /* no pauses */
	uint32_t open_flags; /* enum op_flags of OP_OPEN */
	uint32_t time_scale_percent; /* 200: twice as fast */
	uint64_t start_delay_ns;
	uint64_t end_ns; /* stop here; 0: at the end of the log */
};

/* NULL: out of memory. The stream is one more user of the log. */
struct op_stream *iolog_stream_new(struct iolog *log, const struct iolog_replay *replay);

#endif
