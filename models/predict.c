// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the simulator on a job file and gathers what simulate and compare print.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/span_json.h"
#include "models/predict.h"
#include "workloads/workload_load.h"

/* Cells a run must have filled before it may be called precise, and how often that is looked at. */
#define PRECISE_CELLS (STAT_CELLS / 2)
#define PRECISE_EVERY (STAT_CELLS / 8)

struct gather {
	struct prediction *p;
	const struct predict_options *options;
	bool started;
};

static int take_span(void *ctx, const struct span *span, uint32_t task)
{
	struct gather *g = ctx;
	int err = summary_add_span(g->p->summary, span);

	if (g->p->vms)
		vm_results_add_request(g->p->vms, span);
	if (!err && g->options->requests)
		err = span_json_write(g->options->requests, span);
	return err;
}

/* Every section of the job has had ops, and all rows are known well enough. */
static bool is_precise(const struct gather *g)
{
	const struct prediction *p = g->p;

	for (size_t job = 0; job < p->nr_series; job += NR_FIO_ROWS) {
		bool any = false;

		for (size_t row = job; row < job + NR_FIO_ROWS; row++) {
			struct stat_result result;

			if (!p->series[row])
				continue;
			any = true;
			stat_series_result(p->series[row], g->options->confidence, &result);
			if (!stat_result_is_within(&result, g->options->precision))
				return false;
		}
		if (!any)
			return false;
	}
	return true;
}

static int add_to_series(struct gather *g, const struct op_record *op, int row)
{
	struct stat_series **series = &g->p->series[row];

	if (!*series)
		*series = stat_series_new();
	if (!*series)
		return -ENOMEM;
	stat_series_add(*series, op->t_end_ns - op->t_start_ns, op->t_end_ns);
	if (g->options->precision <= 0 || (*series)->in_open ||
	    (*series)->nr_cells < PRECISE_CELLS || (*series)->nr_cells % PRECISE_EVERY)
		return 0;
	g->p->precise = is_precise(g);
	return g->p->precise ? -ECANCELED : 0;
}

static int take_op(void *ctx, const struct op_record *op, uint32_t task)
{
	struct gather *g = ctx;
	const struct predict_options *options = g->options;
	int row, err = summary_add_op(g->p->summary, op);

	if (!g->started && options->started)
		options->started(options->started_ctx);
	g->started = true;
	row = fio_results_add_op(g->p->results, op, task);
	if (!err && options->requests)
		err = op_json_write(options->requests, op);
	if (row >= 0 && g->p->vms)
		vm_results_add_op(g->p->vms, op);
	if (!err && row >= 0)
		err = add_to_series(g, op, row);
	if (!err && options->cancel && atomic_load_explicit(options->cancel, memory_order_relaxed))
		err = -ECANCELED;
	return err;
}

/* The file is read for each VM anew: streams of ops are not shared. */
static int load_workloads(struct prediction *out, const char *job, uint32_t nr_vms, uint64_t seed)
{
	out->workloads = calloc(nr_vms, sizeof(*out->workloads));
	if (!out->workloads)
		return -ENOMEM;
	for (; out->nr_vms < nr_vms; out->nr_vms++) {
		int err = workload_load(job, sim_vm_seed(seed, out->nr_vms),
					&out->workloads[out->nr_vms]);

		if (err)
			return err;
	}
	return 0;
}

static int prepare(struct prediction *out, const char *job, uint32_t nr_vms, uint64_t seed)
{
	int err = load_workloads(out, job, nr_vms, seed);

	if (err) {
		prediction_free(out);
		return err;
	}
	if (fio_results_new(&out->results, out->workloads[0], nr_vms))
		goto no_memory;
	if (nr_vms > 1) {
		out->vms = vm_results_new(nr_vms);
		if (!out->vms)
			goto no_memory;
	}
	out->nr_series = fio_results_count(out->results);
	out->series = calloc(out->nr_series, sizeof(*out->series));
	out->summary = summary_new();
	if (out->series && out->summary)
		return 0;
no_memory:
	msg_error("cannot simulate '%s': out of memory", job);
	prediction_free(out);
	return -ENOMEM;
}

int predict_run(struct prediction *out, const struct stack *stack, const char *job,
		const struct predict_options *options)
{
	struct gather gather = {.p = out, .options = options};
	struct sim_sink sink = {.ctx = &gather, .span = take_span, .op = take_op};
	struct sim_options sim_options = {.seed = options->seed};
	int err;

	memset(out, 0, sizeof(*out));
	err = prepare(out, job, stack->host.vms, options->seed);
	if (err)
		return err;
	err = sim_run_vms(stack, out->workloads, &sim_options, &sink, &out->stats);
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

int predict(struct prediction *out, const struct stack *stack, const char *job, uint64_t seed,
	    FILE *requests)
{
	struct predict_options options = {.seed = seed, .requests = requests};

	return predict_run(out, stack, job, &options);
}

void prediction_free(struct prediction *p)
{
	for (size_t i = 0; p->series && i < p->nr_series; i++)
		free(p->series[i]);
	free(p->series);
	fio_results_free(p->results);
	summary_free(p->summary);
	vm_results_free(p->vms);
	for (uint32_t i = 0; i < p->nr_vms; i++)
		workload_free(p->workloads[i]);
	free(p->workloads);
	memset(p, 0, sizeof(*p));
}

void stack_set_mode(struct stack *stack, enum io_mode mode)
{
	struct daemon_settings *d = &stack->daemon;
	bool was_direct = d->mode == MODE_DIRECT;

	d->mode = mode;
	if (mode == MODE_DIRECT) {
		d->attr_timeout_ns = d->entry_timeout_ns = 0;
		d->keep_cache = d->cache_dir = false;
		d->readdirplus = READDIRPLUS_AUTO;
	} else if (was_direct) {
		d->attr_timeout_ns = d->entry_timeout_ns = NS_PER_SEC;
	}
}
