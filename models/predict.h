/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One prediction: a fio job on a model, simulated, with its summary and fio-like results.
 */
#ifndef VFSCOPE_MODELS_PREDICT_H
#define VFSCOPE_MODELS_PREDICT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/mode.h"
#include "lib/summary.h"
#include "sim/sim.h"
#include "workloads/fio_result.h"

struct prediction {
	struct workload *workload;
	struct fio_results *results;
	struct summary *summary;
	struct sim_stats stats;
};

/*
 * Simulate the job file on the stack. Requests and ops also go to requests as JSON lines unless it
 * is NULL. 0, or -errno after one message; *out is then empty. The caller frees.
 */
int predict(struct prediction *out, const struct stack *stack, const char *job, uint64_t seed,
	    FILE *requests);
void prediction_free(struct prediction *p);

/*
 * Switch the daemon to a mode with the options that go with it: direct is cache=never, whose
 * timeouts are 0; the cached modes are cache=auto, whose timeouts are 1 s.
 */
void stack_set_mode(struct stack *stack, enum io_mode mode);

#endif
