// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Summaries for people: the stage report of 'vfscope report' and 'vfscope simulate'.
 *
 *	10007 requests in 12.3 s (813/s), 39.1 MiB read, 0 B written;
 *	10007 seen on both sides.
 *
 *	opcode     count   req/s    bytes errors    mean     p50     p90     p99   p99.9     max
 *	READ       10007     813 39.1 MiB      0  812 us  790 us  ...
 *
 *	READ: where the time goes
 *	stage       requests    mean   share     p50     p90     p99   p99.9     max
 *	notify         10007  120 us  14.8 %  ...
 *
 * Every line is under 100 columns. Rows that are zero throughout are named in one line instead.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/summary.h"
#include "lib/summary_table.h"
#include "lib/units.h"

#define MAX_COLUMN 98

static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};

static double duration_s(const struct summary *s)
{
	return s->last_ns > s->first_ns ? (double)(s->last_ns - s->first_ns) / NS_PER_SEC : 0;
}

static const char *rate_text(uint64_t count, double seconds, char *buf, size_t len)
{
	if (seconds > 0)
		return format_count((double)count / seconds, buf, len);
	return "-";
}

void summary_print_ns(FILE *out, double ns)
{
	char buf[32];

	fprintf(out, " %7s", format_ns(ns, buf, sizeof(buf)));
}

void summary_print_quantiles(FILE *out, const struct hist *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
		summary_print_ns(out, (double)hist_quantile(h, quantiles[i]));
	summary_print_ns(out, (double)h->max);
	fputc('\n', out);
}

static uint64_t opcode_bytes(const struct summary *s, unsigned int opcode)
{
	return s->opcode[opcode] ? s->opcode[opcode]->bytes : 0;
}

static void print_sides(const struct summary *s, FILE *out)
{
	const struct {
		uint64_t count;
		const char *where;
	} sides[] = {
		{s->nr_both, "seen on both sides"},
		{s->nr_guest_only, "in the guest only"},
		{s->nr_host_only, "on the host only"},
	};
	const char *separator = ";\n";

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		if (!sides[i].count)
			continue;
		fprintf(out, "%s%" PRIu64 " %s", separator, sides[i].count, sides[i].where);
		separator = ", ";
	}
}

static void print_sentence(const struct summary *s, FILE *out)
{
	char time[32], rate[32], read[32], written[32];

	fprintf(out, "%" PRIu64 " %srequest%s", s->nr_spans, s->simulated ? "simulated " : "",
		s->nr_spans == 1 ? "" : "s");
	if (s->nr_spans) {
		fprintf(out, " in %s (%s/s), %s read, %s written",
			format_ns(duration_s(s) * NS_PER_SEC, time, sizeof(time)),
			rate_text(s->nr_spans, duration_s(s), rate, sizeof(rate)),
			format_bytes((double)opcode_bytes(s, FUSE_READ), read, sizeof(read)),
			format_bytes((double)opcode_bytes(s, FUSE_WRITE), written,
				     sizeof(written)));
		if (!s->simulated)
			print_sides(s, out);
	}
	fputs(".\n", out);
}

/* Widest opcode name that will be printed, and at least the header's. */
static int name_width(const struct summary *s)
{
	size_t width = strlen("opcode");

	for (unsigned int i = 0; i < FUSE_OPCODE_LIMIT; i++)
		if (s->opcode[i])
			width = max_u64(width, strlen(fuse_opcode_name(i)));
	return (int)width;
}

/* Opcodes that were seen, those first on which most time was spent. Returns how many. */
static unsigned int order_opcodes(const struct summary *s, unsigned int *order)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < FUSE_OPCODE_LIMIT; i++) {
		unsigned int at = count;

		if (!s->opcode[i])
			continue;
		for (; at && s->opcode[order[at - 1]]->latency.sum < s->opcode[i]->latency.sum;
		     at--)
			order[at] = order[at - 1];
		order[at] = i;
		count++;
	}
	return count;
}

