// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope join: a guest trace and a host trace become one, on the guest's clock.
 */
#include <stdio.h>
#include <string.h>
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/units.h"
#include "trace-cli/command.h"
#include "trace-cli/join_text.h"
#include "trace-cli/trace_text.h"

static const char *const formats[] = {"text", "json", NULL};

enum {
	FORMAT_TEXT,
	FORMAT_JSON,
};

struct join_options {
	const char *guest;
	const char *host;
	const char *output;
	const char *connection;
	uint32_t format;
	bool strict;
};

static const struct command_help help = {
	.name = "join",
	.summary = "put a guest and a host trace together",
	.text = "Requests are paired by their FUSE unique; the clocks are aligned by causality\n"
		"alone, and the error bar of that is printed. An error says so if they contradict\n"
		"each other.",
};

static const struct option_spec options[] = {
	OPTION("output", 'o', OPT_STRING, struct join_options, output, "FILE",
	       "joined trace to write; needed"),
	OPTION("connection", 0, OPT_STRING, struct join_options, connection, "N",
	       "device minor of the guest mount to join, if several fit (default: found)"),
	OPTION_CHOICE("format", 'f', struct join_options, format, formats,
		      "of what is printed: text (default) or json"),
	OPTION("strict", 0, OPT_BOOL, struct join_options, strict, NULL,
	       "exit with status 5 if data was lost"),
	OPTION_POSITIONAL("GUEST", OPT_STRING, struct join_options, guest, true,
			  "trace of vfscope record --guest"),
	OPTION_POSITIONAL("HOST", OPT_STRING, struct join_options, host, true,
			  "trace of vfscope record --host"),
	OPTION_END,
};

static int print_json(const struct join_result *r, const struct join_options *o)
{
	json_t *object = json_pack("{s:s, s:o, s:o, s:o}", "output", o->output, "clock",
				   clock_band_json(&r->band), "join", join_result_json(r), "losses",
				   trace_losses_json(r->losses));
	int err = object ? json_dumpf(object, stdout, JSON_INDENT(2)) : -1;

	json_decref(object);
	putchar('\n');
	return err ? EXIT_CANNOT : EXIT_DONE;
}

int cmd_join(int argc, char **argv)
{
	struct join_options o = {0};
	struct join_config config = {0};
	struct join_result result = {0};
	uint64_t conn;
	int status = options_parse(&help, options, &o, argc, argv, NULL);

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	if (!o.output) {
		msg_error("join: name the file to write with -o FILE; see 'vfscope join --help'");
		return EXIT_USAGE;
	}
	if (o.connection && (parse_u64(o.connection, &conn) || conn > UINT32_MAX)) {
		msg_error("join: --connection %s is not a number", o.connection);
		return EXIT_USAGE;
	}
	config.guest = o.guest;
	config.host = o.host;
	config.conn_given = o.connection;
	config.conn = o.connection ? (uint32_t)conn : 0;
	status = join_exit_status(join_write(&config, o.output, &result), &result);
	if (status != EXIT_DONE)
		return status;
	if (o.format == FORMAT_JSON)
		status = print_json(&result, &o);
	else
		join_print_result(stdout, &result);
	return status == EXIT_DONE ? join_strict_status(o.strict, &result) : status;
}
