// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope export: every record of a .vft file for other programs, one JSON object a line.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/exit_status.h"
#include "lib/loss.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/span_json.h"
#include "trace-cli/command.h"
#include "trace-cli/trace_text.h"
#include "trace/event_json.h"
#include "trace/join.h"
#include "trace/path_table.h"
#include "trace/vft.h"
#include "workloads/recorded_export.h"

enum export_format {
	EXPORT_JSONL,
	EXPORT_RAW,
	EXPORT_IOLOG,
	EXPORT_FIO,
};

static const char *const formats[] = {
	[EXPORT_JSONL] = "jsonl",
	[EXPORT_RAW] = "raw",
	[EXPORT_IOLOG] = "iolog",
	[EXPORT_FIO] = "fio",
	NULL,
};

struct export_options {
	const char *input;
	const char *output;
	uint64_t task;
	uint32_t format;
	bool strict;
};

static const struct command_help help = {
	.name = "export",
	.summary = "print the records of a trace for other programs",
	.text = "One JSON object a line, in the file's order: type \"request\" or \"op\". With\n"
		"--format raw first the file's header (type \"file\") and last its footer (type\n"
		"\"end\") with the losses, and guest and host events as they were recorded. With\n"
		"--format iolog or fio the ops, for fio to do them again.",
};

static const struct option_spec options[] = {
	OPTION_CHOICE("format", 'f', struct export_options, format, formats,
		      "jsonl: requests and ops, not of host traces (default); raw: all; iolog: one "
		      "task's ops as fio's read_iolog takes them; fio: a folder with a job that "
		      "replays all tasks"),
	OPTION("task", 't', OPT_U64, struct export_options, task, "TID",
	       "whose ops, with --format iolog (default: the only task's)"),
	OPTION("output", 'o', OPT_STRING, struct export_options, output, "DIR",
	       "folder to write, with --format fio"),
	OPTION("strict", 0, OPT_BOOL, struct export_options, strict, NULL,
	       "exit with status 5 if data was lost"),
	OPTION_POSITIONAL("FILE", OPT_STRING, struct export_options, input, true,
			  "trace of vfscope record or join"),
	OPTION_END,
};

/* Takes the reference. */
static int print_line(json_t *object)
{
	int err = object ? json_dumpf(object, stdout, JSON_COMPACT) : -1;

	json_decref(object);
	if (err || putchar('\n') == EOF) {
		msg_error("cannot print a record: out of memory, or standard output is closed");
		return -1;
	}
	return 0;
}

static int print_file(const struct vft_reader *r)
{
	return print_line(json_pack("{s:s, s:s, s:O}", "type", "file", "kind",
				    vft_kind_name(vft_reader_kind(r)), "header",
				    vft_reader_header(r)));
}

static int print_end(const struct vft_reader *r)
{
	const uint64_t *counts = vft_reader_losses(r);
	json_t *losses = json_object();

	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++)
		json_object_set_new(losses, loss_name(i), json_integer((json_int_t)counts[i]));
	return print_line(json_pack("{s:s, s:b, s:o, s:O?}", "type", "end", "interrupted",
				    (int)vft_reader_interrupted(r), "losses", losses, "footer",
				    vft_reader_footer(r)));
}

/* On stderr: stdout has the records alone. */
static void note_losses(const struct vft_reader *r)
{
	const uint64_t *counts = vft_reader_losses(r);

	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++) {
		if (!counts[i] || !loss_is_data_loss(i))
			continue;
		msg_warn("lost: %" PRIu64 " %s (%s)", counts[i], loss_meaning(i), loss_name(i));
	}
}

static int export_raw(const struct vft_record *record)
{
	switch (record->type) {
	case VFT_RECORD_EVENT:
		return print_line(event_json(record->event));
	case VFT_RECORD_SPAN:
		return span_json_write(stdout, record->span);
	case VFT_RECORD_OP:
		return op_json_write(stdout, record->op);
	case VFT_RECORD_END:
		break;
	}
	return 0;
}

static int export_guest_event(const struct event_header *event, struct path_table *paths)
{
	struct span span;
	struct op_record op;

	switch (event->type) {
	case EV_GUEST_REQUEST:
		span_from_guest(&span, (const void *)event);
		return span_json_write_named(stdout, &span,
					     path_table_find(paths, span.conn, span.nodeid));
	case EV_GUEST_OP:
		op_from_event(&op, (const void *)event);
		return op_json_write_named(stdout, &op, path_table_find(paths, op.conn, op.nodeid));
	case EV_GUEST_PATH:
		return path_table_add(paths, (const void *)event);
	default: /* of a newer vfscope */
		return 0;
	}
}

