// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope report: requests and ops of a trace, per opcode and stage.
 *
 * Reads any kind of trace in one pass. Of a guest and a host trace it joins in passing, without
 * writing the joined one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/summary.h"
#include "trace-cli/aggregate_pair.h"
#include "trace-cli/command.h"
#include "trace-cli/join_text.h"
#include "trace-cli/kvm_text.h"
#include "trace-cli/trace_summary.h"
#include "trace-cli/trace_text.h"
#include "trace/join.h"

static const char *const formats[] = {"text", "json", NULL};

enum {
	FORMAT_TEXT,
	FORMAT_JSON,
};

struct report_options {
	const char *input;
	const char *host;
	uint32_t format;
	bool strict;
};

/* What is known once a trace has been read, however it was. */
struct report {
	struct trace_summary trace;
	bool joined_here;
	struct join_result join; /* joined_here */
};

static const struct command_help help = {
	.name = "report",
	.summary = "print where the time of each kind of request went",
	.text = "FILE is a trace of record (guest or host) or of join. With HOST, FILE is the\n"
		"guest's trace and both are joined first, without writing a file.",
};

static const struct option_spec options[] = {
	OPTION_CHOICE("format", 'f', struct report_options, format, formats,
		      "text (default) or json"),
	OPTION("strict", 0, OPT_BOOL, struct report_options, strict, NULL,
	       "exit with status 5 if data was lost"),
	OPTION_POSITIONAL("FILE", OPT_STRING, struct report_options, input, true,
			  "trace to report on"),
	OPTION_POSITIONAL("HOST", OPT_STRING, struct report_options, host, false,
			  "host trace of the same run"),
	OPTION_END,
};

static int keep_header(void *ctx, json_t *header)
{
	((struct report *)ctx)->trace.header = json_incref(header);
	return 0;
}

static int add_span(void *ctx, const struct span *span)
{
	return summary_add_span(((struct report *)ctx)->trace.summary, span);
}

static int add_op(void *ctx, const struct op_record *op)
{
	return summary_add_op(((struct report *)ctx)->trace.summary, op);
}

static int add_event(void *ctx, const struct event_header *event)
{
	return trace_summary_add_event(&((struct report *)ctx)->trace, event);
}

static int read_two_files(struct report *r, const char *guest, const char *host)
{
	static const struct join_sink sink = {
		.begin = keep_header, .span = add_span, .op = add_op, .event = add_event};
	const struct join_config config = {.guest = guest, .host = host};
	int err;

	r->trace.summary = summary_new();
	if (!r->trace.summary)
		return -ENOMEM;
	err = join_files(&config, &sink, r, &r->join);
	r->trace.kind = VFT_JOINED;
	r->joined_here = true;
	r->trace.interrupted = r->join.guest_interrupted || r->join.host_interrupted;
	memcpy(r->trace.losses, r->join.losses, sizeof(r->trace.losses));
	return err;
}

/* What a trace of this kind cannot know, in one sentence. */
static const char *blind_spot(enum vft_kind kind)
{
	switch (kind) {
	case VFT_GUEST:
		return "The guest alone cannot tell the daemon's stages (notify, pool, service, "
		       "interrupt)\napart: their sum is 'unsplit'; record the host too and join.";
	case VFT_HOST:
		return "The host alone sees neither when a request was issued nor when its reply "
		       "was taken,\nnor why it was sent; record the guest too and join.";
	default:
		return NULL;
	}
}

static void print_text(const struct report *r)
{
	const char *blind = blind_spot(r->trace.kind);

	trace_print_context(stdout, r->trace.kind, r->trace.header, r->trace.footer);
	if (r->joined_here)
		join_print_counts(stdout, &r->join);
	trace_print_losses(stdout, r->trace.losses, r->trace.interrupted);
	if (blind)
		printf("\n%s\n", blind);
	printf("\n");
	kvm_print(stdout, kvm_of_trace(&r->trace));
	summary_print(r->trace.summary, stdout);
}

static int dump_json(json_t *object)
{
	int err = object ? json_dumpf(object, stdout, JSON_INDENT(2)) : -1;

	json_decref(object);
	if (err || putchar('\n') == EOF) {
		msg_error("cannot print the report: out of memory, or standard output is closed");
		return EXIT_CANNOT;
	}
	return EXIT_DONE;
}

static int print_json(const struct report *r)
{
	json_t *join = r->joined_here ? join_result_json(&r->join)
				      : json_incref(json_object_get(r->trace.footer, "join"));

	return dump_json(json_pack(
		"{s:s, s:O, s:o*, s:O*, s:b, s:o, s:o}", "kind", vft_kind_name(r->trace.kind),
		"header", r->trace.header, "join", join, "kvm", kvm_of_trace(&r->trace),
		"interrupted", r->trace.interrupted, "losses", trace_losses_json(r->trace.losses),
		"summary", summary_json(r->trace.summary)));
}

/* Of two aggregated recordings, which have nothing to join. */
static int run_pair(const struct report_options *o)
{
	struct aggregate_pair pair;
	int status = EXIT_DONE;
	int err = aggregate_pair_read(&pair, o->input, o->host);

	if (err) {
		aggregate_pair_free(&pair);
		return err == -ENOMEM ? EXIT_CANNOT : EXIT_BAD_INPUT;
	}
	if (o->format == FORMAT_JSON)
		status = dump_json(aggregate_pair_json(&pair));
	else
		aggregate_pair_print(stdout, &pair);
	if (status == EXIT_DONE)
		status = aggregate_pair_strict_status(o->strict, &pair);
	aggregate_pair_free(&pair);
	return status;
}

static int run(struct report *r, const struct report_options *o)
{
	int status = EXIT_DONE;
	int err = o->host ? read_two_files(r, o->input, o->host)
			  : trace_summary_read(&r->trace, o->input);

	if (err == -ENOMEM) {
		msg_error("cannot report on %s: out of memory", o->input);
		return EXIT_CANNOT;
	}
	if (err)
		return EXIT_BAD_INPUT;
	if (o->format == FORMAT_JSON)
		status = print_json(r);
	else
		print_text(r);
	if (status == EXIT_DONE && o->strict &&
	    trace_lost_data(r->trace.losses, r->trace.interrupted)) {
		msg_error("%s lacks data that was lost, and --strict was given", o->input);
		return EXIT_LOST;
	}
	return status;
}

int cmd_report(int argc, char **argv)
{
	struct report_options o = {0};
	struct report report = {0};
	int status = options_parse(&help, options, &o, argc, argv, NULL), pair;

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	pair = o.host ? aggregate_pair_is(o.input, o.host) : 0;
	if (pair)
		return pair < 0 ? EXIT_BAD_INPUT : run_pair(&o);
	status = run(&report, &o);
	trace_summary_free(&report.trace);
	return status;
}
