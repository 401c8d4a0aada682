/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program's file tells of itself: its build-id and, of virtiofsd and QEMU, its version.
 *
 * The program is read, never run: it belongs to whoever started it, and we may be root.
 */
#ifndef VFSCOPE_TRACE_PROGRAM_INFO_H
#define VFSCOPE_TRACE_PROGRAM_INFO_H

#include <stddef.h>
#include <jansson.h>

struct program_info {
	char build_id[129]; /* hexadecimal; "": none */
	char version[65]; /* "": not known */
};

/* 0, or -errno if the file cannot be read. What is no ELF file has neither. */
int program_info_read(struct program_info *info, const char *path);

/*
 * Version that such a program's data hold, in a buffer; "" if none. Exported for tests:
 * program_info_read() calls it with the whole file.
 */
void program_info_find_version(const char *data, size_t len, char *version, size_t size);

/* Sets "build_id" and "version" where known. */
void program_info_describe(json_t *object, const char *path);

#endif
