// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Option tables: --help, made from the same table that parses.
 */
#include <string.h>
#include "lib/option.h"

#define HELP_COLUMN 28
#define HELP_WIDTH 98

static const char *default_metavar(enum option_type type)
{
	switch (type) {
	case OPT_U32:
	case OPT_U64:
	case OPT_DOUBLE:
		return "N";
	case OPT_SIZE:
		return "SIZE";
	case OPT_TIME:
		return "TIME";
	default:
		return "VALUE";
	}
}

/* One line of text, up to its end or a newline, in lines of HELP_WIDTH. */
static void print_wrapped(FILE *out, const char *text, int column, int indent)
{
	while (*text && *text != '\n') {
		size_t word = strcspn(text, " \n");

		if (column > indent && column + (int)word + 1 > HELP_WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)word, text);
		column += (int)word;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* Lines that fit stay as they are written; longer ones are wrapped. */
static void print_text(FILE *out, const char *text)
{
	fputc('\n', out);
	while (*text) {
		int len = (int)strcspn(text, "\n");

		if (len <= HELP_WIDTH)
			fprintf(out, "%.*s\n", len, text);
		else
			print_wrapped(out, text, 0, 0);
		text += len;
		text += *text == '\n';
	}
}

static void option_label(const struct option_spec *s, char *buf, size_t len)
{
	char value[160] = "", short_name[8] = "";
	size_t used = 0;

	if (s->choices) {
		for (int i = 0; s->choices[i] && used < sizeof(value); i++)
			used += (size_t)snprintf(value + used, sizeof(value) - used, "%c%s",
						 i ? '|' : ' ', s->choices[i]);
	} else if (s->type != OPT_BOOL) {
		snprintf(value, sizeof(value), " %s",
			 s->metavar ? s->metavar : default_metavar(s->type));
	}
	if (s->positional) {
		snprintf(buf, len, "  %s%s", s->name, s->choices ? value : "");
		return;
	}
	snprintf(short_name, sizeof(short_name), s->short_name ? "-%c, " : "", s->short_name);
	snprintf(buf, len, "  %-4s--%s%s%s", short_name, s->type == OPT_BOOL ? "[no-]" : "",
		 s->name, value);
}

static void print_option(FILE *out, const struct option_spec *s)
{
	char label[256];
	int column;

	option_label(s, label, sizeof(label));
	column = fprintf(out, "%s", label);
	if (column > HELP_COLUMN - 2) {
		fputc('\n', out);
		column = 0;
	}
	fprintf(out, "%*s", HELP_COLUMN - column, "");
	print_wrapped(out, s->help, HELP_COLUMN, HELP_COLUMN);
}

static void print_section(FILE *out, const char *title, const struct option_spec *specs,
			  bool positional)
{
	for (const struct option_spec *s = specs; s->name; s++) {
		if (s->positional != positional)
			continue;
		if (title)
			fprintf(out, "\n%s:\n", title);
		title = NULL;
		print_option(out, s);
	}
}

void options_print_help(FILE *out, const struct command_help *cmd, const struct option_spec *specs)
{
	fprintf(out, "usage: vfscope %s [OPTIONS]", cmd->name);
	for (const struct option_spec *s = specs; s->name; s++)
		if (s->positional)
			fprintf(out, s->required ? " %s%s" : " [%s%s]", s->name,
				s->type == OPT_STRINGS ? "..." : "");
	fprintf(out, "%s\n\n", cmd->takes_command ? " [--] [COMMAND [ARG...]]" : "");
	print_wrapped(out, cmd->summary, 0, 0);
	if (cmd->text)
		print_text(out, cmd->text);
	print_section(out, "arguments", specs, true);
	fputs("\noptions:\n", out);
	print_section(out, NULL, specs, false);
	fprintf(out, "%-*sthis text\n", HELP_COLUMN, "  -h, --help");
}
