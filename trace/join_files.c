// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The passes of a join: fit the clocks on all pairs, then put them together.
 *
 * Both passes see the same halves in the same sequence. What the first learned about that sequence
 * (how far back an issue time may lie) lets the second put out spans in order without holding all.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "trace/join.h"
#include "trace/join_conn.h"
#include "trace/join_files.h"
#include "trace/join_header.h"
#include "trace/join_input.h"
#include "trace/join_survey.h"
#include "trace/pairing.h"
#include "trace/span_order.h"

struct joiner {
	const struct join_config *config;
	const struct join_sink *sink;
	void *ctx;
	struct join_result *result;
	struct join_input in;
	struct survey survey;
	struct tide guest, host; /* of the second pass */
	struct span_order *order;
	struct conn_sampler *sampler; /* of the first pass, which looks for the connection */
	bool surveyed; /* survey is of result->conn ... */
	bool daemon_met; /* ... and result->daemon */
	bool told; /* what is wrong with the files: by the first pass */
	json_t *guest_footer, *host_footer; /* of the first pass; NULL: interrupted */
};

static int survey_pair(void *ctx, const struct guest_request_event *g, const struct host_half *h)
{
	survey_add(&((struct joiner *)ctx)->survey, g, h);
	return 0;
}

struct pass {
	struct pairing_ops pairing;
	int (*begin)(struct joiner *j); /* may be NULL */
	int (*on_other)(void *ctx, const struct event_header *event); /* may be NULL */
};

static int take_guest(struct joiner *j, struct pairing *p, const struct guest_request_event *g)
{
	if (j->sampler) {
		/* The first connection's is surveyed in passing: most traces have no other. */
		if (!j->surveyed)
			j->result->conn = g->conn;
		j->surveyed = true;
		conn_sampler_guest(j->sampler, g);
		if (g->conn != j->result->conn)
			return 0;
	}
	return pairing_add_guest(p, g);
}

static int take_host(struct joiner *j, struct pairing *p, const struct host_half *h)
{
	if (j->sampler) {
		if (!j->daemon_met)
			j->result->daemon = h->daemon;
		j->daemon_met = true;
		conn_sampler_host(j->sampler, h);
	}
	return h->daemon == j->result->daemon ? pairing_add_host(p, h) : 0;
}

static int feed(struct joiner *j, struct pairing *p)
{
	const struct guest_request_event *g;
	const struct host_half *h;
	bool guest_left = true, host_left = true;
	int got = 0;

	while (got >= 0 && (guest_left || host_left)) {
		if (guest_left && (!host_left || pairing_wants_guest(p))) {
			got = join_input_guest(&j->in, &g);
			guest_left = got > 0;
			got = got > 0 ? take_guest(j, p, g) : got;
		} else {
			got = join_input_host(&j->in, &h);
			host_left = got > 0;
			got = got > 0 ? take_host(j, p, h) : got;
		}
	}
	return got < 0 ? got : pairing_finish(p);
}

/* Reads both files once; leaves j->in open, with what is known at the ends. */
static int run_pass(struct joiner *j, const struct pass *pass)
{
	struct pairing_ops ops = pass->pairing;
	struct pairing *p;
	int err;

	/* Not for nothing: who waits is filed under its ring entry too. */
	if (!j->survey.headless)
		ops.plausible = NULL;
	err = pairing_new(&p, &ops, j);

	if (!err)
		err = join_input_open(&j->in, j->config->guest, j->config->host);
	if (err) {
		pairing_free(p);
		return err;
	}
	if (j->told) {
		vft_reader_set_quiet(j->in.guest);
		vft_reader_set_quiet(j->in.host);
	}
	j->told = true;
	j->in.any_conn = j->sampler;
	j->in.conn = j->result->conn;
	j->in.on_other = pass->on_other;
	j->in.on_other_ctx = j;
	if (pass->begin)
		err = pass->begin(j);
	if (!err)
		err = feed(j, p);
	j->result->by_ring = pairing_stats(p)->by_ring;
	j->result->contradicting = pairing_stats(p)->contradicting;
	pairing_free(p);
	return err;
}

