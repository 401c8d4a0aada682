/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small text files that people write (jobs, models, op scripts), read whole. What is no text or far
 * too large is refused as soon as that is seen, whatever its size: a pipe without end as well.
 */
#ifndef VFSCOPE_LIB_TEXT_FILE_H
#define VFSCOPE_LIB_TEXT_FILE_H

#include <stddef.h>

/*
 * All of the file at path into *text, which the caller frees, NUL-terminated. kind names what it
 * should be ("model file") in messages: one is given with every error but -ENOMEM.
 * 0, -errno of opening or reading, -EINVAL for what is no such text or larger than max bytes.
 */
int text_file_read(const char *path, const char *kind, size_t max, char **text, size_t *len);

/* 0, or -EINVAL after a message with the first line that holds a NUL byte. */
int text_check(const char *name, const char *kind, const char *text, size_t len);

#endif
