/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures: what each one shows, as data for its script in plots/.
 */
#ifndef VFSCOPE_PLOTS_PLOT_DATA_H
#define VFSCOPE_PLOTS_PLOT_DATA_H

#include <jansson.h>
#include "lib/summary.h"

/* One bar group of the stage figure. */
struct stage_input {
	const char *label; /* short: the file's name */
	const char *note; /* losses and the like, or NULL */
	const struct summary *summary;
};

/* All draw into output (.svg or .png). 0 or -errno after a message. */
int plot_stages(const struct stage_input *inputs, size_t count, const char *output);
/* comparison: the JSON of compare; path is for messages. */
int plot_cdf(const json_t *comparison, const char *path, const char *output);
int plot_modes(const json_t *comparison, const char *path, const char *output);

#endif
