// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope plot: draws a figure from traces, simulated requests or a comparison, through gnuplot.
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
#include "plots/gnuplot.h"
#include "plots/plot_data.h"
#include "trace-cli/command.h"
#include "trace/join.h"
#include "trace/vft.h"

#define MAX_INPUTS 4

enum figure {
	FIGURE_STAGES,
	FIGURE_CDF,
	FIGURE_MODES,
};

static const char *const figures[] = {"stages", "cdf", "modes", NULL};

struct plot_options {
	uint32_t figure;
	struct string_list inputs;
	const char *output;
};

static const struct command_help help = {
	.name = "plot",
	.summary = "draw a figure as .svg or .png",
	.text = "stages  mean time in each stage per opcode; of guest or joined traces, or of the\n"
		"        requests that 'simulate --requests' wrote; up to 4 side by side\n"
		"cdf     op latencies predicted and measured; of compare.json from 'compare -o "
		"DIR'\n"
		"modes   IOPS and mean latency per mode; of compare.json",
};

static const struct option_spec options[] = {
	{.name = "FIGURE",
	 .positional = true,
	 .required = true,
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct plot_options, figure),
	 .choices = figures,
	 .help = "what to draw"},
	OPTION_POSITIONAL("INPUT", OPT_STRINGS, struct plot_options, inputs, true,
			  "trace, requests as JSON lines, or compare.json"),
	OPTION("output", 'o', OPT_STRING, struct plot_options, output, "FILE",
	       "file to write, .svg or .png; needed"),
	OPTION_END,
};

struct input {
	struct summary *summary;
	char label[64];
	char note[256];
};

static void label_of(const char *path, char *label, size_t len)
{
	const char *slash = strrchr(path, '/');

	snprintf(label, len, "%.60s", slash ? slash + 1 : path);
}

static int add_record(struct summary *s, const struct vft_record *record)
{
	struct span span;

	if (record->type == VFT_RECORD_SPAN)
		return summary_add_span(s, record->span);
	if (record->type == VFT_RECORD_EVENT && record->event->type == EV_GUEST_REQUEST) {
		span_from_guest(&span, (const struct guest_request_event *)record->event);
		return summary_add_span(s, &span);
	}
	return 0;
}

static void note_losses(struct input *in, const struct vft_reader *r)
{
	const uint64_t *losses = vft_reader_losses(r);
	size_t used = 0;

	for (unsigned int i = 0; i < NR_LOSS_CLASSES && used < sizeof(in->note); i++)
		if (losses[i])
			used += snprintf(
				in->note + used, sizeof(in->note) - used, "%s%" PRIu64 " %s",
				used ? ", " : "lost or unmatched: ", losses[i], loss_name(i));
	if (vft_reader_interrupted(r) && used < sizeof(in->note))
		snprintf(in->note + used, sizeof(in->note) - used, "%srecording was interrupted",
			 used ? ", " : "");
}

static int read_trace(struct input *in, const char *path)
{
	struct vft_record record;
	struct vft_reader *r;

	if (vft_reader_open(&r, path))
		return EXIT_BAD_INPUT;
	if (vft_reader_kind(r) == VFT_HOST) {
		msg_error("%s is a host's trace, which knows no request from its start to its end; "
			  "join it with the guest's first",
			  path);
		vft_reader_close(r);
		return EXIT_BAD_INPUT;
	}
	do {
		if (vft_read(r, &record) || add_record(in->summary, &record)) {
			vft_reader_close(r);
			return EXIT_BAD_INPUT;
		}
	} while (record.type != VFT_RECORD_END);
	note_losses(in, r);
	vft_reader_close(r);
	return EXIT_DONE;
}

static int read_lines(struct input *in, const char *path, FILE *file)
{
	char *line = NULL, why[128];
	struct op_record op;
	struct span span;
	size_t size = 0;
	int kind, status = EXIT_DONE;

	for (uint64_t number = 1; getline(&line, &size, file) > 0; number++) {
		kind = span_json_parse(line, &span, &op, why, sizeof(why));
		if (kind < 0) {
			msg_error("%s:%" PRIu64 ": %s; 'simulate --requests' and 'export' write "
				  "such files",
				  path, number, why);
			status = EXIT_BAD_INPUT;
			break;
		}
		if (kind == SPAN_JSON_REQUEST && summary_add_span(in->summary, &span)) {
			status = EXIT_CANNOT;
			break;
		}
	}
	free(line);
	return status;
}

/* Traces begin with their magic, JSON lines with a brace. */
static int read_input(struct input *in, const char *path)
{
	FILE *file = fopen(path, "re");
	int c, status;

	if (!file) {
		msg_error("cannot open '%s': %s", path, strerror(errno));
		return EXIT_BAD_INPUT;
	}
	label_of(path, in->label, sizeof(in->label));
	in->summary = summary_new();
	c = fgetc(file);
	ungetc(c, file);
	if (!in->summary)
		status = EXIT_CANNOT;
	else if (c == '{')
		status = read_lines(in, path, file);
	else
		status = read_trace(in, path);
	fclose(file);
	return status;
}

static int stages(const struct plot_options *o)
{
	struct input inputs[MAX_INPUTS] = {};
	struct stage_input bars[MAX_INPUTS];
	int status = EXIT_DONE;
	uint32_t n = o->inputs.count;

	if (n > MAX_INPUTS) {
		msg_error("plot stages shows at most %d inputs", MAX_INPUTS);
		return EXIT_USAGE;
	}
	for (uint32_t i = 0; i < n && status == EXIT_DONE; i++) {
		status = read_input(&inputs[i], o->inputs.items[i]);
		bars[i] = (struct stage_input){inputs[i].label,
					       *inputs[i].note ? inputs[i].note : NULL,
					       inputs[i].summary};
	}
	if (status == EXIT_DONE && plot_stages(bars, n, o->output))
		status = EXIT_CANNOT;
	for (uint32_t i = 0; i < n; i++)
		summary_free(inputs[i].summary);
	return status;
}

static int comparison(const struct plot_options *o)
{
	const char *path = o->inputs.items[0];
	json_error_t why;
	json_t *json;
	int err;

	if (o->inputs.count != 1) {
		msg_error("plot %s takes one compare.json", figures[o->figure]);
		return EXIT_USAGE;
	}
	json = json_load_file(path, 0, &why);
	if (!json) {
		msg_error("%s: cannot read a comparison: %s (line %d); 'vfscope compare -o DIR' "
			  "writes DIR/compare.json",
			  path, why.text, why.line);
		return EXIT_BAD_INPUT;
	}
	err = o->figure == FIGURE_CDF ? plot_cdf(json, path, o->output)
				      : plot_modes(json, path, o->output);
	json_decref(json);
	if (err == -EINVAL)
		return EXIT_BAD_INPUT;
	return err ? EXIT_CANNOT : EXIT_DONE;
}

int cmd_plot(int argc, char **argv)
{
	struct plot_options o = {};
	int status = options_parse(&help, options, &o, argc, argv, NULL);

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	if (!o.output) {
		msg_error("plot needs -o FILE.svg or -o FILE.png");
		return EXIT_USAGE;
	}
	if (plot_check_output(o.output))
		return EXIT_USAGE;
	return o.figure == FIGURE_STAGES ? stages(&o) : comparison(&o);
}
