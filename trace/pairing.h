/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pairs two streams of halves in bounded memory: a half waits for its other half at most
 * PAIRING_PATIENCE further halves, then it is handed out alone.
 *
 * Halves belong together if unique, opcode and nodeid agree. A host half without a readable header
 * is paired by the ring entry it used (queue and avail index), which repeats every 65536 requests:
 * only if the caller's plausible() agrees.
 */
#ifndef VFSCOPE_TRACE_PAIRING_H
#define VFSCOPE_TRACE_PAIRING_H

#include <stdbool.h>
#include <stdint.h>
#include "trace/halves.h"

#define PAIRING_PATIENCE (1u << 17)

struct pairing_ops {
	/* One of the two may be NULL: given up. Not 0 stops with that value. */
	int (*emit)(void *ctx, const struct guest_request_event *g, const struct host_half *h);
	/* May be NULL: then ring entries are not used to pair. */
	bool (*plausible)(void *ctx, const struct guest_request_event *g,
			  const struct host_half *h);
};

struct pairing_stats {
	uint64_t by_unique;
	uint64_t by_ring;
	uint64_t contradicting; /* same unique, but another opcode or nodeid: not paired */
};

struct pairing;

int pairing_new(struct pairing **out, const struct pairing_ops *ops, void *ctx);
void pairing_free(struct pairing *p);
int pairing_add_guest(struct pairing *p, const struct guest_request_event *g);
int pairing_add_host(struct pairing *p, const struct host_half *h);
int pairing_finish(struct pairing *p); /* hands out all that wait */
const struct pairing_stats *pairing_stats(const struct pairing *p);

/*
 * Which stream should go on so that they stay close: the one whose last unique is smaller.
 */
bool pairing_wants_guest(const struct pairing *p);

#endif
