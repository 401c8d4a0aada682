// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope simulate: predict what a fio job, or what was recorded, does on a modelled stack.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/units.h"
#include "models/dax_report.h"
#include "models/host_report.h"
#include "models/model_file.h"
#include "models/replicate.h"
#include "trace-cli/command.h"

enum simulate_format {
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_FIO,
};

static const char *const formats[] = {
	[FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_FIO] = "fio", NULL};
/* Index 0 leaves the model's mode; the others are enum io_mode + 1. */
static const char *const modes[] = {"model", "direct", "writethrough", "writeback", "dax", NULL};

struct simulate_options {
	const char *job;
	const char *model;
	const char *requests;
	struct string_list set;
	const char *precision;
	const char *confidence;
	uint32_t replications;
	uint32_t threads;
	uint32_t mode;
	uint32_t format;
	uint64_t seed;
};

/* With --precision: runs before giving up. */
#define MOST_RUNS 1000

static const struct command_help help = {
	.name = "simulate",
	.summary = "predict what a fio job does on a modelled stack",
	.text = "JOB.fio is a real fio job file; vfscope-job(5) lists what is modelled. In its "
		"place\n"
		"can be an I/O log of fio (write_iolog), a trace of a guest, to do again what was\n"
		"done then, or a file X.ops of single operations, docs/op-scripts.md. Equal "
		"model,\n"
		"job, options and seed give equal output.",
};

static const struct option_spec options[] = {
	OPTION("model", 'm', OPT_STRING, struct simulate_options, model, "NAME|FILE",
	       "model to run on (default: ideal)"),
	OPTION("set", 0, OPT_STRINGS, struct simulate_options, set, "SECTION.KEY=VALUE",
	       "change one setting or cost of the model; may be repeated"),
	OPTION_CHOICE("mode", 0, struct simulate_options, mode, modes,
		      "how file data moves (default: as the model says)"),
	OPTION("seed", 0, OPT_U64, struct simulate_options, seed, "N",
	       "seed of random offsets and costs (default: 1)"),
	OPTION("precision", 0, OPT_STRING, struct simulate_options, precision, "SHARE",
	       "run until mean latency and IOPS are known to within this, like 1%"),
	OPTION("confidence", 0, OPT_STRING, struct simulate_options, confidence, "SHARE",
	       "of the intervals shown and of --precision (default: 99%)"),
	OPTION("replications", 0, OPT_U32, struct simulate_options, replications, "N",
	       "runs with independent seeds; with --precision at most (default: 1; 1000)"),
	OPTION("threads", 0, OPT_U32, struct simulate_options, threads, "N",
	       "run replications on N threads, same result (default: all CPUs)"),
	OPTION_CHOICE("format", 'f', struct simulate_options, format, formats,
		      "text, json, or fio: the shape of fio's own JSON (default: text)"),
	OPTION("requests", 0, OPT_STRING, struct simulate_options, requests, "FILE",
	       "also write every request and op as JSON lines, like vfscope export"),
	OPTION_POSITIONAL("JOB.fio", OPT_STRING, struct simulate_options, job, true,
			  "fio job file, fio I/O log, or trace with ops"),
	OPTION_END,
};

static json_t *stats_json(const struct stack *stack, const struct sim_stats *s)
{
	json_t *dax = dax_report_json(stack, &s->dax);

	return json_pack("{s:I s:I s:I s:I s:I s:I s:I s:I s:o* s:o*}", "end_ns",
			 (json_int_t)s->end_ns, "events", (json_int_t)s->events, "requests",
			 (json_int_t)s->requests, "ops", (json_int_t)s->ops, "kicks",
			 (json_int_t)s->kicks, "kicks_suppressed", (json_int_t)s->kicks_suppressed,
			 "ring_full", (json_int_t)s->ring_full, "host_cpu_ns",
			 (json_int_t)s->host_cpu_ns, "dax", dax, "storage",
			 storage_report_json(stack, s));
}

static int print_json(json_t *json)
{
	int err = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;

	json_decref(json);
	putchar('\n');
	if (err)
		msg_error("cannot print the result: out of memory");
	return err ? EXIT_CANNOT : EXIT_DONE;
}

static int print_text(const struct simulate_options *o, const struct stack *stack,
		      const struct replicated *r)
{
	char end[32], runs[32] = "", vms[32] = "";

	if (r->runs > 1)
		snprintf(runs, sizeof(runs), "%" PRIu32 " runs, ", r->runs);
	if (r->p.nr_vms > 1)
		snprintf(vms, sizeof(vms), "%" PRIu32 " VMs, ", r->p.nr_vms);
	printf("%s on model '%s', mode %s, %sseed %" PRIu64 ": %s%s simulated\n\n", o->job,
	       stack->name, mode_name(stack->daemon.mode), vms, o->seed, runs,
	       format_ns(r->p.stats.end_ns, end, sizeof(end)));
	fio_results_print(r->p.results, stdout);
	putchar('\n');
	host_report_print(stack, &r->p.stats, stdout);
	if (r->p.vms) {
		vm_results_print(r->p.vms, stdout);
		putchar('\n');
	}
	estimates_print(r, stdout);
	putchar('\n');
	summary_print(r->p.summary, stdout);
	dax_report_print(stack, &r->p.stats.dax, stdout);
	return EXIT_DONE;
}

