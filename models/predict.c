// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the simulator on a job file and gathers what simulate and compare print.
 */
#include <errno.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/span_json.h"
#include "models/predict.h"
#include "workloads/fio_job.h"

struct gather {
	struct prediction *p;
	FILE *requests;
};

static int take_span(void *ctx, const struct span *span, uint32_t task)
{
	struct gather *g = ctx;
	int err = summary_add_span(g->p->summary, span);

	if (!err && g->requests)
		err = span_json_write(g->requests, span);
	return err;
}

static int take_op(void *ctx, const struct op_record *op, uint32_t task)
{
	struct gather *g = ctx;
	int err = summary_add_op(g->p->summary, op);

	fio_results_add_op(g->p->results, op, task);
	if (!err && g->requests)
		err = op_json_write(g->requests, op);
	return err;
}

int predict(struct prediction *out, const struct stack *stack, const char *job, uint64_t seed,
	    FILE *requests)
{
	struct gather gather = {.p = out, .requests = requests};
	struct sim_sink sink = {.ctx = &gather, .span = take_span, .op = take_op};
	struct sim_options options = {.seed = seed};
	int err;

	memset(out, 0, sizeof(*out));
	err = fio_job_load(job, seed, &out->workload);
	if (err)
		return err;
	err = fio_results_new(&out->results, out->workload);
	out->summary = summary_new();
	if (err || !out->summary)
		err = -ENOMEM;
	else
		err = sim_run(stack, out->workload, &options, &sink, &out->stats);
	if (err == -ENOMEM)
		msg_error("cannot simulate '%s': out of memory", job);
	if (err == -EIO)
		msg_error("cannot write the simulated requests: %s", strerror(errno));
	if (err)
		prediction_free(out);
	else
		fio_results_finish(out->results);
	return err;
}

void prediction_free(struct prediction *p)
{
	fio_results_free(p->results);
	summary_free(p->summary);
	workload_free(p->workload);
	memset(p, 0, sizeof(*p));
}

void stack_set_mode(struct stack *stack, enum io_mode mode)
{
	struct daemon_settings *d = &stack->daemon;
	bool was_direct = d->mode == MODE_DIRECT;

	d->mode = mode;
	if (mode == MODE_DIRECT)
		d->attr_timeout_ns = d->entry_timeout_ns = 0;
	else if (was_direct)
		d->attr_timeout_ns = d->entry_timeout_ns = NS_PER_SEC;
}
