/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of a workload being built, found by name.
 *
 * Internal to workloads/.
 */
#ifndef VFSCOPE_WORKLOADS_FILE_TABLE_H
#define VFSCOPE_WORKLOADS_FILE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/workload.h"

#define FILE_TABLE_MAX (1u << 18)

/* Zeroed: empty. */
struct file_table {
	uint32_t *slots; /* file index + 1; 0: free */
	uint32_t nr_slots; /* a power of two */
};

/*
 * The index in w->files of the file of this name, appended with size 0 if it is not there. 0;
 * -ENAMETOOLONG; -E2BIG: FILE_TABLE_MAX files are there; -ENOMEM.
 */
int file_table_find(struct file_table *t, struct workload *w, const char *name, uint32_t *index);
/* Is a file of this name there? Then its index. */
bool file_table_has(struct file_table *t, const struct workload *w, const char *name,
		    uint32_t *index);
void file_table_free(struct file_table *t); /* not the workload */

#endif