static void keep_footers(struct joiner *j)
{
	json_decref(j->guest_footer);
	json_decref(j->host_footer);
	j->guest_footer = json_incref((json_t *)vft_reader_footer(j->in.guest));
	j->host_footer = json_incref((json_t *)vft_reader_footer(j->in.host));
}

/* Survey of j->result->conn, or of the first connection met while the right one is looked for. */
static int survey_files(struct joiner *j)
{
	static const struct pass pass = {.pairing = {.emit = survey_pair}};
	int err;

	survey_start(&j->survey);
	err = run_pass(j, &pass);
	if (!err)
		keep_footers(j);
	join_input_close(&j->in);
	return err;
}

static int fit_conn(struct joiner *j, uint32_t conn, uint16_t daemon)
{
	int err = 0;

	if (!j->surveyed || j->result->conn != conn || j->result->daemon != daemon) {
		j->result->conn = conn;
		j->result->daemon = daemon;
		j->surveyed = true;
		err = survey_files(j);
	}
	return err ? err : survey_fit(&j->survey, &j->result->band);
}

static int say_conflict(const struct joiner *j)
{
	const struct clock_band *band = &j->result->band;
	uint64_t first = j->survey.guest.first;
	char by[32], at[32];

	msg_error(
		"cannot join %s and %s: their clocks contradict each other by %s, about %s after "
		"the first guest request; a clock was stepped or the VM was paused or migrated "
		"during the recording, or the files are not of the same run; record again",
		j->config->guest, j->config->host,
		format_ns((double)band->conflict_ns, by, sizeof(by)),
		format_ns(band->conflict_at_ns > first ? (double)(band->conflict_at_ns - first) : 0,
			  at, sizeof(at)));
	return -EBADE;
}

static int choose(struct joiner *j, uint32_t conn, uint16_t daemon)
{
	int err = fit_conn(j, conn, daemon);

	return !err && j->result->band.empty ? say_conflict(j) : err;
}

/* What is worth a try: little in common is so by chance, like the first requests of any mount. */
static bool is_candidate(const struct conn_overlaps *all, uint64_t common)
{
	return common && common > all->conn[0].common / 2;
}

static uint32_t count_candidates(const struct conn_overlaps *all)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < all->count; i++)
		for (uint16_t slot = 0; slot < MAX_DAEMONS_OF_FILE; slot++)
			count += is_candidate(all, all->conn[i].of_daemon[slot]);
	return count;
}

/*
 * With several mounts or daemons of like traffic, the clocks tell which belong together. One mount
 * is served by one daemon: of several that fit, the one that has seen most of it.
 */
static int fit_daemon(struct joiner *j, const struct conn_overlaps *all,
		      const struct conn_overlap *o, uint16_t *daemon)
{
	uint64_t most = 0;
	int err;

	for (uint16_t slot = 0; slot < MAX_DAEMONS_OF_FILE; slot++) {
		if (!is_candidate(all, o->of_daemon[slot]) || o->of_daemon[slot] <= most)
			continue;
		err = fit_conn(j, o->conn, slot);
		if (err && err != -ENOENT && err != -ERANGE)
			return err;
		if (err || j->result->band.empty)
			continue;
		*daemon = slot;
		most = o->of_daemon[slot];
	}
	return most != 0;
}

static int choose_conn(struct joiner *j, const struct conn_overlaps *all)
{
	uint32_t chosen = all->conn[0].conn, fits = 0;
	uint16_t daemon = all->conn[0].daemon;
	bool many = count_candidates(all) > 1;
	int fit;

	for (uint32_t i = 0; i < all->count && many; i++) {
		uint16_t slot = 0;

		fit = fit_daemon(j, all, &all->conn[i], &slot);
		if (fit < 0)
			return fit;
		if (!fit)
			continue;
		chosen = all->conn[i].conn;
		daemon = slot;
		fits++;
	}
	if (fits > 1) {
		msg_error("cannot tell which connection of %s to join with %s: %" PRIu32
			  " fit; name it with --connection",
			  j->config->guest, j->config->host, fits);
		return -ENOTUNIQ;
	}
	return choose(j, chosen, daemon);
}

static void say_nothing_common(const struct joiner *j, const struct conn_overlaps *all)
{
	uint64_t guest = 0;

	for (uint32_t i = 0; i < all->count; i++)
		guest += all->conn[i].requests;
	msg_error("%s (%" PRIu64 " requests) and %s (%" PRIu64 " requests) have no request in "
		  "common: they are not of the same VM and time",
		  j->config->guest, guest, j->config->host, all->host_requests);
}

