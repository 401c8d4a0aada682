// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope compare: one fio job in each mode, predicted, beside what real fio measured.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "models/comparison.h"
#include "models/dax_report.h"
#include "models/model_file.h"
#include "trace-cli/command.h"

enum compare_format {
	FORMAT_TEXT,
	FORMAT_JSON,
};

static const char *const formats[] = {[FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", NULL};

struct compare_options {
	const char *job;
	const char *model;
	const char *modes;
	const char *dir;
	struct string_list measured;
	struct string_list set;
	uint32_t format;
	uint64_t seed;
};

static const struct command_help help = {
	.name = "compare",
	.summary = "one fio job in each mode: predicted, measured, error",
	.text = "Simulates the job in each mode. --measured gives the results of the same job "
		"under\n"
		"real fio (--output-format=json+) with the daemon in that mode.",
};

static const struct option_spec options[] = {
	OPTION("model", 'm', OPT_STRING, struct compare_options, model, "NAME|FILE",
	       "model to run on (default: ideal)"),
	OPTION("modes", 0, OPT_STRING, struct compare_options, modes, "LIST",
	       "modes with commas (default: direct,writethrough,writeback; dax with a window)"),
	OPTION("measured", 0, OPT_STRINGS, struct compare_options, measured, "MODE=FILE",
	       "fio's JSON of the job in a mode; may be repeated"),
	OPTION("set", 0, OPT_STRINGS, struct compare_options, set, "SECTION.KEY=VALUE",
	       "change one setting or cost of the model in every mode; may be repeated"),
	OPTION("seed", 0, OPT_U64, struct compare_options, seed, "N",
	       "seed of random offsets and costs (default: 1)"),
	OPTION_CHOICE("format", 'f', struct compare_options, format, formats,
		      "text or json (default: text)"),
	OPTION("output", 'o', OPT_STRING, struct compare_options, dir, "DIR",
	       "also write compare.json and compare.csv into DIR, for plots"),
	OPTION_POSITIONAL("JOB.fio", OPT_STRING, struct compare_options, job, true, "fio job file"),
	OPTION_END,
};

static struct compared_mode *find_mode(struct comparison *c, int mode)
{
	for (uint32_t i = 0; i < c->nr_modes; i++)
		if ((int)c->modes[i].mode == mode)
			return &c->modes[i];
	return NULL;
}

static int parse_modes(struct comparison *c, const char *list)
{
	char buf[128], *next = buf, *word;
	int mode;

	if (strlen(list) >= sizeof(buf)) {
		msg_error("--modes: too long");
		return -EINVAL;
	}
	strcpy(buf, list);
	while ((word = strsep(&next, ","))) {
		mode = mode_from_name(word);
		if (mode < 0 || find_mode(c, mode)) {
			msg_error("--modes: '%s' is %s; modes are direct, writethrough, writeback, "
				  "dax",
				  word, mode < 0 ? "no mode" : "given twice");
			return -EINVAL;
		}
		c->modes[c->nr_modes++] = (struct compared_mode){.mode = mode};
	}
	return 0;
}

/* MODE=FILE. EXIT_DONE, or another status after a message. */
static int read_measured(struct comparison *c, const char *text)
{
	const char *equals = strchr(text, '=');
	struct compared_mode *m;
	char name[32];
	int mode = -ENOENT;

	if (equals && equals - text < (int)sizeof(name)) {
		snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
		mode = mode_from_name(name);
	}
	m = mode < 0 ? NULL : find_mode(c, mode);
	if (!m || m->measured) {
		msg_error("--measured %s: %s", text,
			  mode < 0 ? "write MODE=FILE, like direct=fio.json"
			  : m	   ? "this mode was given before"
				   : "this mode is not among --modes");
		return EXIT_USAGE;
	}
	m->measured_path = equals + 1;
	return fio_results_read(&m->measured, equals + 1) ? EXIT_BAD_INPUT : EXIT_DONE;
}

#define CACHE_MODES "direct,writethrough,writeback"

/* By default all modes that the stack can do: dax needs a window, which --set may give. */
static int default_modes(const struct compare_options *o, const struct stack *base,
			 struct comparison *c)
{
	struct stack *stack = malloc(sizeof(*stack));
	int status = EXIT_DONE;

	if (!stack)
		return EXIT_CANNOT;
	*stack = *base;
	for (uint32_t i = 0; i < o->set.count && status == EXIT_DONE; i++)
		if (model_set(stack, o->set.items[i]))
			status = EXIT_USAGE;
	parse_modes(c, stack->dax.window_bytes ? CACHE_MODES ",dax" : CACHE_MODES);
	free(stack);
	return status;
}

static int run_mode(const struct compare_options *o, const struct stack *base,
		    struct compared_mode *m)
{
	struct stack *stack = malloc(sizeof(*stack));
	int status = EXIT_DONE, err;

	if (!stack)
		return EXIT_CANNOT;
	*stack = *base;
	stack_set_mode(stack, m->mode);
	for (uint32_t i = 0; i < o->set.count && status == EXIT_DONE; i++)
		if (model_set(stack, o->set.items[i]))
			status = EXIT_USAGE;
	if (status == EXIT_DONE && model_check(stack))
		status = EXIT_BAD_INPUT;
	if (status == EXIT_DONE) {
		err = predict(&m->predicted, stack, o->job, o->seed, NULL);
		m->refused = err == -ENODEV;
		if (err && !m->refused)
			status = err == -ENOMEM ? EXIT_CANNOT : EXIT_BAD_INPUT;
		else
			dax_stand_ins(stack, &m->predicted.stats.dax, m->stand_ins,
				      sizeof(m->stand_ins));
	}
	free(stack);
	return status;
}

static int print(const struct compare_options *o, const struct comparison *c)
{
	json_t *json;
	int err;

	if (o->dir && comparison_save(c, o->dir))
		return EXIT_CANNOT;
	if (o->format == FORMAT_TEXT) {
		comparison_print(c, stdout);
		return EXIT_DONE;
	}
	json = comparison_json(c);
	err = json ? json_dumpf(json, stdout, JSON_INDENT(1)) : -1;
	json_decref(json);
	putchar('\n');
	return err ? EXIT_CANNOT : EXIT_DONE;
}

static int compare(const struct compare_options *o, struct comparison *c, struct stack *stack)
{
	int status = EXIT_DONE;

	if (o->modes && parse_modes(c, o->modes))
		return EXIT_USAGE;
	if (model_read(stack, o->model))
		return EXIT_BAD_INPUT;
	if (!o->modes)
		status = default_modes(o, stack, c);
	for (uint32_t i = 0; i < o->measured.count && status == EXIT_DONE; i++)
		status = read_measured(c, o->measured.items[i]);
	c->model = stack->name;
	for (uint32_t i = 0; i < c->nr_modes && status == EXIT_DONE; i++) {
		msg_progress("simulating mode %s", mode_name(c->modes[i].mode));
		status = run_mode(o, stack, &c->modes[i]);
	}
	msg_progress_end();
	return status == EXIT_DONE ? print(o, c) : status;
}

int cmd_compare(int argc, char **argv)
{
	struct compare_options o = {.model = "ideal", .seed = 1};
	struct comparison c = {};
	struct stack *stack;
	int status = options_parse(&help, options, &o, argc, argv, NULL);

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	stack = malloc(sizeof(*stack));
	if (!stack)
		return EXIT_CANNOT;
	c.job = o.job;
	c.seed = o.seed;
	status = compare(&o, &c, stack);
	comparison_free(&c);
	free(stack);
	return status;
}