static void print_opcodes(const struct summary *s, const unsigned int *order, unsigned int count,
			  FILE *out)
{
	int width = name_width(s);
	char buf[32];

	fprintf(out, "\n%-*s %8s %7s %8s %6s %7s" SUMMARY_QUANTILE_HEADER, width, "opcode", "count",
		"req/s", "bytes", "errors", "mean");
	for (unsigned int i = 0; i < count; i++) {
		const struct opcode_summary *o = s->opcode[order[i]];

		fprintf(out, "%-*s %8" PRIu64 " %7s", width, fuse_opcode_name(order[i]), o->count,
			rate_text(o->count, duration_s(s), buf, sizeof(buf)));
		fprintf(out, " %8s %6" PRIu64, format_bytes((double)o->bytes, buf, sizeof(buf)),
			o->errors);
		summary_print_ns(out, hist_mean(&o->latency));
		summary_print_quantiles(out, &o->latency);
	}
}

static void print_stage_row(FILE *out, const char *name, const struct hist *h, uint64_t whole_ns)
{
	fprintf(out, "  %-15s %8" PRIu64, name, h->count);
	summary_print_ns(out, hist_mean(h));
	fprintf(out, " %6.1f %%", whole_ns ? 100.0 * (double)h->sum / (double)whole_ns : 0);
	summary_print_quantiles(out, h);
}

/* The mean is put together from the stages' sums, so that a wrong sum would show. */
static void print_total_row(FILE *out, const struct opcode_summary *o)
{
	uint64_t sum = o->unsplit.sum;

	for (int i = 0; i < NR_STAGES; i++)
		sum += o->stage[i].sum;
	fprintf(out, "  %-15s %8" PRIu64, "sum", o->count);
	summary_print_ns(out, (double)sum / (double)o->count);
	fprintf(out, " %6.1f %%",
		o->latency.sum ? 100.0 * (double)sum / (double)o->latency.sum : 0);
	summary_print_quantiles(out, &o->latency);
}

static void print_left_out(FILE *out, const struct opcode_summary *o)
{
	const char *separator = "  always 0: ";
	bool any = false;

	for (int i = 0; i < NR_STAGES; i++) {
		if (!o->stage[i].count || o->stage[i].max)
			continue;
		fprintf(out, "%s%s", separator, stage_name(i));
		separator = ", ";
		any = true;
	}
	separator = any ? "; not known: " : "  not known: ";
	for (int i = 0; i < NR_STAGES; i++) {
		if (o->stage[i].count)
			continue;
		fprintf(out, "%s%s", separator, stage_name(i));
		separator = ", ";
		any = true;
	}
	if (any)
		fputc('\n', out);
}

static void print_stages(FILE *out, const char *name, const struct opcode_summary *o)
{
	fprintf(out, "\n%s: where the time goes", name);
	if (o->full_stages < o->count)
		fprintf(out, " (all stages known in %" PRIu64 " of %" PRIu64 " requests)",
			o->full_stages, o->count);
	fprintf(out, "\n  %-15s %8s %7s %8s" SUMMARY_QUANTILE_HEADER, "stage", "requests", "mean",
		"share");
	for (int i = 0; i < NR_STAGES; i++) {
		if (o->stage[i].max)
			print_stage_row(out, stage_name(i), &o->stage[i], o->latency.sum);
		if (i == STAGE_NOTIFY && o->cpu_wait.max)
			print_stage_row(out, "  of it CPU wait", &o->cpu_wait, o->latency.sum);
		if (i == STAGE_SERVICE && o->host_io.max)
			print_stage_row(out, "  of it host_io", &o->host_io, o->latency.sum);
	}
	if (o->unsplit.max)
		print_stage_row(out, "unsplit", &o->unsplit, o->latency.sum);
	print_total_row(out, o);
	print_left_out(out, o);
}

static void print_opcode_classes(FILE *out, const char *name, const struct opcode_summary *o)
{
	int column = fprintf(out, "  %s:", name);
	const char *separator = "";

	for (int cls = 0; cls < NR_SPAN_CLASSES; cls++) {
		char text[48];

		if (!o->class_count[cls])
			continue;
		snprintf(text, sizeof(text), " %s %" PRIu64, span_class_name(cls),
			 o->class_count[cls]);
		column += fprintf(out, "%s", separator);
		if (column + strlen(text) > MAX_COLUMN)
			column = fprintf(out, "\n     ") - 1;
		column += fprintf(out, "%s", text);
		separator = ",";
	}
	fputc('\n', out);
}

