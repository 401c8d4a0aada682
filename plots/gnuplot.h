/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs gnuplot on one of the scripts in plots/, with data files in a directory of its own.
 */
#ifndef VFSCOPE_PLOTS_GNUPLOT_H
#define VFSCOPE_PLOTS_GNUPLOT_H

#include <stdio.h>

struct plot_dir {
	char path[256];
};

/* A new private directory for data files. 0 or -errno after a message. */
int plot_dir_make(struct plot_dir *dir);
void plot_dir_remove(struct plot_dir *dir); /* with all files in it */

/* A data file in it, to be closed by the caller; NULL after a message. */
FILE *plot_dir_create(const struct plot_dir *dir, const char *name);

/* -EINVAL after a message unless output ends in .svg or .png. Done before any work. */
int plot_check_output(const char *output);

/*
 * Run plots/SCRIPT.gp, which finds its data in "dir" and draws into output, width by height
 * pixels. 0; -ENOENT if gnuplot or the script is missing, -EIO if it failed; after a message.
 */
int plot_run(const char *script, const struct plot_dir *dir, const char *output, unsigned int width,
	     unsigned int height);

/* text as a gnuplot string in single quotes, onto out. */
void plot_quote(FILE *out, const char *text);

#endif
