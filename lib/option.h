/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One typed table per subcommand drives parsing, --help and completion. No global options.
 *
 *	struct report_config { const char *input; uint32_t format; bool strict; };
 *	static const struct option_spec report_options[] = {
 *		OPTION("strict", 0, OPT_BOOL, struct report_config, strict, NULL, "..."),
 *		OPTION_CHOICE("format", 'f', struct report_config, format, format_names, "..."),
 *		OPTION_POSITIONAL("FILE", OPT_STRING, struct report_config, input, true, "..."),
 *		OPTION_END
 *	};
 */
#ifndef VFSCOPE_LIB_OPTION_H
#define VFSCOPE_LIB_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_type {
	OPT_BOOL, /* bool: no value; also --no-NAME */
	OPT_U32, /* uint32_t */
	OPT_U64, /* uint64_t */
	OPT_SIZE, /* uint64_t bytes, with k, m, g */
	OPT_TIME, /* uint64_t ns, with ns, us, ms, s, m, h */
	OPT_DOUBLE, /* double */
	OPT_STRING, /* const char *: points into argv */
	OPT_STRINGS, /* struct string_list: the option may be repeated */
	OPT_CHOICE, /* uint32_t: index into choices, a NULL-terminated list of words */
	OPT_HELP, /* set by the parser itself */
};

#define STRING_LIST_MAX 64
struct string_list {
	uint32_t count;
	const char *items[STRING_LIST_MAX];
};

struct option_spec {
	const char *name; /* long name without dashes; for a positional argument its metavar */
	char short_name; /* 0 if none */
	bool positional;
	bool required;
	enum option_type type;
	size_t offset;
	const char *metavar; /* NULL: from the type */
	const char *const *choices;
	const char *help; /* what it does, with its default, one line */
};

#define OPTION(n, s, t, config, field, meta, text)                                                 \
	{                                                                                          \
		.name = (n), .short_name = (s), .type = (t), .offset = offsetof(config, field),    \
		.metavar = (meta), .help = (text)                                                  \
	}
#define OPTION_CHOICE(n, s, config, field, words, text)                                            \
	{                                                                                          \
		.name = (n), .short_name = (s), .type = OPT_CHOICE,                                \
		.offset = offsetof(config, field), .choices = (words), .help = (text)              \
	}
#define OPTION_POSITIONAL(n, t, config, field, need, text)                                         \
	{                                                                                          \
		.name = (n), .positional = true, .required = (need), .type = (t),                  \
		.offset = offsetof(config, field), .help = (text)                                  \
	}
#define OPTION_END                                                                                 \
	{                                                                                          \
		.name = NULL                                                                       \
	}

struct command_help {
	const char *name; /* "report" */
	const char *summary; /* one line */
	const char *text; /* paragraphs under the usage line, or NULL; long lines are wrapped */
	bool takes_command; /* everything after the first non-option (or --) is a command to run */
};

enum option_result {
	OPTIONS_OK = 0,
	OPTIONS_HELP = 1, /* --help was given and printed on stdout */
};

/*
 * Parse argv[1..] into config, which holds the defaults. With takes_command, *rest is the index of
 * the command's first word (argc if none). Returns enum option_result, or -EINVAL after a message.
 */
int options_parse(const struct command_help *cmd, const struct option_spec *specs, void *config,
		  int argc, char **argv, int *rest);

void options_print_help(FILE *out, const struct command_help *cmd, const struct option_spec *specs);

#endif
