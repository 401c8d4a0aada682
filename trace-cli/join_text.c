// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The result of a join as text.
 */
#include <errno.h>
#include <inttypes.h>
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "trace-cli/join_text.h"
#include "trace-cli/trace_text.h"

static void print_unmatched(FILE *out, const char *label, const char *side, const char *other,
			    const struct unmatched *u)
{
	fprintf(out,
		"%-9s %" PRIu64 " of the %s without %s half while both recorded, %" PRIu64
		" at the edges (normal)\n",
		label, u->inside, side, other, u->edge);
	for (uint32_t i = 0; i < FUSE_OPCODE_LIMIT; i++)
		if (u->by_opcode[i])
			fprintf(out, "%-9s   %s %" PRIu64 "\n", "", fuse_opcode_name(i),
				u->by_opcode[i]);
}

void join_print_counts(FILE *out, const struct join_result *r)
{
	fprintf(out, "%-9s %" PRIu64 " requests of connection %" PRIu32 ", %" PRIu64 " ops\n",
		"joined", r->joined, r->conn, r->ops);
	if (r->by_ring)
		fprintf(out,
			"%-9s %" PRIu64 " of them by ring entry: their header was unreadable\n", "",
			r->by_ring);
	print_unmatched(out, "unmatched", "guest", "host", &r->guest);
	print_unmatched(out, "", "host", "guest", &r->host);
	if (r->assembled.missing_chains || r->assembled.missing_used)
		fprintf(out,
			"%-9s the host's events have gaps: %" PRIu64 " chains and %" PRIu64
			" used elements are missing\n",
			"", r->assembled.missing_chains, r->assembled.missing_used);
	if (r->not_sent)
		fprintf(out, "%-9s %" PRIu64 " ended in the guest without having been sent\n", "",
			r->not_sent);
	if (r->contradicting)
		fprintf(out,
			"%-9s %" PRIu64
			" agreed in unique but not in opcode and node: not joined\n",
			"", r->contradicting);
}

static bool interrupted(const struct join_result *r)
{
	return r->guest_interrupted || r->host_interrupted;
}

void join_print_result(FILE *out, const struct join_result *r)
{
	char half[32];

	join_print_counts(out, r);
	fprintf(out,
		"%-9s aligned to +-%s by %llu bounds; offset %lld ns at the start, drift %.2f "
		"ppm",
		"clocks", format_ns((double)r->band.typical_width_ns / 2, half, sizeof(half)),
		(unsigned long long)r->band.nr_bounds, (long long)r->band.offset_ns,
		r->band.drift * 1e6);
	if (r->band.wander > 0)
		fprintf(out,
			"\n%-9s the drift was not constant: it is followed if within %.0f ppm of "
			"that; "
			"at worst +-%s",
			"", r->band.wander * 1e6,
			format_ns((double)r->band.width_ns / 2, half, sizeof(half)));
	fputc('\n', out);
	trace_print_losses(out, r->losses, interrupted(r));
}

int join_strict_status(bool strict, const struct join_result *r)
{
	if (!strict || !trace_lost_data(r->losses, interrupted(r)))
		return EXIT_DONE;
	msg_error("data was lost and --strict was given");
	return EXIT_LOST;
}

int join_exit_status(int err, const struct join_result *result)
{
	if (!err)
		return EXIT_DONE;
	return err == -ENOMEM || result->output_failed ? EXIT_CANNOT : EXIT_BAD_INPUT;
}
