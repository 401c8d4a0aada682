// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keeps the corners of the clock bounds, reducing them whenever the space for them is full, so that
 * memory does not grow with the trace.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/guest_chain.h"
#include "lib/compiler.h"
#include "trace/join_survey.h"

/* So few that sorting them stays within a CPU's cache. */
#define BOUNDS_KEPT 8192u /* of each side */

void tide_start(struct tide *t)
{
	*t = (struct tide){.first = UINT64_MAX};
}

void tide_add(struct tide *t, uint64_t at_ns)
{
	t->first = min_u64(t->first, at_ns);
	if (at_ns < t->high)
		t->ebb = max_u64(t->ebb, t->high - at_ns);
	t->high = max_u64(t->high, at_ns);
	t->count++;
}

uint64_t tide_mark(const struct tide *whole, const struct tide *now)
{
	uint64_t low = now->high > whole->ebb ? now->high - whole->ebb : 0;

	return now->count == whole->count ? UINT64_MAX : max_u64(low, whole->first);
}

int survey_new(struct survey *s)
{
	s->upper.bounds = malloc(BOUNDS_KEPT * sizeof(*s->upper.bounds));
	s->lower.bounds = malloc(BOUNDS_KEPT * sizeof(*s->lower.bounds));
	s->fitted = malloc(2 * BOUNDS_KEPT * sizeof(*s->fitted));
	if (!clock_grid_new(&s->grid) && s->upper.bounds && s->lower.bounds && s->fitted)
		return 0;
	survey_free(s);
	return -ENOMEM;
}

void survey_free(struct survey *s)
{
	free(s->upper.bounds);
	free(s->lower.bounds);
	free(s->fitted);
	clock_grid_free(&s->grid);
	s->upper.bounds = s->lower.bounds = s->fitted = NULL;
}

void survey_start(struct survey *s)
{
	s->upper.count = s->lower.count = 0;
	s->all_bounds = 0;
	s->error = 0;
	clock_grid_clear(&s->grid);
	tide_start(&s->guest);
	tide_start(&s->host);
	s->guest_first_end = s->host_first_used = UINT64_MAX;
	s->guest_last_issue = s->host_last_visible = 0;
	s->headless = false;
}

/* Those that came in the order of time, which are nearly all, reduce themselves. */
static void drop_slack(struct survey_side *side, const struct clock_bound *next)
{
	const struct clock_bound *b = side->bounds;

	while (side->count >= 2 &&
	       clock_bound_is_slack(&b[side->count - 2], &b[side->count - 1], next))
		side->count--;
}

static void add_bound(struct survey *s, uint64_t t_guest_ns, uint64_t t_host_ns, bool upper)
{
	struct survey_side *side = upper ? &s->upper : &s->lower;
	const struct clock_bound next = {
		.t_guest_ns = t_guest_ns,
		.theta_ns = (int64_t)(t_host_ns - t_guest_ns),
		.upper = upper,
	};
	ssize_t kept;

	if (!t_guest_ns || !t_host_ns || s->error)
		return;
	s->all_bounds++;
	clock_grid_add(&s->grid, &next);
	drop_slack(side, &next);
	if (side->count == BOUNDS_KEPT) {
		kept = clock_band_reduce(side->bounds, side->count);
		side->count = kept < 0 ? 0 : (size_t)kept;
		/* So many corners do not come from clocks that are nearly straight lines. */
		if (kept < 0 || side->count == BOUNDS_KEPT) {
			s->error = kept < 0 ? (int)kept : -ERANGE;
			return;
		}
	}
	side->bounds[side->count++] = next;
}

void survey_add(struct survey *s, const struct guest_request_event *g, const struct host_half *h)
{
	if (g) {
		uint64_t issue_ns = guest_chain(g).issue;

		tide_add(&s->guest, issue_ns);
		s->guest_first_end = min_u64(s->guest_first_end, g->h.ts_ns);
		s->guest_last_issue = max_u64(s->guest_last_issue, issue_ns);
	}
	if (h) {
		tide_add(&s->host, h->t_visible_ns);
		s->host_first_used = min_u64(s->host_first_used, h->t_used_ns);
		s->host_last_visible = max_u64(s->host_last_visible, h->t_visible_ns);
		s->headless |= h->flags & HHALF_NO_HEADER;
	}
	if (g && h) {
		add_bound(s, g->t_add_ns, h->t_visible_ns, true);
		add_bound(s, g->t_complete_ns, h->t_io_end_ns, false);
	}
}

int survey_fit(struct survey *s, struct clock_band *band)
{
	size_t upper = s->upper.count, lower = s->lower.count;
	int err = s->error;

	clock_band_release(band);
	if (!err) {
		memcpy(s->fitted, s->upper.bounds, upper * sizeof(*s->fitted));
		memcpy(s->fitted + upper, s->lower.bounds, lower * sizeof(*s->fitted));
		err = clock_band_fit(band, s->fitted, upper + lower);
	}
	if (!err && band->empty)
		err = clock_path_find(band, &s->grid);
	band->nr_bounds = s->all_bounds;
	return err;
}
