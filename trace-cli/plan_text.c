// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plan of a recording as text; see plan_text.h.
 */
#include "lib/units.h"
#include "trace-cli/plan_text.h"
#include "trace-cli/points_text.h"
#include "trace-cli/trace_text.h"

static void print_ends(FILE *out, const struct record_config *config)
{
	char duration[32];

	fprintf(out, "%-9s by Ctrl-C", "ends");
	if (config->duration_ns)
		fprintf(out, ", or after %s",
			format_ns((double)config->duration_ns, duration, sizeof(duration)));
	if (config->command)
		fprintf(out, ", or with its command");
	fprintf(out, "\n");
	if (!config->command)
		return;
	fprintf(out, "%-9s", "command");
	for (char **word = config->command; *word; word++)
		fprintf(out, " %s", *word);
	fprintf(out, "\n");
}

void plan_print_output(FILE *out, const char *path)
{
	fprintf(out, "%-9s %s, mode 0600, replaced if it is there\n", "output", path);
}

void plan_print_settings(FILE *out, const struct record_config *config)
{
	char buffer[32];

	print_ends(out, config);
	fprintf(out, "%-9s %s\n", "buffer",
		format_bytes((double)config->capture.buffer_bytes, buffer, sizeof(buffer)));
}

void plan_print_side(FILE *out, enum vft_kind kind, json_t *header)
{
	json_object_del(header, "start_realtime_ns");
	trace_print_context(out, kind, header, NULL);
	points_print(out, json_object_get(header, "points"));
}

void plan_print_end(FILE *out)
{
	fprintf(out, "nothing was attached, run or written\n");
}