static int print_result(const struct simulate_options *o, const struct stack *stack,
			const struct replicated *r)
{
	switch (o->format) {
	case FORMAT_JSON:
		return print_json(json_pack(
			"{s:s s:s s:s s:I s:o s:o s:o s:o s:o*}", "workload", o->job, "model",
			stack->name, "mode", mode_name(stack->daemon.mode), "seed",
			(json_int_t)o->seed, "stats", stats_json(stack, &r->p.stats), "jobs",
			fio_results_json(r->p.results), "estimates", estimates_json(r), "summary",
			summary_json(r->p.summary), "vms",
			r->p.vms ? vm_results_json(r->p.vms) : NULL));
	case FORMAT_FIO:
		return print_json(fio_results_as_fio(r->p.results));
	default:
		return print_text(o, stack, r);
	}
}

static int run(const struct simulate_options *o, const struct stack *stack,
	       struct replicate_options *how)
{
	struct replicated r;
	FILE *requests = NULL;
	int status, err;

	if (o->requests) {
		requests = fopen(o->requests, "we");
		if (!requests) {
			msg_error("cannot create '%s': %s", o->requests, strerror(errno));
			return EXIT_CANNOT;
		}
	}
	how->requests = requests;
	err = replicate(&r, stack, o->job, how);
	if (requests && fclose(requests) && !err) {
		msg_error("cannot write '%s': %s", o->requests, strerror(errno));
		replicated_free(&r);
		return EXIT_CANNOT;
	}
	if (err == -ENODEV)
		msg_error(
			"cannot simulate '%s' in mode %s: it maps files shared, which the guest's "
			"kernel refuses there (ENODEV); choose another --mode",
			o->job, mode_name(stack->daemon.mode));
	if (err)
		return err == -ENOMEM || err == -EIO || err == -ENODEV ? EXIT_CANNOT
								       : EXIT_BAD_INPUT;
	if (how->precision > 0 && !r.reached)
		msg_warn("precision %s was not reached in %" PRIu32 " run%s of '%s'; the "
			 "intervals shown are as wide as they say",
			 o->precision, r.runs, r.runs == 1 ? "" : "s", o->job);
	status = print_result(o, stack, &r);
	replicated_free(&r);
	return status;
}

static int parse_open_share(const char *option, const char *text, double *share)
{
	if (!parse_share(text, share) && *share > 0 && *share < 1)
		return 0;
	msg_error("--%s=%s: wanted is a share between 0 and 100 %%, like 1%% or 0.01", option,
		  text);
	return -EINVAL;
}

static int prepare_runs(const struct simulate_options *o, struct replicate_options *how)
{
	*how = (struct replicate_options){
		.seed = o->seed,
		.threads = o->threads,
		.runs = o->replications ? o->replications
			: o->precision	? MOST_RUNS
					: 1,
	};
	if (parse_open_share("confidence", o->confidence, &how->confidence) ||
	    (o->precision && parse_open_share("precision", o->precision, &how->precision)))
		return EXIT_USAGE;
	if (o->requests && how->runs > 1) {
		msg_error("--requests=%s: the requests of one run are written, and there may be "
			  "%" PRIu32 "; leave out --precision and --replications",
			  o->requests, how->runs);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* Exit status of a model that cannot be used: a wrong --set is wrong use, all else bad input. */
static int prepare_stack(const struct simulate_options *o, struct stack *stack)
{
	if (model_read(stack, o->model))
		return EXIT_BAD_INPUT;
	if (o->mode)
		stack_set_mode(stack, o->mode - 1);
	for (uint32_t i = 0; i < o->set.count; i++)
		if (model_set(stack, o->set.items[i]))
			return EXIT_USAGE;
	return model_check(stack) ? EXIT_BAD_INPUT : EXIT_DONE;
}

int cmd_simulate(int argc, char **argv)
{
	struct simulate_options o = {.model = "ideal", .seed = 1, .confidence = "99%"};
	struct replicate_options how;
	struct stack *stack;
	int status = options_parse(&help, options, &o, argc, argv, NULL);

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	status = prepare_runs(&o, &how);
	if (status != EXIT_DONE)
		return status;
	stack = malloc(sizeof(*stack));
	if (!stack)
		return EXIT_CANNOT;
	status = prepare_stack(&o, stack);
	if (status == EXIT_DONE)
		status = run(&o, stack, &how);
	free(stack);
	return status;
}
