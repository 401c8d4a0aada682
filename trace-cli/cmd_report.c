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
#include "trace-cli/command.h"
#include "trace-cli/join_text.h"
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
	struct summary *summary;
	enum vft_kind kind;
	json_t *header, *footer; /* own references; footer may be NULL */
	uint64_t losses[NR_LOSS_CLASSES];
	bool interrupted;
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

static int add_host_half(void *ctx, const struct host_half *half)
{
	struct span span;

	span_from_host(&span, half);
	return summary_add_span(ctx, &span);
}

static int add_pass(struct report *r, const struct guest_writeback_event *pass)
{
	uint64_t ns = pass->h.ts_ns > pass->t_start_ns ? pass->h.ts_ns - pass->t_start_ns : 0;

	return cache_summary_add_pass(&r->summary->cache, ns, pass->pages, pass->op_id);
}

static int add_event(struct report *r, struct host_assembler *a, const struct event_header *event)
{
	struct op_record op;
	struct span span;

	const struct aggregate_event *added;

	if (event->type == EV_AGGREGATE) {
		added = (const struct aggregate_event *)event;
		return summary_add_aggregate(r->summary, event->ts_ns, &added->key, &added->added,
					     r->kind == VFT_HOST);
	}
	if (a)
		return host_assembler_add(a, event);
	if (event->type == EV_GUEST_REQUEST) {
		span_from_guest(&span, (const struct guest_request_event *)event);
		return summary_add_span(r->summary, &span);
	}
	if (event->type == EV_GUEST_OP) {
		op_from_event(&op, (const struct guest_op_event *)event);
		return summary_add_op(r->summary, &op);
	}
	if (event->type == EV_GUEST_WRITEBACK)
		return add_pass(r, (const struct guest_writeback_event *)event);
	return 0;
}

static int add_records(struct report *r, struct vft_reader *reader, struct host_assembler *a)
{
	struct vft_record record;
	int err;

	for (;;) {
		err = vft_read(reader, &record);
		if (err)
			return err;
		switch (record.type) {
		case VFT_RECORD_END:
			return a ? host_assembler_finish(a) : 0;
		case VFT_RECORD_EVENT:
			err = add_event(r, a, record.event);
			break;
		case VFT_RECORD_SPAN:
			err = summary_add_span(r->summary, record.span);
			break;
		case VFT_RECORD_OP:
			err = summary_add_op(r->summary, record.op);
			break;
		}
		if (err)
			return err;
	}
}

static int read_file(struct report *r, const char *path)
{
	struct host_assembler *a = NULL;
	struct vft_reader *reader;
	int err = vft_reader_open(&reader, path);

	if (err)
		return err;
	r->kind = vft_reader_kind(reader);
	if (r->kind == VFT_HOST)
		err = host_assembler_new(&a, add_host_half, r->summary);
	if (!err)
		err = add_records(r, reader, a);
	r->header = json_incref((json_t *)vft_reader_header(reader));
	r->footer = json_incref((json_t *)vft_reader_footer(reader));
	r->interrupted = trace_was_interrupted(reader);
	memcpy(r->losses, vft_reader_losses(reader), sizeof(r->losses));
	if (a)
		host_assembler_free(a);
	vft_reader_close(reader);
	return err;
}

static int keep_header(void *ctx, json_t *header)
{
	((struct report *)ctx)->header = json_incref(header);
	return 0;
}

static int add_span(void *ctx, const struct span *span)
{
	return summary_add_span(((struct report *)ctx)->summary, span);
}

static int add_op(void *ctx, const struct op_record *op)
{
	return summary_add_op(((struct report *)ctx)->summary, op);
}

static int read_two_files(struct report *r, const char *guest, const char *host)
{
	static const struct join_sink sink = {.begin = keep_header, .span = add_span, .op = add_op};
	const struct join_config config = {.guest = guest, .host = host};
	int err = join_files(&config, &sink, r, &r->join);

	r->kind = VFT_JOINED;
	r->joined_here = true;
	r->interrupted = r->join.guest_interrupted || r->join.host_interrupted;
	memcpy(r->losses, r->join.losses, sizeof(r->losses));
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
	const char *blind = blind_spot(r->kind);

	trace_print_context(stdout, r->kind, r->header, r->footer);
	if (r->joined_here)
		join_print_counts(stdout, &r->join);
	trace_print_losses(stdout, r->losses, r->interrupted);
	if (blind)
		printf("\n%s\n", blind);
	printf("\n");
	summary_print(r->summary, stdout);
}

static int print_json(const struct report *r)
{
	json_t *join = r->joined_here ? join_result_json(&r->join)
				      : json_incref(json_object_get(r->footer, "join"));
	json_t *object = json_pack(
		"{s:s, s:O, s:o*, s:b, s:o, s:o}", "kind", vft_kind_name(r->kind), "header",
		r->header, "join", join, "interrupted", r->interrupted, "losses",
		trace_losses_json(r->losses), "summary", summary_json(r->summary));
	int err = object ? json_dumpf(object, stdout, JSON_INDENT(2)) : -1;

	json_decref(object);
	if (err || putchar('\n') == EOF) {
		msg_error("cannot print the report: out of memory, or standard output is closed");
		return EXIT_CANNOT;
	}
	return EXIT_DONE;
}

static int run(struct report *r, const struct report_options *o)
{
	int status = EXIT_DONE;
	int err = o->host ? read_two_files(r, o->input, o->host) : read_file(r, o->input);

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
	if (status == EXIT_DONE && o->strict && trace_lost_data(r->losses, r->interrupted)) {
		msg_error("%s lacks data that was lost, and --strict was given", o->input);
		return EXIT_LOST;
	}
	return status;
}

int cmd_report(int argc, char **argv)
{
	struct report_options o = {0};
	struct report report = {0};
	int status = options_parse(&help, options, &o, argc, argv, NULL);

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	report.summary = summary_new();
	if (!report.summary) {
		msg_error("cannot report on %s: out of memory", o.input);
		return EXIT_CANNOT;
	}
	status = run(&report, &o);
	summary_free(report.summary);
	json_decref(report.header);
	json_decref(report.footer);
	return status;
}
