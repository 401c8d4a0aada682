// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's share of a simulation, for people and programs.
 */
#include "lib/units.h"
#include "models/host_report.h"

static double busy_percent(uint64_t busy_ns, uint64_t end_ns, uint32_t nr)
{
	return end_ns ? 100.0 * busy_ns / end_ns / nr : 0;
}

static void print_op(FILE *out, const char *name, uint64_t count, uint64_t bytes)
{
	char text[32];

	fprintf(out, ", %s %s", format_count(count, text, sizeof(text)), name);
	if (bytes)
		fprintf(out, " (%s)", format_bytes(bytes, text, sizeof(text)));
}

static double hit_percent(const struct storage_stats *s)
{
	uint64_t pages = s->pages_hit + s->pages_missed;

	return pages ? 100.0 * s->pages_hit / pages : 0;
}

static void print_storage(const struct stack *stack, const struct sim_stats *stats, FILE *out)
{
	const struct storage_stats *s = &stats->storage;
	char text[32], mean[32];

	if (s->pages_hit + s->pages_missed)
		fprintf(out, "host page cache: %.1f %% of %s pages read were in it\n",
			hit_percent(s),
			format_count(s->pages_hit + s->pages_missed, text, sizeof(text)));
	fprintf(out, "device: channels %.1f %% busy",
		busy_percent(s->busy_ns, stats->end_ns, stack->storage.channels));
	print_op(out, "reads", s->ops[0], s->bytes[0]);
	print_op(out, "writes", s->ops[1], s->bytes[1]);
	print_op(out, "flushes", s->ops[2], 0);
	fputc('\n', out);
	if (s->throttled)
		fprintf(out, "%s WRITEs waited at the host's dirty limit, %s in the mean\n",
			format_count(s->throttled, text, sizeof(text)),
			format_ns((double)s->throttled_ns / s->throttled, mean, sizeof(mean)));
}

void host_report_print(const struct stack *stack, const struct sim_stats *stats, FILE *out)
{
	if (stack->host.cpus)
		fprintf(out, "host CPUs: %.1f %% busy\n",
			busy_percent(stats->host_cpu_ns, stats->end_ns, stack->host.cpus));
	if (stack->storage.channels)
		print_storage(stack, stats, out);
	if (stack->host.cpus || stack->storage.channels)
		fputc('\n', out);
}

json_t *storage_report_json(const struct stack *stack, const struct sim_stats *stats)
{
	const struct storage_stats *s = &stats->storage;

	if (!stack->storage.channels)
		return NULL;
	return json_pack("{s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I}", "pages_hit",
			 (json_int_t)s->pages_hit, "pages_missed", (json_int_t)s->pages_missed,
			 "reads", (json_int_t)s->ops[0], "read_bytes", (json_int_t)s->bytes[0],
			 "writes", (json_int_t)s->ops[1], "write_bytes", (json_int_t)s->bytes[1],
			 "flushes", (json_int_t)s->ops[2], "busy_ns", (json_int_t)s->busy_ns,
			 "throttled", (json_int_t)s->throttled, "throttled_ns",
			 (json_int_t)s->throttled_ns);
}