/* Requests without data have one class: nothing to tell apart. */
static bool has_classes(const struct opcode_summary *o)
{
	return o && o->class_count[SPAN_OTHER] != o->count;
}

static void print_classes(const struct summary *s, FILE *out)
{
	bool header = false;

	for (unsigned int i = 0; i < FUSE_OPCODE_LIMIT; i++) {
		if (!has_classes(s->opcode[i]))
			continue;
		if (!header)
			fputs("\nclasses of requests\n", out);
		header = true;
		print_opcode_classes(out, fuse_opcode_name(i), s->opcode[i]);
	}
}

static void print_depth(const struct summary *s, FILE *out)
{
	bool header = false;

	for (unsigned int i = 0; i < SUMMARY_MAX_QUEUES; i++) {
		const struct hist *h = s->depth[i];
		char label[16];

		if (!h)
			continue;
		if (!header)
			fprintf(out,
				"\nothers in flight on its queue when a request was queued\n"
				"  %-12s %8s %8s %8s %8s %8s %8s\n",
				"queue", "requests", "mean", "p50", "p90", "p99", "max");
		header = true;
		snprintf(label, sizeof(label), i ? "%u request" : "%u hiprio", i);
		fprintf(out,
			"  %-12s %8" PRIu64 " %8.2f %8" PRIu64 " %8" PRIu64 " %8" PRIu64
			" %8" PRIu64 "\n",
			label, h->count, hist_mean(h), hist_quantile(h, 0.5), hist_quantile(h, 0.9),
			hist_quantile(h, 0.99), h->max);
	}
}

/* A half alone does not know what the other side did: no zero is printed for it. */
static void print_transport(const struct summary *s, FILE *out)
{
	bool guest = s->nr_both || s->nr_guest_only, host = s->nr_both || s->nr_host_only;

	fputc('\n', out);
	if (guest)
		fprintf(out,
			"kicks %" PRIu64 ", suppressed %" PRIu64 "; ring full %" PRIu64 " times%s",
			s->kicks, s->kicks_suppressed, s->ring_full_retries, host ? "; " : "");
	if (host)
		fprintf(out, "calls %" PRIu64, s->signals);
	fputc('\n', out);
}

/* True if there are any. */
static bool print_ops(const struct summary *s, FILE *out)
{
	bool header = false;
	char buf[32];

	for (int i = 0; i < NR_OP_TYPES; i++) {
		const struct op_summary *o = s->op[i];

		if (!o)
			continue;
		if (!header)
			fprintf(out, "\n%-10s %8s %7s %8s %8s %7s" SUMMARY_QUANTILE_HEADER, "op",
				"count", "op/s", "bytes", "no req", "mean");
		header = true;
		fprintf(out, "%-10s %8" PRIu64 " %7s", op_type_name(i), o->count,
			rate_text(o->count, duration_s(s), buf, sizeof(buf)));
		fprintf(out, " %8s %8" PRIu64, format_bytes((double)o->bytes, buf, sizeof(buf)),
			o->without_request);
		summary_print_ns(out, hist_mean(&o->latency));
		summary_print_quantiles(out, &o->latency);
	}
	if (header)
		fputs("no req: ops that needed no request, such as reads answered from the page "
		      "cache\n",
		      out);
	return header;
}

void summary_print(const struct summary *s, FILE *out)
{
	unsigned int order[FUSE_OPCODE_LIMIT], count = order_opcodes(s, order);
	bool has_ops;

	print_sentence(s, out);
	if (s->nr_spans) {
		print_opcodes(s, order, count, out);
		for (unsigned int i = 0; i < count; i++)
			print_stages(out, fuse_opcode_name(order[i]), s->opcode[order[i]]);
		print_classes(s, out);
		print_depth(s, out);
		print_transport(s, out);
	}
	has_ops = print_ops(s, out);
	if (!s->simulated)
		cache_summary_print(s->cache, has_ops, out);
	dax_summary_print(s->dax, out);
}
