// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope calibrate: a model out of a joined trace.
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
#include "models/calibrate.h"
#include "models/model_file.h"
#include "trace-cli/command.h"
#include "trace-cli/trace_text.h"
#include "trace/vft.h"

struct calibrate_options {
	const char *input;
	const char *output;
	const char *name;
	bool strict;
};

static const struct command_help help = {
	.name = "calibrate",
	.summary = "make a model out of a joined trace",
	.text = "Measures every cost of the stack that the trace shows and prints where each came "
		"from.\n"
		"The trace must hold both halves (vfscope join). vfscope-calibrate(1) says how\n"
		"the costs are told apart.",
};

static const struct option_spec options[] = {
	OPTION("output", 'o', OPT_STRING, struct calibrate_options, output, "FILE",
	       "model file to write (default: TRACE.model in this directory)"),
	OPTION("name", 0, OPT_STRING, struct calibrate_options, name, "NAME",
	       "name of the model (default: the output file's, less .model)"),
	OPTION("strict", 0, OPT_BOOL, struct calibrate_options, strict, NULL,
	       "exit with status 5 if the trace lacks data that was lost"),
	OPTION_POSITIONAL("FILE", OPT_STRING, struct calibrate_options, input, true,
			  "joined trace, from vfscope join"),
	OPTION_END,
};

/* "out/lab.model" -> "lab". */
static void base_name(const char *path, char *name, size_t len)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *dot = strrchr(base, '.');

	snprintf(name, len, "%.*s", (int)(dot && dot > base ? dot - base : (long)strlen(base)),
		 base);
}

static int read_records(struct vft_reader *r, struct calibration *c, const char *path)
{
	struct vft_record record;
	int err;

	for (;;) {
		err = vft_read(r, &record);
		if (err || record.type == VFT_RECORD_END)
			return err;
		if (record.type == VFT_RECORD_SPAN)
			err = calibration_add_span(c, record.span);
		else if (record.type == VFT_RECORD_OP)
			err = calibration_add_op(c, record.op);
		if (err) {
			msg_error("cannot keep the records of %s: out of memory", path);
			return err;
		}
	}
}

static void print_losses(const struct vft_reader *r)
{
	const uint64_t *losses = vft_reader_losses(r);

	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++) {
		if (!losses[i])
			continue;
		printf("lost: %" PRIu64 " %s (%s)\n", losses[i], loss_meaning(i), loss_name(i));
	}
}

static int write_model(const struct stack *stack, const char *path, const char *comment)
{
	FILE *out = fopen(path, "we");
	int err;

	if (!out) {
		msg_error("cannot create model '%s': %s", path, strerror(errno));
		return -errno;
	}
	err = model_write(stack, out, comment);
	if (fclose(out) || err) {
		msg_error("cannot write model '%s': %s", path, strerror(errno));
		return -EIO;
	}
	return 0;
}

/* What opens the model file: where everything in it came from. */
static char *comment_lines(const struct calibration *c, const char *input, const char *settings)
{
	static const char *const words[] = {
		[CALIBRATED] = "measured",
		[CALIBRATED_NEAREST] = "nearest",
		[CALIBRATED_ZERO] = "zero",
		[CALIBRATED_DEFAULT] = "default",
	};
	const struct calibration_row *rows;
	size_t count, len;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "# Calibrated by vfscope %s from %s.\n# Settings:\n%s# Costs:\n",
		VFSCOPE_VERSION, input, settings);
	rows = calibration_rows(c, &count);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "#   %s: %s, %" PRIu64 " samples%s%s\n", rows[i].name,
			words[rows[i].source], rows[i].samples, *rows[i].note ? ", " : "",
			rows[i].note);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static int fit_and_write(const struct calibrate_options *o, struct calibration *c,
			 struct stack *stack, const json_t *header)
{
	char *settings = NULL, *comment = NULL;
	int err = calibrate_settings(stack, header, &settings);

	calibration_set_probe_cost(c, calibrate_find(header, "probe_cost"));
	if (!err)
		err = calibration_fit(c, stack);
	if (err == -ENODATA)
		msg_error(
			"%s has no request with both halves: record the guest and the host at the "
			"same time and join them",
			o->input);
	if (err)
		goto out;
	calibration_print(c, stdout);
	comment = comment_lines(c, o->input, settings);
	err = comment ? write_model(stack, o->output, comment) : -ENOMEM;
out:
	free(settings);
	free(comment);
	return err;
}

static int calibrate(struct calibrate_options *o, struct vft_reader *r, struct stack *stack)
{
	struct calibration *c;
	bool lost;
	int err;

	if (calibration_new(&c))
		return EXIT_CANNOT;
	err = read_records(r, c, o->input);
	if (err) {
		calibration_free(c);
		return EXIT_BAD_INPUT;
	}
	print_losses(r);
	lost = trace_lost_data(vft_reader_losses(r), trace_was_interrupted(r));
	err = fit_and_write(o, c, stack, vft_reader_header(r));
	calibration_free(c);
	if (err == -ENOMEM)
		msg_error("cannot calibrate from %s: out of memory", o->input);
	if (err)
		return err == -ENODATA ? EXIT_BAD_INPUT : EXIT_CANNOT;
	printf("\nmodel '%s' written to %s\n", stack->name, o->output);
	if (!lost || !o->strict)
		return EXIT_DONE;
	msg_error("%s lacks data that was lost, and --strict was given", o->input);
	return EXIT_LOST;
}

int cmd_calibrate(int argc, char **argv)
{
	struct calibrate_options o = {};
	struct vft_reader *reader;
	struct stack *stack;
	char name[sizeof(stack->name)], path[sizeof(stack->name) + 8];
	int status = options_parse(&help, options, &o, argc, argv, NULL);

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	if (vft_reader_open(&reader, o.input))
		return EXIT_BAD_INPUT;
	if (vft_reader_kind(reader) != VFT_JOINED) {
		msg_error("%s is a %s trace; calibrate needs both halves: 'vfscope join' makes a "
			  "joined one",
			  o.input, vft_kind_name(vft_reader_kind(reader)));
		vft_reader_close(reader);
		return EXIT_BAD_INPUT;
	}
	base_name(o.output ? o.output : o.input, name, sizeof(name));
	snprintf(path, sizeof(path), "%s.model", name);
	o.output = o.output ? o.output : path;
	stack = malloc(sizeof(*stack));
	if (stack) {
		stack_init(stack);
		snprintf(stack->name, sizeof(stack->name), "%s", o.name ? o.name : name);
		status = calibrate(&o, reader, stack);
	}
	vft_reader_close(reader);
	if (!stack)
		return EXIT_CANNOT;
	free(stack);
	return status;
}