/* The first pass: which connections are there, and the survey of one of them. */
static int find_conns(struct joiner *j, struct conn_overlaps *all)
{
	int err;

	j->sampler = conn_sampler_new();
	if (!j->sampler)
		return -ENOMEM;
	err = survey_files(j);
	if (!err)
		*all = *conn_sampler_overlaps(j->sampler);
	conn_sampler_free(j->sampler);
	j->sampler = NULL;
	return err;
}

static void only_given(struct conn_overlaps *all, uint32_t conn)
{
	uint32_t i = 0;

	while (i < all->count && all->conn[i].conn != conn)
		i++;
	all->conn[0] = i < all->count ? all->conn[i] : (struct conn_overlap){.conn = conn};
	all->count = 1;
}

static int choose_and_fit(struct joiner *j)
{
	struct conn_overlaps all;
	int err;

	err = find_conns(j, &all);
	if (err)
		return err;
	if (j->config->conn_given)
		only_given(&all, j->config->conn);
	if (!j->config->conn_given && (!all.count || !all.conn[0].common)) {
		say_nothing_common(j, &all);
		return -ENODATA;
	}
	return choose_conn(j, &all);
}

static int find_and_fit(struct joiner *j)
{
	const struct join_config *c = j->config;
	int err = choose_and_fit(j);

	if (err == -ENOENT) {
		msg_error("cannot align the clocks of %s and %s: connection %" PRIu32
			  " has no pair of requests with all times known; record longer",
			  c->guest, c->host, j->result->conn);
		return -ENODATA;
	}
	if (err == -ERANGE)
		msg_error("cannot align the clocks of %s and %s: their times are nonsense (more "
			  "than 146 years apart); a file is damaged",
			  c->guest, c->host);
	return err;
}

static bool ring_is_plausible(void *ctx, const struct guest_request_event *g,
			      const struct host_half *h)
{
	const struct clock_band *band = &((struct joiner *)ctx)->result->band;
	uint64_t half, visible, io_end;

	if (!g->t_add_ns || !g->t_complete_ns)
		return false;
	half = clock_band_error_ns(band, g->t_add_ns);
	visible = clock_band_to_guest(band, h->t_visible_ns);
	io_end = clock_band_to_guest(band, h->t_io_end_ns ? h->t_io_end_ns : h->t_visible_ns);
	return visible + half >= g->t_add_ns && io_end <= g->t_complete_ns + half;
}

static void count_unmatched(struct unmatched *u, bool inside, uint32_t opcode)
{
	if (!inside) {
		u->edge++;
		return;
	}
	u->inside++;
	if (opcode < FUSE_OPCODE_LIMIT)
		u->by_opcode[opcode]++;
}

static void note_guest_alone(struct joiner *j, const struct guest_request_event *g)
{
	const struct clock_band *band = &j->result->band;
	uint64_t half = clock_band_error_ns(band, g->h.ts_ns), end = g->t_complete_ns ?: g->h.ts_ns;

	if ((g->flags & GREQ_ABORTED) || !g->t_add_ns)
		j->result->not_sent++;
	else
		count_unmatched(
			&j->result->guest,
			g->t_add_ns >= clock_band_to_guest(band, j->survey.host_first_used) +
						half &&
				end + half <=
					clock_band_to_guest(band, j->survey.host_last_visible),
			g->opcode);
}

static void note_host_alone(struct joiner *j, const struct span *span)
{
	uint64_t half = clock_band_error_ns(&j->result->band, span->t_issue_ns);
	uint64_t end = span->t_issue_ns + span_latency_ns(span);

	count_unmatched(&j->result->host,
			span->t_issue_ns >= j->survey.guest_first_end + half &&
				end + half <= j->survey.guest_last_issue,
			span->opcode);
}

/* Spans before the lower of both marks cannot be preceded by one that is still to come. */
static int advance(struct joiner *j)
{
	uint64_t guest = tide_mark(&j->survey.guest, &j->guest);
	uint64_t host = tide_mark(&j->survey.host, &j->host);

	if (host != UINT64_MAX) {
		/* Mapping rounds: leave room for it. */
		host = clock_band_to_guest(&j->result->band, host);
		host = host > 2 ? host - 2 : 0;
	}
	return span_order_advance(j->order, min_u64(guest, host));
}

