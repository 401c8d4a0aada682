// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Aggregated guest and host side by side; see aggregate_pair.h.
 *
 *	opcode      requests: guest      host  latency = guest's own  + between  + daemon
 *	READ                  1000      1000   812 us       60 us     452 us     300 us
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "lib/exit_status.h"
#include "lib/fuse_opcode.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "trace-cli/aggregate_pair.h"
#include "trace-cli/kvm_text.h"
#include "trace-cli/trace_text.h"

/* Means of one opcode, in nanoseconds. Those of a side that has none of it are 0. */
struct pair_means {
	uint64_t guest_count, host_count;
	double latency, own, between, daemon;
	bool split; /* both sides have it, from request to reply */
};

static int is_aggregate(const char *path)
{
	struct vft_reader *r;
	const char *level;
	int err = vft_reader_open(&r, path);

	if (err)
		return err;
	level = json_string_value(json_object_get(vft_reader_header(r), "level"));
	err = level && !strcmp(level, "aggregate");
	vft_reader_close(r);
	return err;
}

int aggregate_pair_is(const char *guest, const char *host)
{
	int is = is_aggregate(guest);

	return is > 0 ? is_aggregate(host) : is;
}

static int read_side(struct trace_summary *t, const char *path, enum vft_kind want)
{
	int err = trace_summary_read(t, path);

	if (err || t->kind == want)
		return err;
	msg_error("%s is a %s trace; the guest's file comes first, then the host's", path,
		  vft_kind_name(t->kind));
	return -EINVAL;
}

int aggregate_pair_read(struct aggregate_pair *p, const char *guest, const char *host)
{
	int err;

	*p = (struct aggregate_pair){0};
	err = read_side(&p->guest, guest, VFT_GUEST);
	if (!err)
		err = read_side(&p->host, host, VFT_HOST);
	if (err == -ENOMEM)
		msg_error("cannot read %s and %s: out of memory", guest, host);
	return err;
}

static double mean_of(double sum, uint64_t count)
{
	return count ? sum / (double)count : 0;
}

static struct pair_means means_of(const struct aggregate_pair *p, unsigned int opcode)
{
	const struct opcode_summary *g = p->guest.summary->opcode[opcode];
	const struct opcode_summary *h = p->host.summary->opcode[opcode];
	struct pair_means m = {.guest_count = g ? g->count : 0, .host_count = h ? h->count : 0};

	/* FORGETs get no reply: the guest is done with them once they are sent. */
	m.split = m.guest_count && m.host_count && opcode != FUSE_FORGET &&
		  opcode != FUSE_BATCH_FORGET;
	if (g) {
		m.latency = hist_mean(&g->latency);
		m.own = m.latency - mean_of((double)g->unsplit.sum, g->count);
	}
	if (h)
		m.daemon = hist_mean(&h->latency);
	if (m.split)
		m.between = m.latency - m.own - m.daemon;
	return m;
}

static void print_ns(FILE *out, bool known, double ns)
{
	char text[32];

	fprintf(out, " %10s", known ? format_ns(ns, text, sizeof(text)) : "-");
}

static void print_row(FILE *out, unsigned int opcode, const struct pair_means *m)
{
	fprintf(out, "%-16s %10" PRIu64 " %10" PRIu64, fuse_opcode_name(opcode), m->guest_count,
		m->host_count);
	print_ns(out, m->guest_count, m->latency);
	print_ns(out, m->guest_count, m->own);
	print_ns(out, m->split, m->between);
	print_ns(out, m->host_count, m->daemon);
	fprintf(out, "\n");
}

static void print_means(FILE *out, const struct aggregate_pair *p)
{
	fprintf(out, "%-16s %10s %10s   mean of\n", "", "requests", "requests");
	fprintf(out, "%-16s %10s %10s %10s %10s %10s %10s\n", "opcode", "guest", "host", "latency",
		"= guest", "+ between", "+ daemon");
	for (unsigned int i = 0; i < FUSE_OPCODE_LIMIT; i++) {
		struct pair_means m = means_of(p, i);

		if (m.guest_count || m.host_count)
			print_row(out, i, &m);
	}
}

static void print_losses(FILE *out, const char *side, const struct trace_summary *t)
{
	fprintf(out, "in the %s:\n", side);
	trace_print_losses(out, t->losses, t->interrupted);
}

void aggregate_pair_print_means(FILE *out, const struct aggregate_pair *p)
{
	print_means(out, p);
	print_losses(out, "guest", &p->guest);
	print_losses(out, "host", &p->host);
}

void aggregate_pair_print(FILE *out, const struct aggregate_pair *p)
{
	trace_print_context(out, VFT_GUEST, p->guest.header, p->guest.footer);
	trace_print_context(out, VFT_HOST, p->host.header, p->host.footer);
	print_losses(out, "guest", &p->guest);
	print_losses(out, "host", &p->host);
	fprintf(out,
		"\nAggregated recordings have no requests to join: means subtract, percentiles "
		"do not.\n'between' is the way to the daemon and back: kick, wake-up, "
		"interrupt.\n\n");
	kvm_print(out, kvm_of_trace(&p->host));
	print_means(out, p);
	fprintf(out, "\nIn the guest, ");
	summary_print(p->guest.summary, out);
	fprintf(out, "\nOn the host, ");
	summary_print(p->host.summary, out);
}

static json_t *side_json(const struct trace_summary *t)
{
	return json_pack("{s:O, s:b, s:o, s:O*, s:o}", "header", t->header, "interrupted",
			 t->interrupted, "losses", trace_losses_json(t->losses), "kvm",
			 kvm_of_trace(t), "summary", summary_json(t->summary));
}

json_t *aggregate_pair_json(const struct aggregate_pair *p)
{
	json_t *means = json_object();

	for (unsigned int i = 0; means && i < FUSE_OPCODE_LIMIT; i++) {
		struct pair_means m = means_of(p, i);

		if (m.split)
			json_object_set_new(means, fuse_opcode_name(i),
					    json_pack("{s:f, s:f, s:f, s:f}", "latency_ns",
						      m.latency, "guest_ns", m.own, "between_ns",
						      m.between, "daemon_ns", m.daemon));
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "kind", "aggregated", "guest",
			 side_json(&p->guest), "host", side_json(&p->host), "means", means);
}

int aggregate_pair_strict_status(bool strict, const struct aggregate_pair *p)
{
	if (!strict || (!trace_lost_data(p->guest.losses, p->guest.interrupted) &&
			!trace_lost_data(p->host.losses, p->host.interrupted)))
		return EXIT_DONE;
	msg_error("data was lost and --strict was given");
	return EXIT_LOST;
}

void aggregate_pair_free(struct aggregate_pair *p)
{
	trace_summary_free(&p->guest);
	trace_summary_free(&p->host);
}
