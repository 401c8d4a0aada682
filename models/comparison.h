/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One job in several modes, predicted and, where there are results of real fio, measured: the table
 * of compare, and compare.json that plots are drawn from (vfscope-compare(1)).
 */
#ifndef VFSCOPE_MODELS_COMPARISON_H
#define VFSCOPE_MODELS_COMPARISON_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/mode.h"
#include "models/predict.h"
#include "workloads/fio_result.h"

struct compared_mode {
	enum io_mode mode;
	struct prediction predicted;
	bool refused; /* the guest's kernel would refuse what the job does; nothing predicted */
	struct fio_results *measured; /* NULL: only predicted */
	const char *measured_path;
	char stand_ins[256]; /* costs that the model does not give: dax_report.h */
};

struct comparison {
	const char *job; /* path of the job file */
	const char *model;
	uint64_t seed;
	struct compared_mode modes[NR_MODES];
	uint32_t nr_modes;
};

/* What the mode may show stale or lose, in a sentence. */
const char *mode_risk(enum io_mode mode);

/* In per cent of measured; 0 if nothing was measured. */
double comparison_error(double predicted, double measured);

void comparison_print(const struct comparison *c, FILE *out);
json_t *comparison_json(const struct comparison *c); /* new reference or NULL */

/* DIR/compare.json and DIR/compare.csv. 0 or -errno after a message. */
int comparison_save(const struct comparison *c, const char *dir);

/* Predictions and measurements in it. */
void comparison_free(struct comparison *c);

#endif
