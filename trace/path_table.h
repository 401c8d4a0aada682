/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of files by node id, as far as a recording has them (vfscope record --paths).
 */
#ifndef VFSCOPE_TRACE_PATH_TABLE_H
#define VFSCOPE_TRACE_PATH_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include "bpf/events.h"

struct path_table {
	void *root; /* of tsearch() */
};

/* "dir/file", from the share's root; ".../dir/file" if the names above were cut off. */
void path_text(const struct guest_path_event *ev, char *buf, size_t len);

/* A later path of the same file replaces the earlier one. 0 or -ENOMEM. */
int path_table_add(struct path_table *t, const struct guest_path_event *ev);
const char *path_table_find(const struct path_table *t, uint32_t conn,
			    uint64_t nodeid); /* or NULL */
void path_table_free(struct path_table *t);

#endif
