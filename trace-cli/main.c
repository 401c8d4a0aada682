// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope: finds the subcommand and gives it its arguments. The only place that exits.
 */
#include <stdio.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "trace-cli/command.h"

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

/* In the order in which a newcomer would use them. */
static const struct command commands[] = {
	{"probe", "what can be recorded on this machine, and what is missing", cmd_probe},
	{"record", "trace the guest's side, the host's, or both into a file", cmd_record},
	{"agent", "record in this guest what its host asks for", cmd_agent},
	{"join", "put a guest and a host trace together", cmd_join},
	{"report", "print where the time of each kind of request went", cmd_report},
	{"calibrate", "make a model out of a joined trace", cmd_calibrate},
	{"simulate", "predict what a fio job does on a modelled stack", cmd_simulate},
	{"compare", "one fio job in each mode: predicted, measured, error", cmd_compare},
	{"plot", "draw a figure as .svg or .png", cmd_plot},
	{"export", "print the records of a trace for other programs", cmd_export},
};

static void print_help(FILE *out)
{
	fprintf(out, "usage: vfscope [-q] [-v] COMMAND [OPTIONS]\n\n"
		     "Trace, model and predict the performance of virtio-fs.\n\ncommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(out,
		"\noptions:\n"
		"  -q, --quiet    errors and warnings only\n"
		"  -v, --verbose  more messages\n"
		"  --version      print the version\n"
		"  -h, --help     this text\n"
		"\nexit status: 0 done; 1 the answer is no; 2 wrong use; 3 cannot (permission,\n"
		"missing kernel feature); 4 bad input file; 5 data was lost and --strict was "
		"given\n"
		"\n'vfscope COMMAND --help' tells about one command, 'man vfscope' about all.\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* Returns the index of the command's name, 0 if all is done, -1 on wrong use. */
static int parse_global_options(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help(stdout);
			return 0;
		}
		if (!strcmp(argv[i], "--version")) {
			printf("vfscope %s\n", VFSCOPE_VERSION);
			return 0;
		}
		if (!strcmp(argv[i], "-q") || !strcmp(argv[i], "--quiet")) {
			msg_set_level(MSG_WARN);
		} else if (!strcmp(argv[i], "-v") || !strcmp(argv[i], "--verbose")) {
			msg_set_level(MSG_DEBUG);
		} else {
			msg_error("unknown option '%s'; see 'vfscope --help'", argv[i]);
			return -1;
		}
	}
	if (i == argc) {
		print_help(stderr);
		return -1;
	}
	return i;
}

/* A full disk or closed pipe on stdout must not look like success. */
static int finish(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	msg_error(
		"cannot write the result to standard output: is its disk full, or was it closed?");
	return EXIT_CANNOT;
}

int main(int argc, char **argv)
{
	const struct command *command;
	int at;

	at = parse_global_options(argc, argv);
	if (at <= 0)
		return finish(at < 0 ? EXIT_USAGE : EXIT_DONE);
	command = find_command(argv[at]);
	if (!command) {
		msg_error("unknown command '%s'; 'vfscope --help' lists them", argv[at]);
		return EXIT_USAGE;
	}
	return finish(command->run(argc - at, argv + at));
}
