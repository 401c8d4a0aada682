// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The attach points of a recording as a table.
 */
#include "trace-cli/points_text.h"
#include "trace-cli/trace_text.h"

void points_print(FILE *out, const json_t *points)
{
	char what[40], function[72], mechanism[16], reason[64], without[80];
	const json_t *point;
	size_t i;

	if (json_array_size(points))
		fprintf(out, "  %-26s %-30s %s\n", "attach point", "function or tracepoint", "by");
	json_array_foreach((json_t *)points, i, point)
	{
		fprintf(out, "  %-26s %-30s %s", trace_text_of(point, "point", what, sizeof(what)),
			trace_text_of(point, "function", function, sizeof(function)),
			trace_text_of(point, "mechanism", mechanism, sizeof(mechanism)));
		if (json_object_get(point, "without"))
			fprintf(out, " (%s): %s",
				trace_text_of(point, "reason", reason, sizeof(reason)),
				trace_text_of(point, "without", without, sizeof(without)));
		else if (json_object_get(point, "fentry"))
			fprintf(out, " (fentry: %s): costs more per hit",
				trace_text_of(point, "fentry", reason, sizeof(reason)));
		fprintf(out, "\n");
	}
}
