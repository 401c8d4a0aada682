/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of an I/O log. Internal to workloads/.
 */
#ifndef VFSCOPE_WORKLOADS_IOLOG_LINE_H
#define VFSCOPE_WORKLOADS_IOLOG_LINE_H

#include <stddef.h>
#include <stdint.h>
#include "workloads/iolog.h"

enum iolog_action {
	IOLOG_ADD,
	IOLOG_OPEN,
	IOLOG_CLOSE,
	IOLOG_READ,
	IOLOG_WRITE,
	IOLOG_SYNC,
	IOLOG_DATASYNC,
	IOLOG_WAIT,
	NR_IOLOG_ACTIONS
};

struct iolog_line {
	uint64_t time_us; /* version 3 */
	const char *file;
	enum iolog_action action;
	uint64_t offset; /* of wait: milliseconds */
	uint32_t bytes;
};

/* Where a log's text comes from: a file, or memory. */
struct iolog_source {
	char *name; /* for messages */
	int fd; /* -1: memory */
	const char *data;
	size_t len;
};

struct iolog_reader {
	const struct iolog_source *source;
	uint64_t position; /* of the next byte to fetch */
	uint64_t line; /* number of the line that was read last */
	uint32_t version; /* known after the first line */
	size_t have, at; /* in buffer */
	char text[IOLOG_MAX_LINE]; /* the last line, cut up */
	char buffer[16384];
};

void iolog_reader_init(struct iolog_reader *r, const struct iolog_source *source);

/*
 * The next line with an action; the first call reads the version too. 1; 0 at the end; -EINVAL or
 * -errno of read, after a message.
 */
int iolog_read_line(struct iolog_reader *r, struct iolog_line *line);

/* "NAME:LINE: why"; -EINVAL. */
int iolog_refuse(const struct iolog_reader *r, const char *why);

#endif
