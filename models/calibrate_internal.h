/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What calibration keeps between sampling (calibrate.c) and fitting (calibrate_fit.c).
 */
#ifndef VFSCOPE_MODELS_CALIBRATE_INTERNAL_H
#define VFSCOPE_MODELS_CALIBRATE_INTERNAL_H

#include "lib/compiler.h"
#include "models/calibrate.h"
#include "models/samples.h"

/* Enough undisturbed samples to do without the others. */
#define MIN_QUIET 30
/* Fewer samples than this say less than those of a similar cost that has MIN_QUIET. */
#define MIN_OWN 10
/* Pauses longer than this many medians are the application's, not the system call's. */
#define MAX_GAP_MEDIANS 50

/*
 * quiet: taken while nothing else was in flight, so that no queueing is in it. Used alone if there
 * are enough, else all are used.
 */
struct cost_samples {
	struct samples quiet, all;
};

struct service_samples {
	struct samples cpu, host_io;
};

#define MAX_ROWS (NR_COSTS + NR_DAX_COSTS + 2 + 3 + 4 * (FUSE_OPCODE_LIMIT + 1))

struct calibration {
	struct span *spans;
	size_t nr_spans;
	struct op_record *ops;
	size_t nr_ops;
	struct cost_samples cost[NR_COSTS];
	double probe_ns[NR_COSTS]; /* in each sample: the recorder's own programs */
	struct service_samples service[FUSE_OPCODE_LIMIT + 1]; /* the last: all without data */
	uint64_t gaps_dropped;
	uint64_t hits_waiting; /* cached reads that waited for a read-ahead under way */
	struct calibration_row rows[MAX_ROWS];
	size_t nr_rows;
};

static inline uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* quiet: nothing else was in flight. */
void calibration_add_cost(struct calibration *c, enum cost cost, uint64_t ns, uint64_t size,
			  bool quiet);

int calibration_fit_costs(struct calibration *c, struct stack *stack);
/* After the services: says what stands in for the costs of mode dax, if there is a window. */
void calibration_fill_dax(struct calibration *c, struct stack *stack);
int calibration_fit_services(struct calibration *c, struct stack *stack); /* -ENODATA without any */

#endif