static int join_pair(void *ctx, const struct guest_request_event *g, const struct host_half *h)
{
	struct joiner *j = ctx;
	struct span span;
	int err;

	if (g && h) {
		span_from_both(&span, g, h, &j->result->band);
		j->result->joined++;
		j->result->skewed += !!(span.flags & SPAN_SKEWED);
	} else if (g) {
		span_from_guest(&span, g);
		note_guest_alone(j, g);
	} else {
		span_from_host(&span, h);
		span.conn = j->result->conn;
		span.t_issue_ns = clock_band_to_guest(&j->result->band, span.t_issue_ns);
		note_host_alone(j, &span);
	}
	if (g)
		tide_add(&j->guest, span.t_issue_ns);
	if (h)
		tide_add(&j->host, h->t_visible_ns);
	err = span_order_add(j->order, &span);
	return err ? err : advance(j);
}

static int join_other(void *ctx, const struct event_header *event)
{
	struct joiner *j = ctx;
	struct op_record op;

	if (event->type != EV_GUEST_OP) {
		j->result->passes += event->type == EV_GUEST_WRITEBACK;
		j->result->names += event->type == EV_GUEST_PATH;
		return j->sink->event(j->ctx, event);
	}
	op_from_event(&op, (const struct guest_op_event *)event);
	j->result->ops++;
	return j->sink->op(j->ctx, &op);
}

static void sum_losses(struct joiner *j)
{
	struct join_result *r = j->result;

	memcpy(r->guest_losses, vft_reader_losses(j->in.guest), sizeof(r->guest_losses));
	memcpy(r->host_losses, vft_reader_losses(j->in.host), sizeof(r->host_losses));
	r->guest_interrupted = vft_reader_interrupted(j->in.guest);
	r->host_interrupted = vft_reader_interrupted(j->in.host);
	r->assembled = *host_assembler_stats(j->in.assembler);
	for (int i = 0; i < NR_LOSS_CLASSES; i++)
		r->losses[i] = r->guest_losses[i] + r->host_losses[i];
	r->losses[LOSS_UNMATCHED_GUEST] += r->guest.inside;
	r->losses[LOSS_UNMATCHED_HOST] += r->host.inside;
	r->losses[LOSS_SKEWED] += r->skewed;
}

static int begin_sink(struct joiner *j)
{
	const struct join_headers headers = {
		.guest = vft_reader_header(j->in.guest),
		.host = vft_reader_header(j->in.host),
		.guest_footer = j->guest_footer,
		.host_footer = j->host_footer,
	};
	json_t *header = join_header(&headers, j->result);
	int err = header ? j->sink->begin(j->ctx, header) : -ENOMEM;

	json_decref(header);
	return err;
}

static int join_all(struct joiner *j)
{
	static const struct pass pass = {
		.pairing = {.emit = join_pair, .plausible = ring_is_plausible},
		.begin = begin_sink,
		.on_other = join_other,
	};
	int err;

	tide_start(&j->guest);
	tide_start(&j->host);
	j->order = span_order_new(j->sink->span, j->ctx);
	if (!j->order)
		return -ENOMEM;
	err = run_pass(j, &pass);
	if (!err)
		err = span_order_finish(j->order);
	if (!err)
		sum_losses(j);
	join_input_close(&j->in);
	return err;
}

int join_files(const struct join_config *config, const struct join_sink *sink, void *ctx,
	       struct join_result *result)
{
	struct joiner j = {.config = config, .sink = sink, .ctx = ctx, .result = result};
	int err;

	*result = (struct join_result){0};
	err = survey_new(&j.survey);
	if (!err)
		err = find_and_fit(&j);
	if (!err)
		err = join_all(&j);
	if (err == -ENOMEM)
		msg_error("cannot join %s and %s: out of memory", config->guest, config->host);
	json_decref(j.guest_footer);
	json_decref(j.host_footer);
	span_order_free(j.order);
	survey_free(&j.survey);
	clock_band_release(&result->band);
	return err;
}
