/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the first pass of a join learns from the pairs: bounds on the clocks, and how the times of
 * both sides go by in the sequence in which pairing hands out the halves.
 */
#ifndef VFSCOPE_TRACE_JOIN_SURVEY_H
#define VFSCOPE_TRACE_JOIN_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "trace/clock_band.h"
#include "trace/clock_path.h"
#include "trace/halves.h"

/* How the times of one side go by in the sequence that pairing hands out. */
struct tide {
	uint64_t first; /* smallest of all */
	uint64_t high; /* largest so far */
	uint64_t ebb; /* how far below the largest so far one came, at most */
	uint64_t count;
};

struct survey {
	struct survey_side {
		struct clock_bound *bounds; /* owned */
		size_t count;
	} upper, lower;
	struct clock_bound *fitted; /* owned: both, while they are fitted, which mixes them */
	struct clock_grid grid; /* of all bounds, for clocks that are no line */
	uint64_t all_bounds;
	int error; /* of the bounds */
	struct tide guest; /* issue times, guest clock */
	struct tide host; /* visible times, host clock */
	uint64_t guest_first_end, guest_last_issue; /* both recordings run for sure within these */
	uint64_t host_first_used, host_last_visible;
	bool headless; /* requests without a header that could be read are among them */
};

void tide_start(struct tide *t);
void tide_add(struct tide *t, uint64_t at_ns);
/* Given the whole tide and where it stands now: nothing earlier than this will come. */
uint64_t tide_mark(const struct tide *whole, const struct tide *now);

int survey_new(struct survey *s); /* 0 or -ENOMEM */
void survey_free(struct survey *s);
void survey_start(struct survey *s);
/* A pair, or one half and NULL. */
void survey_add(struct survey *s, const struct guest_request_event *g, const struct host_half *h);
/* As clock_band_fit(), then clock_path_find() if need be; may be called again with the same band.
 */
int survey_fit(struct survey *s, struct clock_band *band);

#endif
