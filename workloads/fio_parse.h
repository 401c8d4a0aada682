/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The syntax of fio job files: sections with their lines, global lines already put in front.
 *
 * Internal to workloads/; what the lines mean is fio_options.c's business.
 *
 * inih is not used here: it does not call back for a section without keys (which is a whole job in
 * fio), takes ':' for '=', cuts section names at 50 characters, and gives no line numbers.
 */
#ifndef VFSCOPE_WORKLOADS_FIO_PARSE_H
#define VFSCOPE_WORKLOADS_FIO_PARSE_H

#include <stddef.h>
#include <stdint.h>

#define FIO_MAX_FILE_BYTES (1u << 20)
#define FIO_MAX_SECTIONS 4096
#define FIO_MAX_INCLUDE_DEPTH 16
#define FIO_MAX_INCLUDES 256

/* One line "name=value" or "name". Strings belong to the fio_text. */
struct fio_line {
	const char *path;
	uint32_t number; /* from 1 */
	const char *name;
	const char *value; /* NULL: no '=' on the line */
};

struct fio_section {
	const char *path;
	uint32_t number;
	const char *name;
	size_t first; /* its lines in fio_text.lines */
	size_t count;
	int is_global;
};

struct fio_text {
	struct fio_section *sections;
	size_t nr_sections;
	struct fio_line *lines;
	size_t nr_lines;
	char **strings; /* owned: all texts that the above point into */
	size_t nr_strings;
};

/* The file at path with its includes. 0, -errno of open, -EINVAL; all after one message. */
int fio_text_read(struct fio_text *text, const char *path);

/* From memory; "include" is refused. */
int fio_text_parse(struct fio_text *text, const char *name, const char *data, size_t len);

void fio_text_free(struct fio_text *text);

#endif
