/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One prediction: a fio job on a model, simulated, with its summary, its fio-like results and its
 * long-run estimates.
 */
#ifndef VFSCOPE_MODELS_PREDICT_H
#define VFSCOPE_MODELS_PREDICT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/mode.h"
#include "lib/summary.h"
#include "models/vm_results.h"
#include "sim/sim.h"
#include "sim/statistics.h"
#include "workloads/fio_result.h"

struct prediction {
	struct workload **workloads; /* of each VM; alike but for their random numbers */
	uint32_t nr_vms;
	struct fio_results *results;
	struct summary *summary;
	struct vm_results *vms; /* NULL: there is one VM */
	struct sim_stats stats;
	struct stat_series **series; /* by number of results row; NULL: no op */
	size_t nr_series;
	bool precise; /* stopped before its end because it was precise enough */
};

struct predict_options {
	uint64_t seed;
	FILE *requests; /* requests and ops as JSON lines; or NULL */
	double precision; /* stop when every row is within this part of its mean; 0: never stop */
	double confidence; /* of precision */
	const atomic_bool *cancel; /* stop when it becomes true, with what there is; or NULL */
	void (*started)(void *ctx); /* called once at the first op; or NULL */
	void *started_ctx;
};

/* Simulate the job file on the stack. 0, or -errno after one message; *out is then empty. The
 * caller frees. */
int predict_run(struct prediction *out, const struct stack *stack, const char *job,
		const struct predict_options *options);
/* The same, to the end of the job. */
int predict(struct prediction *out, const struct stack *stack, const char *job, uint64_t seed,
	    FILE *requests);
void prediction_free(struct prediction *p);

/*
 * Switch the daemon to a mode with the options that go with it: direct is cache=never, whose
 * timeouts are 0; the cached modes are cache=auto, whose timeouts are 1 s.
 */
void stack_set_mode(struct stack *stack, enum io_mode mode);

#endif
