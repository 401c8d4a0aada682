/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Absolute names of files as names in the share.
 *
 * Jobs and logs name files by where the share is mounted, which is not known here: the longest
 * directory that is common to all absolute names is taken for it. A job's absolute directory=
 * counts as a whole, since what a user gives there is usually the mount point.
 *
 * Internal to workloads/.
 */
#ifndef VFSCOPE_WORKLOADS_SHARE_PATH_H
#define VFSCOPE_WORKLOADS_SHARE_PATH_H

#include "lib/workload.h"

struct share_root {
	bool known;
	char path[sizeof(((struct workload_file *)0)->name)]; /* without the last slash */
};

/* The share's root is not below this directory; relative ones tell nothing. */
void share_root_contains(struct share_root *root, const char *directory);
/* The same of the directory that a file lies in. */
void share_root_contains_file(struct share_root *root, const char *name);
/* Takes the root off all names that begin with it. */
void share_root_strip(const struct share_root *root, struct workload *w);

#endif
