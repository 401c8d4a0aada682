// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Polls a capture's ring buffer and reads its counters.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "trace/aggregate_counts.h"
#include "trace/bpf_util.h"
#include "trace/event_source.h"

/* What a kill -9 may lose of an aggregated recording; reading the counters costs some ms of CPU. */
#define COUNTS_INTERVAL_NS (5 * NS_PER_SEC)

static int on_event(void *ctx, void *data, size_t size)
{
	struct event_source *s = ctx;
	int err = s->emit(s->ctx, data);

	(void)size;
	if (!s->err)
		s->err = err;
	/* At the end, also of a recording that failed, who emits is to know how many there were. */
	return s->finishing ? 0 : s->err;
}

int event_source_open(struct event_source *s, const char *what, int ring_fd, capture_event_fn emit,
		      void *ctx)
{
	int err = 0;

	*s = (struct event_source){
		.emit = emit, .ctx = ctx, .counted_ns = clock_ns(CLOCK_MONOTONIC)};
	s->ring = ring_buffer__new(ring_fd, on_event, s, NULL);
	if (!s->ring)
		err = -errno;
	if (err)
		bpf_util_explain(what, err);
	return err;
}

int event_source_count(struct event_source *s, const struct bpf_map *aggregates,
		       const struct bpf_map *cells)
{
	int err = aggregate_counts_new(&s->counts, aggregates, cells);

	if (err)
		bpf_util_explain("counters", err);
	return err;
}

void event_source_close(struct event_source *s)
{
	ring_buffer__free(s->ring);
	aggregate_counts_free(s->counts);
	*s = (struct event_source){0};
}

static int read_counts(struct event_source *s)
{
	s->counted_ns = clock_ns(CLOCK_MONOTONIC);
	return aggregate_counts_emit(s->counts, s->counted_ns, s->emit, s->ctx);
}

int event_source_count_now(struct event_source *s)
{
	return s->counts ? read_counts(s) : 0;
}

int event_source_poll(struct event_source *s, int timeout_ms)
{
	int err = ring_buffer__poll(s->ring, timeout_ms);

	if (s->err)
		return s->err;
	if (err < 0 && err != -EINTR)
		return err;
	/* A few events do not wake us (see emit() in guest_maps.bpf.h): fetch them anyway. */
	err = ring_buffer__consume(s->ring);
	if (s->err)
		return s->err;
	if (err < 0 && err != -EINTR)
		return err;
	if (s->counts && clock_ns(CLOCK_MONOTONIC) - s->counted_ns >= COUNTS_INTERVAL_NS)
		return read_counts(s);
	return 0;
}

int event_source_finish(struct event_source *s)
{
	int err;

	s->finishing = true;
	err = ring_buffer__consume(s->ring);
	if (s->err)
		return s->err;
	if (err < 0)
		return err;
	return event_source_count_now(s);
}
