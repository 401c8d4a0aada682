/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that vfscope brings along, models and plot scripts: the only place that knows where.
 *
 * A program in a build folder of the source tree takes them from the tree; an installed one from
 * share/vfscope beside its bin folder, wherever that was moved to; else from the data folder that
 * it was built for.
 */
#ifndef VFSCOPE_LIB_DATA_FILE_H
#define VFSCOPE_LIB_DATA_FILE_H

#include <stddef.h>

/* name is like "models/ideal.model". 0; or -ENOENT, then path is where it was looked for last. */
int data_file_find(const char *name, char *path, size_t len);

#endif