static int export_record(const struct vft_record *record, enum export_format format,
			 struct path_table *paths)
{
	const struct span *span = record->span;
	const struct op_record *op = record->op;

	if (format != EXPORT_JSONL)
		return export_raw(record);
	switch (record->type) {
	case VFT_RECORD_EVENT:
		return export_guest_event(record->event, paths);
	case VFT_RECORD_SPAN:
		return span_json_write_named(stdout, span,
					     path_table_find(paths, span->conn, span->nodeid));
	case VFT_RECORD_OP:
		return op_json_write_named(stdout, op, path_table_find(paths, op->conn, op->nodeid));
	default:
		return 0;
	}
}

static int export_records(struct vft_reader *r, enum export_format format, struct path_table *paths)
{
	struct vft_record record;

	for (;;) {
		if (vft_read(r, &record))
			return EXIT_BAD_INPUT;
		if (record.type == VFT_RECORD_END)
			return EXIT_DONE;
		if (export_record(&record, format, paths))
			return EXIT_CANNOT; /* main() says that stdout is the reason */
	}
}

static int export_all(struct vft_reader *r, enum export_format format)
{
	struct path_table paths = {};
	int status;

	if (format == EXPORT_RAW && print_file(r))
		return EXIT_CANNOT;
	status = export_records(r, format, &paths);
	path_table_free(&paths);
	if (status != EXIT_DONE)
		return status;
	note_losses(r);
	return format == EXPORT_RAW && print_end(r) ? EXIT_CANNOT : EXIT_DONE;
}

/* The task that was asked for, or the only one. */
static int find_task(const struct export_options *o, const struct recorded_ops *r, uint32_t *index)
{
	if (!o->task && r->nr_tasks == 1) {
		*index = 0;
		return 0;
	}
	for (*index = 0; *index < r->nr_tasks; ++*index)
		if (r->tasks[*index].tid == o->task)
			return 0;
	if (o->task)
		msg_error("%s holds no op of task %" PRIu64 ", only of %u others from %u to %u",
			  o->input, o->task, r->nr_tasks, r->tasks[0].tid,
			  r->tasks[r->nr_tasks - 1].tid);
	else
		msg_error("%s holds ops of %u tasks, from %u to %u: choose one with --task, or "
			  "--format fio for all",
			  o->input, r->nr_tasks, r->tasks[0].tid, r->tasks[r->nr_tasks - 1].tid);
	return -ENOENT;
}

static int export_ops(const struct export_options *o)
{
	struct recorded_ops r;
	uint32_t index;
	int status = EXIT_DONE, err = recorded_ops_read(&r, o->input);

	if (err == -ENOMEM)
		msg_error("cannot export '%s': out of memory", o->input);
	if (err)
		return err == -ENOMEM ? EXIT_CANNOT : EXIT_BAD_INPUT;
	recorded_ops_note_left_out(&r, o->input);
	if (r.nr_not_fio)
		msg_info("%s: %" PRIu64 " stats, truncates, copies and advices are left out, which fio "
			 "cannot replay",
			 o->input, r.nr_not_fio);
	if (o->format == EXPORT_FIO)
		status = recorded_write_job(&r, o->output) ? EXIT_CANNOT : EXIT_DONE;
	else if (find_task(o, &r, &index))
		status = EXIT_USAGE;
	else if (recorded_write_iolog(&r, index, stdout))
		status = EXIT_CANNOT; /* main() says that stdout is the reason */
	recorded_ops_free(&r);
	return status;
}

int cmd_export(int argc, char **argv)
{
	struct export_options o = {};
	struct vft_reader *reader;
	bool lost;
	int status = options_parse(&help, options, &o, argc, argv, NULL);

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	if ((o.format == EXPORT_FIO) != (o.output != NULL)) {
		msg_error("--format fio writes a folder, which --output must name; the other "
			  "formats print");
		return EXIT_USAGE;
	}
	if (o.format == EXPORT_IOLOG || o.format == EXPORT_FIO)
		return export_ops(&o);
	if (vft_reader_open(&reader, o.input))
		return EXIT_BAD_INPUT;
	if (o.format == EXPORT_JSONL && vft_reader_kind(reader) == VFT_HOST) {
		msg_error(
			"%s is a host's trace, which has no requests of its own; join it with the "
			"guest's, or use --format raw",
			o.input);
		vft_reader_close(reader);
		return EXIT_BAD_INPUT;
	}
	status = export_all(reader, o.format);
	lost = trace_lost_data(vft_reader_losses(reader), trace_was_interrupted(reader));
	vft_reader_close(reader);
	if (status == EXIT_DONE && lost && o.strict) {
		msg_error("%s lacks data that was lost, and --strict was given", o.input);
		return EXIT_LOST;
	}
	return status;
}
