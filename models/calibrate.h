/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calibration: every cost of sim/stack.h as a distribution, out of spans and ops, traced or
 * simulated. docs/calibration.md says how each is told apart from the others.
 *
 * Nothing is made up: a cost that the spans do not show is taken from the nearest one that they do
 * show, and its row says so.
 */
#ifndef VFSCOPE_MODELS_CALIBRATE_H
#define VFSCOPE_MODELS_CALIBRATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/op.h"
#include "lib/span.h"
#include "sim/stack.h"

struct calibration;

int calibration_new(struct calibration **out);
void calibration_free(struct calibration *c);

/* Both are copied. 0 or -ENOMEM. */
int calibration_add_span(struct calibration *c, const struct span *span);
int calibration_add_op(struct calibration *c, const struct op_record *op);

/*
 * What the recorder's own programs cost, as guest recordings state it ("probe_cost" in the header
 * of a joined trace): their mean time is taken out of each sample of the costs in which they ran,
 * so that the model is of the stack without a recorder. NULL or empty: nothing is taken out.
 */
void calibration_set_probe_cost(struct calibration *c, const json_t *probe_cost);

/* Where a value came from. */
enum calibration_source {
	CALIBRATED, /* measured: from samples of its own */
	CALIBRATED_NEAREST, /* not in the trace: another cost stands in */
	CALIBRATED_ZERO, /* not in the trace and nothing is near: zero */
	CALIBRATED_DEFAULT, /* no trace tells it: the default of sim/stack.c */
};

struct calibration_row {
	char name[48]; /* "kick", "READ host_io" */
	enum calibration_source source;
	uint64_t samples;
	double mean_ns, p99_ns;
	char note[160]; /* from what, or what is missing */
};

/*
 * Fit every cost and service of stack; its settings are left alone. 0, -ENOMEM, or -ENODATA if no
 * request has both halves.
 */
int calibration_fit(struct calibration *c, struct stack *stack);

/* The rows of the last fit, in order of sim/stack.h. */
const struct calibration_row *calibration_rows(const struct calibration *c, size_t *count);

/* Table for people, under 100 columns. */
void calibration_print(const struct calibration *c, FILE *out);

/*
 * Settings from the header of a trace: kernel, vCPUs, queue size, daemon and its options. What the
 * header does not say keeps its value; each setting is said in a line of *lines (a new string, "#"
 * comments for the model file). 0 or -ENOMEM.
 */
int calibrate_settings(struct stack *stack, const json_t *header, char **lines);

/* The value of a key at any depth of a trace's header, or NULL; borrowed. */
const json_t *calibrate_find(const json_t *header, const char *key);

#endif
